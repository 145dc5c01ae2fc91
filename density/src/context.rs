//! The observer of a fit's progress and its checkpoint store.

use std::ops::ControlFlow;
use store::{CheckpointStore, NoCheckpoints};

/// Progress of a fit.
///
/// A fit that consists of others forwards their progress with its own names filled in.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Progress<'a> {
    /// The stage of the whole fit: "baselines", "experts", "round 1", ...
    pub stage: &'a str,
    /// The expert that is fitted.
    pub expert: &'a str,
    /// Number of the expert within its stage, from 0, and how many there are.
    pub experts: (usize, usize),
    /// Number of the fold, from 0, and how many there are.
    pub folds: (usize, usize),
    /// Steps (or layers) done.
    pub step: usize,
    /// The largest number of steps.
    pub total: usize,
    /// The last held-out negative log-likelihood in the units of the data, nats.
    pub held_out_nll: Option<f64>,
}

/// Called with progress, from any thread; it can end the fit.
pub type Observer<'a> = dyn Fn(&Progress<'_>) -> ControlFlow<()> + Sync + 'a;

/// The argument of every fit besides data and a seed: an observer of its progress and a checkpoint
/// store. By default neither.
///
/// ```
/// use density::{FitContext, Progress};
/// use std::ops::ControlFlow;
///
/// let print = |p: &Progress<'_>| {
///     println!("{} {}/{}", p.expert, p.step, p.total);
///     ControlFlow::Continue(())
/// };
/// let context = FitContext::default().observed_by(&print);
/// assert!(context.tell(&Progress { step: 1, total: 2, ..Progress::default() }).is_continue());
/// ```
#[derive(Clone, Copy)]
pub struct FitContext<'a> {
    observer: &'a Observer<'a>,
    checkpoints: &'a dyn CheckpointStore,
}

fn nobody(_: &Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

impl Default for FitContext<'_> {
    fn default() -> Self {
        Self {
            observer: &nobody,
            checkpoints: &NoCheckpoints,
        }
    }
}

impl std::fmt::Debug for FitContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FitContext").finish_non_exhaustive()
    }
}

impl<'a> FitContext<'a> {
    /// With an observer, which can end the fit.
    #[must_use]
    pub fn observed_by(self, observer: &'a Observer<'a>) -> Self {
        Self { observer, ..self }
    }

    /// With a checkpoint store: the same call after an interruption resumes bit-identically.
    #[must_use]
    pub fn checkpointed_in(self, checkpoints: &'a dyn CheckpointStore) -> Self {
        Self {
            checkpoints,
            ..self
        }
    }

    /// Reports progress; a break asks the fit to end.
    pub fn tell(&self, progress: &Progress<'_>) -> ControlFlow<()> {
        (self.observer)(progress)
    }

    /// The checkpoint store.
    #[must_use]
    pub fn checkpoints(&self) -> &'a dyn CheckpointStore {
        self.checkpoints
    }
}
