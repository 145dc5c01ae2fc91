//! Student's t in five dimensions, with correlations `0.8^|i - j|`: `x = z / sqrt(c / 4)`, z
//! normal, c chi-square with 4 degrees of freedom.

use super::autoregressive as normal;
use numerics::math::{ln, ln_1p};
use numerics::random::{Pcg64, standard_normal};
use std::f64::consts::PI;

pub(super) const DIM: usize = 5;
const FREEDOM: f64 = 4.0;
const CORRELATION: f64 = 0.8;
/// `Gamma((4 + 5) / 2) = 105 sqrt(pi) / 16` over `Gamma(4 / 2) = 1`.
const GAMMAS: f64 = 11.631_728_396_567_448;

pub(super) fn draw(rng: &mut Pcg64, x: &mut [f64]) {
    normal::draw(rng, CORRELATION, x);
    let square = |_| {
        let z = standard_normal(rng);
        z * z
    };
    let chi_square: f64 = (0..FREEDOM as usize).map(square).sum();
    let scale = (FREEDOM / chi_square).sqrt();
    x.iter_mut().for_each(|v| *v *= scale);
}

pub(super) fn log_density(x: &[f64]) -> f64 {
    let (squares, log_det) = normal::form(x, CORRELATION);
    let d = DIM as f64;
    ln(GAMMAS)
        - 0.5 * (d * ln(FREEDOM * PI) + log_det)
        - 0.5 * (FREEDOM + d) * ln_1p(squares / FREEDOM)
}
