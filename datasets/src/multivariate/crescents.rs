//! Two half circles, far thinner than long: radius 1 about (-0.5, 0) upwards and about (0.5, -1.5)
//! downwards, with normal widths of a hundredth and uniform angles.

use numerics::math::{atan2, ln, normal_log_pdf, sin_cos};
use numerics::random::{Pcg64, standard_normal, uniform};
use std::f64::consts::{LN_2, PI};

pub(super) const DIM: usize = 2;
const WIDTH: f64 = 0.01;
/// Centre and direction.
const ARCS: [([f64; 2], f64); 2] = [([-0.5, 0.0], 1.0), ([0.5, -1.5], -1.0)];

pub(super) fn draw(rng: &mut Pcg64, x: &mut [f64]) {
    let (centre, up) = ARCS[usize::from(uniform(rng) < 0.5)];
    let (sin, cos) = sin_cos(PI * uniform(rng));
    let r = 1.0 + WIDTH * standard_normal(rng);
    x[0] = centre[0] + r * cos;
    x[1] = centre[1] + up * r * sin;
}

pub(super) fn log_density(x: &[f64]) -> f64 {
    let arc = |(centre, up): &([f64; 2], f64)| {
        let (a, b) = (x[0] - centre[0], up * (x[1] - centre[1]));
        let r = (a * a + b * b).sqrt();
        if atan2(b, a) < 0.0 {
            return f64::NEG_INFINITY;
        }
        normal_log_pdf((r - 1.0) / WIDTH) - ln(WIDTH * PI * r) - LN_2
    };
    numerics::math::ln_sum_exp(&ARCS.each_ref().map(arc))
}
