//! Records and figure data of runs of every kind.
#![no_main]

use amf_fuzz::text;
use libfuzzer_sys::fuzz_target;
use paper::engine::config::dialect;
use paper::experiments::amortised::AmortisedRecord;
use paper::experiments::mixture::{MixtureFigure, MixtureRecord};
use paper::experiments::posterior::{PosteriorFigure, PosteriorRecord};
use serde::{Serialize, de::DeserializeOwned};

/// Whatever is read can be written and read again.
fn read<T: Serialize + DeserializeOwned>(text: &str) {
    if let Ok(value) = dialect().from_str::<T>(text) {
        let again = dialect()
            .to_string(&value)
            .expect("what was read can be written");
        assert!(dialect().from_str::<T>(&again).is_ok(), "{again}");
    }
}

fuzz_target!(|data: &[u8]| {
    let Some(text) = text(data) else { return };
    read::<MixtureRecord>(text);
    read::<MixtureFigure>(text);
    read::<PosteriorRecord>(text);
    read::<PosteriorFigure>(text);
    read::<AmortisedRecord>(text);
});
