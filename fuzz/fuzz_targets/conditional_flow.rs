//! Saved conditional flows: refused in one line, or a working density for each context.
#![no_main]

use amf_fuzz::{SAFETENSORS, must_be_one_line, must_work, points};
use numerics::random::stream;
use flows::Flow;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    SAFETENSORS.mutate(data, size, max_size, seed)
});

fuzz_target!(|data: &[u8]| {
    match Flow::from_bytes(data) {
        Ok(flow) => {
            let contexts = points(flow.context_dim());
            let draws = flow.sample(contexts.as_ref(), &mut stream(1, "fuzz"));
            must_work(&flow.log_prob(draws.as_ref(), contexts.as_ref()), &draws);
            let own = points(flow.dim());
            must_work(&flow.log_prob(own.as_ref(), contexts.as_ref()), &draws);
            assert!(Flow::from_bytes(&flow.to_bytes()).is_ok());
        }
        Err(e) => must_be_one_line(&e),
    }
});
