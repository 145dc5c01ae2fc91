//! Densities as safetensors files.

use super::{Column, Density, Report};
use crate::archive::{
    Description, NotSavable, Reader, Writer, must_work, read_mixture, write_mixture,
};
use crate::experts::Expert;
use flows::{TRIAL_DRAWS, try_log_prob};
use numerics::checked::one_line;
use numerics::random::stream;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

/// The version of the format; other versions are refused.
pub const FORMAT: u32 = 1;

/// The metadata key of the manifest.
const KEY: &str = "amf";

/// What the metadata say, in JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: u32,
    columns: Vec<Column>,
    names: Vec<String>,
    mixture: Description,
    report: Report,
}

/// Only the version, whatever else there is.
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
    /// A file that is no model, or a damaged one.
    #[error("{path}: {reason}")]
    Format {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// An expert of a kind of one's own.
    #[error(transparent)]
    NotSavable(#[from] NotSavable),
}

impl Density {
    /// The density as the bytes of a safetensors file: the numbers of the experts as f64 arrays (see [`crate::archive`]) in the folder `expert`, the rest
    /// as JSON under the metadata key `amf`. The same density gives the same bytes.
    ///
    /// # Errors
    /// An expert of a kind that cannot be saved.
    ///
    /// # Panics
    /// Never: every report can be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, NotSavable> {
        let mut writer = Writer::default();
        let mixture = writer.within("expert", |w| write_mixture(&self.mixture, w))?;
        let manifest = Manifest {
            format: FORMAT,
            columns: self.columns.clone(),
            names: self.names.clone(),
            mixture,
            report: self.report.clone(),
        };
        let text = serde_json::to_string(&manifest).expect("a manifest is serialisable");
        Ok(writer.finish(KEY, text))
    }

    /// The inverse of [`Self::to_bytes`]: log-densities and draws are the same to the last bit.
    ///
    /// # Errors
    /// A sentence that says what is wrong: every field is checked.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        Self::read(bytes).map_err(|reason| one_line(&reason))
    }

    fn read(bytes: &[u8]) -> Result<Self, String> {
        let (text, mut reader) = Reader::open(bytes, KEY)?;
        let Version { format } =
            serde_json::from_str(&text).map_err(|e| format!("damaged manifest ({e})"))?;
        if format != FORMAT {
            return Err(format!(
                "a model of format {format}, where this version reads format {FORMAT}: fit it again, or use the version of amf that wrote it"
            ));
        }
        let manifest: Manifest =
            serde_json::from_str(&text).map_err(|e| format!("damaged manifest ({e})"))?;
        let Manifest {
            columns,
            names,
            mixture,
            report,
            ..
        } = manifest;
        let Description::Mixture { experts } = &mixture else {
            return Err("the model is not a mixture".into());
        };
        if names.len() != experts.len() || report.experts.len() != experts.len() {
            return Err("there is not one name for each expert".into());
        }
        let mut seen = BTreeSet::new();
        for c in &columns {
            let name = &c.name;
            c.support
                .check()
                .map_err(|e| format!("column \"{name}\": {e}"))?;
            if !seen.insert(&c.name) {
                return Err(format!("two columns are called \"{name}\""));
            }
        }
        let mixture = reader.within("expert", |r| read_mixture(experts, r))?;
        if mixture.dim() != columns.len() {
            return Err(format!(
                "experts on {} columns where {} are named",
                mixture.dim(),
                columns.len()
            ));
        }
        // Experts alone too: an expert of little weight has few draws in the mixture.
        let experts = mixture.experts();
        for ((name, e), w) in names.iter().zip(experts).zip(mixture.weights()) {
            if *w > 0.0 {
                must_work(e).map_err(|reason| format!("expert \"{name}\": {reason}"))?;
            }
        }
        must_work(&mixture)?;
        let density = Self {
            columns,
            names,
            mixture,
            report,
        };
        // And behind the bijections of bounded columns, whose draws may be large.
        let draws = density.sample(TRIAL_DRAWS, &mut stream(0, "archive"));
        try_log_prob(draws.as_ref(), |x| density.log_prob(x))?;
        Ok(density)
    }

    /// Writes the density beside `path` and renames it into place.
    ///
    /// # Errors
    /// [`LoadError`]; nothing is left behind then.
    pub fn save(&self, path: &Path) -> Result<(), LoadError> {
        Ok(store::write(path, &self.to_bytes()?)?)
    }

    /// Reads a density and checks every part of it.
    ///
    /// # Errors
    /// [`LoadError`], saying what is wrong.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let name = || path.display().to_string();
        let bytes = std::fs::read(path).map_err(|source| LoadError::Io {
            path: name(),
            source,
        })?;
        Self::from_bytes(&bytes).map_err(|reason| LoadError::Format {
            path: name(),
            reason,
        })
    }
}
