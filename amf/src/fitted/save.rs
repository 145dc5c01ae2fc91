//! Fitted densities as safetensors files, see [`density::archive`].

use super::{Column, FittedDensity, Report};
use crate::archive::KINDS;
use crate::experts::check_name;
use density::archive::{self, LoadError};
use density::trial::{TRIAL_DRAWS, must_work, try_log_prob};
use density::{Bijection, Density, Description, Mixture, NotSavable, Reader, Transformed};
use numerics::checked::one_line;
use numerics::random::stream;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

/// The metadata of the density in its file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attachment {
    columns: Vec<Column>,
    names: Vec<String>,
    report: Report,
}

impl FittedDensity {
    /// The density as the bytes of a safetensors file: the numbers of the experts as f64 arrays
    /// (see [`density::archive`]), the rest as JSON under the metadata key `amf`. The same density
    /// gives the same bytes.
    ///
    /// # Errors
    /// An expert of a kind that cannot be saved.
    pub fn to_bytes(&self) -> Result<Vec<u8>, NotSavable> {
        let attachment = Attachment {
            columns: self.columns.clone(),
            names: self.names.clone(),
            report: self.report.clone(),
        };
        archive::pack(&self.density, &attachment)
    }

    /// The inverse of [`Self::to_bytes`]: log-densities and draws are the same to the last bit.
    ///
    /// # Errors
    /// A message that says what is wrong: every field is checked.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let read = |d: &Description, r: &mut Reader<'_>| Transformed::read(d, r, Mixture::read);
        let (density, attachment) = archive::open(bytes, KINDS, read)?;
        Self::checked(density, attachment).map_err(|reason| one_line(&reason))
    }

    fn checked(density: Transformed<Mixture>, attachment: Attachment) -> Result<Self, String> {
        let Attachment {
            columns,
            names,
            report,
        } = attachment;
        let mixture = &density.density;
        let experts = mixture.experts();
        if names.len() != experts.len() {
            return Err("there is not one name for each expert".into());
        }
        // The report also names experts that were not worth delivering.
        let known = |name: &String| report.experts.iter().any(|e| e.name == *name);
        if !names.iter().all(known) {
            return Err("an expert is not in the report".into());
        }
        names.iter().try_for_each(|name| check_name(name))?;
        let mut seen = BTreeSet::new();
        if let Some(c) = columns.iter().find(|c| !seen.insert(&c.name)) {
            return Err(format!("two columns are called \"{}\"", c.name));
        }
        let supports = columns.iter().map(|c| c.support).collect();
        if density.bijection != Bijection::Supports(supports) {
            return Err("the columns are not those of the density".into());
        }
        // Checks single experts too: an expert of little weight has few draws in the mixture.
        for ((name, e), w) in names.iter().zip(experts).zip(mixture.weights()) {
            if *w > 0.0 {
                must_work(e).map_err(|reason| format!("expert \"{name}\": {reason}"))?;
            }
        }
        must_work(mixture)?;
        let density = Self {
            columns,
            names,
            density,
            report,
        };
        // And through the bijections of bounded columns, whose draws may be large.
        let draws = density.sample(TRIAL_DRAWS, &mut stream(0, "archive"));
        try_log_prob(draws.as_ref(), |x| density.log_prob(x))?;
        Ok(density)
    }

    /// Writes the density, whole or not at all.
    ///
    /// # Errors
    /// [`LoadError`]; no file is left behind then.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), LoadError> {
        Ok(store::write(path.as_ref(), &self.to_bytes()?)?)
    }

    /// Reads a density and checks all of it.
    ///
    /// # Errors
    /// [`LoadError`], saying what is wrong.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        archive::read_file(path.as_ref(), Self::from_bytes)
    }
}
