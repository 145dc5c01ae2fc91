//! A Gaussian bent along a parabola.

use crate::target::{Rectangle, Target};
use autodiff::math::{LN_2PI, exp, ln};
use autodiff::random::{Pcg64, standard_normal};

/// `x1 ~ N(0, 2)`, `x2 | x1 ~ N(x1^2 / 4, 1)`, observed as `y = x + s N(0, I)`.
///
/// The noise on the second coordinate only widens its Gaussian. That on the first leaves an integral over `u = x1`,
/// whose distribution given `y1` is normal:
///
/// `p(y) = N(y1; 0, 2 + s^2) integral N(u; m, v) N(y2; u^2 / 4, a) du`, with `m = 2 y1 / (2 + s^2)`,
/// `v = 2 s^2 / (2 + s^2)`, `a = 1 + s^2`.
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
/// Its derivative is `(u^3 + p u + q) / (8 a)`, with `p = 8 a / v - 4 y2` and `q = -8 a m / v <= 0`. The largest root of this
/// cubic is where `E` is least, for `E(-u) >= E(u)` when `u >= 0`. About that root `E` is a quartic without a linear term,
/// which keeps every digit where `E` itself is huge.
struct Energy {
    /// The least value.
    least: f64,
    /// Where it is taken.
    mode: f64,
    /// The maximum and the other minimum, relative to `mode` (both negative), when there are two wells.
    other_well: Option<(f64, f64)>,
    /// `(3 mode^2 + p) / 2`, the quadratic coefficient times `8 a`.
    curvature: f64,
}

impl Energy {
    fn new(m: f64, y2: f64) -> Self {
        let p = 8.0 * A / V - 4.0 * y2;
        let q = -8.0 * A / V * m;
        let mode = largest_root(p, q);
        let gap = 0.25 * mode * mode - y2;
        let shift = mode - m;
        // The other two roots have sum -mode and product mode^2 + p = -q / mode.
        let discriminant = -3.0 * mode * mode - 4.0 * p;
        let other_well = (discriminant > 0.0 && mode > 0.0).then(|| {
            let minimum = -0.5 * (mode + discriminant.sqrt());
            let maximum = -q / mode / minimum;
            (maximum - mode, minimum - mode)
        });
        Self {
            least: gap * gap / (2.0 * A) + shift * shift / (2.0 * V),
            mode,
            other_well,
            curvature: 0.5 * (3.0 * mode * mode + p),
        }
    }

    /// `E(mode + d)` above the least value.
    fn above(&self, d: f64) -> f64 {
        d * d * (self.curvature + d * (self.mode + 0.25 * d)) / (8.0 * A)
    }

    /// The least value `E0`, and the integral of `exp(E0 - E)` over the line.
    fn integrate(&self) -> (f64, f64) {
        // To the right each of the three terms alone bounds the distance at which E has risen by DEPTH.
        let c = 8.0 * A * DEPTH;
        let right = (c / self.curvature)
            .sqrt()
            .min(cube_root(c / self.mode))
            .min((4.0 * c).sqrt().sqrt());
        // To the left E has risen by as much at the mirror image, and beyond.
        let left = -2.0 * self.mode - right;
        let integral = match self.other_well {
            Some((maximum, _)) if self.above(maximum) < DEPTH => self.trapezoid::<128>(left, right),
            Some((maximum, minimum)) => {
                let mut integral = self.trapezoid::<64>(self.rise(0.0, -right, maximum), right);
                if self.above(minimum) < DEPTH {
                    let inner = self.rise(minimum, minimum - left, maximum);
                    integral += self.trapezoid::<64>(left, inner);
                }
                integral
            }
            None => self.trapezoid::<64>(self.rise(0.0, -right, left), right),
        };
        (self.least, integral)
    }

    /// A point between `from` and `limit` at which E has risen by DEPTH: the first of `from + step`, with the step
    /// growing by a quarter; else `limit`.
    fn rise(&self, from: f64, mut step: f64, limit: f64) -> f64 {
        while step.abs() < (limit - from).abs() {
            if self.above(from + step) >= DEPTH {
                return from + step;
            }
            step *= 1.25;
        }
        limit
    }

    /// The trapezoid rule for the integral of `exp(E0 - E)`, which is negligible at both ends.
    ///
    /// For an analytic integrand that dies out at both ends the error falls like `exp(-2 pi^2 / h^2)`, where h is the step in
    /// units of the narrowest standard deviation; it is at most 0.7 here.
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
/// The cubic is convex on the positive axis, where the root lies, so Newton's method falls monotonically to it from any
/// bound above.
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
        // Rounding ends the fall.
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
    use autodiff::math::ln_sum_exp;

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
        let mut worst: f64 = 0.0;
        for &a in &[0.0, 1e-9, 0.01, 0.3, 1.0, 2.5, -4.0, 7.0, -15.0, 40.0] {
            // Above y2 = 203 there are two wells: just above they are shallow, later deep.
            for &b in &[
                -300.0, -20.0, -3.0, 0.0, 0.7, 2.0, 9.0, 60.0, 190.0, 202.9, 203.05, 210.0, 240.0,
                300.0, 400.0, 1000.0,
            ] {
                let got = Banana.log_density([a, b]);
                let exact = by_brute_force([a, b]);
                let error = (got - exact).abs() - 1e-13 * exact.abs();
                worst = worst.max(error);
                assert!(error < 1e-10, "({a}, {b}): {got}, not {exact}");
            }
        }
        println!("worst error {worst:e}");
    }

    #[test]
    fn largest_roots() {
        for root in [1e-3, 0.5, 1.0, 14.0, 1e6, 1e60] {
            // (t - root) (t^2 + root t + c): the other roots are complex, equal or negative.
            for c in [1e4, 0.3, 0.25 * root * root, 1e-9, 0.0] {
                let (p, q) = (c - root * root, -root * c);
                if c < 2.0 * root * root && c > 1e-12 * root * root || c == 0.0 {
                    let got = largest_root(p, q);
                    assert!((got / root - 1.0).abs() < 1e-12, "{got}, not {root}; c {c}");
                }
            }
        }
        assert_eq!(largest_root(0.0, 0.0), 0.0);
        assert_eq!(largest_root(3.0, 0.0), 0.0);
    }
}
