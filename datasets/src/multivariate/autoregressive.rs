//! The normal vector whose coordinates correlate as `r^|i - j|`, each of variance one.

use numerics::math::{LN_2PI, ln};
use numerics::random::{Pcg64, standard_normal};

/// Each coordinate is r times the one before and noise.
pub(super) fn draw(rng: &mut Pcg64, r: f64, z: &mut [f64]) {
    let noise = (1.0 - r * r).sqrt();
    for j in 0..z.len() {
        let own = standard_normal(rng);
        z[j] = if j == 0 {
            own
        } else {
            r * z[j - 1] + noise * own
        };
    }
}

/// `z' R^-1 z` and `ln det R` of the matrix of correlations R.
pub(super) fn form(z: &[f64], r: f64) -> (f64, f64) {
    let v = 1.0 - r * r;
    let steps = z
        .windows(2)
        .map(|w| (w[1] - r * w[0]) * (w[1] - r * w[0]) / v);
    (
        z[0] * z[0] + steps.sum::<f64>(),
        (z.len() - 1) as f64 * ln(v),
    )
}

pub(super) fn log_density(z: &[f64], r: f64) -> f64 {
    let (squares, log_det) = form(z, r);
    -0.5 * (squares + log_det + z.len() as f64 * LN_2PI)
}
