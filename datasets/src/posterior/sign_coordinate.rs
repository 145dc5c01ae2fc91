//! One coordinate of a sign-degenerate posterior.

use super::line::{Curve, Line};
use numerics::math::{LN_2PI, exp, ln, normal_log_pdf};
use numerics::random::{Pcg64, uniform};
use std::f64::consts::LN_2;

/// `t ~ N(0, 1)`, `y | t ~ N(t^2, sigma^2)`: the posterior of `t` given `y`.
///
/// With `u = y - sigma^2 / 2`, `t^2 / 2 + (y - t^2)^2 / (2 sigma^2)` is
/// `(t^2 - u)^2 / (2 sigma^2) + y / 2 - sigma^2 / 8`. The posterior is even, with modes at
/// `-sqrt(u)` and `sqrt(u)`, or one at 0 when `u <= 0`. Its energy, the log-density's depth below
/// its greatest, is `(t^2 - u)^2 / (2 sigma^2)`, less `u^2 / (2 sigma^2)` when `u <= 0`.
#[derive(Clone, Debug)]
pub(super) struct SignCoordinate {
    /// The distribution of `|t|`.
    size: Line<Well>,
    y: f64,
    sigma: f64,
}

/// `exp(-energy(t))`.
#[derive(Clone, Debug)]
struct Well {
    centre: f64,
    double_variance: f64,
}

impl Curve for Well {
    fn height(&self, t: f64) -> f64 {
        let (t, u) = (t * t, self.centre);
        let energy = if u > 0.0 {
            (t - u) * (t - u)
        } else {
            t * (t - 2.0 * u)
        };
        exp(-energy / self.double_variance)
    }
}

/// Energies beyond this are left out: `e^-40` of the greatest density.
pub(super) const DEPTH: f64 = 40.0;

impl SignCoordinate {
    pub(super) fn new(y: f64, sigma: f64) -> Self {
        let well = Well {
            centre: y - 0.5 * sigma * sigma,
            double_variance: 2.0 * sigma * sigma,
        };
        let (lo, hi) = sizes_up_to(&well, DEPTH);
        Self {
            size: Line::new(well, lo, hi),
            y,
            sigma,
        }
    }

    /// Whether there are two modes, one of each sign.
    pub(super) fn is_split(&self) -> bool {
        self.size.curve().centre > 0.0
    }

    /// `ln N(y; t^2, sigma^2)`.
    pub(super) fn log_likelihood(&self, t: f64) -> f64 {
        log_likelihood(self.y, t, self.sigma)
    }

    /// The log of the greatest value of prior times likelihood.
    fn log_height(&self) -> f64 {
        let least = if self.is_split() {
            0.5 * self.y - 0.125 * self.sigma * self.sigma
        } else {
            let z = self.y / self.sigma;
            0.5 * z * z
        };
        -LN_2PI - ln(self.sigma) - least
    }

    pub(super) fn log_evidence(&self) -> f64 {
        self.log_height() - self.log_peak()
    }

    /// The greatest log-density of the posterior.
    pub(super) fn log_peak(&self) -> f64 {
        -LN_2 - ln(self.size.total())
    }

    /// The share of the posterior with an energy of at most this.
    pub(super) fn mass_within(&self, energy: f64) -> f64 {
        let (lo, hi) = sizes_up_to(self.size.curve(), energy);
        self.size.cdf(hi) - self.size.cdf(lo)
    }

    /// By inversion of one uniform number.
    pub(super) fn draw(&self, rng: &mut Pcg64) -> f64 {
        let u = 2.0 * uniform(rng) - 1.0;
        let size = self.size.quantile(u.abs());
        if u < 0.0 { -size } else { size }
    }
}

/// `ln N(y; t^2, sigma^2)`.
pub(super) fn log_likelihood(y: f64, t: f64, sigma: f64) -> f64 {
    normal_log_pdf((y - t * t) / sigma) - ln(sigma)
}

/// The range of `|t|` whose energy is at most this.
fn sizes_up_to(well: &Well, energy: f64) -> (f64, f64) {
    let u = well.centre;
    let square = energy * well.double_variance;
    if square == 0.0 {
        let size = u.max(0.0).sqrt();
        (size, size)
    } else if u > 0.0 {
        let reach = square.sqrt();
        ((u - reach).max(0.0).sqrt(), (u + reach).sqrt())
    } else {
        // The root u + (u^2 + square)^(1/2), without cancellation.
        let root = (u * u + square).sqrt();
        (0.0, (square / (root - u)).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: [(f64, f64); 9] = [
        (1.0, 0.25),
        (4.0, 0.25),
        (0.3, 0.25),
        (0.031_25, 0.25),
        (0.0, 0.25),
        (-0.5, 0.25),
        (-20.0, 0.25),
        (2.0, 1.5),
        (100.0, 0.01),
    ];

    /// `ln` of the integral of prior times likelihood, by a trapezoid rule on the whole line.
    fn log_evidence_on_a_grid(y: f64, sigma: f64) -> f64 {
        let step = 2e-5;
        let joint = |k: i64| {
            let t = k as f64 * step;
            exp(normal_log_pdf(t) + log_likelihood(y, t, sigma) + 0.5 * y.abs() * y.abs().min(1.0))
        };
        let total: f64 = (-550_000..=550_000).map(joint).sum();
        ln(total * step) - 0.5 * y.abs() * y.abs().min(1.0)
    }

    #[test]
    fn evidence_by_a_grid() {
        for (y, sigma) in CASES {
            if y < -10.0 {
                continue; // The grid's terms underflow.
            }
            let got = SignCoordinate::new(y, sigma).log_evidence();
            let exact = log_evidence_on_a_grid(y, sigma);
            assert!(
                (got - exact).abs() < 1e-10,
                "{y}, {sigma}: {got}, not {exact}"
            );
        }
    }

    #[test]
    fn far_below_zero_the_posterior_is_normal() {
        // y = -20: exp(-t^4 / (2 s^2) - t^2 / 2 (1 - 2 y / s^2)), a normal with a small quartic
        // term.
        let (y, sigma) = (-20.0, 0.25);
        let precision = 1.0 - 2.0 * y / (sigma * sigma);
        let quartic = 3.0 / (2.0 * sigma * sigma * precision * precision);
        let z = y / sigma;
        let exact = -0.5 * z * z - 0.5 * LN_2PI - ln(sigma) - 0.5 * ln(precision) - quartic
            + 16.0 / 3.0 * quartic * quartic;
        let got = SignCoordinate::new(y, sigma).log_evidence();
        assert!((got - exact).abs() < 1e-8, "{got}, not {exact}");
    }

    #[test]
    fn mass_within_an_energy_by_counting() {
        for (y, sigma) in CASES {
            let coordinate = SignCoordinate::new(y, sigma);
            let well = coordinate.size.curve();
            let (lo, hi) = sizes_up_to(well, DEPTH);
            for energy in [0.05, 0.7, 3.0, 9.0] {
                let (mut within, mut all) = (0.0, 0.0);
                for k in 0..200_000 {
                    let h = well.height(lo + (f64::from(k) + 0.5) * (hi - lo) / 200_000.0);
                    all += h;
                    if -ln(h) <= energy {
                        within += h;
                    }
                }
                let got = coordinate.mass_within(energy);
                assert!((got - within / all).abs() < 5e-5, "{y}, {sigma}: {got}");
            }
            assert_eq!(coordinate.mass_within(0.0), 0.0);
            assert!((coordinate.mass_within(DEPTH) - 1.0).abs() < 1e-12);
        }
    }
}
