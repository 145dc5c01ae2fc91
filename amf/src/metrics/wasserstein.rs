//! Exact Wasserstein distance between two samples of one size.

use super::MetricError;
use super::assignment::assign;
use super::points::Points;
use faer::MatRef;

/// `W2 = sqrt(min over permutations s of mean_i |x_i - y_s(i)|^2)`, the exact 2-Wasserstein distance between two samples `n x d` with
/// equal weights, in the units of the coordinates.
///
/// By Birkhoff's theorem a permutation attains the minimum over all transport plans. Time is about that of [`assign`];
/// memory is that of the `n x n` matrix of squared distances. Source: arXiv:2510.02056.
///
/// # Errors
/// No points, unequal sizes or dimensions, a coordinate that is not finite, squared distances that overflow.
pub fn wasserstein2(target: MatRef<'_, f64>, model: MatRef<'_, f64>) -> Result<f64, MetricError> {
    wasserstein2_points(
        &Points::new(target, "target", 1)?,
        &Points::new(model, "model", 1)?,
    )
}

pub(super) fn wasserstein2_points(target: &Points, model: &Points) -> Result<f64, MetricError> {
    target.check_shape(model)?;
    let n = target.len();
    let assignment = assign(&squared_distances(target, model), n)?;
    Ok((assignment.cost / n as f64).sqrt())
}

/// `|x_i - y_j|^2`, one row after the other.
fn squared_distances(x: &Points, y: &Points) -> Vec<f64> {
    let n = y.len();
    let mut cost = vec![0.0; x.len() * n];
    for (i, row) in cost.chunks_exact_mut(n).enumerate() {
        for (xs, ys) in x.columns().zip(y.columns()) {
            let xi = xs[i];
            for (c, yj) in row.iter_mut().zip(ys) {
                let difference = xi - yj;
                *c += difference * difference;
            }
        }
    }
    cost
}
