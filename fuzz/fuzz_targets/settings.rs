//! The settings of `amf fit --config`: checked, or one line that says what is wrong.
#![no_main]

use amf::Recipe;
use amf_fuzz::{must_be_one_line, must_survive, text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(text) = text(data) else { return };
    match Recipe::parse(text) {
        Ok(settings) => must_survive(&ron::Options::default(), &settings),
        Err(e) => must_be_one_line(&e),
    }
});
