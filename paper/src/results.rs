//! Everything that lies in a results folder.

use crate::metrics_csv::{self, Row};
use crate::posterior::{self, AmortisedRecord, PosteriorRecord, amortised};
use crate::record::{self, Record};
use anyhow::Result;
use serde::de::DeserializeOwned;
use std::path::Path;

/// The records of all kinds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Results {
    /// Mixtures of flows fitted to draws of a target (arXiv:2510.02056).
    pub mixtures: Vec<Record>,
    /// Posteriors from likelihood evaluations (arXiv:2512.04954).
    pub posteriors: Vec<PosteriorRecord>,
    /// Posteriors for all data at once.
    pub amortised: Vec<AmortisedRecord>,
}

impl Results {
    /// All records below a results folder.
    ///
    /// # Errors
    /// The first that cannot be read.
    pub fn read(folder: &Path) -> Result<Self> {
        Ok(Self {
            mixtures: record::read_all(folder)?,
            posteriors: below(folder, posterior::FOLDER)?,
            amortised: below(folder, amortised::FOLDER)?,
        }
        .sorted())
    }

    /// In the order of tables.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        record::sort(&mut self.mixtures);
        posterior::sort(&mut self.posteriors);
        amortised::sort(&mut self.amortised);
        self
    }

    /// All measures, in the order of the records.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = metrics_csv::rows(&self.mixtures);
        rows.extend(posterior::rows(&self.posteriors));
        rows.extend(amortised::rows(&self.amortised));
        rows
    }
}

/// The records in a folder of protocols below the folder of records; none without such a folder.
fn below<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<Vec<T>> {
    let folder = folder.join("records").join(name);
    if folder.exists() {
        record::read_folders(&folder)
    } else {
        Ok(Vec::new())
    }
}
