//! Fitted experts as units of work, and sealed files: refused in one line, or a working density.
#![no_main]

use amf::Fitted;
use amf_fuzz::{SAFETENSORS, must_be_one_line, must_work, points};
use numerics::random::stream;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    SAFETENSORS.mutate(data, size, max_size, seed)
});

fuzz_target!(|data: &[u8]| {
    // Next to no damaged file has the checksum that it says.
    let _ = store::unseal(data);
    match Fitted::from_bytes(data) {
        Ok(fitted) => {
            let e = &*fitted.expert;
            let draws = e.sample(5, &mut stream(1, "fuzz"));
            must_work(&e.log_prob(draws.as_ref()), &draws);
            must_work(&e.log_prob(points(e.dim()).as_ref()), &draws);
            assert!(fitted.to_bytes().is_some());
        }
        Err(e) => must_be_one_line(&e),
    }
});
