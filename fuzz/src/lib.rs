//! What the fuzz targets have in common: what must hold of whatever a loader gives back, and
//! mutations that get through a container.

mod checkpoint;
mod container;
mod model;
mod table;

pub use checkpoint::{Planted, fit};
pub use container::{Container, GZIP, SAFETENSORS};
pub use model::{must_work, points};
pub use table::must_read_table;

use serde::{Serialize, de::DeserializeOwned};

/// The bytes as text, for loaders that are given text.
#[must_use]
pub fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

/// An error is one line that people can read.
///
/// # Panics
/// If it is not.
pub fn must_be_one_line(error: &impl std::fmt::Display) {
    let message = error.to_string();
    assert!(
        !message.is_empty() && message.len() < 2000,
        "{message:.3000}"
    );
    assert!(!message.contains(|c: char| c.is_control()), "{message:?}");
}

/// What was read is the same after it was written and read again; a config that holds a NaN is not.
///
/// # Panics
/// If it is not.
pub fn must_survive<T>(dialect: &ron::Options, value: &T)
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let text = dialect
        .to_string(value)
        .expect("what was read can be written");
    let again: T = dialect
        .from_str(&text)
        .expect("what was written can be read");
    assert!(again == *value, "{text}");
}
