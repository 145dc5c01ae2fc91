//! Why an expert could not be fitted.

/// Why an expert could not be fitted.
#[derive(Debug, thiserror::Error)]
pub enum ExpertError {
    /// Settings that make no sense.
    #[error("{0}")]
    Config(String),
    /// Column without spread.
    #[error("column {column} has no spread: remove it, or add the missing variation")]
    ConstantColumn {
        /// Index of the column.
        column: usize,
    },
    /// Too few points.
    #[error("too few rows with a weight ({rows}): give at least {least}")]
    TooFewRows {
        /// Rows with a weight.
        rows: usize,
        /// What is needed.
        least: usize,
    },
    /// A column whose squares overflow or vanish.
    #[error("column {column} spans {span:e}, beyond the range of the arithmetic: rescale it")]
    OutOfScale {
        /// Index of the column.
        column: usize,
        /// Its largest less its smallest value, or its largest magnitude.
        span: f64,
    },
    /// A column of which rounding has left next to nothing.
    #[error(
        "the values of column {column} differ by no more than {width}, in the last digits of the arithmetic: subtract a constant where they still \
         have their digits"
    )]
    LastDigits {
        /// Index of the column.
        column: usize,
        /// Its largest less its smallest value.
        width: f64,
    },
    /// A row so far out that the others are all the same beside it.
    #[error(
        "column {column}, row {row}: so far out that the arithmetic cannot tell the other rows apart: take the row out"
    )]
    Far {
        /// Index of the column.
        column: usize,
        /// Index of the row.
        row: usize,
    },
    /// A column that is mostly one value.
    #[error(
        "column {column}: {count} of {rows} rows are exactly {value}, which has a probability and no density: take these rows out and model their share \
         apart"
    )]
    Atom {
        /// Index of the column.
        column: usize,
        /// The value.
        value: f64,
        /// Rows that have it.
        count: usize,
        /// All rows.
        rows: usize,
    },
    /// A column that others tell.
    #[error(
        "column {column} is a linear combination of others, so that there is no joint density: remove it"
    )]
    Dependent {
        /// Index of the column.
        column: usize,
    },
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
