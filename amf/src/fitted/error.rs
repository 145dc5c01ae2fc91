//! Draws that cannot be fitted to.

use super::Column;
use super::columns::MOST_COLUMNS;
use density::{ColumnError, Support};
use metrics::WeightsError;
use numerics::checked::one_line;

/// Draws that cannot be fitted to.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DrawsError {
    /// Shapes that do not fit each other.
    #[error("{0}")]
    Shape(String),
    /// An invalid support.
    #[error("column \"{column}\": {reason}")]
    Support {
        /// Name of the column.
        column: String,
        /// What is wrong.
        reason: String,
    },
    /// NaN or infinite.
    #[error("column \"{column}\", row {row}: {value} is not a number to fit to; take the row out")]
    NotFinite {
        /// Name of the column.
        column: String,
        /// From 1.
        row: usize,
        /// The value.
        value: f64,
    },
    /// A value on or beyond a bound.
    #[error("column \"{column}\", row {row}: {value} is not inside of {support}; {advice}")]
    Outside {
        /// Name of the column.
        column: String,
        /// From 1.
        row: usize,
        /// The value.
        value: f64,
        /// The support in words.
        support: String,
        /// What to do.
        advice: &'static str,
    },
    /// Too few rows.
    #[error("{rows} different rows with a weight are too few; at least {least} are needed")]
    TooFew {
        /// Different rows with a weight.
        rows: usize,
        /// The number needed.
        least: usize,
    },
    /// Weights with a small effective sample size.
    #[error(
        "a few of the {rows} rows hold nearly all of the weight: the effective sample size is {ess:.1}, and at least {least} is needed; take more draws \
         where the weights are large, or temper the weights"
    )]
    TooLittleWeight {
        /// Rows.
        rows: usize,
        /// Their effective sample size.
        ess: f64,
        /// The number needed.
        least: usize,
    },
    /// Too few rows with a weight.
    #[error(
        "{rows} rows{} are too few for {columns} columns; at least {least} are needed",
        if *weighted { " with a weight" } else { "" }
    )]
    TooFewRows {
        /// Rows, without those of weight zero.
        rows: usize,
        /// Whether there are log-weights.
        weighted: bool,
        /// Columns.
        columns: usize,
        /// The number needed.
        least: usize,
    },
    /// Too many columns.
    #[error("{columns} columns are more than the {MOST_COLUMNS} that can be fitted; choose some")]
    TooManyColumns {
        /// Columns.
        columns: usize,
    },
    /// Columns that have no density: all that are constant, or the first with another problem.
    #[error("{}", columns_message(names, errors))]
    Columns {
        /// Names of all columns.
        names: Vec<String>,
        /// What is wrong, at least one.
        errors: Vec<ColumnError>,
    },
    /// Log-weights that cannot be used.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

impl DrawsError {
    pub(super) fn of_columns(errors: Vec<ColumnError>, columns: &[Column]) -> Self {
        let names = columns.iter().map(|c| c.name.clone()).collect();
        Self::Columns { names, errors }
    }
}

fn columns_message(names: &[String], errors: &[ColumnError]) -> String {
    /// Most names in a message.
    const MAX_LISTED: usize = 16;
    let shown: Vec<String> = names.iter().map(|n| one_line(n)).collect();
    if let [one] = errors {
        return one.named(&shown);
    }
    let constant = errors.iter().take(MAX_LISTED);
    let mut quoted: Vec<String> = constant
        .map(|e| format!("\"{}\"", shown[e.column]))
        .collect();
    if errors.len() > MAX_LISTED {
        quoted.push(format!("and {} more", errors.len() - MAX_LISTED));
    }
    let quoted = quoted.join(", ");
    format!("constant and without a density: {quoted}; leave them out")
}

pub(super) fn outside(support: Support, column: String, row: usize, value: f64) -> DrawsError {
    let at_end = match support {
        Support::Interval { low, high } => value == low || value == high,
        Support::Above { low: end } | Support::Below { high: end } => value == end,
        _ => value == 0.0,
    };
    DrawsError::Outside {
        column,
        row,
        value,
        support: match support {
            Support::Interval { low, high } => format!("the interval from {low} to {high}"),
            Support::Above { low } => format!("the numbers above {low}"),
            Support::Below { high } => format!("the numbers below {high}"),
            _ => "the positive numbers".into(),
        },
        advice: if at_end {
            "a bound itself has no density: take such rows out, or leave the column unbounded"
        } else {
            "take the row out, or give the column other bounds"
        },
    }
}
