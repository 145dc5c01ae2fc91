//! Saved flows: refused in one line, or a working density, for each context where there are
//! contexts.
#![no_main]

use amf_fuzz::{SAFETENSORS, must_be_one_line, must_work, points};
use numerics::random::stream;
use density::Density;
use flows::Flow;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    SAFETENSORS.mutate(data, size, max_size, seed)
});

fuzz_target!(|data: &[u8]| {
    match Flow::from_bytes(data) {
        Ok(flow) => {
            for row in points(flow.context_dim()).row_iter() {
                let context: Vec<f64> = row.iter().copied().collect();
                let q = flow.condition(&context);
                let draws = q.sample(5, &mut stream(1, "fuzz"));
                must_work(&q.log_prob(draws.as_ref()), &draws);
                must_work(&q.log_prob(points(q.dim()).as_ref()), &draws);
            }
            assert!(Flow::from_bytes(&flow.to_bytes()).is_ok());
        }
        Err(e) => must_be_one_line(&e),
    }
});
