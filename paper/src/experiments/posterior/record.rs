//! The record of one run.

use super::projections::Projections;
use super::settings::PosteriorRun;
use crate::engine::metric::{Metric, Seconds};
use crate::engine::provenance::Provenance;
use posterior::FitReport;
use serde::{Deserialize, Serialize};

/// The result of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PosteriorRecord {
    /// Hash of `run` and of the code's schema version.
    pub hash: String,
    /// The run.
    pub run: PosteriorRun,
    /// `ln Z`, exactly.
    pub log_evidence: f64,
    /// The report of the fit.
    pub report: FitReport,
    /// The share of each mode, exactly and of each model.
    pub mode_masses: Vec<(String, Vec<f64>)>,
    /// Every measure.
    pub metrics: Vec<Metric>,
    /// Seconds of the fit and of its evaluation.
    pub seconds: Seconds,
    /// Commit, machine and threads of the computation.
    pub provenance: Provenance,
}

/// Figure data of one run: log-densities of the mixture, rounded to the precision of figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PosteriorFigure {
    /// Hash of the run.
    pub hash: String,
    /// The density's projections.
    pub projections: Projections,
}

impl PosteriorRecord {
    /// The mixture, its flows, and the base where it is an expert.
    #[must_use]
    pub fn models(&self) -> Vec<&str> {
        let experts = self.run.fit.experts.iter().map(|e| e.0.as_str());
        let base = self.run.fit.base_as_expert.then_some("base");
        std::iter::once("mixture")
            .chain(experts)
            .chain(base)
            .collect()
    }
}
