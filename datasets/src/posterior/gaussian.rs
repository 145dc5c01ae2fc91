//! A Gaussian term of a likelihood: all in closed form.

use super::parts::{Part, chi_square_cdf};
use numerics::math::{LN_2PI, ln};
use numerics::random::{Pcg64, standard_normal};

/// The term `exp(-(theta - m)^T S^-1 (theta - m) / 2)`.
///
/// Under the standard normal prior its posterior is `N((I + S)^-1 m, I - (I + S)^-1)`, and its
/// evidence `(det S / det(I + S))^(1/2) exp(-m^T (I + S)^-1 m / 2)`.
pub(super) struct Gaussian<const D: usize> {
    likelihood: Normal<D>,
    posterior: Normal<D>,
    log_evidence: f64,
}

impl<const D: usize> Gaussian<D> {
    /// `mean` is `m`, `covariance` is `S`.
    pub(super) fn new(mean: [f64; D], covariance: [[f64; D]; D]) -> Self {
        let likelihood = Normal::new(mean, covariance);
        let mut wider = covariance;
        for (j, row) in wider.iter_mut().enumerate() {
            row[j] += 1.0;
        }
        let marginal = Normal::new(mean, wider);
        let precision = marginal.inverse();
        let at = |i: usize| (0..D).map(|j| precision[i][j] * mean[j]).sum();
        let cov = |i: usize, j: usize| f64::from(u8::from(i == j)) - precision[i][j];
        let posterior = Normal::new(
            std::array::from_fn(at),
            std::array::from_fn(|i| std::array::from_fn(|j| cov(i, j))),
        );
        let log_evidence =
            likelihood.log_det - marginal.log_det - 0.5 * marginal.squared_distance([0.0; D]);
        Self {
            likelihood,
            posterior,
            log_evidence,
        }
    }
}

impl<const D: usize> Part<D> for Gaussian<D> {
    fn log_likelihood(&self, theta: [f64; D]) -> f64 {
        -0.5 * self.likelihood.squared_distance(theta)
    }

    fn log_evidence(&self) -> f64 {
        self.log_evidence
    }

    fn draw(&self, rng: &mut Pcg64) -> [f64; D] {
        self.posterior.draw(rng)
    }

    fn log_peak(&self) -> f64 {
        -0.5 * D as f64 * LN_2PI - self.posterior.log_det
    }

    fn mass_above(&self, level: f64) -> f64 {
        chi_square_cdf(D, 2.0 * (self.log_peak() - level))
    }
}

/// A normal distribution, with the Cholesky factor `l` of its covariance `l l^T`.
struct Normal<const D: usize> {
    mean: [f64; D],
    factor: [[f64; D]; D],
    /// `ln det l`.
    log_det: f64,
}

impl<const D: usize> Normal<D> {
    /// Only the lower triangle of the covariance is used.
    fn new(mean: [f64; D], covariance: [[f64; D]; D]) -> Self {
        let mut factor = [[0.0; D]; D];
        let mut log_det = 0.0;
        for i in 0..D {
            for j in 0..=i {
                let mut rest = covariance[i][j];
                for (a, b) in factor[i][..j].iter().zip(&factor[j][..j]) {
                    rest -= a * b;
                }
                factor[i][j] = if i == j {
                    rest.sqrt()
                } else {
                    rest / factor[j][j]
                };
            }
            log_det += ln(factor[i][i]);
        }
        Self {
            mean,
            factor,
            log_det,
        }
    }

    /// `l^-1 v`.
    fn whiten(&self, mut v: [f64; D]) -> [f64; D] {
        for i in 0..D {
            for j in 0..i {
                v[i] -= self.factor[i][j] * v[j];
            }
            v[i] /= self.factor[i][i];
        }
        v
    }

    /// `(x - mean)^T (l l^T)^-1 (x - mean)`.
    fn squared_distance(&self, x: [f64; D]) -> f64 {
        let z = self.whiten(std::array::from_fn(|j| x[j] - self.mean[j]));
        z.iter().map(|z| z * z).sum()
    }

    /// `(l l^T)^-1`: products of the columns of `l^-1`.
    fn inverse(&self) -> [[f64; D]; D] {
        let unit = |k: usize| std::array::from_fn(|j| f64::from(u8::from(j == k)));
        let columns: [[f64; D]; D] = std::array::from_fn(|k| self.whiten(unit(k)));
        let product = |i: usize, j: usize| (0..D).map(|k| columns[i][k] * columns[j][k]).sum();
        std::array::from_fn(|i| std::array::from_fn(|j| product(i, j)))
    }

    fn draw(&self, rng: &mut Pcg64) -> [f64; D] {
        let z: [f64; D] = std::array::from_fn(|_| standard_normal(rng));
        std::array::from_fn(|i| {
            let shift: f64 = (0..=i).map(|j| self.factor[i][j] * z[j]).sum();
            self.mean[i] + shift
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::math::normal_log_pdf;

    #[test]
    fn prior_times_term_is_evidence_times_posterior() {
        let covariance = [[0.2, 0.05, -0.02], [0.05, 0.3, 0.04], [-0.02, 0.04, 0.1]];
        let part = Gaussian::new([1.0, -0.5, 2.0], covariance);
        for theta in [[0.0, 0.0, 0.0], [1.0, 2.0, 3.0], [-0.3, 0.7, 1.1]] {
            let prior: f64 = theta.iter().map(|&t| normal_log_pdf(t)).sum();
            let posterior = part.log_peak() - 0.5 * part.posterior.squared_distance(theta);
            let (left, right) = (
                prior + part.log_likelihood(theta),
                part.log_evidence() + posterior,
            );
            assert!((left - right).abs() < 1e-12, "{left}, not {right}");
        }
    }
}
