//! What every kind of expert needs of the points that it is fitted to.

use super::ExpertError;
use crate::Support;
use crate::grid::{self, Ties};
use faer::prelude::*;
use flows::Data;
use numerics::Spread;
use numerics::matrix::col;
use numerics::random::Pcg64;

/// Fewer points with weight than this say nothing.
const LEAST_ROWS: usize = 8;

/// Whether everything is a number, and no weight negative. The experts say what is wrong where it is not.
pub(super) fn is_sound(data: Data<'_>) -> bool {
    let finite = |j: usize| col(data.points, j).iter().all(|v| v.is_finite());
    let weight = |w: &f64| *w >= 0.0 && w.is_finite();
    (0..data.points.ncols()).all(finite)
        && data
            .weights
            .is_none_or(|w| w.len() == data.points.nrows() && w.iter().all(weight))
}

/// Whether there are enough points, and columns whose values the arithmetic can tell apart.
pub(super) fn check(train: Data<'_>) -> Result<(), ExpertError> {
    let counts = |i: usize| train.weights.is_none_or(|w| w[i] > 0.0);
    let rows: Vec<usize> = (0..train.points.nrows()).filter(|i| counts(*i)).collect();
    if rows.len() < LEAST_ROWS {
        return Err(ExpertError::TooFewRows {
            rows: rows.len(),
            least: LEAST_ROWS,
        });
    }
    for column in 0..train.points.ncols() {
        match Spread::of(col(train.points, column), &rows) {
            Spread::Fine => {}
            Spread::Constant => return Err(ExpertError::ConstantColumn { column }),
            Spread::OutOfScale(span) => return Err(ExpertError::OutOfScale { column, span }),
            Spread::LastDigits(width) => return Err(ExpertError::LastDigits { column, width }),
            Spread::Far(row) => return Err(ExpertError::Far { column, row }),
        }
    }
    Ok(())
}

/// The steps of the coarse grids that columns of counts or rounded values lie on, if there are any such columns.
///
/// # Errors
/// A column that is mostly one value.
pub(super) fn grids(train: Data<'_>) -> Result<Option<Vec<Option<f64>>>, ExpertError> {
    let rows = train.points.nrows();
    let mut steps = Vec::new();
    for column in 0..train.points.ncols() {
        let ties = Ties::of(col(train.points, column).iter().copied());
        if ties.is_atom(rows) {
            let (value, count) = ties.most;
            return Err(ExpertError::Atom {
                column,
                value,
                count,
                rows,
            });
        }
        steps.push(ties.step.filter(|_| ties.on_coarse_grid(rows)));
    }
    Ok(steps.iter().any(Option::is_some).then_some(steps))
}

/// The points with their columns on grids spread over the cells.
pub(super) fn spread(x: MatRef<'_, f64>, steps: &[Option<f64>], rng: &mut Pcg64) -> Mat<f64> {
    let mut x = x.to_owned();
    for (j, step) in steps.iter().enumerate() {
        if let Some(step) = step {
            grid::spread(x.as_mut(), j, Support::Real, *step, rng);
        }
    }
    x
}

/// The quartiles of a column under weights: the smallest values below which a quarter, a half and three quarters of the weight lie.
pub(crate) fn quartiles(x: &[f64], weights: Option<&[f64]>) -> [f64; 3] {
    let weight = |i: usize| weights.map_or(1.0, |w| w[i]);
    let mut order: Vec<usize> = (0..x.len()).filter(|&i| weight(i) > 0.0).collect();
    order.sort_by(|&a, &b| x[a].total_cmp(&x[b]));
    let total: f64 = order.iter().map(|&i| weight(i)).sum();
    [0.25, 0.5, 0.75].map(|share| {
        let mut below = 0.0;
        let at = order.iter().find(|&&i| {
            below += weight(i);
            below >= share * total
        });
        at.or(order.last()).map_or(0.0, |&i| x[i])
    })
}

/// Quartiles of a normal are so many standard deviations apart.
pub(crate) const QUARTILES_OF_A_NORMAL: f64 = 1.349;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_told_apart_is_refused_by_name() {
        let error = |change: &dyn Fn(usize) -> f64| {
            let x = Mat::from_fn(9, 2, |i, j| if j == 1 { change(i) } else { i as f64 });
            check(Data::new(x.as_ref())).map_err(|e| e.to_string())
        };
        assert_eq!(error(&|i| -(i as f64)), Ok(()));
        assert!(
            error(&|_| 3.0)
                .unwrap_err()
                .contains("column 1 has no spread")
        );
        assert!(
            error(&|i| 1e300 * i as f64)
                .unwrap_err()
                .contains("rescale")
        );
        assert!(
            error(&|i| 1e16 + 2.0 * i as f64)
                .unwrap_err()
                .contains("subtract")
        );
        let x = Mat::from_fn(9, 1, |i, _| i as f64);
        let mut weights = [1.0; 9];
        weights[3] = 0.0;
        let few = |weights: &[f64]| {
            check(Data {
                points: x.as_ref(),
                weights: Some(weights),
            })
        };
        assert!(few(&weights).is_ok());
        weights[4] = 0.0;
        assert!(few(&weights).unwrap_err().to_string().contains("(7)"));
    }

    #[test]
    fn weighted_quartiles_are_those_of_copies() {
        let (x, w) = ([5.0, 1.0, 3.0, 9.0], [1.0, 4.0, 0.0, 3.0]);
        let copies = [1.0, 1.0, 1.0, 1.0, 5.0, 9.0, 9.0, 9.0];
        assert_eq!(quartiles(&x, Some(&w)), quartiles(&copies, None));
        assert_eq!(quartiles(&copies, None), [1.0, 1.0, 9.0]);
    }
}
