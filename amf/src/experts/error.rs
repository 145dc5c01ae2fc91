//! Why an expert could not be fitted.

use crate::preprocess::PreprocessError;

/// Why an expert could not be fitted.
#[derive(Debug, thiserror::Error)]
pub enum ExpertError {
    /// Invalid settings.
    #[error("{0}")]
    Config(String),
    /// Points that cannot be fitted.
    #[error(transparent)]
    Points(#[from] PreprocessError),
    /// The maximum-likelihood fit failed.
    #[error(transparent)]
    Fit(#[from] flows::FitError),
    /// The flow could not be built.
    #[error(transparent)]
    Flow(#[from] flows::FlowError),
    /// The Gaussian mixture could not be fitted.
    #[error(transparent)]
    Mixture(#[from] density::EmError),
    /// The Gaussianisation failed.
    #[error(transparent)]
    Rbig(#[from] rbig::Error),
    /// A checkpoint cannot be written.
    #[error(transparent)]
    Checkpoint(#[from] store::Error),
}
