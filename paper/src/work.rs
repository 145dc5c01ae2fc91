//! Units of work: whatever has a config, a hash and a record, in one queue.

use crate::record::{self, Provenance, figure_path, record_path};
use crate::run::Stage;
use anyhow::Result;
use serde::{Serialize, de::DeserializeOwned};
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// What a unit is computed with.
pub struct Context<'a> {
    /// Ends it early with [`Interrupted`](crate::run::Interrupted) when set.
    pub stop: &'a AtomicBool,
    /// Goes into the record.
    pub provenance: &'a Provenance,
    /// Is shown how far it is.
    pub observe: &'a (dyn Fn(Stage) + Sync),
}

/// A result that knows which unit it belongs to.
pub trait Stamped: Serialize + DeserializeOwned {
    /// Hash of the unit.
    fn hash(&self) -> &str;
}

/// A unit: its results are a pure function of what [`hash`](Unit::hash) covers.
pub trait Unit: Send + Sync {
    /// What it finds.
    type Record: Stamped;
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
    fn is_done(&self, results: &Path) -> bool;
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

    fn is_done(&self, results: &Path) -> bool {
        fn has<T: Stamped>(path: &Path, hash: &str) -> bool {
            record::read::<T>(path).is_ok_and(|r| r.hash() == hash)
        }
        let (hash, stem) = (self.unit.hash(), self.unit.stem());
        has::<U::Record>(&record_path(results, &stem), &hash)
            && (!self.figure || has::<U::Figure>(&figure_path(results, &stem), &hash))
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
