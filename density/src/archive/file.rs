//! Whole files: one density, and other data stored with it.

use super::{Description, Kind, NotSavable, Reader, Writer};
use crate::Density;
use numerics::checked::one_line;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The version of the format; other versions are refused.
pub const FORMAT: u32 = 2;

/// The metadata key of the manifest.
const KEY: &str = "amf";

/// The metadata, in JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest<A> {
    format: u32,
    density: Description,
    attachment: A,
}

/// Only the version; other fields are ignored.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

/// Why a model file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] store::Error),
    /// A file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What went wrong.
        source: std::io::Error,
    },
    /// Not a model file, or a damaged one.
    #[error("{path}: {reason}")]
    Format {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A density that has no description.
    #[error(transparent)]
    NotSavable(#[from] NotSavable),
}

/// A density and its attachment as the bytes of a safetensors file; the same density gives the same
/// bytes.
///
/// # Errors
/// A density of a kind that cannot be saved.
///
/// # Panics
/// If the attachment cannot be written as JSON.
pub fn pack(density: &dyn Density, attachment: &impl Serialize) -> Result<Vec<u8>, NotSavable> {
    let mut writer = Writer::default();
    let manifest = Manifest {
        format: FORMAT,
        density: density.describe(&mut writer)?,
        attachment,
    };
    let text = serde_json::to_string(&manifest).expect("a manifest is serialisable");
    Ok(writer.finish(KEY, text))
}

/// The inverse of [`pack`]: the attachment, and the result of `read` on the description and the
/// arrays of the density.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn open<A: DeserializeOwned, D>(
    bytes: &[u8],
    kinds: &[Kind],
    read: impl FnOnce(&Description, &mut Reader<'_>) -> Result<D, String>,
) -> Result<(D, A), String> {
    let open = || {
        let (text, mut reader) = Reader::open(bytes, KEY, kinds)?;
        let damaged = |e: serde_json::Error| format!("damaged manifest ({e})");
        let Version { format } = serde_json::from_str(&text).map_err(damaged)?;
        if format != FORMAT {
            return Err(format!(
                "a model of format {format}, where this version reads format {FORMAT}: \
                 fit it again, or use the version of amf that wrote it"
            ));
        }
        let manifest: Manifest<A> = serde_json::from_str(&text).map_err(damaged)?;
        let density = read(&manifest.density, &mut reader)?;
        Ok((density, manifest.attachment))
    };
    open().map_err(|reason: String| one_line(&reason))
}

/// The attachment of a density alone.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// A density as the bytes of a safetensors file: [`pack`] without an attachment.
///
/// # Errors
/// A density of a kind that cannot be saved.
pub fn to_bytes(density: &dyn Density) -> Result<Vec<u8>, NotSavable> {
    pack(density, &Nothing {})
}

/// The inverse of [`to_bytes`]: log-densities and draws are the same to the last bit.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn from_bytes(bytes: &[u8], kinds: &[Kind]) -> Result<Box<dyn Density>, String> {
    let read = |d: &Description, r: &mut Reader<'_>| r.sound_density(d);
    open(bytes, kinds, read).map(|(density, Nothing {})| density)
}

/// Writes a density to a file, whole or not at all.
///
/// # Errors
/// [`LoadError`]; no file is left behind then.
pub fn save(density: &dyn Density, path: &Path) -> Result<(), LoadError> {
    Ok(store::write(path, &to_bytes(density)?)?)
}

/// Reads a density from a file and checks all of it.
///
/// # Errors
/// [`LoadError`], saying what is wrong.
pub fn load(path: &Path, kinds: &[Kind]) -> Result<Box<dyn Density>, LoadError> {
    read_file(path, |bytes| from_bytes(bytes, kinds))
}

/// Reads a file by means of `from_bytes`.
///
/// # Errors
/// [`LoadError`].
pub fn read_file<T>(
    path: &Path,
    from_bytes: impl FnOnce(&[u8]) -> Result<T, String>,
) -> Result<T, LoadError> {
    let name = || path.display().to_string();
    let bytes = std::fs::read(path).map_err(|source| LoadError::Io {
        path: name(),
        source,
    })?;
    from_bytes(&bytes).map_err(|reason| LoadError::Format {
        path: name(),
        reason,
    })
}
