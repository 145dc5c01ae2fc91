//! The settings of a study and of its runs.

use crate::engine::presentation::Presentation;
use numerics::checked;
use posterior::anneal::AnnealSettings;
use serde::{Deserialize, Serialize};

/// One study: every problem with every seed is a run, all with the same default settings of
/// annealing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CanonStudy {
    /// Name of the protocol in tables and file names.
    pub protocol: String,
    /// Seeds of all draws.
    pub seeds: Vec<u64>,
    /// The effective sample size at which a run ends.
    #[serde(deserialize_with = "checked::at_least_one")]
    pub ess: usize,
    /// The problems.
    pub problems: Vec<Problem>,
    /// Its presentation in the report.
    #[serde(default)]
    pub report: Presentation,
}

/// A problem with its budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// Name, see `datasets::posterior::Canon::NAMES`.
    pub name: String,
    /// The most likelihood evaluations.
    #[serde(deserialize_with = "checked::at_least_one")]
    pub evaluations: usize,
    /// Seeds of this problem, if not those of the study.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<Vec<u64>>,
}

/// One run: a problem with one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CanonRun {
    /// Name of the protocol.
    pub protocol: String,
    /// Name of the problem.
    pub problem: String,
    /// Budget and goal; all else is the default, written out, so that other defaults make other runs.
    pub fit: AnnealSettings,
    /// Seed of all draws.
    pub seed: u64,
}

impl CanonStudy {
    /// All runs, problem by problem.
    pub(super) fn all_runs(&self) -> impl Iterator<Item = CanonRun> {
        self.problems.iter().flat_map(|problem| {
            let seeds = problem.seeds.as_ref().unwrap_or(&self.seeds);
            seeds.iter().map(|&seed| CanonRun {
                protocol: self.protocol.clone(),
                problem: problem.name.clone(),
                fit: AnnealSettings {
                    evaluations: problem.evaluations,
                    ess: self.ess as f64,
                    ..AnnealSettings::default()
                },
                seed,
            })
        })
    }
}

impl CanonRun {
    /// The number of parameters, at the end of the problem's name.
    #[must_use]
    pub fn dim(&self) -> usize {
        let dim = self.problem.rsplit_once('_').map(|(_, d)| d.parse());
        dim.and_then(Result::ok).unwrap_or(1)
    }
}
