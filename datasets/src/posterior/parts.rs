//! Posteriors whose likelihood is a sum of well-separated terms.

use super::prior;
use super::problem::{ExactPosterior, InverseProblem, bisect, check_share};
use faer::{Mat, MatRef};
use numerics::math::{exp, exp_m1, ln, ln_sum_exp, normal_cdf};
use numerics::random::{Pcg64, categorical};
use std::f64::consts::{PI, SQRT_2};

/// One term of a likelihood, whose posterior under the standard normal prior is known exactly.
pub(super) trait Part<const D: usize>: Send + Sync {
    /// The log of the term; its maximum is about 0.
    fn log_likelihood(&self, theta: [f64; D]) -> f64;

    /// The log of the integral of prior times term.
    fn log_evidence(&self) -> f64;

    /// A draw of the term's own posterior.
    fn draw(&self, rng: &mut Pcg64) -> [f64; D];

    /// The maximum log-density of the term's own posterior.
    fn log_peak(&self) -> f64;

    /// The share of the term's own posterior where its log-density is at least `level`.
    fn mass_above(&self, level: f64) -> f64;
}

/// `L(theta) = sum_k w_k exp(l_k(theta))`, with the weights that give the terms fixed shares of the
/// posterior.
///
/// With `Z_k` the evidence of the term `exp(l_k)` alone, the posterior is the mixture of the terms'
/// posteriors with masses proportional to `w_k Z_k`. The weights are `m_k / Z_k` over the greatest
/// of these, so that the greatest weight is 1, for masses `m_k`.
///
/// The mode of a point is the largest term there (the first of equals). That its mass is
/// `m_k`, and that levels of density follow from those of each term, is exact up to the terms'
/// overlap `integral min_{j < k}(m_j p_j, m_k p_k)`, which must be below 1e-6: a test measures it.
pub(super) struct Parts<const D: usize> {
    terms: Vec<Term<D>>,
    log_evidence: f64,
}

struct Term<const D: usize> {
    part: Box<dyn Part<D>>,
    mass: f64,
    log_weight: f64,
}

/// A coordinate beyond this is infinitely unlikely, and powers of it would overflow.
const LARGEST: f64 = 1e50;

impl<const D: usize> Parts<D> {
    /// The terms with their masses, which sum to one.
    pub(super) fn new(parts: Vec<(f64, Box<dyn Part<D>>)>) -> Self {
        let unscaled = |(mass, part): &(f64, Box<dyn Part<D>>)| ln(*mass) - part.log_evidence();
        let scale = parts.iter().map(unscaled).fold(f64::NEG_INFINITY, f64::max);
        let terms = parts
            .into_iter()
            .map(|term| Term {
                log_weight: unscaled(&term) - scale,
                mass: term.0,
                part: term.1,
            })
            .collect();
        Self {
            terms,
            log_evidence: -scale,
        }
    }

    /// `ln w_k + l_k(theta)` of every term; `None` where a coordinate is NaN.
    fn log_terms(&self, theta: [f64; D]) -> Option<Vec<f64>> {
        if theta.iter().any(|t| t.is_nan()) {
            return None;
        }
        if theta.iter().any(|t| t.abs() > LARGEST) {
            return Some(vec![f64::NEG_INFINITY; self.terms.len()]);
        }
        let log_term = |t: &Term<D>| t.log_weight + t.part.log_likelihood(theta);
        Some(self.terms.iter().map(log_term).collect())
    }

    fn rows<T>(theta: MatRef<'_, f64>, f: impl Fn([f64; D]) -> T) -> Vec<T> {
        prior::check_columns(theta, D);
        (0..theta.nrows())
            .map(|i| f(std::array::from_fn(|j| theta[(i, j)])))
            .collect()
    }

    /// The share of the posterior where its log-density is at least `level`.
    fn mass_above(&self, level: f64) -> f64 {
        self.terms
            .iter()
            .map(|t| t.mass * t.part.mass_above(level - ln(t.mass)))
            .sum()
    }
}

impl<const D: usize> InverseProblem for Parts<D> {
    fn dim(&self) -> usize {
        D
    }

    fn at(&self, z: MatRef<'_, f64>) -> Mat<f64> {
        z.to_owned()
    }

    fn log_prior(&self, theta: MatRef<'_, f64>) -> Vec<f64> {
        prior::log_density(theta, D)
    }

    fn log_likelihood(&self, theta: MatRef<'_, f64>) -> Vec<f64> {
        Self::rows(theta, |row| {
            self.log_terms(row)
                .map_or(f64::NAN, |terms| ln_sum_exp(&terms))
        })
    }
}

impl<const D: usize> ExactPosterior for Parts<D> {
    fn log_evidence(&self) -> f64 {
        self.log_evidence
    }

    fn sample_posterior(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        let masses = self.mode_masses();
        let mut theta = Mat::zeros(n, D);
        for i in 0..n {
            let draw = self.terms[categorical(rng, &masses)].part.draw(rng);
            for (j, value) in draw.into_iter().enumerate() {
                theta[(i, j)] = value;
            }
        }
        theta
    }

    fn num_modes(&self) -> usize {
        self.terms.len()
    }

    fn mode_masses(&self) -> Vec<f64> {
        self.terms.iter().map(|t| t.mass).collect()
    }

    fn mode_of(&self, theta: MatRef<'_, f64>) -> Vec<usize> {
        Self::rows(theta, |row| {
            let mut greatest = (0, f64::NEG_INFINITY);
            for (k, term) in self.log_terms(row).into_iter().flatten().enumerate() {
                if term > greatest.1 {
                    greatest = (k, term);
                }
            }
            greatest.0
        })
    }

    fn hdr_level(&self, share: f64) -> f64 {
        check_share(share);
        let peak = self
            .terms
            .iter()
            .map(|t| ln(t.mass) + t.part.log_peak())
            .fold(f64::NEG_INFINITY, f64::max);
        // From 1e-30 of the peak: far beyond any share that f64 distinguishes from one.
        -bisect(-peak, -peak + 70.0, share, |level| self.mass_above(-level))
    }
}

/// The distribution function at `x` of a chi-square variable with `dof >= 1` degrees of freedom.
pub(super) fn chi_square_cdf(dof: usize, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    // F_{k+2}(x) = F_k(x) - (x/2)^{k/2} e^{-x/2} / Gamma(k/2 + 1).
    let (mut k, mut cdf, mut term) = if dof.is_multiple_of(2) {
        (2, -exp_m1(-0.5 * x), 0.5 * x * exp(-0.5 * x))
    } else {
        let root = x.sqrt();
        let term = SQRT_2 / PI.sqrt() * root * exp(-0.5 * x);
        (1, 1.0 - 2.0 * normal_cdf(-root), term)
    };
    while k < dof {
        cdf -= term;
        k += 2;
        term *= x / k as f64;
    }
    cdf
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chi_square_quantiles_of_the_tables() {
        for (dof, x, share) in [
            (1, 3.841_458_820_694_124, 0.95),
            (2, 13.815_510_557_964_274, 0.999),
            (3, 16.266_236_196_238_13, 0.999),
            (4, 9.487_729_036_781_154, 0.95),
            (5, 11.070_497_693_516_35, 0.95),
        ] {
            let got = chi_square_cdf(dof, x);
            assert!((got - share).abs() < 1e-13, "{dof}: {got}");
        }
        assert_eq!(chi_square_cdf(3, -1.0), 0.0);
    }
}
