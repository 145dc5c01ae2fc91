//! Files of one expert (`amf::archive`): refused in one line, or a working density.
#![no_main]

use amf::archive::{Reader, read_expert};
use amf_fuzz::{SAFETENSORS, must_be_one_line, must_work, points};
use numerics::checked::one_line;
use numerics::random::stream;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    SAFETENSORS.mutate(data, size, max_size, seed)
});

fuzz_target!(|data: &[u8]| {
    let read = Reader::open(data, "expert").and_then(|(text, mut reader)| {
        // The description belongs to the file around the expert, whose reader answers for it.
        let description = serde_json::from_str(&text).map_err(|e| one_line(&e.to_string()))?;
        read_expert(&description, &mut reader)
    });
    match read {
        Ok(expert) => {
            let draws = expert.sample(5, &mut stream(1, "fuzz"));
            must_work(&expert.log_prob(draws.as_ref()), &draws);
            must_work(&expert.log_prob(points(expert.dim()).as_ref()), &draws);
        }
        Err(e) => must_be_one_line(&e),
    }
});
