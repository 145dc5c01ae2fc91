//! Two concentric rings.

use crate::target::{Rectangle, Target};
use numerics::math::{LN_2PI, ln, ln_sum_exp, normal_log_pdf, sin_cos};
use numerics::random::{Pcg64, standard_normal, uniform};
use std::f64::consts::{LN_2, TAU};

/// A signed radius `R`, half `N(1, 0.1^2)` and half `N(2.5, 0.1^2)`, at a uniform angle.
///
/// A negative `R` is the point opposite, so that `p(x) = (f(r) + f(-r)) / (2 pi r)` with `r = |x|`
/// and `f` the density of `R`.
pub(crate) struct Rings;

const RADII: [f64; 2] = [1.0, 2.5];
const SD: f64 = 0.1;

/// The least radius in the divisor. The density has a pole at the origin with 1e-29 of the mass
/// about it; it is cut off at this radius, so that no grid point weighs more than its cell.
const LEAST_RADIUS: f64 = 1e-8;

impl Target for Rings {
    fn draw(&self, rng: &mut Pcg64) -> [f64; 2] {
        let outer = uniform(rng) >= 0.5;
        let (sin, cos) = sin_cos(TAU * uniform(rng));
        let radius = RADII[usize::from(outer)] + SD * standard_normal(rng);
        [radius * cos, radius * sin]
    }

    fn log_density(&self, x: [f64; 2]) -> f64 {
        let r = (x[0] * x[0] + x[1] * x[1]).sqrt();
        let at = |signed: f64, radius: f64| normal_log_pdf((signed - radius) / SD);
        let f = ln_sum_exp(&[
            at(r, RADII[0]),
            at(r, RADII[1]),
            at(-r, RADII[0]),
            at(-r, RADII[1]),
        ]);
        f - LN_2 - ln(SD) - LN_2PI - ln(r.max(LEAST_RADIUS))
    }

    fn window(&self) -> Rectangle {
        [(-3.0, 3.0); 2]
    }

    fn grid(&self) -> (Rectangle, f64) {
        ([(-3.5, 3.5); 2], 0.0125)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::math::exp;

    #[test]
    fn density_by_the_textbook_formula() {
        let f = |r: f64| {
            let normal = |m: f64| exp(-50.0 * (r - m) * (r - m)) / (0.01 * TAU).sqrt();
            0.5 * normal(1.0) + 0.5 * normal(2.5)
        };
        for r in [1.1e-8, 1e-4, 0.01, 0.4, 1.0, 1.7, 2.4, 4.0] {
            let exact = ln((f(r) + f(-r)) / (TAU * r));
            for x in [[r, 0.0], [-0.6 * r, 0.8 * r]] {
                let got = Rings.log_density(x);
                assert!(
                    (got - exact).abs() < 1e-12 * (1.0 + exact.abs()),
                    "{r}: {got}, not {exact}"
                );
            }
        }
    }

    #[test]
    fn the_origin_is_harmless() {
        let top = Rings.log_density([0.0, 0.0]);
        assert!((-40.0..-30.0).contains(&top), "{top}");
        for r in [1e-300, 1e-16, 1e-9] {
            assert!((Rings.log_density([r, -r]) - top).abs() < 1e-5);
        }
    }
}
