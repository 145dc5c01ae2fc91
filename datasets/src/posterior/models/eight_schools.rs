//! The eight schools (Rubin 1981) as a problem of evidence.

use super::super::canon::{Canon, NORMAL};
use crate::eight_schools::{PRIOR, S, Y};
use numerics::distribution::Distribution;
use numerics::math::{LN_2PI, exp, ln, ln_1p, ln_sum_exp, normal_log_pdf, tan};
use std::f64::consts::FRAC_PI_2;

/// `ln` of the integral over mu, tau and all effects, by quadrature over `ln tau` with `n` points:
/// given tau all else is normal, `y_j ~ N(mu, s_j^2 + tau^2)`.
fn log_evidence(n: usize) -> f64 {
    let (low, high) = (-25.0, 25.0);
    let h = (high - low) / n as f64;
    let at = |k: usize| {
        let t = low + h * (k as f64 + 0.5);
        let tau = exp(t);
        let half_cauchy = -ln(FRAC_PI_2 * PRIOR) - ln_1p((tau / PRIOR) * (tau / PRIOR));
        let (mut precision, mut pull) = (1.0 / (PRIOR * PRIOR), 0.0);
        let mut twice = 2.0 * ln(PRIOR);
        for (y, s) in Y.iter().zip(&S) {
            let v = s * s + tau * tau;
            precision += 1.0 / v;
            pull += y / v;
            twice += LN_2PI + ln(v) + y * y / v;
        }
        half_cauchy + t - 0.5 * (twice + ln(precision) - pull * pull / precision)
    };
    ln_sum_exp(&(0..n).map(at).collect::<Vec<f64>>()) + ln(h)
}

impl Canon {
    /// Eight schools: `y_j ~ N(theta_j, s_j)`, `theta_j ~ N(mu, tau)`, `mu ~ N(0, 5)`,
    /// `tau ~ half-Cauchy(5)`. The prior is not independent: a funnel in tau and theta.
    #[must_use]
    pub fn eight_schools() -> Self {
        let mut prior = vec![
            Distribution::Normal {
                mean: 0.0,
                sd: PRIOR,
            },
            Distribution::Uniform {
                low: 0.0,
                high: 1.0,
            },
        ];
        prior.extend([NORMAL; 8]);
        let log_likelihood = |theta: &[f64]| {
            let schools = theta[2..].iter().zip(Y.iter().zip(&S));
            schools
                .map(|(t, (y, s))| normal_log_pdf((y - t) / s) - ln(*s))
                .sum()
        };
        Self::new("eight_schools", prior, log_evidence(4000), log_likelihood)
            .called(&[
                "mu", "tau", "theta_1", "theta_2", "theta_3", "theta_4", "theta_5", "theta_6",
                "theta_7", "theta_8",
            ])
            .transformed(|t| {
                // The quantile of the half-Cauchy; no rounding takes it to infinity.
                t[1] = PRIOR * tan(FRAC_PI_2 * t[1]);
                for j in 2..t.len() {
                    t[j] = t[0] + t[1] * t[j];
                }
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use faer::prelude::*;
    use numerics::math::normal_cdf;
    use std::f64::consts::PI;

    #[test]
    fn the_quadrature_has_converged_and_agrees_with_one_over_mu_and_tau() {
        let found = log_evidence(4000);
        assert!((found - log_evidence(2000)).abs() < 1e-10);
        // Both integrals by the midpoint rule, in prior coordinates u of mu and v of tau.
        let (n, h) = (800, 0.02);
        let mut logs = Vec::new();
        for i in 0..n {
            let u = h * (f64::from(i) + 0.5) - 8.0;
            for k in 0..n {
                let v = h * (f64::from(k) + 0.5) - 8.0;
                let (mu, tau) = (PRIOR * u, PRIOR * tan(FRAC_PI_2 * normal_cdf(v)));
                let data = Y.iter().zip(&S).map(|(y, s)| {
                    let sd = (s * s + tau * tau).sqrt();
                    normal_log_pdf((y - mu) / sd) - ln(sd)
                });
                logs.push(data.sum::<f64>() + normal_log_pdf(u) + normal_log_pdf(v));
            }
        }
        let other = ln_sum_exp(&logs) + 2.0 * ln(h);
        assert!((found - other).abs() < 1e-7, "{found}, {other}");
    }

    #[test]
    fn the_map_makes_the_hierarchy() {
        let canon = Canon::eight_schools();
        let z = Mat::from_fn(1, 10, |_, j| [0.4, -0.3, 1.0, -1.0][j % 4]);
        let theta = canon.at(z.as_ref());
        let tau = theta[(0, 1)];
        // P(tau < t) of the half-Cauchy.
        let share = 2.0 / PI * numerics::math::atan2(tau, PRIOR);
        assert!((share - normal_cdf(-0.3)).abs() < 1e-12);
        assert!((theta[(0, 0)] - 2.0).abs() < 1e-12);
        assert!((theta[(0, 2)] - (2.0 + tau)).abs() < 1e-12);
        for far in [-40.0, 40.0] {
            let z = Mat::from_fn(1, 10, |_, _| far);
            let theta = canon.at(z.as_ref());
            assert!((0..10).all(|j| theta[(0, j)].is_finite()), "{far}");
            assert!(theta[(0, 1)] > 0.0, "{far}");
        }
    }
}
