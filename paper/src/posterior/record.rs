//! Records of posteriors: what one run found, with everything that is needed to trace it.

use super::config::PosteriorRun;
use crate::metrics_csv::Row;
use crate::record::{Metric, Provenance};
use crate::work::{Recorded, Stamped};
use posterior::RoundReport;
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
    /// What each round found; the last is about the final model.
    pub rounds: Vec<RoundReport>,
    /// The share of each mode, exactly and of each model.
    pub mode_masses: Vec<(String, Vec<f64>)>,
    /// Every measure.
    pub metrics: Vec<Metric>,
    /// How long it took.
    pub seconds: Seconds,
    /// Where and with what it was computed.
    pub provenance: Provenance,
}

/// Wall-clock seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seconds {
    /// Evaluations, rounds and the final fit.
    pub fit: f64,
    /// All measures.
    pub evaluation: f64,
}

/// What figures show of one run: log-densities of the mixture, rounded to what a figure shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PosteriorFigure {
    /// Hash of the run.
    pub hash: String,
    /// The density's projections.
    pub projections: super::figures::Projections,
}

impl Stamped for PosteriorRecord {
    fn hash(&self) -> &str {
        &self.hash
    }
}

impl Recorded for PosteriorRecord {
    fn stem(&self) -> String {
        self.run.stem()
    }

    fn metrics(&self) -> &[Metric] {
        &self.metrics
    }
}

impl Stamped for PosteriorFigure {
    fn hash(&self) -> &str {
        &self.hash
    }
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

/// The place of a base in tables: normal, matched, chosen, then by number and name.
pub(super) fn rank(base: &str) -> (usize, usize, &str) {
    let known = ["normal", "matched", "bic"];
    let place = known.iter().position(|k| *k == base);
    (place.unwrap_or(known.len()), base.len(), base)
}

/// Puts records in the order of tables.
pub fn sort(records: &mut [PosteriorRecord]) {
    records.sort_by(|a, b| {
        fn key(r: &PosteriorRecord) -> impl Ord + '_ {
            let run = &r.run;
            (
                run.protocol.as_str(),
                run.benchmark,
                run.plan.as_str(),
                run.budget(),
                rank(&run.base),
                run.seed,
            )
        }
        key(a).cmp(&key(b))
    });
}

/// The rows of some records, in their order: `n` is the number of likelihood evaluations, at most, and a model is named after its
/// plan and base.
#[must_use]
pub fn rows(records: &[PosteriorRecord]) -> Vec<Row> {
    let row = |r: &PosteriorRecord, m: &Metric| Row {
        protocol: r.run.protocol.clone(),
        family: r.run.benchmark.name().to_owned(),
        n: r.run.budget(),
        model: format!("{}/{}", r.run.arm(), m.model),
        seed: r.run.seed,
        metric: m.metric.clone(),
        value: m.value,
    };
    records
        .iter()
        .flat_map(|r| r.metrics.iter().map(move |m| row(r, m)))
        .collect()
}
