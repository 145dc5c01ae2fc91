//! Calibration of posteriors: simulation-based calibration and coverage.

use density::Density;
use faer::prelude::*;
use numerics::math::{erfc, exp};
use numerics::random::{Pcg64, stream, uniform};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// Ranks of true parameters among draws of their posteriors, counted in bins.
///
/// When theta is drawn from the prior and y from the simulator, the rank of `theta_j` among L
/// independent draws of `q(theta_j | y)` is uniform on 0, 1, ..., L if q is the posterior
/// (simulation-based calibration, arXiv:1804.06788). A histogram that is high at both ends means
/// that posteriors are too narrow, one that is high in the middle that they are too wide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankHistogram {
    /// Ranks in each bin; all bins hold the same number of possible ranks.
    pub counts: Vec<usize>,
    /// `sum (count - expected)^2 / expected`.
    pub chi_squared: f64,
    /// The probability of so large a statistic with uniform ranks: chi-squared with one degree of
    /// freedom less than there are bins.
    pub p_value: f64,
}

impl RankHistogram {
    /// From ranks among `draws` draws, each from 0 to `draws`.
    ///
    /// # Panics
    /// If a rank is above `draws`, there are fewer than two bins, or their number does not divide
    /// `draws + 1`.
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

/// How many of the draws (L x d) are below the truth, coordinate by coordinate. Ties are broken at
/// random.
///
/// # Panics
/// If the numbers of coordinates differ.
#[must_use]
pub fn ranks(truth: &[f64], draws: MatRef<'_, f64>, rng: &mut Pcg64) -> Vec<usize> {
    assert_eq!(truth.len(), draws.ncols(), "one value for each coordinate");
    truth
        .iter()
        .enumerate()
        .map(|(j, t)| rank(*t, numerics::matrix::col(draws, j), rng))
        .collect()
}

fn rank(truth: f64, draws: &[f64], rng: &mut Pcg64) -> usize {
    let below = draws.iter().filter(|v| **v < truth).count();
    let ties = draws.iter().filter(|v| **v == truth).count();
    below + (uniform(rng) * (ties + 1) as f64) as usize
}

/// The share of q in the region where it is denser than at the truth: at most `s` exactly when the
/// truth is in q's highest-density region of share `s`. Estimated from `ln q` at the truth and at
/// draws of q, both given y, with ties broken at random.
#[must_use]
pub fn density_rank(log_q_truth: f64, log_q_draws: &[f64], rng: &mut Pcg64) -> f64 {
    let lower = rank(log_q_truth, log_q_draws, rng) as f64;
    let n = log_q_draws.len() as f64;
    // The middle of the interval that the rank allows.
    1.0 - (lower + 0.5) / (n + 1.0)
}

/// How often highest-density regions contain the truth.
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

/// Settings of a calibration study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibrate {
    /// Draws L of each posterior.
    #[serde(deserialize_with = "numerics::checked::at_least_one")]
    pub draws: usize,
    /// Bins of the rank histograms; their number divides `L + 1`.
    pub bins: usize,
    /// Shares of the highest-density regions.
    pub regions: Vec<f64>,
}

impl Default for Calibrate {
    fn default() -> Self {
        Self {
            draws: 499,
            bins: 20,
            regions: vec![0.5, 0.9, 0.99],
        }
    }
}

/// The result of a calibration study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Ranks of each coordinate.
    pub ranks: Vec<RankHistogram>,
    /// Coverage of each region.
    pub coverage: Vec<Coverage>,
}

impl Calibrate {
    /// What is wrong with the settings, if anything.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub fn check(&self) -> Result<(), String> {
        let ranks = self.draws.checked_add(1);
        if self.bins < 2 || ranks.is_none_or(|n| !n.is_multiple_of(self.bins)) {
            return Err(format!(
                "bins must be at least 2 and divide draws + 1, not {} with {} draws",
                self.bins, self.draws
            ));
        }
        if let Some(r) = self.regions.iter().find(|r| !(**r > 0.0 && **r < 1.0)) {
            return Err(format!("regions must be between 0 and 1, not {r}"));
        }
        Ok(())
    }

    /// Draws from the posterior of every row of `truth` (n x d), which was drawn from the prior;
    /// `posterior(i)` is that of the data simulated from row i.
    ///
    /// Rows are processed in parallel, each with its own random stream.
    ///
    /// # Errors
    /// Settings that make no sense.
    pub fn run<'a>(
        &self,
        truth: MatRef<'_, f64>,
        posterior: &(dyn Fn(usize) -> Box<dyn Density + 'a> + Sync),
        seed: u64,
    ) -> Result<Calibration, String> {
        self.check()?;
        let rows: Vec<(Vec<usize>, f64)> = (0..truth.nrows())
            .into_par_iter()
            .map(|i| {
                let rng = &mut stream(seed, &format!("calibration/{i}"));
                let q = posterior(i);
                let draws = q.sample(self.draws, rng);
                let own = truth.subrows(i, 1).to_owned();
                let values: Vec<f64> = (0..own.ncols()).map(|j| own[(0, j)]).collect();
                let ranks = ranks(&values, draws.as_ref(), rng);
                let log_q = q.log_prob(draws.as_ref());
                (
                    ranks,
                    density_rank(q.log_prob(own.as_ref())[0], &log_q, rng),
                )
            })
            .collect();
        let of_coordinate = |j: usize| {
            let ranks: Vec<usize> = rows.iter().map(|r| r.0[j]).collect();
            RankHistogram::new(&ranks, self.draws, self.bins)
        };
        let density: Vec<f64> = rows.iter().map(|r| r.1).collect();
        Ok(Calibration {
            ranks: (0..truth.ncols()).map(of_coordinate).collect(),
            coverage: self
                .regions
                .iter()
                .map(|&nominal| Coverage::new(nominal, &density))
                .collect(),
        })
    }
}

/// `P(X >= statistic)` for X chi-squared with k >= 1 degrees of freedom: the regularised upper
/// incomplete gamma function `Q(k / 2, statistic / 2)`, by its finite sums for integers and
/// half-integers.
///
/// With `x = statistic / 2`, `Q(k/2, x) = e^-x sum_{j < k/2} x^j / j!` for even k and
/// `erfc(sqrt x) + e^-x sum_{j=1}^{(k-1)/2} x^(j - 1/2) / Gamma(j + 1/2)` for odd k. All terms are
/// positive: no digit is lost.
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
    use numerics::math::normal_cdf;
    use numerics::random::standard_normal;

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
    fn a_study_of_exact_posteriors_passes_and_depends_on_no_thread() {
        use datasets::posterior::{ExactPosterior, SignDegenerate, SignPosterior};
        struct Exact(SignPosterior);
        impl Density for Exact {
            fn dim(&self) -> usize {
                2
            }
            fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
                self.0.log_posterior(x)
            }
            fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
                self.0.sample_posterior(n, rng)
            }
        }
        let simulator = SignDegenerate {
            dim: 2,
            sigma: 0.25,
        };
        let theta = simulator.sample_prior(600, &mut stream(1, "theta"));
        let y = simulator.simulate(theta.as_ref(), &mut stream(1, "y"));
        let posterior = |i: usize| -> Box<dyn Density> {
            Box::new(Exact(simulator.posterior(&[y[(i, 0)], y[(i, 1)]])))
        };
        let settings = Calibrate {
            draws: 99,
            ..Calibrate::default()
        };
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| settings.run(theta.as_ref(), &posterior, 1).unwrap())
        };
        let found = run(2);
        assert_eq!(found, run(1));
        assert!(found.ranks.iter().all(|r| r.p_value > 0.01), "{found:?}");
        assert!(
            found.coverage.iter().all(|c| c.z_score().abs() < 3.0),
            "{found:?}"
        );
        let bad = Calibrate {
            bins: 7,
            ..settings
        };
        assert!(
            bad.run(theta.as_ref(), &posterior, 1)
                .unwrap_err()
                .contains("bins")
        );
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
