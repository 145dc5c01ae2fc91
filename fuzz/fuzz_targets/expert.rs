//! Files of one expert (`density::archive`): refused in one line, or a working density.
#![no_main]

use amf::archive::KINDS;
use amf_fuzz::{SAFETENSORS, must_be_one_line, must_work, points};
use density::archive;
use numerics::random::stream;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    SAFETENSORS.mutate(data, size, max_size, seed)
});

fuzz_target!(|data: &[u8]| {
    match archive::from_bytes(data, KINDS) {
        Ok(expert) => {
            let draws = expert.sample(5, &mut stream(1, "fuzz"));
            must_work(&expert.log_prob(draws.as_ref()), &draws);
            must_work(&expert.log_prob(points(expert.dim()).as_ref()), &draws);
        }
        Err(e) => must_be_one_line(&e),
    }
});
