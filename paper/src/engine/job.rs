//! A run of any kind, as the queue sees it.

use super::context::Context;
use super::experiment::{Experiment, Record};
use super::record::{self, figure_path, record_path};
use anyhow::Result;
use std::path::Path;

type IsDone = dyn Fn(&Path, &dyn Fn(String)) -> bool + Send + Sync;
type Perform = dyn Fn(&Path, &Context<'_>) -> Result<()> + Send + Sync;

/// A run of any kind.
pub struct Job {
    /// File name of the record, without its ending.
    pub stem: String,
    /// The target.
    pub target: String,
    /// An estimate of the work.
    pub cost: usize,
    is_done: Box<IsDone>,
    perform: Box<Perform>,
}

impl Job {
    /// A run, and whether its figure data are wanted.
    #[must_use]
    pub fn new<E: Experiment>(run: E, figure: bool) -> Self {
        let (stem, hash) = (run.stem(), run.hash());
        let at = stem.clone();
        Self {
            target: run.target(),
            cost: run.cost(),
            is_done: Box::new(move |results, warn| {
                let has = |path: &Path, stamp: &dyn Fn(&Path) -> Result<String>| match stamp(path) {
                    Ok(found) => found == hash,
                    Err(e) => {
                        // A missing file is not worth a warning.
                        if path.exists() {
                            warn(format!("{e:#}"));
                        }
                        false
                    }
                };
                let of_record =
                    |path: &Path| Ok(record::read::<E::Record>(path)?.hash().to_owned());
                has(&record_path(results, &at), &of_record)
                    && (!figure || has(&figure_path(results, &at), &record::stamp))
            }),
            perform: Box::new(move |results, context| {
                let (record, data) = run.compute(figure, context)?;
                let stem = run.stem();
                // The record last: its presence says that the run is done.
                if let Some(data) = data {
                    record::write(&figure_path(results, &stem), &data)?;
                }
                record::write(&record_path(results, &stem), &record)
            }),
            stem,
        }
    }

    /// Whether a finished record (and the figure data, where wanted) of this very run lies in a
    /// results folder. `warn` is called with one that cannot be used.
    pub fn is_done(&self, results: &Path, warn: &dyn Fn(String)) -> bool {
        (self.is_done)(results, warn)
    }

    /// Computes it and writes its record.
    ///
    /// # Errors
    /// Names the stage or file, and the cause.
    pub fn perform(&self, results: &Path, context: &Context<'_>) -> Result<()> {
        (self.perform)(results, context)
    }
}
