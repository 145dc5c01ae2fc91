//! A Gaussian bent along a parabola.

use crate::target::{Rectangle, Target};
use numerics::math::{LN_2PI, exp, ln};
use numerics::random::{Pcg64, standard_normal};

/// `x1 ~ N(0, 2)`, `x2 | x1 ~ N(x1^2 / 4, 1)`, observed as `y = x + s N(0, I)`.
///
/// The noise on the second coordinate only widens its Gaussian. The noise on the first leaves an
/// integral over `u = x1`, whose distribution given `y1` is normal:
///
/// `p(y) = N(y1; 0, 2 + s^2) integral N(u; m, v) N(y2; u^2 / 4, a) du`, with
/// `m = 2 y1 / (2 + s^2)`, `v = 2 s^2 / (2 + s^2)`, `a = 1 + s^2`.
pub(crate) struct Banana;

const NOISE: f64 = 0.1;
const SPREAD: f64 = 2.0;
const TOTAL: f64 = SPREAD + NOISE * NOISE;
const SHRINK: f64 = SPREAD / TOTAL;
const V: f64 = SHRINK * NOISE * NOISE;
const A: f64 = 1.0 + NOISE * NOISE;

/// Terms below `e^-40` of the largest are left out.
const DEPTH: f64 = 40.0;

impl Target for Banana {
    fn draw(&self, rng: &mut Pcg64) -> [f64; 2] {
        let x1 = SPREAD.sqrt() * standard_normal(rng);
        let x2 = 0.25 * x1 * x1 + standard_normal(rng);
        [
            x1 + NOISE * standard_normal(rng),
            x2 + NOISE * standard_normal(rng),
        ]
    }

    fn log_density(&self, y: [f64; 2]) -> f64 {
        let (least, integral) = Energy::new(SHRINK * y[0].abs(), y[1]).integrate();
        let log_y1 = -0.5 * (y[0] * y[0] / TOTAL + LN_2PI + ln(TOTAL));
        log_y1 - least - LN_2PI - 0.5 * ln(A * V) + ln(integral)
    }

    fn window(&self) -> Rectangle {
        [(-5.0, 5.0), (-3.5, 9.5)]
    }

    fn grid(&self) -> (Rectangle, f64) {
        ([(-12.0, 12.0), (-8.0, 38.0)], 0.05)
    }
}

/// `E(u) = (y2 - u^2 / 4)^2 / (2 a) + (u - m)^2 / (2 v)` with `m >= 0`, about its least value.
///
/// Its derivative is `(u^3 + p u + q) / (8 a)`, with `p = 8 a / v - 4 y2` and `q = -8 a m / v <=
/// 0`. `E` is least at the largest root of this cubic, since `E(-u) >= E(u)` when `u >= 0`.
/// Everything else follows from the roots, without the cancellation in differences of `E`, which is
/// huge far out.
struct Energy {
    /// The least value.
    least: f64,
    /// About the least value.
    well: Well,
    /// About the other minimum, if there is one.
    other: Option<OtherWell>,
}

struct OtherWell {
    well: Well,
    /// How far this minimum is above the least value.
    rise: f64,
    /// How far the maximum between the two is above the least value.
    barrier: f64,
}

/// `E` about a minimum, as a function of the distance `d` outwards: away from zero.
struct Well {
    /// The distance of the minimum from zero.
    mode: f64,
    /// `4 a E''` at the minimum.
    curvature: f64,
    /// How far inwards the maximum between two wells is.
    reach: f64,
}

impl Energy {
    fn new(m: f64, y2: f64) -> Self {
        let p = 8.0 * A / V - 4.0 * y2;
        let q = -8.0 * A / V * m;
        let mode = largest_root(p, q);
        let gap = 0.25 * mode * mode - y2;
        let shift = mode - m;
        let least = gap * gap / (2.0 * A) + shift * shift / (2.0 * V);
        // The other two roots have sum -mode and product mode^2 + p = -q / mode.
        let discriminant = -3.0 * mode * mode - 4.0 * p;
        if discriminant <= 0.0 || mode == 0.0 {
            let well = Well {
                mode,
                curvature: 0.5 * (3.0 * mode * mode + p),
                reach: f64::INFINITY,
            };
            return Self {
                least,
                well,
                other: None,
            };
        }
        let minimum = -0.5 * (mode + discriminant.sqrt());
        let maximum = -q / mode / minimum;
        // For three roots with sum zero, (t - i)(t - j)(t - k) integrates to (j - i)^3 k / 4 from i
        // to j.
        let cube = |t: f64| t * t * t;
        let across = mode - minimum;
        Self {
            least,
            well: Well {
                mode,
                curvature: 0.5 * across * (mode - maximum),
                reach: mode - maximum,
            },
            other: Some(OtherWell {
                well: Well {
                    mode: -minimum,
                    curvature: 0.5 * across * (maximum - minimum),
                    reach: maximum - minimum,
                },
                rise: -cube(across) * maximum / (32.0 * A),
                barrier: -cube(mode - maximum) * minimum / (32.0 * A),
            }),
        }
    }

    /// The least value `E0`, and the integral of `exp(E0 - E)` over the line.
    fn integrate(&self) -> (f64, f64) {
        let well = &self.well;
        let integral = match &self.other {
            Some(other) if other.barrier < DEPTH => {
                // E at the mirror image of a point outside is at least as high.
                let end = well.outer_end();
                well.trapezoid::<128>(-2.0 * well.mode - end, end)
            }
            Some(other) if other.rise < DEPTH => {
                well.integrate() + exp(-other.rise) * other.well.integrate()
            }
            _ => well.integrate(),
        };
        (self.least, integral)
    }
}

impl Well {
    /// `E` above its value at the minimum: a quartic without constant and linear terms.
    fn above(&self, d: f64) -> f64 {
        d * d * (self.curvature + d * (self.mode + 0.25 * d)) / (8.0 * A)
    }

    /// A distance outwards at which `E` has risen by at least `DEPTH`: each of the three terms
    /// alone gives a bound.
    fn outer_end(&self) -> f64 {
        let c = 8.0 * A * DEPTH;
        (c / self.curvature)
            .sqrt()
            .min(cube_root(c / self.mode))
            .min((4.0 * c).sqrt().sqrt())
    }

    /// The integral of `exp(-above)` over this well.
    fn integrate(&self) -> f64 {
        let outer = self.outer_end();
        // Inwards the slope is gentler: continue until E has risen enough, or starts to fall.
        let mut inner = outer;
        while inner < self.reach && self.above(-inner) < DEPTH {
            inner *= 1.25;
        }
        self.trapezoid::<64>(-inner.min(self.reach), outer)
    }

    /// The trapezoid rule for the integral of `exp(-above)`, which is negligible at both ends.
    ///
    /// For an analytic integrand that dies out at both ends the error falls like
    /// `exp(-2 pi^2 / h^2)`, where h is the step in units of the narrowest standard deviation; it
    /// is at most 0.7 here.
    fn trapezoid<const N: usize>(&self, lo: f64, hi: f64) -> f64 {
        let h = (hi - lo) / N as f64;
        let mut total = 0.0;
        for k in 0..=N {
            total += exp(-self.above(lo + h * k as f64));
        }
        h * total
    }
}

/// The largest root of `t^3 + p t + q` for `q <= 0`.
///
/// The cubic is convex on the positive axis, where the root lies, so Newton's method falls
/// monotonically to it from any bound above.
fn largest_root(p: f64, q: f64) -> f64 {
    let mut t = if p < 0.0 {
        (-p).sqrt() + cube_root(-q)
    } else if q == 0.0 {
        return 0.0;
    } else {
        cube_root(-q).min(-q / p)
    };
    for _ in 0..100 {
        let next = t - (t * (t * t + p) + q) / (3.0 * t * t + p);
        // Stops when rounding prevents further decrease.
        if next.is_nan() || next >= t {
            break;
        }
        t = next;
    }
    t
}

/// `x^(1/3)` of `x >= 0`, rounded upwards: the callers need bounds.
fn cube_root(x: f64) -> f64 {
    exp(ln(x) / 3.0) * (1.0 + 1e-12)
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::math::ln_sum_exp;

    /// The joint density of x1 and y, summed over x1 on a fine grid.
    fn by_brute_force(y: [f64; 2]) -> f64 {
        const N: usize = 200_000;
        let log_normal = |z: f64, variance: f64| -0.5 * (z * z / variance + LN_2PI + ln(variance));
        let reach = 4.0 + y[0].abs().max((4.0 * y[1].abs()).sqrt());
        let h = 2.0 * reach / N as f64;
        let terms: Vec<f64> = (0..=N)
            .map(|k| {
                let u = -reach + h * k as f64;
                log_normal(u, 2.0)
                    + log_normal(y[0] - u, 0.01)
                    + log_normal(y[1] - 0.25 * u * u, 1.01)
            })
            .collect();
        ln_sum_exp(&terms) + ln(h)
    }

    #[test]
    fn exact_near_and_far() {
        for &a in &[0.0, 1e-9, 0.01, 0.3, 1.0, 2.5, -4.0, 7.0, -15.0, 40.0] {
            // Above y2 = 203 there are two wells: just above they are shallow, later deep.
            for &b in &[
                -300.0, -20.0, -3.0, 0.0, 0.7, 2.0, 9.0, 60.0, 190.0, 202.9, 203.05, 205.0, 206.0,
                207.0, 210.0, 240.0, 300.0, 400.0, 1000.0,
            ] {
                let got = Banana.log_density([a, b]);
                let exact = by_brute_force([a, b]);
                let error = (got - exact).abs() - 1e-13 * exact.abs();
                assert!(error < 1e-10, "({a}, {b}): {got}, not {exact}");
            }
        }
    }

    #[test]
    fn largest_roots() {
        for root in [1e-3, 0.5, 1.0, 14.0, 1e6, 1e60] {
            // (t - root) (t^2 + root t + c): the other roots are complex, equal or negative.
            for c in [1e4, 0.3, 0.25 * root * root, 1e-9, 0.0] {
                let got = largest_root(c - root * root, -root * c);
                assert!((got / root - 1.0).abs() < 1e-12, "{got}, not {root}; c {c}");
            }
        }
        assert_eq!(largest_root(0.0, 0.0), 0.0);
        assert_eq!(largest_root(3.0, 0.0), 0.0);
    }
}
