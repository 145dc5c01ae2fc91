//! Whether posteriors say what they know: simulation-based calibration and coverage.

use autodiff::math::{erfc, exp};
use autodiff::random::{Pcg64, uniform};
use faer::prelude::*;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// Ranks of true parameters among draws of their posteriors, counted in bins.
///
/// When theta is drawn from the prior and y from the simulator, the rank of `theta_j` among L independent draws of `q(theta_j | y)` is uniform on
/// 0, 1, ..., L if q is the posterior (simulation-based calibration, arXiv:1804.06788). A histogram that is high at both ends belongs to posteriors that
/// are too narrow, one that is high in the middle to posteriors that are too wide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankHistogram {
    /// Ranks in each bin; all bins hold the same number of possible ranks.
    pub counts: Vec<usize>,
    /// `sum (count - expected)^2 / expected`.
    pub chi_squared: f64,
    /// The probability of so large a statistic with uniform ranks: chi-squared with one degree of freedom less than there are bins.
    pub p_value: f64,
}

impl RankHistogram {
    /// From ranks among `draws` draws, each from 0 to `draws`.
    ///
    /// # Panics
    /// If a rank is above `draws`, there are fewer than two bins, or their number does not divide `draws + 1`.
    #[must_use]
    pub fn new(ranks: &[usize], draws: usize, bins: usize) -> Self {
        assert!(
            bins >= 2 && (draws + 1).is_multiple_of(bins),
            "{bins} bins must divide the {} possible ranks",
            draws + 1
        );
        let width = (draws + 1) / bins;
        let mut counts = vec![0; bins];
        for &rank in ranks {
            assert!(rank <= draws, "rank {rank} among {draws} draws");
            counts[rank / width] += 1;
        }
        let expected = ranks.len() as f64 / bins as f64;
        let chi_squared = counts
            .iter()
            .map(|&c| (c as f64 - expected) * (c as f64 - expected) / expected)
            .sum();
        Self {
            counts,
            chi_squared,
            p_value: chi_squared_p_value(chi_squared, bins - 1),
        }
    }
}

/// How many of the draws (L x d) are below the truth, coordinate by coordinate. Ties are broken at random.
///
/// # Panics
/// If the numbers of coordinates differ.
#[must_use]
pub fn ranks(truth: &[f64], draws: MatRef<'_, f64>, rng: &mut Pcg64) -> Vec<usize> {
    assert_eq!(truth.len(), draws.ncols(), "one value for each coordinate");
    truth
        .iter()
        .enumerate()
        .map(|(j, t)| rank(*t, autodiff::matrix::col(draws, j), rng))
        .collect()
}

fn rank(truth: f64, draws: &[f64], rng: &mut Pcg64) -> usize {
    let below = draws.iter().filter(|v| **v < truth).count();
    let ties = draws.iter().filter(|v| **v == truth).count();
    below + (uniform(rng) * (ties + 1) as f64) as usize
}

/// The share of q in the region where it is denser than at the truth: at most `s` exactly when the truth is in q's highest-density region of
/// share `s`. Estimated from `ln q` at the truth and at draws of q, both given y, with ties broken at random.
#[must_use]
pub fn density_rank(log_q_truth: f64, log_q_draws: &[f64], rng: &mut Pcg64) -> f64 {
    let lower = rank(log_q_truth, log_q_draws, rng) as f64;
    let n = log_q_draws.len() as f64;
    // The middle of the interval that the rank leaves open.
    1.0 - (lower + 0.5) / (n + 1.0)
}

/// How often highest-density regions hold the truth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// Nominal share of the region.
    pub nominal: f64,
    /// Share of the truths that lie in it.
    pub share: f64,
    /// Standard error of `share` if it is nominal: `sqrt(nominal (1 - nominal) / n)`.
    pub standard_error: f64,
}

impl Coverage {
    /// From the [`density_rank`] of each truth.
    #[must_use]
    pub fn new(nominal: f64, density_ranks: &[f64]) -> Self {
        let n = density_ranks.len() as f64;
        Self {
            nominal,
            share: density_ranks.iter().filter(|r| **r <= nominal).count() as f64 / n,
            standard_error: (nominal * (1.0 - nominal) / n).sqrt(),
        }
    }

    /// `(share - nominal) / standard_error`.
    #[must_use]
    pub fn z_score(&self) -> f64 {
        (self.share - self.nominal) / self.standard_error
    }
}

/// `P(X >= statistic)` for X chi-squared with so many degrees of freedom k >= 1: the regularised upper incomplete gamma function
/// `Q(k / 2, statistic / 2)`, as the finite sums that it is for whole and half numbers.
///
/// With `x = statistic / 2`, `Q(k/2, x) = e^-x sum_{j < k/2} x^j / j!` for even k and
/// `erfc(sqrt x) + e^-x sum_{j=1}^{(k-1)/2} x^(j - 1/2) / Gamma(j + 1/2)` for odd k. All terms are positive: no digit is lost.
///
/// # Panics
/// If there is no degree of freedom, or the statistic is negative or NaN.
#[must_use]
pub fn chi_squared_p_value(statistic: f64, degrees_of_freedom: usize) -> f64 {
    assert!(
        degrees_of_freedom > 0 && statistic >= 0.0,
        "a statistic of 0 or above with a degree of freedom"
    );
    let x = 0.5 * statistic;
    if x == f64::INFINITY {
        return 0.0;
    }
    let scale = exp(-x);
    let (mut total, mut term, mut denominator) = if degrees_of_freedom.is_multiple_of(2) {
        (0.0, 1.0, 1.0)
    } else {
        (erfc(x.sqrt()), 2.0 * (x / PI).sqrt(), 1.5)
    };
    // The terms are scaled by e^-x one by one: their sum alone could overflow.
    for _ in 0..degrees_of_freedom / 2 {
        total += scale * term;
        term *= x / denominator;
        denominator += 1.0;
    }
    total.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use autodiff::math::normal_cdf;
    use autodiff::random::{standard_normal, stream};

    #[test]
    fn p_values_of_the_tables() {
        for (statistic, k, exact) in [
            (3.841_458_820_694_124, 1, 0.05),
            (5.991_464_547_107_98, 2, 0.05),
            (6.634_896_601_021_214, 1, 0.01),
            (36.190_869_129_270_05, 19, 0.01),
            (30.143_527_205_646_16, 19, 0.05),
            (136.069_769_643_608_9, 99, 0.008),
            (3.827_551_588_254_125, 6, 0.7),
            (0.0, 7, 1.0),
        ] {
            let got = chi_squared_p_value(statistic, k);
            assert!((got - exact).abs() < 1e-12, "{statistic}, {k}: {got}");
        }
        assert_eq!(chi_squared_p_value(f64::INFINITY, 3), 0.0);
        assert!(chi_squared_p_value(1e4, 6) < 1e-300);
    }

    /// Truths and draws of `N(m, s^2)`, drawn with the wrong `s` if `factor` is not 1.
    fn study(factor: f64, label: &str) -> (RankHistogram, Vec<f64>) {
        let mut rng = stream(1, label);
        let (mut all, mut density) = (Vec::new(), Vec::new());
        for _ in 0..2000 {
            let m = 3.0 * standard_normal(&mut rng);
            let truth = m + standard_normal(&mut rng);
            let draws = Mat::from_fn(99, 1, |_, _| m + factor * standard_normal(&mut rng));
            all.extend(ranks(&[truth], draws.as_ref(), &mut rng));
            let log_q = |t: f64| -0.5 * (t - m) * (t - m);
            let of_draws: Vec<f64> = (0..99).map(|i| log_q(draws[(i, 0)])).collect();
            density.push(density_rank(log_q(truth), &of_draws, &mut rng));
        }
        (RankHistogram::new(&all, 99, 20), density)
    }

    #[test]
    fn right_posteriors_pass_and_narrow_ones_do_not() {
        let (histogram, density) = study(1.0, "right");
        assert!(histogram.p_value > 0.01, "{histogram:?}");
        for nominal in [0.5, 0.9, 0.99] {
            assert!(Coverage::new(nominal, &density).z_score().abs() < 3.0);
        }
        let (histogram, density) = study(0.7, "narrow");
        assert!(histogram.p_value < 1e-6);
        let ends = histogram.counts[0] + histogram.counts[19];
        assert!(ends > 2 * histogram.counts[9] + 2 * histogram.counts[10] - 100);
        // A region of 90 % of N(0, 0.7^2) holds 75 % of N(0, 1).
        let got = Coverage::new(0.9, &density);
        let exact = 2.0 * normal_cdf(0.7 * 1.644_854) - 1.0;
        assert!((got.share - exact).abs() < 0.04, "{got:?}, not {exact}");
        assert!(got.z_score() < -5.0);
    }

    #[test]
    fn ties_are_broken_evenly() {
        let draws = Mat::zeros(9, 1);
        let mut rng = stream(1, "ties");
        let mut counts = [0; 10];
        for _ in 0..10_000 {
            counts[ranks(&[0.0], draws.as_ref(), &mut rng)[0]] += 1;
        }
        assert!(counts.iter().all(|c| (880..1120).contains(c)), "{counts:?}");
    }
}
