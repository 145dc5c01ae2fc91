//! Checks that columns have a density: enough rows, values that floating-point arithmetic can tell
//! apart, no linear combinations.

use super::dependence;
use density::{ColumnError, ColumnProblem};
use faer::prelude::*;
use numerics::matrix::col;

/// More columns than this are not fitted.
pub(super) const MOST_COLUMNS: usize = 64;

/// Columns that differ from a line by less than this share of their range lie on it: files have
/// about six digits.
const ON_A_LINE: f64 = 1e-6;
/// The same in units of the interquartile range, which a far outlier does not stretch.
const NEAR_THE_MIDDLE: f64 = 5e-6;

/// What is wrong with columns (n x d) in these rows: all that are constant, or the first with another
/// problem.
pub(super) fn check(x: MatRef<'_, f64>, rows: &[usize]) -> Result<(), Vec<ColumnError>> {
    let column = |j: usize| col(x, j);
    let wrong: Vec<ColumnError> = (0..x.ncols())
        .filter_map(|j| ColumnError::check_spread(j, column(j), rows).err())
        .collect();
    let constant: Vec<ColumnError> = wrong
        .iter()
        .filter(|e| e.problem == ColumnProblem::Constant)
        .cloned()
        .collect();
    if !constant.is_empty() {
        return Err(constant);
    }
    if let Some(first) = wrong.into_iter().next() {
        return Err(vec![first]);
    }
    let spans: Vec<Span> = (0..x.ncols()).map(|j| Span::of(column(j), rows)).collect();
    for j in 1..x.ncols() {
        for i in 0..j {
            let found = line(column(i), column(j), rows, &spans[i], &spans[j]);
            if let Some((slope, constant)) = found {
                let on = vec![(i, slope)];
                let problem = ColumnProblem::Dependent { on, constant };
                return Err(vec![ColumnError { column: j, problem }]);
            }
        }
    }
    let near: Vec<f64> = spans.iter().map(|s| s.near).collect();
    match dependence::find(x, rows, &near) {
        Some(dependent) => Err(vec![dependent]),
        None => Ok(()),
    }
}

/// The smallest and largest value of a column, their rows, and a tolerance.
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
