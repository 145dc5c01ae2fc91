//! The text of a study of amortised posteriors: a checked config or one line that says what is
//! wrong.
#![no_main]

use amf_fuzz::{must_be_one_line, must_survive, text};
use libfuzzer_sys::fuzz_target;
use paper::engine::config::dialect;
use paper::engine::protocol_file::parse;
use paper::experiments::amortised::AmortisedStudy;

fuzz_target!(|data: &[u8]| {
    let Some(text) = text(data) else { return };
    match parse::<AmortisedStudy>(text, "config.ron") {
        Ok(config) => must_survive(&dialect(), &config),
        Err(e) => must_be_one_line(&e),
    }
});
