//! Test problems of evidence samplers, in any number of dimensions, with known ln Z.

use super::modes::Modes;
use faer::prelude::*;
use numerics::distribution::Distribution;
use numerics::linalg::cholesky;
use numerics::math::{
    LN_2PI, cos, exp, ln, ln_sum_exp, ln_sum_exp2, normal_cdf, normal_log_pdf, sum,
};
use std::f64::consts::{LN_2, PI};

type LogLikelihood = dyn Fn(&[f64]) -> f64 + Send + Sync;
type Transform = dyn Fn(&mut [f64]) + Send + Sync;

/// A prior, a likelihood, and the evidence. [`Canon::NAMES`] lists all.
pub struct Canon {
    /// Name with the number of dimensions, `shells_10`.
    pub name: String,
    /// Names of the parameters.
    pub parameters: Vec<String>,
    /// The prior of each coordinate, before the transform that some models have, see [`Self::at`].
    pub prior: Vec<Distribution>,
    /// `ln Z`, nats.
    pub log_evidence: f64,
    /// Its standard error; 0 where it is known by quadrature or in closed form.
    pub log_evidence_error: f64,
    /// The modes, where their masses are known.
    pub modes: Option<Modes>,
    log_likelihood: Box<LogLikelihood>,
    transform: Option<Box<Transform>>,
}

impl Canon {
    pub(super) fn new(
        name: &str,
        prior: Vec<Distribution>,
        log_evidence: f64,
        log_likelihood: impl Fn(&[f64]) -> f64 + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: format!("{name}_{}", prior.len()),
            parameters: (1..=prior.len()).map(|j| format!("theta_{j}")).collect(),
            prior,
            log_evidence,
            log_evidence_error: 0.0,
            modes: None,
            log_likelihood: Box::new(log_likelihood),
            transform: None,
        }
    }

    /// With parameters called so.
    pub(super) fn called(mut self, parameters: &[&str]) -> Self {
        assert_eq!(parameters.len(), self.dim(), "a name for each parameter");
        self.parameters = parameters.iter().map(|p| (*p).to_owned()).collect();
        self
    }

    /// With an `ln Z` that is known up to a standard error.
    pub(super) fn known_within(mut self, standard_error: f64) -> Self {
        self.log_evidence_error = standard_error;
        self
    }

    /// With a transform of independent coordinates, in place, to the parameters.
    pub(super) fn transformed(mut self, by: impl Fn(&mut [f64]) + Send + Sync + 'static) -> Self {
        self.transform = Some(Box::new(by));
        self
    }

    fn with_modes(mut self, modes: Modes) -> Self {
        self.modes = Some(modes);
        self
    }

    /// Number of parameters.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.prior.len()
    }

    /// `ln L` of one theta.
    #[must_use]
    pub fn log_likelihood(&self, theta: &[f64]) -> f64 {
        (self.log_likelihood)(theta)
    }

    /// A correlated normal under `N(0, I)`: `z_i = (theta_i - .5) / .2`, an autoregression of
    /// coefficient .6.
    ///
    /// `Z = |C|^(1/2) |C + I|^(-1/2) exp(-m^T (C + I)^-1 m / 2)`, `C_ij = .04 * .6^|i - j|`, m = .5.
    #[must_use]
    pub fn normal(d: usize) -> Self {
        let c = |i: usize, j: usize| 0.04 * 0.6f64.powi(i.abs_diff(j) as i32);
        let matrix = |ridge: f64| -> Vec<f64> {
            let at = |k: usize| {
                let (i, j) = (k / d, k % d);
                c(i, j) + if i == j { ridge } else { 0.0 }
            };
            (0..d * d).map(at).collect()
        };
        let half_log_det = |a: Vec<f64>| -> (f64, Vec<f64>) {
            let l = cholesky(a, d).expect("positive definite");
            let log_det = (0..d).map(|i| ln(l[i * d + i])).sum();
            (log_det, l)
        };
        let (of_c, _) = half_log_det(matrix(0.0));
        let (of_s, l) = half_log_det(matrix(1.0));
        let mut y = vec![0.0; d];
        for i in 0..d {
            let known: f64 = (0..i).map(|j| l[i * d + j] * y[j]).sum();
            y[i] = (0.5 - known) / l[i * d + i];
        }
        let log_evidence = of_c - of_s - 0.5 * y.iter().map(|v| v * v).sum::<f64>();
        Self::new("normal", vec![NORMAL; d], log_evidence, move |theta| {
            let mut last = 0.0;
            let mut square = 0.0;
            for (i, t) in theta.iter().enumerate() {
                let z = (t - 0.5) / 0.2;
                let r = if i == 0 { z } else { (z - 0.6 * last) / 0.8 };
                square += r * r;
                last = z;
            }
            -0.5 * square
        })
    }

    /// Rosenbrock's function in pairs of coordinates, under `U(-5, 5)`.
    #[must_use]
    pub fn rosenbrock(d: usize) -> Self {
        // The inner integral over the second coordinate is a normal's within the walls.
        let n = 200_000;
        let h = 10.0 / f64::from(n);
        let at = |i: i32| {
            let x = -5.0 + h * (f64::from(i) + 0.5);
            let sd = (1.0f64 / 200.0).sqrt();
            let mass = normal_cdf((5.0 - x * x) / sd) - normal_cdf((-5.0 - x * x) / sd);
            exp(-(1.0 - x) * (1.0 - x)) * mass * sd * (2.0 * PI).sqrt()
        };
        let pair = ln(sum(&(0..n).map(at).collect::<Vec<f64>>()) * h / 100.0);
        let prior = vec![
            Distribution::Uniform {
                low: -5.0,
                high: 5.0
            };
            d
        ];
        Self::new("rosenbrock", prior, pair * (d / 2) as f64, |theta| {
            let pair = |p: &[f64]| {
                let (a, b) = (p[1] - p[0] * p[0], 1.0 - p[0]);
                -(100.0 * a * a + b * b)
            };
            theta.chunks_exact(2).map(pair).sum()
        })
    }

    /// The log-gamma mixture of Beaujean and Caldwell (2013), under `U(0, 1)`: four modes.
    #[must_use]
    pub fn log_gamma(d: usize) -> Self {
        const SCALE: f64 = 1.0 / 30.0;
        let gamma = |x: f64, at: f64| {
            let y = (x - at) / SCALE;
            y - exp(y) - ln(SCALE)
        };
        let normal = |x: f64, at: f64| normal_log_pdf((x - at) / SCALE) - ln(SCALE);
        let prior = vec![
            Distribution::Uniform {
                low: 0.0,
                high: 1.0
            };
            d
        ];
        // Mass within the walls: of a log-gamma, P(e^y) with y at the walls.
        let gamma_mass = |at: f64| exp(-exp((0.0 - at) / SCALE)) - exp(-exp((1.0 - at) / SCALE));
        let third = 1.0 / 3.0;
        let mut log_evidence = ln(0.5 * (gamma_mass(third) + gamma_mass(2.0 * third)));
        for i in 3..=d {
            if 2 * i <= d + 2 {
                log_evidence += ln(gamma_mass(2.0 * third));
            }
        }
        Self::new("log_gamma", prior, log_evidence, move |theta| {
            let two = |f: &dyn Fn(f64, f64) -> f64, x: f64| {
                ln_sum_exp2(f(x, third), f(x, 2.0 * third)) - LN_2
            };
            let mut total = two(&gamma, theta[0]);
            for (i, &x) in theta.iter().enumerate().skip(1) {
                total += match i + 1 {
                    2 => two(&normal, x),
                    i if 2 * i <= d + 2 => gamma(x, 2.0 * third),
                    _ => normal(x, 2.0 * third),
                };
            }
            total
        })
        .with_modes(Modes::halves_of_log_gamma())
    }

    /// Two Gaussian shells of radius 2 and width .1 about `(+-3.5, 0, ..., 0)`, under `U(-6, 6)`.
    #[must_use]
    pub fn shells(d: usize) -> Self {
        // Volume of the shell: surface of the unit sphere times the integral of r^(d-1) N(r; 2, .1^2).
        let n = 20_000;
        let h = 2.0 / f64::from(n);
        let radial = |i: i32| {
            let r = 1.0 + h * (f64::from(i) + 0.5);
            exp((d as f64 - 1.0) * ln(r) + normal_log_pdf((r - 2.0) / 0.1) - ln(0.1))
        };
        let integral = ln(sum(&(0..n).map(radial).collect::<Vec<f64>>()) * h);
        let half = 0.5 * d as f64;
        let surface = LN_2 + half * ln(PI) - numerics::math::special::ln_gamma(half);
        let log_evidence = LN_2 + surface + integral - d as f64 * ln(12.0);
        let prior = vec![
            Distribution::Uniform {
                low: -6.0,
                high: 6.0
            };
            d
        ];
        Self::new("shells", prior, log_evidence, |theta| {
            let rest: f64 = theta[1..].iter().map(|t| t * t).sum();
            let shell = |c: f64| {
                let r = ((theta[0] - c) * (theta[0] - c) + rest).sqrt();
                normal_log_pdf((r - 2.0) / 0.1) - ln(0.1)
            };
            ln_sum_exp2(shell(-3.5), shell(3.5))
        })
        .with_modes(Modes::signs(1))
    }

    /// `(2 + cos(theta_1 / 2) cos(theta_2 / 2))^5` under `U(0, 10 pi)`: 18 modes, 10 of them at the
    /// walls.
    #[must_use]
    pub fn eggbox() -> Self {
        let log_likelihood = |t: &[f64]| (2.0 + cos(0.5 * t[0]) * cos(0.5 * t[1])).powi(5);
        // The box is two and a half periods long: it is integrated as a whole.
        let n = 4000;
        let h = 10.0 * PI / f64::from(n);
        let cosines: Vec<f64> = (0..n)
            .map(|i| cos(0.5 * h * (f64::from(i) + 0.5)))
            .collect();
        let row = |a: &f64| {
            let logs: Vec<f64> = cosines.iter().map(|b| (2.0 + a * b).powi(5)).collect();
            ln_sum_exp(&logs)
        };
        let rows: Vec<f64> = cosines.iter().map(row).collect();
        let log_evidence = ln_sum_exp(&rows) - 2.0 * ln(f64::from(n));
        let prior = vec![
            Distribution::Uniform {
                low: 0.0,
                high: 10.0 * PI
            };
            2
        ];
        Self::new("eggbox", prior, log_evidence, log_likelihood).with_modes(Modes::eggbox())
    }

    /// Neal's funnel: `v ~ N(0, 3^2)`, `x_i ~ N(0, e^v)`, as a likelihood under a wide box.
    #[must_use]
    pub fn funnel(d: usize) -> Self {
        let others = d - 1;
        let n = 40_000;
        let h = 40.0 / f64::from(n);
        let at = |i: i32| {
            let v = -20.0 + h * (f64::from(i) + 0.5);
            let inside = 1.0 - 2.0 * normal_cdf(-100.0 * exp(-0.5 * v));
            exp(normal_log_pdf(v / 3.0) + others as f64 * ln(inside)) / 3.0
        };
        let mass = sum(&(0..n).map(at).collect::<Vec<f64>>()) * h;
        let mut prior = vec![Distribution::Uniform {
            low: -20.0,
            high: 20.0,
        }];
        prior.extend(vec![
            Distribution::Uniform {
                low: -100.0,
                high: 100.0
            };
            others
        ]);
        let log_evidence = ln(mass) - ln(40.0) - others as f64 * ln(200.0);
        Self::new("funnel", prior, log_evidence, |theta| {
            let v = theta[0];
            let square: f64 = theta[1..].iter().map(|x| x * x).sum();
            let n = (theta.len() - 1) as f64;
            normal_log_pdf(v / 3.0) - ln(3.0) - 0.5 * (square * exp(-v) + n * (v + LN_2PI))
        })
    }

    /// A normal spike (sd .01, 100 / 101 of the mass) and a normal slab (sd .1), under `U(-1, 1)`.
    #[must_use]
    pub fn spike_and_slab(d: usize) -> Self {
        let prior = vec![
            Distribution::Uniform {
                low: -1.0,
                high: 1.0
            };
            d
        ];
        let log_evidence = ln(101.0) - d as f64 * LN_2;
        Self::new("spike_and_slab", prior, log_evidence, |theta| {
            let part = |at: f64, sd: f64| -> f64 {
                theta
                    .iter()
                    .map(|t| normal_log_pdf((t - at) / sd) - ln(sd))
                    .sum()
            };
            ln_sum_exp2(ln(100.0) + part(0.2, 0.01), part(0.0, 0.1))
        })
        .with_modes(Modes::spike_and_slab())
    }

    /// Squares of d standard normal coordinates were seen as 1 with an error of .3: `2^d` modes.
    #[must_use]
    pub fn signs(d: usize) -> Self {
        let term = |t: f64| normal_log_pdf((t * t - 1.0) / 0.3) - ln(0.3);
        let n = 40_000;
        let h = 8.0 / f64::from(n);
        let at = |i: i32| {
            let t = -4.0 + h * (f64::from(i) + 0.5);
            exp(term(t) + normal_log_pdf(t))
        };
        let one = ln(sum(&(0..n).map(at).collect::<Vec<f64>>()) * h);
        Self::new("signs", vec![NORMAL; d], one * d as f64, move |theta| {
            theta.iter().map(|t| term(*t)).sum()
        })
        .with_modes(Modes::signs(d))
    }

    /// theta of points in prior coordinates, in which the prior is `N(0, I)`.
    #[must_use]
    pub fn at(&self, z: MatRef<'_, f64>) -> Mat<f64> {
        let mut theta = Mat::from_fn(z.nrows(), z.ncols(), |i, j| self.prior[j].at(z[(i, j)]));
        if let Some(transform) = &self.transform {
            let mut row = vec![0.0; theta.ncols()];
            for i in 0..theta.nrows() {
                for (j, v) in row.iter_mut().enumerate() {
                    *v = theta[(i, j)];
                }
                transform(&mut row);
                for (j, v) in row.iter().enumerate() {
                    theta[(i, j)] = *v;
                }
            }
        }
        theta
    }
}

pub(super) const NORMAL: Distribution = Distribution::Normal { mean: 0.0, sd: 1.0 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidences_are_those_of_the_literature() {
        for (canon, exact, digits) in [
            (Canon::normal(5), -9.6023, 1e-4),
            (Canon::normal(10), -19.4017, 1e-4),
            (Canon::normal(20), -38.9973, 1e-4),
            (Canon::rosenbrock(2), -5.804, 1e-3),
            (Canon::log_gamma(2), 0.0, 1e-4),
            (Canon::shells(2), -1.7456, 1e-4),
            (Canon::eggbox(), 235.856, 1e-3),
        ] {
            let (name, got) = (&canon.name, canon.log_evidence);
            assert!((got - exact).abs() < digits, "{name}: {got}, not {exact}");
        }
    }
}
