//! The file of a protocol: read, and checked as a whole.

use super::config::{ConfigError, Place, deserialise};
use super::experiment::Protocol;
use std::path::Path;

/// Reads and checks a protocol.
///
/// # Errors
/// See [`ConfigError`].
pub fn read<P: Protocol>(path: &Path) -> Result<P, ConfigError> {
    let file = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text, &file),
        Err(source) => Err(ConfigError::Unreadable { file, source }),
    }
}

/// Checks the text of a protocol; `file` is its name in errors.
///
/// # Errors
/// See [`ConfigError`].
pub fn parse<P: Protocol>(text: &str, file: &str) -> Result<P, ConfigError> {
    let protocol: P = deserialise(text.as_bytes(), file)?;
    protocol.check().map_err(|error| ConfigError::Field {
        file: file.to_owned(),
        place: Place::of(text, &error.path),
        error,
    })?;
    Ok(protocol)
}
