//! Units of work: whatever has a config, a hash and a record, in one queue.

use crate::record::{self, Metric, Provenance, figure_path, record_path};
use anyhow::Result;
use density::{FitContext, Progress};
use serde::{Serialize, de::DeserializeOwned};
use std::path::Path;
use store::CheckpointStore;

/// What a unit is computed with.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Goes into the record.
    pub provenance: &'a Provenance,
    /// Is told of progress, keeps what is done, and can ask for an end: then the unit fails with [`Interrupted`](crate::run::Interrupted).
    pub fit: FitContext<'a>,
}

impl<'a> Context<'a> {
    /// Whether an end was asked for.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.fit.tell(&Progress::default()).is_break()
    }

    /// Tells of a stage that is no fit: so many steps are done, of all.
    pub fn tell(&self, stage: &str, step: usize, total: usize) {
        let _ = self.fit.tell(&Progress {
            stage,
            step,
            total,
            ..Progress::default()
        });
    }

    /// Where finished parts are kept.
    #[must_use]
    pub fn checkpoints(&self) -> &'a dyn CheckpointStore {
        self.fit.checkpoints()
    }
}

/// A result that knows which unit it belongs to.
pub trait Stamped: Serialize + DeserializeOwned {
    /// Hash of the unit.
    fn hash(&self) -> &str;
}

/// The record of a unit.
pub trait Recorded: Stamped {
    /// File name of the record below the folder of records, without its ending.
    fn stem(&self) -> String;
    /// Every measure.
    fn metrics(&self) -> &[Metric];

    /// The value of a model's measure.
    fn get(&self, model: &str, metric: &str) -> Option<f64> {
        let found = self
            .metrics()
            .iter()
            .find(|m| m.model == model && m.metric == metric);
        found.map(|m| m.value)
    }
}

/// A unit: its results are a pure function of what [`hash`](Unit::hash) covers.
pub trait Unit: Send + Sync {
    /// What it finds.
    type Record: Recorded;
    /// What figures show of it.
    type Figure: Stamped;

    /// File name of the record below the folder of records, without its ending.
    fn stem(&self) -> String;
    /// A stable hash of everything that the results depend on.
    fn hash(&self) -> String;
    /// An estimate of the work, to begin with the longest: points times steps of optimisation.
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
}

/// A unit with whether its figure data are wanted.
pub struct Job<U> {
    /// The unit.
    pub unit: U,
    /// Whether its figure data are wanted.
    pub figure: bool,
}

impl<U: Unit> Job<U> {
    /// Its record in a results folder.
    ///
    /// # Errors
    /// Names the file.
    pub fn read(&self, results: &Path) -> Result<U::Record> {
        record::read(&record_path(results, &self.unit.stem()))
    }
}

/// A job of any kind.
pub trait Work: Sync {
    /// File name of the record, without its ending.
    fn stem(&self) -> String;
    /// An estimate of the work.
    fn cost(&self) -> usize;
    /// Whether a finished record (and the figure data, where wanted) of this very unit lies in a results folder.
    /// `warn` hears of one that cannot be used.
    fn is_done(&self, results: &Path, warn: &dyn Fn(String)) -> bool;
    /// Computes it and writes what it found.
    ///
    /// # Errors
    /// Names the stage or file, and the cause.
    fn perform(&self, results: &Path, context: &Context<'_>) -> Result<()>;
}

impl<U: Unit> Work for Job<U> {
    fn stem(&self) -> String {
        self.unit.stem()
    }

    fn cost(&self) -> usize {
        self.unit.cost()
    }

    fn is_done(&self, results: &Path, warn: &dyn Fn(String)) -> bool {
        fn has<T: Stamped>(path: &Path, hash: &str, warn: &dyn Fn(String)) -> bool {
            match record::read::<T>(path) {
                Ok(found) => found.hash() == hash,
                Err(e) => {
                    // What is not there yet is no news.
                    if path.exists() {
                        warn(format!("{e:#}"));
                    }
                    false
                }
            }
        }
        let (hash, stem) = (self.unit.hash(), self.unit.stem());
        has::<U::Record>(&record_path(results, &stem), &hash, warn)
            && (!self.figure || has::<U::Figure>(&figure_path(results, &stem), &hash, warn))
    }

    fn perform(&self, results: &Path, context: &Context<'_>) -> Result<()> {
        let (record, figure) = self.unit.compute(self.figure, context)?;
        let stem = self.unit.stem();
        // The record last: its presence says that the unit is done.
        if let Some(figure) = figure {
            record::write(&figure_path(results, &stem), &figure)?;
        }
        record::write(&record_path(results, &stem), &record)
    }
}
