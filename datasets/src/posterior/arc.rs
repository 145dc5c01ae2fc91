//! A crescent in the plane.

use super::line::{Curve, Line};
use super::parts::Part;
use super::problem::bisect;
use crate::quadrature::GaussLegendre;
use numerics::math::{atan2, cos, exp, ln, sin_cos};
use numerics::random::{Pcg64, uniform};
use std::f64::consts::PI;
use std::sync::LazyLock;

/// The term `exp(-(s - R^2)^2 / (8 R^2 t^2) + k (a . d / R - 1))`, with `d = theta - c` and `s =
/// |d|^2`: about the circle of radius `R` and centre `c`, Gaussian across with standard deviation
/// `t` (near `s = R^2` the first exponent is `-(|d| - R)^2 / (2 t^2)`), and concentrated in the
/// direction of the unit vector `a`: on the circle the second exponent is `k (cos - 1)` of the
/// angle from `a`, a von Mises distribution. As a polynomial it is smooth at the centre too.
///
/// Under the standard normal prior, with `b = k a / R - c`, prior times term is
///
/// `exp(-|c|^2 / 2 - k) / (2 pi) exp(-s / 2 - (s - R^2)^2 / (2 v)) exp(b . d)`, `v = 4 R^2 t^2`,
///
/// and area is `ds dphi / 2`. So the angle between `d` and `b` given `s` follows a von Mises distribution
/// with concentration `|b| sqrt(s)`, and `s` has the density
/// `exp(-(s - m)^2 / (2 v)) I0(|b| sqrt(s))` up to its scale, `m = R^2 - v / 2`.
pub(super) struct Arc {
    centre: [f64; 2],
    direction: [f64; 2],
    concentration: f64,
    squared_radius: f64,
    variance: f64,
    /// The direction of `b`.
    towards: [f64; 2],
    /// The distribution of `s`.
    square: Line<Square>,
    log_evidence: f64,
}

/// `exp(-(s - m)^2 / (2 v)) I0(b sqrt(s))`, with `b` for `|b|`.
#[derive(Clone, Debug)]
struct Square {
    mean: f64,
    variance: f64,
    pull: f64,
}

impl Square {
    /// `-(s - m)^2 / (2 v)`.
    fn bell(&self, s: f64) -> f64 {
        -0.5 * (s - self.mean) * (s - self.mean) / self.variance
    }
}

impl Curve for Square {
    fn height(&self, s: f64) -> f64 {
        exp(self.bell(s)) * bessel_i0_of_square(0.25 * self.pull * self.pull * s)
    }
}

/// `I0(x) = sum_k (x^2 / 4)^k / k!^2` as a function of `x^2 / 4 >= 0`: terms are positive and no
/// digit is lost.
fn bessel_i0_of_square(quarter: f64) -> f64 {
    let (mut total, mut term, mut k) = (1.0, 1.0, 1.0);
    while term > 1e-17 * total {
        term *= quarter / (k * k);
        total += term;
        k += 1.0;
    }
    total
}

impl Arc {
    /// `angle` is that of `a`, in radians from the first axis.
    pub(super) fn new(
        centre: [f64; 2],
        radius: f64,
        width: f64,
        angle: f64,
        concentration: f64,
    ) -> Self {
        let (sin, cos) = sin_cos(angle);
        let pull = [
            concentration * cos / radius - centre[0],
            concentration * sin / radius - centre[1],
        ];
        let norm = (pull[0] * pull[0] + pull[1] * pull[1]).sqrt();
        let squared_radius = radius * radius;
        let variance = 4.0 * squared_radius * width * width;
        let curve = Square {
            mean: squared_radius - 0.5 * variance,
            variance,
            pull: norm,
        };
        // ln I0 rises by at most b / (2 sqrt(s)) times the step in s: it moves the bell by a
        // fraction of its width.
        let reach = 10.0 * variance.sqrt();
        let (lo, hi) = ((curve.mean - reach).max(0.0), curve.mean + reach);
        let square = Line::new(curve, lo, hi);
        let constant = -0.5 * (centre[0] * centre[0] + centre[1] * centre[1])
            - concentration
            - 0.5 * squared_radius
            + 0.125 * variance;
        Self {
            centre,
            direction: [cos, sin],
            concentration: concentration / radius,
            squared_radius,
            variance,
            towards: [pull[0] / norm, pull[1] / norm],
            log_evidence: constant + ln(0.5 * square.total()),
            square,
        }
    }

    fn curve(&self) -> &Square {
        self.square.curve()
    }

    /// The log-density of the posterior at distance `sqrt(s)` in the direction of `b`: at its
    /// greatest for this `s`.
    fn log_ridge(&self, s: f64) -> f64 {
        self.curve().bell(s) + self.curve().pull * s.sqrt() - ln(PI * self.square.total())
    }

    /// Where the ridge is highest.
    fn summit(&self) -> f64 {
        let Square {
            mean,
            variance,
            pull,
        } = *self.curve();
        // The slope (m - s) / v + b / (2 sqrt(s)) falls.
        let falling = |s: f64| (s - mean) / variance - 0.5 * pull / s.sqrt();
        bisect(
            f64::MIN_POSITIVE,
            mean + 0.5 * pull * variance / mean.sqrt() + variance,
            0.0,
            falling,
        )
    }
}

impl Part<2> for Arc {
    fn log_likelihood(&self, theta: [f64; 2]) -> f64 {
        let d = [theta[0] - self.centre[0], theta[1] - self.centre[1]];
        let ds = d[0] * d[0] + d[1] * d[1] - self.squared_radius;
        let along = d[0] * self.direction[0] + d[1] * self.direction[1];
        let radius = self.squared_radius.sqrt();
        -0.5 * ds * ds / self.variance + self.concentration * (along - radius)
    }

    fn log_evidence(&self) -> f64 {
        self.log_evidence
    }

    fn draw(&self, rng: &mut Pcg64) -> [f64; 2] {
        let radius = self.square.quantile(uniform(rng)).sqrt();
        let (sin, cos) = von_mises(self.curve().pull * radius, rng);
        let [u, v] = self.towards;
        [
            self.centre[0] + radius * (cos * u - sin * v),
            self.centre[1] + radius * (cos * v + sin * u),
        ]
    }

    fn log_peak(&self) -> f64 {
        self.log_ridge(self.summit())
    }

    /// At every `s` the region is an arc about the direction of `b`, and the ridge, which is
    /// concave, is above the level on an interval of `s`. The length of the arc rises from both
    /// ends like a square root, which the substitution `s = middle - half cos(t)` smoothes: the
    /// midpoint rule in `t` then converges fast.
    fn mass_above(&self, level: f64) -> f64 {
        const NODES: usize = 200;
        static RULE: LazyLock<GaussLegendre<32>> = LazyLock::new(GaussLegendre::new);
        let summit = self.summit();
        if self.log_ridge(summit) <= level {
            return 0.0;
        }
        let far = 20.0 * self.variance.sqrt();
        let lo = bisect((summit - far).max(0.0), summit, level, |s| {
            self.log_ridge(s)
        });
        let hi = -bisect(-summit - far, -summit, level, |s| self.log_ridge(-s));
        let (middle, half) = (0.5 * (lo + hi), 0.5 * (hi - lo));
        let step = PI / NODES as f64;
        let rule = &*RULE;
        let mut total = 0.0;
        for node in 0..NODES {
            let (sine, cosine) = sin_cos((node as f64 + 0.5) * step);
            let s = middle - half * cosine;
            let kappa = self.curve().pull * s.sqrt();
            let ridge = self.log_ridge(s);
            // ln density = ridge - kappa (1 - cos(angle)).
            let least = (1.0 - (ridge - level).max(0.0) / kappa).max(-1.0);
            let end = atan2((1.0 - least * least).sqrt(), least);
            let mut arc = 0.0;
            for (node, weight) in rule.nodes.iter().zip(&rule.weights) {
                let angle = 0.5 * end * (1.0 + node);
                arc += weight * exp(ridge - kappa * (1.0 - cos(angle)));
            }
            total += sine * 0.5 * end * arc;
        }
        // The arc to both sides, and area ds dphi / 2.
        (total * half * step).min(1.0)
    }
}

/// Sine and cosine of an angle with density `exp(kappa cos(angle))` up to its scale, `kappa > 0`.
///
/// Best and Fisher (1979): rejection from a wrapped Cauchy distribution, which accepts two thirds
/// at the least.
fn von_mises(kappa: f64, rng: &mut Pcg64) -> (f64, f64) {
    let t = 1.0 + (1.0 + 4.0 * kappa * kappa).sqrt();
    let rho = (t - (2.0 * t).sqrt()) / (2.0 * kappa);
    let r = (1.0 + rho * rho) / (2.0 * rho);
    loop {
        let z = cos(PI * uniform(rng));
        let f = (1.0 + r * z) / (r + z);
        let c = kappa * (r - f);
        let u = uniform(rng);
        if ln(c / u) + 1.0 - c >= 0.0 {
            let sin = (1.0 - f * f).max(0.0).sqrt();
            let left = uniform(rng) < 0.5;
            return (if left { -sin } else { sin }, f);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::math::normal_log_pdf;

    #[test]
    fn bessel_function_of_the_tables() {
        for (x, exact) in [
            (0.0, 1.0),
            (1.0, 1.266_065_877_752_008_4),
            (5.0, 27.239_871_823_604_442),
            (20.0, 43_558_282.559_553_53),
        ] {
            let got = bessel_i0_of_square(0.25 * x * x);
            assert!((got / exact - 1.0).abs() < 1e-14, "{x}: {got}");
        }
    }

    /// Short and long arcs, up to one that is nearly a circle.
    #[test]
    fn evidence_and_masses_by_a_grid() {
        for arc in [
            Arc::new([-0.35, 0.2], 1.2, 0.08, PI, 11.0),
            Arc::new([0.3, -0.2], 1.0, 0.1, -0.7, 2.0),
            Arc::new([0.2, 0.0], 0.8, 0.1, 0.5, 0.4),
        ] {
            let levels = [0.5, 2.0, 5.0, 9.0].map(|depth| arc.log_peak() - depth);
            let step = 0.001;
            let (mut total, mut above, mut peak) = (0.0, [0.0; 4], f64::NEG_INFINITY);
            for i in -2000..2000 {
                for j in -2000..2000 {
                    let theta = [i, j].map(|k| (f64::from(k) + 0.5) * step);
                    let prior = normal_log_pdf(theta[0]) + normal_log_pdf(theta[1]);
                    let log_joint = prior + arc.log_likelihood(theta);
                    let mass = exp(log_joint) * step * step;
                    total += mass;
                    peak = log_joint.max(peak);
                    for (above, level) in above.iter_mut().zip(levels) {
                        if log_joint - arc.log_evidence() >= level {
                            *above += mass;
                        }
                    }
                }
            }
            assert!((ln(total) - arc.log_evidence()).abs() < 1e-9);
            assert!((peak - arc.log_evidence() - arc.log_peak()).abs() < 1e-3);
            for (above, level) in above.iter().zip(levels) {
                let (got, exact) = (arc.mass_above(level), above / total);
                // A grid point more or less at the border of the smaller regions weighs 1e-5.
                assert!((got - exact).abs() < 1e-4, "{got}, not {exact}");
            }
            assert_eq!(arc.mass_above(arc.log_peak() + 1e-9), 0.0);
        }
    }
}
