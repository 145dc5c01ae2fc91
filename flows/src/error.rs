//! What can go wrong with a flow.

use density::DataError;

/// What can be wrong with a flow's description.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlowError {
    /// A shape or a setting.
    #[error("{0}")]
    Invalid(String),
}

/// What can go wrong in a fit.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FitError {
    /// A setting that makes no sense.
    #[error("{0}")]
    Config(String),
    /// Points, contexts or weights that cannot be used.
    #[error("{name} data: {source}")]
    Data {
        /// Which set.
        name: &'static str,
        /// What is wrong.
        source: DataError,
    },
    /// The loss is not finite, or far above that of the first step, although the learning rate was
    /// lowered.
    #[error(
        "the {what} became {value} at step {step}, after {backoffs} returns to the best parameters at lower learning rates; lower the \
         learning rate or set clip_norm"
    )]
    Diverged {
        /// Which number.
        what: &'static str,
        /// Its value.
        value: f64,
        /// The step.
        step: usize,
        /// How often the fit backed off before.
        backoffs: usize,
    },
    /// A checkpoint cannot be written.
    #[error("{0}")]
    Checkpoint(String),
}

impl From<store::Error> for FitError {
    fn from(e: store::Error) -> Self {
        Self::Checkpoint(e.to_string())
    }
}
