//! Hyper-parameters of Gaussian-process regression on simulated data.

use super::super::canon::Canon;
use numerics::distribution::Distribution;
use numerics::linalg::cholesky;
use numerics::math::{LN_2PI, exp, ln, sin};
use numerics::random::{standard_normal, stream, uniform};

/// Observations.
const N: usize = 20;

/// `ln Z`, by the quadrature of the test.
const LOG_EVIDENCE: f64 = -22.297_369_308;

/// Places in (0, 5) and values.
fn data() -> (Vec<f64>, Vec<f64>) {
    let mut rng = stream(1, "gaussian process");
    let x: Vec<f64> = (0..N).map(|_| 5.0 * uniform(&mut rng)).collect();
    let mut see = |x: &f64| 1.5 * sin(2.0 * x) + 0.5 * x - 1.0 + 0.3 * standard_normal(&mut rng);
    let y = x.iter().map(&mut see).collect();
    (x, y)
}

/// `ln N(y; 0, K)`, `K_ij = a^2 exp(-(x_i - x_j)^2 / (2 l^2)) + s^2 (i = j)`; -infinity where K is
/// singular to rounding.
fn log_likelihood(theta: &[f64], x: &[f64], y: &[f64]) -> f64 {
    let &[amplitude, length, noise] = theta else {
        return f64::NAN;
    };
    let n = x.len();
    let mut k = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let r = (x[i] - x[j]) / length;
            let v = amplitude * amplitude * exp(-0.5 * r * r);
            (k[i * n + j], k[j * n + i]) = (v, v);
        }
        k[i * n + i] += noise * noise;
    }
    let Some(l) = cholesky(k, n) else {
        return f64::NEG_INFINITY;
    };
    let mut twice = n as f64 * LN_2PI;
    let mut white = vec![0.0; n];
    for i in 0..n {
        let known: f64 = (0..i).map(|j| l[i * n + j] * white[j]).sum();
        white[i] = (y[i] - known) / l[i * n + i];
        twice += 2.0 * ln(l[i * n + i]) + white[i] * white[i];
    }
    let log_l = -0.5 * twice;
    if log_l.is_finite() {
        log_l
    } else {
        f64::NEG_INFINITY
    }
}

impl Canon {
    /// Gaussian-process regression with a squared-exponential kernel: amplitude, length and noise
    /// with log-normal priors.
    #[must_use]
    pub fn gaussian_process() -> Self {
        let log_normal = |mu: f64| Distribution::LogNormal { mu, sigma: 1.0 };
        let prior = vec![log_normal(0.0), log_normal(0.0), log_normal(-1.0)];
        let (x, y) = data();
        Self::new("gaussian_process", prior, LOG_EVIDENCE, move |theta| {
            log_likelihood(theta, &x, &y)
        })
        .called(&["amplitude", "length", "noise"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use faer::prelude::*;
    use numerics::math::{ln_sum_exp, normal_log_pdf};

    /// By the midpoint rule on a cube of prior coordinates.
    fn quadrature(canon: &Canon, n: usize) -> f64 {
        // Prior coordinates from -5 to 5: a wider cube changes the integral by less than 1e-7.
        let h = 10.0 / n as f64;
        let at = |i: usize| h * (i as f64 + 0.5) - 5.0;
        let mut slices = Vec::new();
        for i in 0..n {
            let z = Mat::from_fn(n * n, 3, |r, j| at([i, r / n, r % n][j]));
            let theta = canon.at(z.as_ref());
            let logs: Vec<f64> = (0..n * n)
                .map(|r| {
                    let t = [theta[(r, 0)], theta[(r, 1)], theta[(r, 2)]];
                    let prior: f64 = (0..3).map(|j| normal_log_pdf(z[(r, j)])).sum();
                    canon.log_likelihood(&t) + prior
                })
                .collect();
            slices.push(ln_sum_exp(&logs));
        }
        ln_sum_exp(&slices) + 3.0 * ln(h)
    }

    #[test]
    fn the_quadrature_has_converged() {
        let canon = Canon::gaussian_process();
        let (coarse, fine) = (quadrature(&canon, 70), quadrature(&canon, 90));
        assert!((coarse - fine).abs() < 1e-6, "{coarse}, {fine}");
        assert!((fine - canon.log_evidence).abs() < 1e-6, "{fine:?}");
    }

    #[test]
    fn the_likelihood_of_two_points_is_a_normal_in_the_plane() {
        let (x, y) = ([0.0, 0.5], [1.0, -0.3]);
        let (a, l, s) = (1.2, 0.7, 0.4_f64);
        let (v, c) = (a * a + s * s, a * a * exp(-0.125 / (l * l)));
        let det = v * v - c * c;
        let square = (v * (y[0] * y[0] + y[1] * y[1]) - 2.0 * c * y[0] * y[1]) / det;
        let expected = -LN_2PI - 0.5 * (ln(det) + square);
        let found = log_likelihood(&[a, l, s], &x, &y);
        assert!((found - expected).abs() < 1e-12, "{found}, {expected}");
    }
}
