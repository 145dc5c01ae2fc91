//! Why a posterior could not be learnt.

use super::evaluations::EvaluationError;
use amf::{ExpertError, WeightError};
use density::EmError;
use metrics::WeightsError;

/// Why a posterior could not be learnt.
#[derive(Debug, thiserror::Error)]
pub enum PosteriorError {
    /// Invalid settings.
    #[error("{0}")]
    Config(String),
    /// Values of the prior, the likelihood or the model that cannot be used.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// Weights that cannot be used.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Too few points with weight.
    #[error(
        "{points} points with weight are too few for {folds} folds: raise the number of evaluations"
    )]
    TooFew {
        /// Points.
        points: usize,
        /// Folds.
        folds: usize,
    },
    /// A column of weighted points that is constant.
    #[error(
        "column {column} of the weighted points has no spread: raise the number of evaluations"
    )]
    NoSpread {
        /// Index of the column.
        column: usize,
    },
    /// The base mixture could not be fitted.
    #[error("the Gaussian mixture: {0}")]
    Base(EmError),
    /// An expert could not be fitted.
    #[error("expert \"{expert}\", fold {fold}: {source}")]
    Expert {
        /// Name of the expert.
        expert: String,
        /// Number of the fold.
        fold: usize,
        /// The cause.
        source: ExpertError,
    },
    /// The weights of the experts could not be learned.
    #[error("mixture weights: {0}")]
    Stacking(#[from] WeightError),
    /// The observer asked for an end.
    #[error("interrupted")]
    Interrupted,
}
