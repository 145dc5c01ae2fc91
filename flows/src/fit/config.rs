//! Settings of a fit.

use autodiff::{AdamConfig, Schedule};
use serde::{Deserialize, Serialize};

/// How many points a step sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Batch {
    /// All of them.
    Full,
    /// This many, without replacement within an epoch.
    Size(usize),
}

impl Batch {
    /// Points of one step, of n.
    #[must_use]
    pub fn of(self, n: usize) -> usize {
        match self {
            Self::Full => n,
            Self::Size(size) => size.min(n),
        }
    }
}

/// Settings of [`Flow::fit`](crate::Flow::fit).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitConfig {
    /// The largest number of steps.
    #[serde(deserialize_with = "numerics::checked::at_least_one")]
    pub steps: usize,
    /// Points of one step.
    pub batch: Batch,
    /// Full learning rate.
    #[serde(deserialize_with = "numerics::checked::positive")]
    pub learning_rate: f64,
    /// Learning rate over the steps.
    pub schedule: Schedule,
    /// Moments and weight decay.
    #[serde(default)]
    pub adam: AdamConfig,
    /// The largest Euclidean norm of a gradient; larger ones are scaled down to it.
    #[serde(default, deserialize_with = "numerics::checked::positive_or_none")]
    pub clip_norm: Option<f64>,
    /// Steps between evaluations of the held-out likelihood.
    #[serde(deserialize_with = "numerics::checked::at_least_one")]
    pub evaluate_every: usize,
    /// Evaluations without improvement after which the fit stops and restores the best parameters;
    /// `None` never stops early and returns the last parameters.
    #[serde(default, deserialize_with = "numerics::checked::at_least_one_or_none")]
    pub patience: Option<usize>,
}

impl Default for FitConfig {
    /// Up to 2,000 steps of 256 points at a cosine rate from 0.003, stopped early on a validation
    /// set.
    fn default() -> Self {
        Self {
            steps: 2000,
            batch: Batch::Size(256),
            learning_rate: 3e-3,
            schedule: Schedule::Cosine { floor: 0.0 },
            adam: AdamConfig::default(),
            clip_norm: Some(5.0),
            evaluate_every: 20,
            patience: Some(15),
        }
    }
}

impl FitConfig {
    /// What is wrong with the settings, if anything.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub fn check(&self) -> Result<(), String> {
        if self.steps == 0 {
            return Err("steps must be at least 1, not 0".into());
        }
        if self.batch == Batch::Size(0) {
            return Err("batch must be Full or Size(n) with n at least 1, not Size(0)".into());
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return Err(format!(
                "learning_rate must be positive, not {}",
                self.learning_rate
            ));
        }
        let floor = match self.schedule {
            Schedule::Constant => 0.0,
            Schedule::Cosine { floor } => floor,
        };
        if !(0.0..=1.0).contains(&floor) {
            return Err(format!("schedule.floor must be from 0 to 1, not {floor}"));
        }
        for (name, beta) in [("beta1", self.adam.beta1), ("beta2", self.adam.beta2)] {
            if !(0.0..1.0).contains(&beta) {
                return Err(format!(
                    "adam.{name} must be at least 0 and below 1, not {beta}"
                ));
            }
        }
        if !(self.adam.epsilon > 0.0 && self.adam.epsilon.is_finite()) {
            return Err(format!(
                "adam.epsilon must be positive, not {}",
                self.adam.epsilon
            ));
        }
        if !(self.adam.weight_decay >= 0.0 && self.adam.weight_decay.is_finite()) {
            return Err(format!(
                "adam.weight_decay must not be negative, not {}",
                self.adam.weight_decay
            ));
        }
        if self.clip_norm.is_some_and(|c| !(c > 0.0 && c.is_finite())) {
            return Err("clip_norm must be None or positive".into());
        }
        if self.evaluate_every == 0 {
            return Err("evaluate_every must be at least 1, not 0".into());
        }
        if self.patience == Some(0) {
            return Err("patience must be None or at least 1, not 0".into());
        }
        Ok(())
    }
}
