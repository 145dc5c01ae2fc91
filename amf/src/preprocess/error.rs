//! Points that no expert can be fitted to.

use density::ColumnError;

/// What is wrong with points.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PreprocessError {
    /// Too few points.
    #[error("too few rows with a weight ({rows}): give at least {least}")]
    TooFewRows {
        /// Rows with a weight.
        rows: usize,
        /// The number needed.
        least: usize,
    },
    /// A column that has no density.
    #[error(transparent)]
    Column(#[from] ColumnError),
}
