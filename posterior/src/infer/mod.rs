//! A posterior from a prior and a likelihood, in 1 to about 30 dimensions.

mod error;
mod forget;
mod inference;
mod session;
mod verdict;

pub use error::InferError;
pub use inference::Inference;
pub use session::{Session, StatusObserver, Wanted};

use crate::anneal::{AnnealSettings, Status};
use crate::likelihood::{Likelihood, Value};
use crate::prior::PriorMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// A posterior to be found by annealed importance sampling, see [`anneal`](crate::anneal).
///
/// ```
/// use posterior::{Posterior, Prior};
///
/// let prior = Prior::parse(["a = normal(0, 1)", "b = uniform(-3, 3)"])?;
/// let log_likelihood = |t: &[f64]| -0.5 * ((t[0] * t[0] + t[1] - 1.0) / 0.2).powi(2);
/// let found = Posterior::new(prior, log_likelihood).evaluations(4000).ess(1000.0).fit()?;
/// let (z, draws) = (found.log_evidence(), found.sample(100, 1));
/// assert!(z.standard_error < 0.1 && draws.nrows() == 100);
/// # Ok::<(), posterior::InferError>(())
/// ```
pub struct Posterior<'a, P, L> {
    prior: P,
    likelihood: L,
    settings: AnnealSettings,
    seed: u64,
    folder: Option<PathBuf>,
    depends_on: Vec<String>,
    failures_again: bool,
    observer: &'a StatusObserver<'a>,
}

fn nobody(_: &Status) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

impl<P: PriorMap, L: Likelihood> Posterior<'_, P, L> {
    /// With 20,000 evaluations, an effective sample size of 10,000 and seed 1.
    #[must_use]
    pub fn new(prior: P, likelihood: L) -> Self {
        Self {
            prior,
            likelihood,
            settings: AnnealSettings::default(),
            seed: 1,
            folder: None,
            depends_on: Vec::new(),
            failures_again: false,
            observer: &nobody,
        }
    }
}

impl<'a, P: PriorMap, L: Likelihood> Posterior<'a, P, L> {
    /// The most likelihood evaluations.
    #[must_use]
    pub fn evaluations(mut self, n: usize) -> Self {
        self.settings.evaluations = n;
        self
    }

    /// The effective sample size at which it ends before that.
    #[must_use]
    pub fn ess(mut self, ess: f64) -> Self {
        self.settings.ess = ess;
        self
    }

    /// All settings.
    #[must_use]
    pub fn settings(mut self, settings: AnnealSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Seed of all random numbers.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Keeps each evaluation in this folder as it comes: the same call after an interruption makes
    /// none of those again that had come, and gives the same result to the bit. With a larger budget
    /// or another goal, those evaluations serve again whose points recur.
    #[must_use]
    pub fn kept_in(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Something else that the values of the likelihood depend on, in a line, such as the name and
    /// hash of a file of data. A folder whose evaluations belong to another one is refused.
    #[must_use]
    pub fn depends_on(mut self, what: impl Into<String>) -> Self {
        self.depends_on.push(what.into());
        self
    }

    /// Evaluates those points of the folder again that could not be evaluated before.
    #[must_use]
    pub fn failures_again(mut self, again: bool) -> Self {
        self.failures_again = again;
        self
    }

    /// Tells the observer about progress.
    #[must_use]
    pub fn observed_by<'b>(self, observer: &'b StatusObserver<'b>) -> Posterior<'b, P, L>
    where
        'a: 'b,
    {
        Posterior { observer, ..self }
    }

    /// Evaluates until the effective sample size is reached or the budget is spent.
    ///
    /// # Errors
    /// See [`InferError`]. A budget that is too small is no error: the result says what it lacks,
    /// see [`Inference::warnings`].
    pub fn fit(&self) -> Result<Inference, InferError> {
        let mut session = self.session()?;
        loop {
            session.advance(self.observer)?;
            let wanted = session.pending();
            if wanted.ids.is_empty() {
                return Ok(session.finish());
            }
            let deliver = |row: usize, value: Value| {
                // Kept even when an end is asked for: it is there, and was paid for.
                session.keep(&wanted, row, value)?;
                match (self.observer)(&session.status) {
                    ControlFlow::Continue(()) => Ok(()),
                    ControlFlow::Break(()) => Err(INTERRUPTED.into()),
                }
            };
            let done = self.likelihood.evaluate(wanted.theta.as_ref(), &deliver);
            done.map_err(|e| match e.as_str() {
                INTERRUPTED => InferError::Interrupted,
                _ => InferError::Likelihood(e),
            })?;
            let left = session.pending().ids.len();
            if left > 0 {
                return Err(InferError::Likelihood(format!(
                    "{left} of {} points got no value",
                    wanted.ids.len()
                )));
            }
        }
    }

    /// The state from which points can be asked and told, for programs that evaluate elsewhere.
    ///
    /// # Errors
    /// Settings or a prior that cannot be used, or a folder of another problem.
    pub fn session(&self) -> Result<Session<'_>, InferError> {
        let session = Session::begin(
            &self.prior,
            self.likelihood.derived(),
            &self.settings,
            self.seed,
            self.folder.as_deref().map(|f| (f, &self.depends_on[..])),
        )?;
        if self.failures_again {
            session.journal.forget_failures();
        }
        Ok(session)
    }
}

const INTERRUPTED: &str = "interrupted";
