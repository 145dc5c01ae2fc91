//! Two interleaved half circles.

use crate::quadrature::GaussLegendre;
use crate::target::{Rectangle, Target};
use numerics::math::{LN_2PI, atan2, exp, ln, ln_sum_exp2, sin, sin_cos};
use numerics::random::{Pcg64, standard_normal, uniform};
use std::f64::consts::{LN_2, PI};
use std::sync::LazyLock;

/// The half circles `(cos t, sin t)` and `(1 - cos t, 1/2 - sin t)`, `t` uniform on (0, pi), with
/// isotropic noise.
///
/// The second is the first after the point reflection `x -> (1, 1/2) - x`, which keeps areas, so
/// that one density `q` serves both: `p(x) = (q(x) + q((1, 1/2) - x)) / 2`, with
///
/// `q(x) = 1 / (2 pi s^2) (1 / pi) integral_0^pi exp(-|x - (cos t, sin t)|^2 / (2 s^2)) dt`.
pub(crate) struct TwoMoons;

const NOISE: f64 = 0.1;
const SECOND: [f64; 2] = [1.0, 0.5];

/// Terms below `e^-40` of the largest are left out.
const DEPTH: f64 = 40.0;

impl Target for TwoMoons {
    fn draw(&self, rng: &mut Pcg64) -> [f64; 2] {
        let second = uniform(rng) >= 0.5;
        let (sin, cos) = sin_cos(PI * uniform(rng));
        let [a, b] = if second {
            [SECOND[0] - cos, SECOND[1] - sin]
        } else {
            [cos, sin]
        };
        [
            a + NOISE * standard_normal(rng),
            b + NOISE * standard_normal(rng),
        ]
    }

    fn log_density(&self, x: [f64; 2]) -> f64 {
        let first = log_half_circle(x);
        let second = log_half_circle([SECOND[0] - x[0], SECOND[1] - x[1]]);
        ln_sum_exp2(first, second) - LN_2
    }

    fn window(&self) -> Rectangle {
        [(-1.5, 2.5), (-1.0, 1.5)]
    }

    fn grid(&self) -> (Rectangle, f64) {
        ([(-2.0, 3.0), (-1.5, 2.0)], 0.0125)
    }
}

/// `ln q(x)`, see [`TwoMoons`].
///
/// With `(r, phi)` the polar coordinates of `x`, the squared distance from the circle's point at
/// `phi + u` is `(r - 1)^2 + 2 r (1 - cos u)`. Above the diameter the nearest point has `u = 0`,
/// and the integral splits there into arcs of length `phi` and `pi - phi`. Below it, the nearest
/// points are the two ends, at angles `alpha` and `pi - alpha` from `phi`, and both arcs run from
/// there to the antipode of `phi`.
fn log_half_circle([x, y]: [f64; 2]) -> f64 {
    let variance = NOISE * NOISE;
    let r = (x * x + y * y).sqrt();
    let kappa = r / variance;
    let (nearest_squared, integral) = if y >= 0.0 {
        // The absolute value is for minus zero.
        let phi = atan2(y.abs(), x);
        let integral = arc(0.0, phi, kappa) + arc(0.0, PI - phi, kappa);
        ((r - 1.0) * (r - 1.0), integral)
    } else {
        let alpha = atan2(-y, x.abs());
        let mut integral = arc(alpha, PI - alpha, kappa);
        // The far end is a squared distance of 4 |x| further.
        let drop = 2.0 * x.abs() / variance;
        if drop < DEPTH {
            integral += exp(-drop) * arc(PI - alpha, alpha, kappa);
        }
        let to_end = x.abs() - 1.0;
        (to_end * to_end + y * y, integral)
    };
    -LN_2PI - ln(PI * variance) - nearest_squared / (2.0 * variance) + ln(integral)
}

/// `integral_0^length exp(-kappa (cos(alpha) - cos(alpha + u))) du`, for
/// `0 <= alpha <= alpha + length <= pi`.
///
/// The exponent falls from zero; it reaches `-DEPTH` where `t = tan(u / 2)` solves
/// `(2 cos(alpha) - c) t^2 + 2 sin(alpha) t - c = 0`, `c = DEPTH / kappa`, or nowhere.
fn arc(alpha: f64, length: f64, kappa: f64) -> f64 {
    static RULE: LazyLock<GaussLegendre<32>> = LazyLock::new(GaussLegendre::new);
    let mut end = length;
    let (sin_alpha, cos_alpha) = sin_cos(alpha);
    let c = DEPTH / kappa;
    let discriminant = sin_alpha * sin_alpha + c * (2.0 * cos_alpha - c);
    if discriminant > 0.0 {
        end = end.min(2.0 * atan2(c, sin_alpha + discriminant.sqrt()));
    }
    let half = 0.5 * end;
    let rule = &*RULE;
    let mut total = 0.0;
    for (node, weight) in rule.nodes.iter().zip(&rule.weights) {
        let u_half = 0.5 * half * (1.0 + node);
        total += weight * exp(-2.0 * kappa * sin(u_half) * sin(alpha + u_half));
    }
    half * total
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::math::{cos, ln_sum_exp};

    /// The defining integral over a curve, by many short panels, with squared distances computed
    /// directly.
    fn by_brute_force(x: [f64; 2], curve: fn(f64) -> [f64; 2]) -> f64 {
        const PANELS: usize = 4000;
        let rule = GaussLegendre::<8>::new();
        let width = PI / PANELS as f64;
        let mut terms = Vec::with_capacity(PANELS * 8);
        for panel in 0..PANELS {
            for (node, weight) in rule.nodes.iter().zip(&rule.weights) {
                let t = width * (panel as f64 + 0.5 * (1.0 + node));
                let [cx, cy] = curve(t);
                let (dx, dy) = (x[0] - cx, x[1] - cy);
                let squared = dx * dx + dy * dy;
                let log_weight = ln(0.5 * width * weight / PI);
                terms.push(log_weight - squared / (2.0 * 0.01) - LN_2PI - ln(0.01));
            }
        }
        ln_sum_exp(&terms)
    }

    #[test]
    fn exact_near_and_far() {
        for &a in &[
            -30.0, -3.0, -1.0, -0.4, -0.03, 0.0, 1e-9, 0.1, 0.5, 1.0, 1.7, 2.0, 6.0, 25.0,
        ] {
            for &b in &[
                -30.0, -4.0, -1.0, -0.2, -0.01, -1e-9, 0.0, 1e-9, 0.25, 0.5, 0.51, 0.8, 1.0, 1.6,
                5.0, 20.0,
            ] {
                // Each half circle is also tested alone: in the sum the nearer one dominates.
                let first = by_brute_force([a, b], |t| [cos(t), sin(t)]);
                let second = by_brute_force([a, b], |t| [1.0 - cos(t), 0.5 - sin(t)]);
                for (got, exact) in [
                    (log_half_circle([a, b]), first),
                    (
                        TwoMoons.log_density([a, b]),
                        ln_sum_exp2(first, second) - LN_2,
                    ),
                ] {
                    let error = (got - exact).abs() - 1e-13 * exact.abs();
                    assert!(error < 1e-10, "({a}, {b}): {got}, not {exact}");
                }
            }
        }
    }
}
