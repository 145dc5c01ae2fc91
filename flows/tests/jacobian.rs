//! Numeric Jacobians.

use faer::prelude::*;
use numerics::math;

/// Jacobian dz/dx at one point by extrapolated central differences; `z` gives a row.
pub fn jacobian(x: &[f64], z: impl Fn(&[f64]) -> Mat<f64>) -> Mat<f64> {
    let d = x.len();
    Mat::from_fn(d, d, |i, j| {
        let difference = |h: f64| {
            let mut p = x.to_vec();
            p[j] = x[j] + h;
            let up = z(&p)[(0, i)];
            p[j] = x[j] - h;
            (up - z(&p)[(0, i)]) / (2.0 * h)
        };
        (4.0 * difference(5e-4) - difference(1e-3)) / 3.0
    })
}

/// ln |det| by Gaussian elimination with partial pivoting.
pub fn ln_abs_det(mut m: Mat<f64>) -> f64 {
    let d = m.nrows();
    let mut total = 0.0;
    for k in 0..d {
        let p = (k..d)
            .max_by(|&a, &b| m[(a, k)].abs().total_cmp(&m[(b, k)].abs()))
            .unwrap();
        for j in 0..d {
            let (a, b) = (m[(k, j)], m[(p, j)]);
            (m[(k, j)], m[(p, j)]) = (b, a);
        }
        total += math::ln(m[(k, k)].abs());
        for i in k + 1..d {
            let f = m[(i, k)] / m[(k, k)];
            for j in k..d {
                let v = m[(k, j)];
                m[(i, j)] -= f * v;
            }
        }
    }
    total
}
