//! The prior of every benchmark, the standard normal distribution, and helpers for matrix shapes.

use faer::{Mat, MatRef};
use numerics::math::normal_log_pdf;
use numerics::random::{Pcg64, standard_normal};

/// `n` rows of `dim` values, the rows in order.
pub(super) fn sample(n: usize, dim: usize, rng: &mut Pcg64) -> Mat<f64> {
    let mut theta = Mat::zeros(n, dim);
    for i in 0..n {
        for j in 0..dim {
            theta[(i, j)] = standard_normal(rng);
        }
    }
    theta
}

/// `ln N(theta; 0, I)` of each row.
pub(super) fn log_density(theta: MatRef<'_, f64>, dim: usize) -> Vec<f64> {
    check_columns(theta, dim);
    (0..theta.nrows())
        .map(|i| (0..dim).map(|j| normal_log_pdf(theta[(i, j)])).sum())
        .collect()
}

pub(super) fn check_columns(theta: MatRef<'_, f64>, dim: usize) {
    assert_eq!(theta.ncols(), dim, "a row has {dim} values");
}
