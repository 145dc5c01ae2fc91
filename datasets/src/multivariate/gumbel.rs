//! The standard Gumbel distribution: of the greatest of many draws.

use numerics::math::{exp, ln};
use numerics::random::{Pcg64, uniform};

/// By inversion of `F(x) = exp(-exp(-x))`.
pub(super) fn draw(rng: &mut Pcg64) -> f64 {
    -ln(-ln(uniform(rng)))
}

pub(super) fn log_density(x: f64) -> f64 {
    -x - exp(-x)
}
