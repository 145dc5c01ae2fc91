//! Records of amortised posteriors.

use super::config::AmortisedRun;
use crate::metrics_csv::Row;
use crate::posterior::record::{Seconds, rank};
use crate::record::{Metric, Provenance};
use crate::work::{Recorded, Stamped};
use metrics::Calibration;
use serde::{Deserialize, Serialize};

/// The result of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmortisedRecord {
    /// Hash of `run` and of the code's schema version.
    pub hash: String,
    /// The run.
    pub run: AmortisedRun,
    /// Ranks and coverage of the mixture.
    pub calibration: Calibration,
    /// Every measure.
    pub metrics: Vec<Metric>,
    /// How long it took.
    pub seconds: Seconds,
    /// Where and with what it was computed.
    pub provenance: Provenance,
}

impl Stamped for AmortisedRecord {
    fn hash(&self) -> &str {
        &self.hash
    }
}

impl Recorded for AmortisedRecord {
    fn stem(&self) -> String {
        self.run.stem()
    }

    fn metrics(&self) -> &[Metric] {
        &self.metrics
    }
}

/// Puts records in the order of tables.
pub fn sort(records: &mut [AmortisedRecord]) {
    records.sort_by(|a, b| {
        fn key(r: &AmortisedRecord) -> impl Ord + '_ {
            let run = &r.run;
            let place = (run.simulator.dim, run.pairs);
            (run.protocol.as_str(), place, rank(&run.variant), run.seed)
        }
        key(a).cmp(&key(b))
    });
}

/// The rows of some records, in their order: `n` is the number of simulated pairs, and a model is named after its variant.
#[must_use]
pub fn rows(records: &[AmortisedRecord]) -> Vec<Row> {
    let row = |r: &AmortisedRecord, m: &Metric| Row {
        protocol: r.run.protocol.clone(),
        family: r.run.problem(),
        n: r.run.pairs,
        model: format!("{}/{}", r.run.variant, m.model),
        seed: r.run.seed,
        metric: m.metric.clone(),
        value: m.value,
    };
    records
        .iter()
        .flat_map(|r| r.metrics.iter().map(move |m| row(r, m)))
        .collect()
}
