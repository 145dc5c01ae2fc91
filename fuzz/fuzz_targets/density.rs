//! Model files of the command `amf`: refused in one line, or a working density.
#![no_main]

use amf::FittedDensity;
use density::Density;
use amf_fuzz::{SAFETENSORS, must_be_one_line, must_work, points};
use numerics::random::stream;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    SAFETENSORS.mutate(data, size, max_size, seed)
});

fuzz_target!(|data: &[u8]| {
    match FittedDensity::from_bytes(data) {
        Ok(density) => {
            let draws = density.sample(5, &mut stream(1, "fuzz"));
            must_work(&density.log_prob(draws.as_ref()), &draws);
            let near = points(density.dim());
            let far = near.as_ref() * faer::Scale(1e300);
            must_work(&density.log_prob(near.as_ref()), &draws);
            must_work(&density.log_prob(far.as_ref()), &draws);
            let bytes = density.to_bytes().expect("what was read can be saved");
            assert!(FittedDensity::from_bytes(&bytes).is_ok());
        }
        Err(e) => must_be_one_line(&e),
    }
});
