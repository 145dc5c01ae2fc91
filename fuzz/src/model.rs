//! Whatever was loaded must be a working density.

use faer::Mat;

/// A few points about zero, near and far.
#[must_use]
pub fn points(dim: usize) -> Mat<f64> {
    let at = [0.0, 0.5, -1.0, 3.0, -20.0];
    Mat::from_fn(at.len(), dim, |i, j| at[(i + j) % at.len()])
}

/// Log-densities are numbers or minus infinity, draws are finite.
///
/// # Panics
/// If not.
pub fn must_work(log_prob: &[f64], draws: &Mat<f64>) {
    assert!(
        log_prob.iter().all(|l| *l < f64::INFINITY),
        "log-densities {log_prob:?}"
    );
    for j in 0..draws.ncols() {
        assert!(draws.col(j).iter().all(|v| v.is_finite()), "{draws:?}");
    }
}
