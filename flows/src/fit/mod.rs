//! Weighted maximum likelihood by Adam, with mini-batches, early stopping, backing off and checkpoints.

mod config;
mod data;
mod descent;
mod state;

pub use self::config::{Batch, FitConfig};
pub use self::data::Data;
pub(crate) use self::descent::{Fit, Rows};

use crate::flow::Flow;
use numerics::random::Pcg64;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use store::{NoShelf, Shelf};

/// Why a fit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Termination {
    /// All steps were done.
    StepLimit,
    /// The held-out likelihood no longer rose; the best parameters are restored.
    EarlyStop,
    /// The observer asked for it; the best parameters so far are kept.
    Interrupted,
}

/// Likelihoods at one point of a fit, in the units of the data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Steps done.
    pub step: usize,
    /// Mean training loss (negative log-likelihood, nats) over the steps since the last evaluation.
    pub train_nll: f64,
    /// Weighted mean negative log-likelihood of the validation set, nats.
    pub held_out_nll: Option<f64>,
}

/// What a fit did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FitReport {
    /// Why it ended.
    pub termination: Termination,
    /// Steps done.
    pub steps: usize,
    /// The step whose parameters were kept.
    pub best_step: usize,
    /// Likelihoods along the way.
    pub history: Vec<Evaluation>,
    /// Where it diverged, and went on from the best parameters at a lower rate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backoffs: Vec<Backoff>,
}

/// A place where a fit diverged: it went back to the best parameters so far and on without momentum.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backoff {
    /// The step that diverged.
    pub step: usize,
    /// The full learning rate from then on.
    pub learning_rate: f64,
}

/// What can go wrong in a fit.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FitError {
    /// A setting that makes no sense.
    #[error("{0}")]
    Config(String),
    /// Points or weights that cannot be used.
    #[error("{name} data: {reason}")]
    Data {
        /// Which set.
        name: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The loss is no longer a number, or far beyond that of the first step, however often the learning rate was lowered.
    #[error(
        "the {what} became {value} at step {step}, after {backoffs} returns to the best parameters at lower learning rates; lower the \
         learning rate or set clip_norm"
    )]
    Diverged {
        /// Which number.
        what: &'static str,
        /// Its value.
        value: f64,
        /// The step.
        step: usize,
        /// How often the fit backed off before.
        backoffs: usize,
    },
    /// What was done cannot be kept.
    #[error("{0}")]
    Keep(String),
}

impl From<store::Error> for FitError {
    fn from(e: store::Error) -> Self {
        Self::Keep(e.to_string())
    }
}

impl Flow {
    /// Fits the parameters by maximising the weighted log-likelihood of `train`.
    ///
    /// The loss of a step is `- sum_i w_i ln q(x_i) / n` over its n points, with weights of mean one over the whole set. With
    /// a validation set, its likelihood is evaluated every `evaluate_every` steps; with `patience` as well, the parameters of the best
    /// evaluation are restored. `observe` is called after every step (with the evaluation, where there was one) and can end the fit. The standardisation is left as
    /// it is. The result depends on the data, the settings and `rng` alone, not on the number of threads.
    ///
    /// A loss that is no number sends the fit back to the parameters of the smallest training loss so far, and so does one of more than a thousand times that of
    /// the first step, if in fifty steps none comes within ten nats for each coordinate of the smallest. The fit goes on without momentum and at three tenths of
    /// the learning rate, at most five times.
    ///
    /// # Errors
    /// Settings or data that cannot be used, and a fit that diverges once more; the parameters are then those of the best evaluation so far.
    pub fn fit(
        &mut self,
        train: Data<'_>,
        validation: Option<Data<'_>>,
        config: &FitConfig,
        rng: &mut Pcg64,
        observe: Observer<'_>,
    ) -> Result<FitReport, FitError> {
        self.fit_on(&NoShelf, train, validation, config, rng, observe)
    }

    /// [`Self::fit`] that keeps its state on a shelf (parameters, moments, generator, order of the points): the same call goes on from
    /// there, and ends in the same bits as without interruption.
    ///
    /// # Errors
    /// As of [`Self::fit`], and what cannot be kept.
    pub fn fit_on(
        &mut self,
        shelf: &dyn Shelf,
        train: Data<'_>,
        validation: Option<Data<'_>>,
        config: &FitConfig,
        rng: &mut Pcg64,
        observe: Observer<'_>,
    ) -> Result<FitReport, FitError> {
        config.check().map_err(FitError::Config)?;
        train.check(self.dim(), "training")?;
        if let Some(v) = &validation {
            v.check(self.dim(), "validation")?;
        }
        let rows = |data: &Data<'_>| {
            let mut points = data.points.to_owned();
            self.standardise.transform(points.as_mut());
            Rows {
                points,
                weights: data.unit_weights(),
            }
        };
        let fit = Fit {
            stack: &self.stack,
            config,
            train: rows(&train),
            held_out: validation.as_ref().map(rows),
            offset: -self.standardise.log_det(),
        };
        fit.run(&mut self.params, rng, observe, shelf)
    }
}

/// What a fit calls after every step, with the number of steps done and the evaluation, where there was one; it can end the fit.
pub type Observer<'a> = &'a mut dyn FnMut(usize, Option<&Evaluation>) -> ControlFlow<()>;
