//! Four Gaussians in eight dimensions, six apart, with weights 0.1 to 0.4 and different
//! correlations.

use super::autoregressive as normal;
use numerics::math::{ln, ln_sum_exp};
use numerics::random::{Pcg64, categorical};

pub(super) const DIM: usize = 8;
const WEIGHTS: [f64; 4] = [0.1, 0.2, 0.3, 0.4];
/// The correlation of coordinates next to each other.
const CORRELATIONS: [f64; 4] = [0.0, 0.5, -0.5, 0.8];

/// Coordinate j of mean k: the signs are rows of a Hadamard matrix, which differ in half of their
/// places.
fn mean(k: usize, j: usize) -> f64 {
    if (j & k).count_ones().is_multiple_of(2) {
        1.5
    } else {
        -1.5
    }
}

pub(super) fn draw(rng: &mut Pcg64, x: &mut [f64]) {
    let k = categorical(rng, &WEIGHTS);
    normal::draw(rng, CORRELATIONS[k], x);
    for (j, v) in x.iter_mut().enumerate() {
        *v += mean(k, j);
    }
}

pub(super) fn log_density(x: &[f64]) -> f64 {
    let terms = [0, 1, 2, 3].map(|k| {
        let z: Vec<f64> = x.iter().enumerate().map(|(j, v)| v - mean(k, j)).collect();
        ln(WEIGHTS[k]) + normal::log_density(&z, CORRELATIONS[k])
    });
    ln_sum_exp(&terms)
}
