//! The record of one run.

use super::settings::AmortisedRun;
use crate::engine::metric::{Metric, Seconds};
use crate::engine::provenance::Provenance;
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
    /// Seconds of the fit and of its evaluation.
    pub seconds: Seconds,
    /// Where and with what it was computed.
    pub provenance: Provenance,
}
