//! Whether a density can be fitted to a table.

use super::Table;
use super::dependence::{self, Relation};
use super::error::excerpt;
use numerics::Spread;

/// Fewer rows than this are not fitted.
pub const LEAST_ROWS: usize = 20;
/// More columns than this are not fitted.
pub const MOST_COLUMNS: usize = 64;

/// Names in a message at most.
const MOST_LISTED: usize = 16;
/// Columns that differ from a line by less than this share of their range lie on it: files have some six digits.
const ON_A_LINE: f64 = 1e-6;
/// The same in units of the distance between the quartiles, which a far outlier does not stretch.
const NEAR_THE_MIDDLE: f64 = 5e-6;

/// Why a table cannot be fitted. Each message says what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// Too few rows with a weight.
    #[error("{file}: {rows} rows{} are too few for {columns} columns; at least {least} are needed", if *weighted { " with a weight" } else { "" })]
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
    /// Columns of one value.
    #[error("{file}: constant and without a density: {}; leave out", list(columns))]
    Constant {
        /// What was read.
        file: String,
        /// Their names.
        columns: Vec<String>,
    },
    /// A column whose squares overflow or vanish.
    #[error(
        "{file}: column \"{}\" spans {:e}, which is beyond the range of the arithmetic; rescale it",
        excerpt(column.as_bytes()),
        six_digits(*span)
    )]
    OutOfScale {
        /// What was read.
        file: String,
        /// Its name.
        column: String,
        /// Its largest less its smallest value, or its largest magnitude.
        span: f64,
    },
    /// A column of which rounding has left next to nothing.
    #[error(
        "{file}: column \"{}\" differs by no more than {} around {:e}, in the last digits of the arithmetic; subtract a constant from it where it \
         still has its digits",
        excerpt(column.as_bytes()),
        six_digits(*width),
        six_digits(*around)
    )]
    LastDigits {
        /// What was read.
        file: String,
        /// Its name.
        column: String,
        /// Its largest less its smallest value.
        width: f64,
        /// Its smallest value.
        around: f64,
    },
    /// A row so far out that the others are all the same beside it.
    #[error(
        "{file}: column \"{}\", row {row}: {value:e} is so far out that the arithmetic cannot tell the other rows apart; take the row out",
        excerpt(column.as_bytes())
    )]
    Far {
        /// What was read.
        file: String,
        /// Name of the column.
        column: String,
        /// Among the rows of numbers, from 1.
        row: usize,
        /// The value.
        value: f64,
    },
    /// A column that some others tell.
    #[error(
        "{file}: column \"{}\" is {relation}, so that they have no joint density; leave one out",
        excerpt(column.as_bytes())
    )]
    Dependent {
        /// What was read.
        file: String,
        /// Its name.
        column: String,
        /// What it is, in terms of the others.
        relation: String,
    },
    /// Two columns, one of which tells the other.
    #[error("{file}: column \"{}\" is {}; leave one out", excerpt(second.as_bytes()), relation(first, *slope, *offset))]
    Duplicate {
        /// What was read.
        file: String,
        /// The first of the two.
        first: String,
        /// The second, equal to `slope * first + offset`.
        second: String,
        /// Its slope.
        slope: f64,
        /// Its offset.
        offset: f64,
    },
}

fn list(columns: &[String]) -> String {
    let shown = columns.iter().take(MOST_LISTED);
    let mut quoted: Vec<String> = shown
        .map(|c| format!("\"{}\"", excerpt(c.as_bytes())))
        .collect();
    if columns.len() > MOST_LISTED {
        quoted.push(format!("and {} more", columns.len() - MOST_LISTED));
    }
    quoted.join(", ")
}

fn relation(first: &str, slope: f64, offset: f64) -> String {
    let first = excerpt(first.as_bytes());
    if slope == 1.0 && offset == 0.0 {
        format!("the same as \"{first}\"")
    } else {
        let (slope, offset) = (six_digits(slope), six_digits(offset));
        format!("{slope} * \"{first}\" + {offset}, so that the two have no joint density")
    }
}

/// For messages.
fn six_digits(v: f64) -> f64 {
    format!("{v:.5e}").parse().unwrap_or(v)
}

impl Table {
    /// Whether a density can be fitted: enough rows, not too many columns, none constant or beyond the arithmetic, none a linear combination of others.
    ///
    /// Rows of weight zero do not count.
    ///
    /// # Errors
    /// What stands in the way first.
    pub fn check_for_fit(&self) -> Result<(), CheckError> {
        let file = || self.source.clone();
        let counts = |i: usize| {
            let weight = self.log_weights.as_ref().map(|w| w[i]);
            weight != Some(f64::NEG_INFINITY)
        };
        let rows: Vec<usize> = (0..self.values.nrows()).filter(|i| counts(*i)).collect();
        let columns = self.columns.len();
        // So many points in so many dimensions lie on no plane.
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
        let spans: Vec<Span> = (0..columns)
            .map(|j| Span::of(self.values.col_as_slice(j), &rows))
            .collect();
        let spread = |j| Spread::of(self.values.col_as_slice(j), &rows);
        let spreads = (0..columns).map(spread);
        let spreads: Vec<Spread> = spreads.collect();
        let named = self.columns.iter().zip(&spreads);
        let constant = named.clone().filter(|(_, s)| **s == Spread::Constant);
        let constant: Vec<String> = constant.map(|(c, _)| c.clone()).collect();
        if !constant.is_empty() {
            return Err(CheckError::Constant {
                file: file(),
                columns: constant,
            });
        }
        for (j, ((column, spread), s)) in named.zip(&spans).enumerate() {
            let (file, column) = (file(), column.clone());
            match *spread {
                Spread::Fine | Spread::Constant => {}
                Spread::OutOfScale(span) => {
                    return Err(CheckError::OutOfScale { file, column, span });
                }
                Spread::Far(row) => {
                    let value = self.values[(row, j)];
                    return Err(CheckError::Far {
                        file,
                        column,
                        row: row + 1,
                        value,
                    });
                }
                Spread::LastDigits(width) => {
                    let around = s.low;
                    return Err(CheckError::LastDigits {
                        file,
                        column,
                        width,
                        around,
                    });
                }
            }
        }
        for j in 1..columns {
            for i in 0..j {
                let (x, y) = (self.values.col_as_slice(i), self.values.col_as_slice(j));
                if let Some((slope, offset)) = line(x, y, &rows, &spans[i], &spans[j]) {
                    return Err(CheckError::Duplicate {
                        file: file(),
                        first: self.columns[i].clone(),
                        second: self.columns[j].clone(),
                        slope,
                        offset,
                    });
                }
            }
        }
        let near: Vec<f64> = spans.iter().map(|s| s.near).collect();
        if let Some(Relation {
            column,
            of,
            constant,
        }) = dependence::find(self.values.as_ref(), &rows, &near)
        {
            return Err(CheckError::Dependent {
                file: file(),
                column: self.columns[column].clone(),
                relation: combination(&of, constant, &self.columns),
            });
        }
        Ok(())
    }
}

/// A linear combination in words; of many columns, which ones.
fn combination(of: &[(usize, f64)], constant: f64, names: &[String]) -> String {
    const MOST: usize = 4;
    if of.len() > MOST {
        let named: Vec<String> = of[..MOST].iter().map(|(k, _)| names[*k].clone()).collect();
        let (named, others) = (list(&named), of.len() - MOST);
        return format!("a linear combination of {named} and {others} more");
    }
    let terms = of
        .iter()
        .map(|(k, c)| format!("{} * \"{}\"", six_digits(*c), names[*k]));
    let terms: Vec<String> = terms.collect();
    format!("{} + {}", terms.join(" + "), six_digits(constant))
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

/// Slope and offset if `y` is a line in `x`, up to rounding: the one through the ends of `x`, which most pairs of columns
/// leave within a few rows.
fn line(x: &[f64], y: &[f64], rows: &[usize], sx: &Span, sy: &Span) -> Option<(f64, f64)> {
    if rows.iter().all(|&i| x[i] == y[i]) {
        return Some((1.0, 0.0));
    }
    let slope = (y[sx.at_high] - y[sx.at_low]) / (sx.high - sx.low);
    let close = |&i: &usize| (y[sx.at_low] + slope * (x[i] - sx.low) - y[i]).abs() <= sy.near;
    let on_line = rows.iter().all(close);
    on_line.then(|| (slope, y[sx.at_low] - slope * sx.low))
}
