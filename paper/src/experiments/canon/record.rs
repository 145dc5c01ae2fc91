//! The record of one run.

use super::settings::CanonRun;
use crate::engine::metric::{Metric, Seconds};
use crate::engine::provenance::Provenance;
use serde::{Deserialize, Serialize};

/// The result of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CanonRecord {
    /// Hash of `run` and of the code's schema version.
    pub hash: String,
    /// The run.
    pub run: CanonRun,
    /// `ln Z` of the problem, nats.
    pub log_evidence: f64,
    /// Its standard error; 0 where it is exact.
    pub log_evidence_error: f64,
    /// Where the run stood after each round, once a likelihood was above zero.
    pub rounds: Vec<Round>,
    /// What it said about itself.
    pub warnings: Vec<String>,
    /// Every measure.
    pub metrics: Vec<Metric>,
    /// Seconds of the run, the likelihood included, and of the one-shot method.
    pub seconds: Seconds,
    /// Commit, machine and threads of the computation.
    pub provenance: Provenance,
}

/// Where a run stood after a round.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Round {
    /// Evaluations so far.
    pub evaluations: usize,
    /// The temperature, 1 for the posterior.
    pub beta: f64,
    /// `ln Z` minus the true value, nats.
    pub log_z_error: f64,
    /// Effective sample size for the posterior.
    pub ess: f64,
}
