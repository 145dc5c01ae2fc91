//! Likelihoods: closures, and anything that evaluates many points at a time and can fail.

use faer::prelude::*;
use rayon::prelude::*;

/// What a likelihood gives at one point.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Value {
    /// `ln L(theta)`, nats; -infinity where the data are impossible. NaN counts as -infinity, with a
    /// warning.
    pub log_likelihood: f64,
    /// Derived quantities ("blobs"), kept with the evaluation.
    pub derived: Vec<f64>,
    /// Whether the likelihood could not be evaluated here: it counts as -infinity, with a warning, and
    /// a later run can evaluate it again, see
    /// [`Posterior::failures_again`](crate::Posterior::failures_again).
    pub failed: bool,
}

impl Value {
    /// The value of a point that could not be evaluated.
    #[must_use]
    pub fn failure(derived: usize) -> Self {
        Self {
            log_likelihood: f64::NEG_INFINITY,
            derived: vec![f64::NAN; derived],
            failed: true,
        }
    }
}

/// Takes the value of a row as soon as it is there, from any thread.
pub type Deliver<'a> = dyn Fn(usize, Value) -> Result<(), String> + Sync + 'a;

/// A likelihood.
///
/// Closures of one theta are likelihoods: they are called on all threads of the current pool. Others
/// evaluate rows in any order and deliver each value when it is there, so that none is lost when the
/// process is killed.
pub trait Likelihood: Sync {
    /// Names of the derived quantities that come with each value.
    fn derived(&self) -> &[String] {
        &[]
    }

    /// Evaluates the rows of theta (n x d) and delivers a value for each.
    ///
    /// # Errors
    /// What went wrong, and at which point; or what `deliver` said.
    fn evaluate(&self, theta: MatRef<'_, f64>, deliver: &Deliver<'_>) -> Result<(), String>;
}

impl<F: Fn(&[f64]) -> f64 + Sync> Likelihood for F {
    fn evaluate(&self, theta: MatRef<'_, f64>, deliver: &Deliver<'_>) -> Result<(), String> {
        (0..theta.nrows()).into_par_iter().try_for_each(|i| {
            let row: Vec<f64> = (0..theta.ncols()).map(|j| theta[(i, j)]).collect();
            let value = Value {
                log_likelihood: self(&row),
                ..Value::default()
            };
            deliver(i, value)
        })
    }
}
