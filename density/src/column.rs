//! Columns that cannot be fitted.

use numerics::Spread;
use std::fmt;

/// What is wrong with one column of data. Columns and rows count from 0.
///
/// [`fmt::Display`] gives the message with numbers, [`Self::named`] with names.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnError {
    /// The column.
    pub column: usize,
    /// What is wrong with it.
    pub problem: ColumnProblem,
}

/// The kinds of [`ColumnError`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ColumnProblem {
    /// All values are equal.
    Constant,
    /// Squares of the values overflow or vanish.
    OutOfScale {
        /// The largest less the smallest value, or the largest magnitude.
        span: f64,
    },
    /// Rounding has left next to nothing of the differences between the values.
    LastDigits {
        /// The largest less the smallest value.
        width: f64,
        /// The smallest value.
        around: f64,
    },
    /// One value is so far out that the others are indistinguishable relative to it.
    Far {
        /// Its row.
        row: usize,
        /// The value.
        value: f64,
    },
    /// One value has a probability, not a density.
    Atom {
        /// The value.
        value: f64,
        /// Rows that have it.
        count: usize,
        /// All rows.
        rows: usize,
    },
    /// The column is `sum_k c_k x_k + constant`: there is no joint density.
    Dependent {
        /// The other columns with their coefficients, at least one.
        on: Vec<(usize, f64)>,
        /// The constant.
        constant: f64,
    },
}

impl ColumnError {
    /// Checks that floating-point arithmetic can tell the values of a column in these rows apart;
    /// at least one row, all values finite.
    ///
    /// # Errors
    /// A problem other than [`ColumnProblem::Atom`] and [`ColumnProblem::Dependent`].
    ///
    /// # Panics
    /// If there is no row, or a row is out of range.
    pub fn check_spread(column: usize, values: &[f64], rows: &[usize]) -> Result<(), Self> {
        let problem = match Spread::of(values, rows) {
            Spread::Fine => return Ok(()),
            Spread::Constant => ColumnProblem::Constant,
            Spread::OutOfScale(span) => ColumnProblem::OutOfScale { span },
            Spread::LastDigits(width) => ColumnProblem::LastDigits {
                width,
                around: rows
                    .iter()
                    .map(|&i| values[i])
                    .fold(f64::INFINITY, f64::min),
            },
            Spread::Far(row) => ColumnProblem::Far {
                row,
                value: values[row],
            },
        };
        Err(Self { column, problem })
    }

    /// The message with the names of all columns, and with rows counted from 1.
    ///
    /// # Panics
    /// If a column has no name.
    #[must_use]
    pub fn named(&self, names: &[String]) -> String {
        let subject = format!("column \"{}\"", names[self.column]);
        self.problem
            .message(&subject, 1, &|k| format!("\"{}\"", names[k]))
    }
}

impl fmt::Display for ColumnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = format!("column {}", self.column);
        f.write_str(
            &self
                .problem
                .message(&subject, 0, &|k| format!("column {k}")),
        )
    }
}

impl std::error::Error for ColumnError {}

impl ColumnProblem {
    fn message(&self, subject: &str, first_row: usize, name: &dyn Fn(usize) -> String) -> String {
        match self {
            Self::Constant => format!("{subject} is constant and has no density; leave it out"),
            Self::OutOfScale { span } => format!(
                "{subject} spans {:e}, which is beyond the range of the arithmetic; rescale it",
                six_digits(*span)
            ),
            Self::LastDigits { width, around } => format!(
                "{subject} differs by no more than {} around {:e}, in the last digits of the arithmetic; \
                 subtract a constant from it where it still has its digits",
                six_digits(*width),
                six_digits(*around)
            ),
            Self::Far { row, value } => format!(
                "{subject}, row {}: {value:e} is so far out that the arithmetic cannot tell the other rows \
                 apart; take the row out",
                row + first_row
            ),
            Self::Atom { value, count, rows } => format!(
                "{subject} is exactly {value} in {count} of {rows} rows, a value with a probability and no \
                 density; take these rows out and model their share apart, or leave the column out"
            ),
            Self::Dependent { on, constant } => match on[..] {
                [(k, 1.0)] if *constant == 0.0 => {
                    format!("{subject} is the same as {}; leave one out", name(k))
                }
                _ => format!(
                    "{subject} is {}, so that they have no joint density; leave one out",
                    combination(on, *constant, name)
                ),
            },
        }
    }
}

/// A linear combination as text; only the names when there are many.
fn combination(on: &[(usize, f64)], constant: f64, name: &dyn Fn(usize) -> String) -> String {
    const MAX: usize = 4;
    if on.len() > MAX {
        let named: Vec<String> = on[..MAX].iter().map(|(k, _)| name(*k)).collect();
        let (named, others) = (named.join(", "), on.len() - MAX);
        return format!("a linear combination of {named} and {others} more");
    }
    let terms = on
        .iter()
        .map(|(k, c)| format!("{} * {}", six_digits(*c), name(*k)));
    let terms: Vec<String> = terms.collect();
    format!("{} + {}", terms.join(" + "), six_digits(constant))
}

fn six_digits(v: f64) -> f64 {
    format!("{v:.5e}").parse().unwrap_or(v)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_with_numbers_and_with_names() {
        let names = ["a", "b"].map(String::from);
        let said = |problem: ColumnProblem| {
            let e = ColumnError { column: 1, problem };
            (e.to_string(), e.named(&names))
        };
        let (plain, named) = said(ColumnProblem::Dependent {
            on: vec![(0, 1.8)],
            constant: 32.0,
        });
        assert!(plain.starts_with("column 1 is 1.8 * column 0 + 32, so"));
        assert!(named.starts_with("column \"b\" is 1.8 * \"a\" + 32, so"));
        let (_, named) = said(ColumnProblem::Dependent {
            on: vec![(0, 1.0)],
            constant: 0.0,
        });
        assert_eq!(named, "column \"b\" is the same as \"a\"; leave one out");
        let far = ColumnProblem::Far { row: 4, value: 1e9 };
        let (plain, named) = said(far);
        assert!(plain.contains("row 4: 1e9") && named.contains("row 5: 1e9"));
    }

    #[test]
    fn spreads_become_problems() {
        let of = |values: &[f64]| {
            let rows: Vec<usize> = (0..values.len()).collect();
            ColumnError::check_spread(7, values, &rows).map_err(|e| e.problem)
        };
        assert_eq!(of(&[1.0, 2.0]), Ok(()));
        assert_eq!(of(&[1.0, 1.0]), Err(ColumnProblem::Constant));
        let (width, around) = (2.0, 1e15);
        let late = ColumnProblem::LastDigits { width, around };
        assert_eq!(of(&[1e15 + 2.0, 1e15]), Err(late));
    }
}
