//! What a fit did.

use serde::{Deserialize, Serialize};

/// Why a fit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Termination {
    /// All steps were done.
    StepLimit,
    /// The held-out likelihood stopped rising; the best parameters are restored.
    EarlyStop,
    /// The observer asked for it; the best parameters so far are returned.
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
    /// The step whose parameters were returned.
    pub best_step: usize,
    /// Likelihoods along the way.
    pub history: Vec<Evaluation>,
    /// Where it diverged and backed off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backoffs: Vec<Backoff>,
}

/// A step at which a fit diverged: it returned to the best parameters so far and continued without
/// momentum.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backoff {
    /// The step that diverged.
    pub step: usize,
    /// The full learning rate from then on.
    pub learning_rate: f64,
}
