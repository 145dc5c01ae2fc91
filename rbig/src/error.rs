//! What can go wrong when a model is fitted.

/// Why a fit failed; rows and columns count from zero.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Every value of a column is the same (to rounding), so that it has no density.
    #[error("column {column} is constant")]
    ConstantColumn {
        /// The column.
        column: usize,
    },
    /// A value is NaN or infinite.
    #[error("column {column}, row {row} is not finite")]
    NotFinite {
        /// The column.
        column: usize,
        /// The row.
        row: usize,
    },
    /// There are fewer rows than the fit needs.
    #[error("{rows} rows are too few: at least {needed} are needed")]
    TooFewRows {
        /// Rows given.
        rows: usize,
        /// Rows needed.
        needed: usize,
    },
    /// A weight is negative, NaN or infinite, or the weights sum to zero (`row` is then their
    /// number).
    #[error("the weight of row {row} is not a finite number >= 0, or all weights are zero")]
    BadWeight {
        /// The row.
        row: usize,
    },
    /// Two sizes that must agree do not.
    #[error("{what}: {got} given, {expected} expected")]
    SizeMismatch {
        /// Which size.
        what: &'static str,
        /// The size given.
        got: usize,
        /// The size expected.
        expected: usize,
    },
    /// `LayerRule::HeldOut` was asked for without validation data.
    #[error("the held-out layer rule needs validation data")]
    NoValidation,
    /// A setting is out of its range.
    #[error("setting `{field}`: {reason}")]
    BadSetting {
        /// The name of the setting.
        field: &'static str,
        /// What it must be.
        reason: &'static str,
    },
    /// A column is (to rounding) a linear combination of others: the data have no density.
    #[error(
        "the columns are linearly dependent (found at layer {layer}): remove one that others tell, or give more rows than columns"
    )]
    Singular {
        /// The layer whose rotated columns reveal it, from zero.
        layer: usize,
    },
    /// A layer made a value that is not finite: the data span too many orders of magnitude.
    #[error("layer {layer} made a value that is not finite")]
    Overflow {
        /// The layer.
        layer: usize,
    },
}

impl Error {
    /// The same error, about another column.
    #[must_use]
    pub(crate) fn in_column(self, to: usize) -> Self {
        match self {
            Self::ConstantColumn { .. } => Self::ConstantColumn { column: to },
            Self::NotFinite { row, .. } => Self::NotFinite { column: to, row },
            other => other,
        }
    }
}
