//! The context of a run.

use super::provenance::Provenance;
use density::{FitContext, Progress};
use store::CheckpointStore;

/// A run was ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// The context of a run: provenance, observer and checkpoint store.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Goes into the record.
    pub provenance: &'a Provenance,
    /// Receives progress, stores finished units, and can interrupt: then the run fails with
    /// [`Interrupted`].
    pub fit: FitContext<'a>,
}

impl<'a> Context<'a> {
    /// Whether the run was interrupted.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.fit.tell(&Progress::default()).is_break()
    }

    /// An error if the run was interrupted.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub fn proceed(&self) -> Result<(), Interrupted> {
        if self.stopped() {
            Err(Interrupted)
        } else {
            Ok(())
        }
    }

    /// Reports progress of a stage other than a fit.
    pub fn tell(&self, stage: &str, step: usize, total: usize) {
        let _ = self.fit.tell(&Progress {
            stage,
            step,
            total,
            ..Progress::default()
        });
    }

    /// Where finished units are stored.
    #[must_use]
    pub fn checkpoints(&self) -> &'a dyn CheckpointStore {
        self.fit.checkpoints()
    }
}
