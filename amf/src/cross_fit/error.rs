//! Why cross-fitting failed.

use crate::experts::ExpertError;
use crate::weights::WeightError;

/// Why cross-fitting failed.
#[derive(Debug, thiserror::Error)]
pub enum CrossFitError {
    /// Settings that make no sense.
    #[error("{0}")]
    Config(String),
    /// A model could not be fitted.
    #[error("expert \"{expert}\", fold {fold}: {source}")]
    Expert {
        /// Name of the expert.
        expert: String,
        /// Number of the fold.
        fold: usize,
        /// What went wrong.
        source: ExpertError,
    },
    /// A log-density that is not a number.
    #[error("expert \"{expert}\", fold {fold}: the log-density of row {row} is {value}")]
    BadDensity {
        /// Name of the expert.
        expert: String,
        /// Number of the fold.
        fold: usize,
        /// The value.
        value: f64,
        /// Row of the data.
        row: usize,
    },
    /// The weights could not be learned.
    #[error("mixture weights: {0}")]
    Weights(#[from] WeightError),
    /// The observer asked for an end.
    #[error("interrupted")]
    Interrupted,
}

impl CrossFitError {
    /// Whether a checkpoint could not be written: no fault of the expert's.
    pub(super) fn is_of_the_disk(&self) -> bool {
        let Self::Expert { source, .. } = self else {
            return false;
        };
        matches!(
            source,
            ExpertError::Checkpoint(_) | ExpertError::Fit(flows::FitError::Checkpoint(_))
        )
    }
}
