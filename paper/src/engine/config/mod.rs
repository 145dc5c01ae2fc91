//! Files in RON, and the places of errors in them.

mod check;
mod error;
mod path;
mod place;

pub use check::{distinct, fits, is_name, name_of_protocol, names, not_empty};
pub use error::{ConfigError, FieldError};
use numerics::checked::one_line;
pub use path::Segment;
pub use place::Place;
use ron::extensions::Extensions;
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The dialect of RON used for configs and records: `Some` and the parentheses of newtype variants may be left out.
#[must_use]
pub fn dialect() -> ron::Options {
    ron::Options::default()
        .with_default_extension(Extensions::IMPLICIT_SOME | Extensions::UNWRAP_VARIANT_NEWTYPES)
}

/// A stable hash of a config and its schema version.
///
/// # Panics
/// Never: a config is serialisable.
#[must_use]
pub fn hash<T: Serialize>(version: &str, config: &T) -> String {
    let text = dialect()
        .to_string(config)
        .expect("a config is serialisable");
    let digest = Sha256::digest(format!("{version}\n{text}").as_bytes());
    digest.iter().take(8).map(|b| format!("{b:02x}")).collect()
}

/// Parses a text in RON, unchecked; `file` is its name in errors.
///
/// # Errors
/// [`ConfigError::Syntax`].
pub fn deserialise<T: DeserializeOwned>(text: &[u8], file: &str) -> Result<T, ConfigError> {
    dialect().from_bytes(text).map_err(|e| ConfigError::Syntax {
        file: file.to_owned(),
        place: Place {
            line: e.span.start.line,
            column: e.span.start.col,
        },
        reason: one_line(&e.code.to_string()),
    })
}

/// The configs of a folder, by name; none if there is no folder.
///
/// # Errors
/// A folder that cannot be read.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let error = |source| ConfigError::Unreadable {
        file: folder.display().to_string(),
        source,
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(error)? {
        let path = entry.map_err(error)?.path();
        if path.extension().is_some_and(|e| e == "ron") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
