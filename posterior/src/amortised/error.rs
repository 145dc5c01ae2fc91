//! Why an amortised posterior could not be learnt.

use amf::{ExpertError, WeightError};
use density::{DataError, EmError};

/// Why an amortised posterior could not be learnt.
#[derive(Debug, thiserror::Error)]
pub enum AmortisedError {
    /// Invalid settings.
    #[error("{0}")]
    Config(String),
    /// Pairs that cannot be used.
    #[error("the pairs: {0}")]
    Data(#[from] DataError),
    /// The base mixture could not be fitted.
    #[error("the Gaussian mixture: {0}")]
    Base(#[from] EmError),
    /// An expert could not be fitted.
    #[error("expert \"{expert}\": {source}")]
    Expert {
        /// Name of the expert.
        expert: String,
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
