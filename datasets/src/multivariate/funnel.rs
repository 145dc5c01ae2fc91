//! Neal's funnel: `v ~ N(0, 3^2)`, and `x_1, x_2 ~ N(0, e^v)` given v.

use numerics::math::{LN_2PI, exp, ln};
use numerics::random::{Pcg64, standard_normal};

pub(super) const DIM: usize = 3;
/// Standard deviation of v.
const SPREAD: f64 = 3.0;

/// `(v, x_1, x_2)`.
pub(super) fn draw(rng: &mut Pcg64, x: &mut [f64]) {
    x[0] = SPREAD * standard_normal(rng);
    let scale = exp(0.5 * x[0]);
    for v in &mut x[1..] {
        *v = scale * standard_normal(rng);
    }
}

pub(super) fn log_density(x: &[f64]) -> f64 {
    let v = x[0];
    let squares = x[1..].iter().map(|x| x * x).sum::<f64>();
    let mouth = -0.5 * (v / SPREAD) * (v / SPREAD) - ln(SPREAD);
    let rest = (DIM - 1) as f64;
    mouth - 0.5 * (squares * exp(-v) + rest * v) - 0.5 * DIM as f64 * LN_2PI
}
