//! The record of one run.

use super::settings::MixtureRun;
use crate::engine::metric::Metric;
use crate::engine::provenance::Provenance;
use amf::{ExpertReport, LearnedWeights};
use faer::prelude::*;
use serde::{Deserialize, Serialize};

/// The result of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixtureRecord {
    /// Hash of `run` and of the code's schema version.
    pub hash: String,
    /// The run.
    pub run: MixtureRun,
    /// Entropy of the target and its error, nats: the lower bound of the expected NLL.
    pub entropy: (f64, f64),
    /// How each expert's fit went, in the order of the config.
    pub experts: Vec<ExpertReport>,
    /// The mixture weights.
    pub weights: LearnedWeights,
    /// Every measure.
    pub metrics: Vec<Metric>,
    /// Seconds of each stage.
    pub seconds: Seconds,
    /// Where and with what it was computed.
    pub provenance: Provenance,
}

/// Wall-clock seconds of each stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seconds {
    /// Stage 1, expert by expert.
    pub fit: Vec<f64>,
    /// Stage 2.
    pub weights: f64,
    /// All metrics.
    pub evaluation: f64,
}

/// Points and grids for the figures of one run, rounded to what a figure shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixtureFigure {
    /// Hash of the run.
    pub hash: String,
    /// Draws: of the target, the mixture, then each expert.
    pub draws: Vec<(String, Vec<(f32, f32)>)>,
    /// Mixture log-density on a grid over the target's window, row by row from the lower left.
    pub grid: Vec<f32>,
    /// Points of the grid in each direction.
    pub side: usize,
}

/// Centres of the cells of a grid over a window, row by row from the lower left.
#[must_use]
pub fn grid_points(window: [(f64, f64); 2], side: usize) -> Mat<f64> {
    Mat::from_fn(side * side, 2, |i, j| {
        let (lo, hi) = window[j];
        let k = if j == 0 { i % side } else { i / side };
        lo + (hi - lo) * (k as f64 + 0.5) / side as f64
    })
}
