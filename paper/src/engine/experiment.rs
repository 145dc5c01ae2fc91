//! The traits of a study: protocols, their runs and the records.

use super::config::{FieldError, hash};
use super::context::Context;
use super::metric::Metric;
use super::presentation::Presentation;
use super::provenance::Provenance;
use anyhow::Result;
use serde::{Serialize, de::DeserializeOwned};
use std::cmp::Ordering;

/// A protocol: the content of a RON file.
pub trait Protocol: DeserializeOwned + 'static {
    /// One run of it.
    type Run: Experiment;

    /// Name in tables and file names.
    fn name(&self) -> &str;
    /// Its presentation in the report. No run depends on it.
    fn presentation(&self) -> &Presentation;
    /// Checks across fields.
    ///
    /// # Errors
    /// The field and what is wrong with it.
    fn check(&self) -> Result<(), FieldError>;
    /// All runs, and whether figures show them.
    fn runs(&self) -> Vec<(Self::Run, bool)>;
}

/// One run: its record is a pure function of what [`hash`](Experiment::hash) covers, the run itself.
pub trait Experiment: Serialize + DeserializeOwned + PartialEq + Send + Sync + 'static {
    /// Folder of its protocols below the folder of configs, and of its records below the folder of records; may be empty.
    const FOLDER: &'static str;

    /// The protocol that defines it.
    type Protocol: Protocol<Run = Self>;
    /// Its result.
    type Record: Record<Run = Self>;
    /// Data of figures beyond the record.
    type Figure: Serialize + DeserializeOwned;

    /// To be changed when the meaning of a run or of its record changes: records of another schema
    /// are computed again.
    fn schema(&self) -> &'static str;
    /// Names of all targets, to choose runs by.
    fn targets() -> Vec<&'static str>;
    /// Its name.
    fn name(&self) -> RunName<'_>;
    /// The target, as [`targets`](Self::targets) calls it.
    fn target(&self) -> String;
    /// The order of tables.
    fn order(&self, other: &Self) -> Ordering;
    /// An estimate of the work, to start the longest runs first: points times steps of
    /// optimisation.
    fn cost(&self) -> usize;
    /// Computes it, on the current thread pool.
    ///
    /// # Errors
    /// Names the stage and the cause.
    fn compute(
        &self,
        figure: bool,
        context: &Context<'_>,
    ) -> Result<(Self::Record, Option<Self::Figure>)>;
    /// A stable hash of everything that the results depend on.
    fn hash(&self) -> String {
        hash(self.schema(), self)
    }

    /// File name of the record below the folder of records, without its ending.
    fn stem(&self) -> String {
        let RunName {
            protocol,
            target,
            arm,
            n,
            seed,
        } = self.name();
        let folder = if Self::FOLDER.is_empty() {
            String::new()
        } else {
            format!("{}/", Self::FOLDER)
        };
        let arm = if arm.is_empty() {
            arm
        } else {
            format!("-{arm}")
        };
        format!("{folder}{protocol}/{target}{arm}-n{n}-seed{seed}")
    }
}

/// The name of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunName<'a> {
    /// Name of the protocol.
    pub protocol: &'a str,
    /// The target.
    pub target: String,
    /// What distinguishes runs of one target: a plan, a base, a variant; may be empty.
    pub arm: String,
    /// How much data it gets.
    pub n: usize,
    /// Seed of everything random.
    pub seed: u64,
}

/// What every record holds.
#[derive(Debug)]
pub struct Stored<'a, R> {
    /// Hash of the run.
    pub hash: &'a str,
    /// The run.
    pub run: &'a R,
    /// Every measure.
    pub metrics: &'a [Metric],
    /// Commit, machine and threads of the computation.
    pub provenance: &'a Provenance,
}

/// The result of a run, with its provenance.
pub trait Record: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The run.
    type Run: Experiment<Record = Self>;

    /// What every record holds.
    fn stored(&self) -> Stored<'_, Self::Run>;
    /// Whether a fit diverged and backed off.
    fn diverged(&self) -> bool {
        false
    }

    /// Hash of the run.
    fn hash(&self) -> &str {
        self.stored().hash
    }

    /// The run.
    fn run(&self) -> &Self::Run {
        self.stored().run
    }

    /// Every measure.
    fn metrics(&self) -> &[Metric] {
        self.stored().metrics
    }

    /// Commit, machine and threads of the computation.
    fn provenance(&self) -> &Provenance {
        self.stored().provenance
    }

    /// The value of a model's measure.
    fn get(&self, model: &str, metric: &str) -> Option<f64> {
        let mut metrics = self.metrics().iter();
        let found = metrics.find(|m| m.model == model && m.metric == metric);
        found.map(|m| m.value)
    }
}
