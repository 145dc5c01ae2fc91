//! The data of a rule, its result and its errors.

use faer::prelude::*;
use serde::{Deserialize, Serialize};

/// The log-densities that a rule learns from.
pub enum WeightData<'a> {
    /// A table of `ln q_k(x_n)` (n x K) of held-out points, with optional weights of the points.
    /// Rules that work in batches take them from the table without replacement, epoch by epoch.
    HeldOut {
        /// n x K log-densities.
        table: MatRef<'a, f64>,
        /// n weights, or equal ones.
        weights: Option<&'a [f64]>,
    },
    /// Fresh draws of the target: the table for a step (from 0) and a number of points.
    Fresh {
        /// Number of experts.
        experts: usize,
        /// The table of a step.
        draw: &'a dyn Fn(usize, usize) -> Mat<f64>,
    },
}

impl<'a> WeightData<'a> {
    /// A table of `ln q_k(x_n)` (n x K) of held-out points of equal weights.
    #[must_use]
    pub fn held_out(table: MatRef<'a, f64>) -> Self {
        Self::HeldOut {
            table,
            weights: None,
        }
    }
}

/// Learned weights, and how far they are from optimal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearnedWeights {
    /// On the simplex.
    pub pi: Vec<f64>,
    /// `exp(H(pi))`.
    pub n_eff: f64,
    /// Steps or iterations done.
    pub iterations: usize,
    /// `max_k g_k - 1` on the points of the last step: stacking could still gain at most this much
    /// there, nats. Called `certificate` in files.
    #[serde(rename = "certificate")]
    pub optimality_gap: f64,
}

/// Why weights could not be learned.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WeightError {
    /// A setting out of range.
    #[error("{0}")]
    Config(String),
    /// No points or no experts.
    #[error("no points or no experts to learn weights from")]
    Empty,
    /// A log-density that is NaN or plus infinity.
    #[error("expert {expert} gives log-density {value} at point {point}")]
    BadDensity {
        /// Index of the expert.
        expert: usize,
        /// Index of the point.
        point: usize,
        /// The value.
        value: f64,
    },
    /// Every expert has density zero at a point.
    #[error("every expert gives density zero at point {point}")]
    Impossible {
        /// Index of the point.
        point: usize,
    },
}
