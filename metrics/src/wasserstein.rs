//! Exact Wasserstein distance between two samples of one size.

use super::MetricError;
use super::assignment::assign;
use super::points::Points;
use faer::MatRef;
use numerics::math::{dot, sum};

/// `W2 = sqrt(min over permutations s of mean_i |x_i - y_s(i)|^2)`, the exact 2-Wasserstein
/// distance between two samples `n x d` with equal weights, in the units of the coordinates.
///
/// By Birkhoff's theorem a permutation attains the minimum over all transport plans. The squared
/// distance between the means is split off, which changes no minimiser:
/// `W2^2 = |m_x - m_y|^2 + W2^2` of the centred samples. Time is about that of [`assign`]; memory
/// is that of the `n x n` matrix of squared distances. Source: arXiv:2510.02056.
///
/// # Errors
/// No points, unequal sizes or dimensions, a coordinate that is not finite, squared distances that
/// overflow.
pub fn wasserstein2(target: MatRef<'_, f64>, model: MatRef<'_, f64>) -> Result<f64, MetricError> {
    wasserstein2_points(
        &Points::new(target, "target", 1)?,
        &Points::new(model, "model", 1)?,
    )
}

pub(super) fn wasserstein2_points(target: &Points, model: &Points) -> Result<f64, MetricError> {
    target.check_shape(model)?;
    let n = target.len();
    let mean = |column: &[f64]| sum(column) / n as f64;
    let shifts: Vec<f64> = target
        .columns()
        .zip(model.columns())
        .map(|(x, y)| mean(x) - mean(y))
        .collect();
    let assignment = assign(&squared_distances(target, model, &shifts), n)?;
    Ok((dot(&shifts, &shifts) + assignment.cost / n as f64).sqrt())
}

/// `|x_i - y_j - shift|^2`, one row after the other.
fn squared_distances(x: &Points, y: &Points, shifts: &[f64]) -> Vec<f64> {
    let n = y.len();
    let mut cost = vec![0.0; x.len() * n];
    for (i, row) in cost.chunks_exact_mut(n).enumerate() {
        for ((xs, ys), shift) in x.columns().zip(y.columns()).zip(shifts) {
            let xi = xs[i] - shift;
            for (c, yj) in row.iter_mut().zip(ys) {
                let difference = xi - yj;
                *c += difference * difference;
            }
        }
    }
    cost
}
