//! Whether a density can be fitted to a table.

use super::Table;
use super::dependence;
use super::error::excerpt;
use density::{ColumnError, ColumnProblem};

/// Fewer rows than this are not fitted.
pub const LEAST_ROWS: usize = 20;
/// More columns than this are not fitted.
pub const MOST_COLUMNS: usize = 64;

/// Names in a message at most.
const MAX_LISTED: usize = 16;
/// Columns that differ from a line by less than this share of their range lie on it: files have
/// about six digits.
const ON_A_LINE: f64 = 1e-6;
/// The same in units of the interquartile range, which a far outlier does not stretch.
const NEAR_THE_MIDDLE: f64 = 5e-6;

/// Why a table cannot be fitted. Each message says what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// Too few rows with a weight.
    #[error(
        "{file}: {rows} rows{} are too few for {columns} columns; at least {least} are needed",
        if *weighted { " with a weight" } else { "" }
    )]
    TooFewRows {
        /// What was read.
        file: String,
        /// Rows, without those of weight zero.
        rows: usize,
        /// Whether there are log-weights.
        weighted: bool,
        /// Columns.
        columns: usize,
        /// What is needed.
        least: usize,
    },
    /// Too many columns.
    #[error(
        "{file}: {columns} columns are more than the {MOST_COLUMNS} that can be fitted; choose some"
    )]
    TooManyColumns {
        /// What was read.
        file: String,
        /// Columns.
        columns: usize,
    },
    /// Columns that have no density: all that are constant, or the first with another problem.
    #[error("{}", columns_message(file, names, errors))]
    Columns {
        /// What was read.
        file: String,
        /// Names of all columns of the table.
        names: Vec<String>,
        /// What is wrong, at least one.
        errors: Vec<ColumnError>,
    },
}

fn columns_message(file: &str, names: &[String], errors: &[ColumnError]) -> String {
    let shown: Vec<String> = names.iter().map(|n| excerpt(n.as_bytes())).collect();
    match errors {
        [one] => format!("{file}: {}", one.named(&shown)),
        _ => {
            let constant: Vec<&str> = errors.iter().map(|e| shown[e.column].as_str()).collect();
            format!(
                "{file}: constant and without a density: {}; leave them out",
                list(&constant)
            )
        }
    }
}

fn list(columns: &[&str]) -> String {
    let shown = columns.iter().take(MAX_LISTED);
    let mut quoted: Vec<String> = shown.map(|c| format!("\"{c}\"")).collect();
    if columns.len() > MAX_LISTED {
        quoted.push(format!("and {} more", columns.len() - MAX_LISTED));
    }
    quoted.join(", ")
}

impl Table {
    /// Whether a density can be fitted: enough rows, not too many columns, each with values that
    /// the arithmetic can tell apart, none a linear combination of others.
    ///
    /// Rows of weight zero do not count.
    ///
    /// # Errors
    /// The first problem.
    pub fn check_for_fit(&self) -> Result<(), CheckError> {
        let file = || self.source.clone();
        let counts = |i: usize| {
            let weight = self.log_weights.as_ref().map(|w| w[i]);
            weight != Some(f64::NEG_INFINITY)
        };
        let rows: Vec<usize> = (0..self.values.nrows()).filter(|i| counts(*i)).collect();
        let columns = self.columns.len();
        // Fewer rows always lie on a plane.
        let least = LEAST_ROWS.max(columns + 1);
        if columns > MOST_COLUMNS {
            let file = file();
            return Err(CheckError::TooManyColumns { file, columns });
        }
        if rows.len() < least {
            return Err(CheckError::TooFewRows {
                file: file(),
                rows: rows.len(),
                weighted: self.log_weights.is_some(),
                columns,
                least,
            });
        }
        let fails = |errors: Vec<ColumnError>| CheckError::Columns {
            file: file(),
            names: self.columns.clone(),
            errors,
        };
        let column = |j: usize| self.values.col_as_slice(j);
        let wrong: Vec<ColumnError> = (0..columns)
            .filter_map(|j| ColumnError::check_spread(j, column(j), &rows).err())
            .collect();
        let constant: Vec<ColumnError> = wrong
            .iter()
            .filter(|e| e.problem == ColumnProblem::Constant)
            .cloned()
            .collect();
        if !constant.is_empty() {
            return Err(fails(constant));
        }
        if let Some(first) = wrong.into_iter().next() {
            return Err(fails(vec![first]));
        }
        let spans: Vec<Span> = (0..columns).map(|j| Span::of(column(j), &rows)).collect();
        for j in 1..columns {
            for i in 0..j {
                if let Some((slope, constant)) =
                    line(column(i), column(j), &rows, &spans[i], &spans[j])
                {
                    let on = vec![(i, slope)];
                    let problem = ColumnProblem::Dependent { on, constant };
                    return Err(fails(vec![ColumnError { column: j, problem }]));
                }
            }
        }
        let near: Vec<f64> = spans.iter().map(|s| s.near).collect();
        match dependence::find(self.values.as_ref(), &rows, &near) {
            Some(dependent) => Err(fails(vec![dependent])),
            None => Ok(()),
        }
    }
}

/// The smallest and largest value of a column, where they are, and what counts as near.
struct Span {
    low: f64,
    high: f64,
    /// Values so close to each other are the same but for rounding.
    near: f64,
    at_low: usize,
    at_high: usize,
}

impl Span {
    fn of(column: &[f64], rows: &[usize]) -> Self {
        let (mut at_low, mut at_high) = (rows[0], rows[0]);
        for &i in rows {
            if column[i] < column[at_low] {
                at_low = i;
            }
            if column[i] > column[at_high] {
                at_high = i;
            }
        }
        let mut sorted: Vec<f64> = rows.iter().map(|&i| column[i]).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let middle = sorted[3 * sorted.len() / 4] - sorted[sorted.len() / 4];
        let near = ON_A_LINE * (column[at_high] - column[at_low]);
        Self {
            low: column[at_low],
            high: column[at_high],
            near: if middle > 0.0 {
                near.min(NEAR_THE_MIDDLE * middle)
            } else {
                near
            },
            at_low,
            at_high,
        }
    }
}

/// Slope and offset if `y` is a line in `x`, up to rounding: the line through the ends of `x`. Most
/// pairs of columns leave it within a few rows.
fn line(x: &[f64], y: &[f64], rows: &[usize], sx: &Span, sy: &Span) -> Option<(f64, f64)> {
    if rows.iter().all(|&i| x[i] == y[i]) {
        return Some((1.0, 0.0));
    }
    let slope = (y[sx.at_high] - y[sx.at_low]) / (sx.high - sx.low);
    let close = |&i: &usize| (y[sx.at_low] + slope * (x[i] - sx.low) - y[i]).abs() <= sy.near;
    let on_line = rows.iter().all(close);
    on_line.then(|| (slope, y[sx.at_low] - slope * sx.low))
}
