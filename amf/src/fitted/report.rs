//! The report of a fit and its verdict.

use super::calibration::Calibration;
use super::chains::RowDependence;
use super::draw_check::DrawCheck;
use super::score::Score;
use crate::Recipe;
use metrics::Reliability;
use serde::{Deserialize, Serialize};

/// The record of a fit: the same data, settings and seed give the same record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Version of this crate.
    pub version: String,
    /// Where the draws came from.
    pub source: Option<String>,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Rows given.
    pub rows: usize,
    /// Rows fitted to: different ones that carry weight.
    pub rows_used: usize,
    /// Rows whose held-out densities were compared.
    pub rows_held_out: usize,
    /// Number of models that each expert averages, one for each fold.
    pub models: usize,
    /// The weights of weighted draws.
    pub weights: Option<Reliability>,
    /// Dependence of the rows on each other, if they are steps of Markov chains.
    #[serde(default)]
    pub dependence: Option<RowDependence>,
    /// The experts of the mixture.
    pub experts: Vec<ExpertLine>,
    /// `exp(H(weights))`: how many experts share the weight.
    pub n_eff: f64,
    /// Held-out negative log-likelihood of the mixture, nats, its weights learned without the rows
    /// that are scored.
    pub mixture: Score,
    /// Bound on what other weights could still gain on the held-out rows, nats.
    pub optimality_gap: f64,
    /// Simpler densities, fitted to and judged on the same folds.
    pub baselines: Vec<BaselineReport>,
    /// Shares of held-out rows in regions of highest density.
    pub calibration: Calibration,
    /// Draws of the density beside the rows, column by column.
    #[serde(default)]
    pub draws: Vec<DrawCheck>,
    /// What could not be fitted.
    pub left_out: Vec<LeftOut>,
    /// Changes to the draws and the settings, in sentences.
    pub notes: Vec<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// The settings as they were used.
    pub settings: Recipe,
}

/// One expert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpertLine {
    /// Its name.
    pub name: String,
    /// Its weight in the mixture.
    pub weight: f64,
    /// Its held-out negative log-likelihood, nats.
    pub nll: Score,
}

/// A simpler density.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineReport {
    /// Its name.
    pub name: String,
    /// Its held-out negative log-likelihood, nats.
    pub nll: Score,
    /// By how much the mixture is better, row by row, nats.
    pub gain: Score,
}

/// How the mixture and a baseline compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// The mixture is better by more than a standard error.
    Better,
    /// Within a standard error.
    Level,
    /// The mixture is worse by more than a standard error.
    Worse,
}

impl BaselineReport {
    /// How the mixture compares.
    #[must_use]
    pub fn comparison(&self) -> Comparison {
        let Score {
            value,
            standard_error,
        } = self.gain;
        if value > standard_error || value == f64::INFINITY {
            Comparison::Better
        } else if value < -standard_error {
            Comparison::Worse
        } else {
            Comparison::Level
        }
    }
}

/// An expert or a baseline that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// The verdict on a fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// Name of the density with the best held-out likelihood: `mixture` or a baseline.
    pub best: String,
    /// Whether it can be trusted.
    pub trust: Trust,
    /// What is wrong and what to do; sentences.
    pub reasons: Vec<String>,
}

/// Whether a fit can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Trust {
    /// No objections.
    Yes,
    /// Slightly but measurably off: good enough for most uses; the reasons name the exceptions.
    WithCare,
    /// No.
    No,
}

/// An optimality gap above this means that the weights did not converge.
const CONVERGED: f64 = 1e-3;
/// A loss of more nats than this matters in practice.
const CLEARLY: f64 = 0.05;

/// And less than this does not: it would take some ten thousand draws to see the difference.
const SLIGHT: f64 = 0.002;

/// A baseline that is better by this many standard errors is better by more than chance.
const CLEAR: f64 = 2.0;

impl Verdict {
    /// The verdict from the rest of a report; `others` are what speaks against calibration, draws and
    /// rows, with whether it is grave.
    pub(super) fn of(
        mixture: &Score,
        baselines: &[BaselineReport],
        optimality_gap: f64,
        weights: Option<&Reliability>,
        others: Vec<(bool, String)>,
    ) -> Self {
        let mut reasons: Vec<(bool, String)> = Vec::new();
        let mut best = ("mixture", mixture.value);
        for b in baselines {
            if b.nll.value < best.1 {
                best = (&b.name, b.nll.value);
            }
            if b.gain.value < -CLEAR * b.gain.standard_error && -b.gain.value > SLIGHT {
                let said = format!(
                    "{} is better on held-out rows by {:.4} nats (standard error {:.4}): the experts are too rich for these data; prefer a \
                     simpler mixture by --config",
                    b.name, -b.gain.value, b.gain.standard_error
                );
                reasons.push((-b.gain.value > CLEARLY, said));
            }
        }
        if mixture.value == f64::INFINITY {
            reasons.push((
                true,
                "some held-out rows have density zero: look for rows far from all others".into(),
            ));
        }
        if optimality_gap > CONVERGED {
            let said = format!(
                "other mixture weights would gain up to {optimality_gap:.4} nats: raise max_iterations of the rule"
            );
            reasons.push((optimality_gap > CLEARLY, said));
        }
        reasons.extend(others);
        if let Some(w) = weights {
            if let Some(warning) = w.warning() {
                reasons.push((true, warning));
            } else if w.pareto_k.is_none() {
                let said =
                    "fewer than 25 weighted rows: how far their weights can be trusted is unknown";
                reasons.push((true, said.into()));
            }
        }
        Self {
            best: best.0.to_owned(),
            trust: match reasons.iter().map(|r| r.0).max() {
                None => Trust::Yes,
                Some(false) => Trust::WithCare,
                Some(true) => Trust::No,
            },
            reasons: reasons.into_iter().map(|r| r.1).collect(),
        }
    }
}
