//! Checkpoints of fits: not used, or a fit that goes on from them with finite parameters, or
//! diverges in one line.
#![no_main]

use amf_fuzz::{Planted, SAFETENSORS, fit, must_be_one_line};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    SAFETENSORS.mutate(data, size, max_size, seed)
});

fuzz_target!(|data: &[u8]| {
    let (flow, report) = fit(&Planted(data), 5);
    match report {
        Ok(report) => assert!(report.steps <= 4),
        Err(e) => must_be_one_line(&e),
    }
    assert!(flow.params().iter().all(|p| p.is_finite()));
});
