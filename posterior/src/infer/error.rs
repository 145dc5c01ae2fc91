//! Why there is no posterior.

/// Why there is no posterior.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InferError {
    /// Settings that cannot be used.
    #[error("{0}")]
    Settings(String),
    /// A prior that cannot be used.
    #[error("the prior: {0}")]
    Prior(String),
    /// The folder of evaluations.
    #[error("{0}")]
    Folder(String),
    /// The likelihood failed, or gave +infinity.
    #[error("{0}")]
    Likelihood(String),
    /// The observer asked for an end.
    #[error("interrupted")]
    Interrupted,
}

/// Text is the settings' error.
impl From<String> for InferError {
    fn from(text: String) -> Self {
        Self::Settings(text)
    }
}
