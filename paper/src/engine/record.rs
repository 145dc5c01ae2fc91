//! Records: files in RON with a checksum in the last line, below a results folder.

use super::config::{deserialise, dialect};
use super::experiment::{Experiment, Record};
use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::path::{Path, PathBuf};

/// Where a record lies below a results folder.
#[must_use]
pub fn record_path(results: &Path, stem: &str) -> PathBuf {
    results.join("records").join(format!("{stem}.ron"))
}

/// Where figure data lie below a results folder.
#[must_use]
pub fn figure_path(results: &Path, stem: &str) -> PathBuf {
    results.join("records").join(format!("{stem}.figure.ron"))
}

/// Reads a record.
///
/// # Errors
/// Names the file and what is wrong: it cannot be read, was cut short or changed, or has an error
/// at a line and column.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    Ok(deserialise(&bytes(path)?, &path.display().to_string())?)
}

fn bytes(path: &Path) -> Result<Vec<u8>> {
    store::read(path).map_err(|e| match e {
        store::Error::Damaged { .. } => anyhow!("{e}: it has to be computed again"),
        e => anyhow!(e),
    })
}

/// The first field of every file of a run; the rest is ignored.
#[derive(Deserialize)]
struct Stamp {
    hash: String,
}

/// The hash of the run whose figure data a file holds.
///
/// # Errors
/// As for [`read`].
pub fn stamp(path: &Path) -> Result<String> {
    let stamp: Stamp = read(path)?;
    Ok(stamp.hash)
}

/// The figure data of a run, if there are any.
///
/// # Errors
/// As for [`read`].
pub fn figure<E: Experiment>(results: &Path, record: &E::Record) -> Result<Option<E::Figure>> {
    let path = figure_path(results, &record.run().stem());
    if path.exists() && stamp(&path)? == record.hash() {
        return read(&path).map(Some);
    }
    Ok(None)
}

/// Writes a record with its checksum, atomically.
///
/// # Errors
/// Names the file.
pub fn write<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let pretty = ron::ser::PrettyConfig::new()
        .compact_arrays(true)
        .compact_structs(false)
        .indentor("  ")
        .extensions(ron::extensions::Extensions::empty());
    let mut text = dialect().to_string_pretty(value, pretty)?;
    text.push('\n');
    Ok(store::write_sealed(path, text.into_bytes())?)
}

/// All records of a kind below a results folder, in the order of tables; none if there is no
/// folder.
///
/// # Errors
/// The first that cannot be read.
pub fn read_all<E: Experiment>(results: &Path) -> Result<Vec<E::Record>> {
    let folder = results.join("records").join(E::FOLDER);
    // The folder of all records must exist.
    if !E::FOLDER.is_empty() && !folder.exists() {
        return Ok(Vec::new());
    }
    let unreadable = |folder: &Path| format!("{}: cannot be read", folder.display());
    let mut paths = Vec::new();
    let protocols = std::fs::read_dir(&folder).with_context(|| unreadable(&folder))?;
    for protocol in protocols {
        let protocol = protocol?.path();
        if protocol.is_dir() {
            for file in std::fs::read_dir(&protocol).with_context(|| unreadable(&protocol))? {
                paths.push(file?.path());
            }
        }
    }
    paths.retain(|p| {
        let name = p.file_name().unwrap_or_default().to_string_lossy();
        p.is_file() && name.ends_with(".ron") && !name.ends_with(".figure.ron")
    });
    paths.sort();
    let records: Result<Vec<E::Record>> = paths.iter().map(|p| read(p)).collect();
    Ok(sorted::<E>(records?))
}

/// Records in the order of tables.
#[must_use]
pub fn sorted<E: Experiment>(mut records: Vec<E::Record>) -> Vec<E::Record> {
    records.sort_by(|a, b| a.run().order(b.run()));
    records
}
