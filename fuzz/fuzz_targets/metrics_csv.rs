//! Tables of metrics, and their comparison with the committed ones.
#![no_main]

use amf_fuzz::must_be_one_line;
use libfuzzer_sys::fuzz_target;
use paper::engine::metrics_csv::parse;
use paper::engine::verdict::Comparison;

fuzz_target!(|data: &[u8]| {
    match parse(data, "metrics.csv") {
        Ok(rows) => {
            let half = &rows[rows.len() / 2..];
            assert!(!Comparison::new(&rows, half).verdict().is_empty());
        }
        Err(e) => must_be_one_line(&e),
    }
});
