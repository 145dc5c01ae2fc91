//! What a run measured.

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};

/// One number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// `mixture` or the name of an expert.
    pub model: String,
    /// Name of the measure.
    pub metric: String,
    /// Its value.
    pub value: f64,
}

impl Metric {
    /// A measure of a model.
    #[must_use]
    pub fn new(model: &str, metric: &str, value: f64) -> Self {
        Self {
            model: model.into(),
            metric: metric.into(),
            value,
        }
    }
}

/// Checks that all measures are finite.
///
/// # Errors
/// Names the first that is not.
pub fn all_finite(metrics: &[Metric]) -> Result<()> {
    match metrics.iter().find(|m| !m.value.is_finite()) {
        None => Ok(()),
        Some(m) => Err(anyhow!("{} of {} is {}", m.metric, m.model, m.value)),
    }
}

/// Wall-clock seconds of a fit and of its evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seconds {
    /// Evaluations, rounds and the final fit.
    pub fit: f64,
    /// All measures.
    pub evaluation: f64,
}
