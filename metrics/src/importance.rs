//! Importance weights, and how far they can be trusted.

use numerics::math::{exp, ln, ln_1p, ln_sum_exp};
use serde::{Deserialize, Serialize};

/// Importance weights of draws for a posterior: `w_i` proportional to `L(theta_i) p(theta_i) /
/// g(theta_i)`, `g` the density that the draws come from, with sum one.
///
/// Minimising `KL(posterior || q)` is maximising `sum_i w_i ln q(theta_i)` (arXiv:2512.04954).
/// Everything is computed from logarithms: likelihoods of e^-1000 do not underflow.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportanceWeights {
    shares: Vec<f64>,
    reliability: Reliability,
}

/// How far a set of weighted draws can be trusted, and the evidence that their weights give.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reliability {
    /// The number of draws N.
    pub draws: usize,
    /// Effective sample size `1 / sum_i w_i^2` of weights with sum one: from 1 (one draw has all
    /// the weight) to N (equal weights).
    pub ess: f64,
    /// The shape k of a generalised Pareto distribution fitted to the largest weights, see
    /// [`pareto_k`]. Below 0.5 the weights have a finite variance; up to 0.7 estimates converge at
    /// practical rates; beyond, a few draws have much of the weight: the proposal is too light where
    /// the posterior has mass. A low k is no proof: a mode that no draw has hit leaves no trace in the
    /// weights. `None` for fewer than 25 draws, whose tail is too short.
    pub pareto_k: Option<f64>,
    /// `ln (1/N sum_i u_i)`, `u_i` the weights before normalisation: an estimate of the
    /// log-evidence `ln Z`, nats.
    pub log_evidence: f64,
    /// Its standard error `sqrt(1 / ESS - 1 / N)`, by the delta method, nats. It does not account
    /// for mass that no draw has hit.
    pub standard_error: f64,
}

/// Log-weights that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WeightsError {
    /// No draws.
    #[error("there are no draws to weigh")]
    Empty,
    /// NaN or +infinity.
    #[error(
        "the log-weight of row {row} is {value}: log-likelihoods must be finite, or -infinity where the data are impossible"
    )]
    Bad {
        /// Index of the first such row.
        row: usize,
        /// The value.
        value: f64,
    },
    /// All are -infinity.
    #[error(
        "all {draws} draws have likelihood zero: take more draws, or a proposal that reaches where the data are possible"
    )]
    AllImpossible {
        /// Number of draws.
        draws: usize,
    },
}

impl ImportanceWeights {
    /// Normalises log-weights, nats, up to a constant (which [`Reliability::log_evidence`] depends
    /// on).
    ///
    /// # Errors
    /// See [`WeightsError`]: nothing is ever NaN.
    pub fn new(log_weights: &[f64]) -> Result<Self, WeightsError> {
        if log_weights.is_empty() {
            return Err(WeightsError::Empty);
        }
        let bad = |v: &f64| v.is_nan() || *v == f64::INFINITY;
        if let Some(row) = log_weights.iter().position(bad) {
            let value = log_weights[row];
            return Err(WeightsError::Bad { row, value });
        }
        let draws = log_weights.len();
        let total = ln_sum_exp(log_weights);
        if total == f64::NEG_INFINITY {
            return Err(WeightsError::AllImpossible { draws });
        }
        let shares: Vec<f64> = log_weights.iter().map(|l| exp(l - total)).collect();
        let n = draws as f64;
        let ess = (1.0 / numerics::math::dot(&shares, &shares)).clamp(1.0, n);
        let reliability = Reliability {
            draws,
            ess,
            pareto_k: pareto_k(&shares),
            log_evidence: total - ln(n),
            standard_error: (1.0 / ess - 1.0 / n).max(0.0).sqrt(),
        };
        Ok(Self {
            shares,
            reliability,
        })
    }

    /// The weights, one for each draw, with sum one.
    #[must_use]
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }

    /// How far they can be trusted.
    #[must_use]
    pub fn reliability(&self) -> &Reliability {
        &self.reliability
    }

    /// A subsample with new weights: draws with weights above a threshold `c` are selected with
    /// their weights, each other with probability `w_i / c` and weight `c`, where `c` is such that
    /// about `most` are selected.
    ///
    /// Weighted sums stay unbiased, with the least added variance (stratified resampling of
    /// Fearnhead and Clifford 2003). Returns rows in ascending order, and their weights with sum
    /// about one.
    #[must_use]
    pub fn thin(&self, most: usize, rng: &mut numerics::random::Pcg64) -> (Vec<usize>, Vec<f64>) {
        let threshold = self.threshold(most);
        let mut rows = Vec::with_capacity(most);
        let mut weights = Vec::with_capacity(most);
        // Systematic sampling: one uniform offset, then steps of c along the cumulative sum of the
        // small weights.
        let mut left = threshold * numerics::random::uniform(rng);
        for (row, &w) in self.shares.iter().enumerate() {
            if w == 0.0 {
                continue;
            }
            if w >= threshold {
                rows.push(row);
                weights.push(w);
            } else {
                left -= w;
                if left < 0.0 {
                    left += threshold;
                    rows.push(row);
                    weights.push(threshold);
                }
            }
        }
        (rows, weights)
    }

    /// The `c` with `sum_i min(1, w_i / c) = most`; 0 when there are no more than `most` weights
    /// above zero.
    fn threshold(&self, most: usize) -> f64 {
        let mut sorted: Vec<f64> = self.shares.iter().copied().filter(|w| *w > 0.0).collect();
        if sorted.len() <= most {
            return 0.0;
        }
        sorted.sort_unstable_by(|a, b| b.total_cmp(a));
        // With the k largest above c: k + rest / c = most. Take the first k for which c is at
        // least the next weight.
        let mut rest: f64 = sorted.iter().sum();
        for (k, &w) in sorted.iter().enumerate().take(most) {
            let c = rest / (most - k) as f64;
            if w <= c {
                return c;
            }
            rest -= w;
        }
        sorted[most - 1]
    }
}

impl Reliability {
    /// The Pareto k above which weights of so many draws are not reliable: `min(1 - 1 / log10 N, 0.7)`, since
    /// fewer draws need lighter tails (Vehtari, Simpson, Gelman, Yao and Gabry 2024, J. Mach. Learn. Res. 25).
    #[must_use]
    pub fn most_k(&self) -> f64 {
        let n = (self.draws as f64).max(10.0);
        (1.0 - core::f64::consts::LN_10 / ln(n)).min(0.7)
    }

    /// What is wrong and what to do about it, if anything: an effective sample size below 100, or a Pareto k
    /// above [`Self::most_k`].
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        if self.ess < 100.0 {
            return Some(format!(
                "the effective sample size is {:.1} of {} draws, below 100: take more draws, or anneal, which draws where the \
                 posterior is",
                self.ess, self.draws
            ));
        }
        let most = self.most_k();
        let k = self.pareto_k.filter(|k| *k > most)?;
        Some(format!(
            "the Pareto k of the weights is {k:.2}, above {most:.2}: a few draws dominate because the proposal is too light where the \
             posterior has mass; take more draws, or some of them from the prior (prior_share)"
        ))
    }
}

/// The Pareto k of importance weights (not negative, in any scale): the shape of a generalised
/// Pareto distribution fitted to the `M = min(0.2 N, 3 sqrt(N))` largest.
///
/// The fit is the posterior mean of Zhang and Stephens (2009) with the weak prior of Vehtari,
/// Simpson, Gelman, Yao and Gabry (arXiv:1507.02646), which shrinks k towards 0.5 with the weight
/// of 10 draws. Weights whose largest are all equal have no tail: k is 0. `None` for fewer than 25
/// weights (M below 5).
///
/// # Panics
/// If a weight is NaN.
#[must_use]
pub fn pareto_k(weights: &[f64]) -> Option<f64> {
    let n = weights.len() as f64;
    let tail = (0.2 * n).min(3.0 * n.sqrt()).ceil() as usize;
    if weights.len() < 25 {
        return None;
    }
    let mut weights = weights.to_vec();
    let at = weights.len() - tail - 1;
    let (_, &mut cutoff, largest) =
        weights.select_nth_unstable_by(at, |a, b| a.partial_cmp(b).expect("a weight is not NaN"));
    // In units of the largest excess, so that nothing overflows.
    let mut excess: Vec<f64> = largest.iter().map(|w| w - cutoff).collect();
    excess.sort_unstable_by(f64::total_cmp);
    let scale = excess[tail - 1];
    if scale <= 1e-10 * cutoff {
        return Some(0.0);
    }
    excess.iter_mut().for_each(|e| *e /= scale);
    let k = pareto_shape(&excess);
    let (m, prior) = (tail as f64, 10.0);
    Some((m * k + prior * 0.5) / (m + prior))
}

/// The shape k of a generalised Pareto distribution with density `(1/s) (1 + k x / s)^(-1/k - 1)`,
/// for sorted `x >= 0` with the last above 0: Zhang and Stephens (2009).
fn pareto_shape(x: &[f64]) -> f64 {
    let n = x.len();
    let grid = 30 + (n as f64).sqrt() as usize;
    let quartile = x[(n as f64 / 4.0 + 0.5) as usize - 1].max(1e-300 * x[n - 1]);
    let largest = x[n - 1];
    // With b = -k / s: the profile log-likelihood on a grid of b, at which k(b) = mean ln(1 - b x).
    let candidates: Vec<(f64, f64)> = (1..=grid)
        .map(|j| {
            let b =
                1.0 / largest + (1.0 - (grid as f64 / (j as f64 - 0.5)).sqrt()) / (3.0 * quartile);
            let k = mean_ln(x, b);
            (b, n as f64 * (ln(-b / k) - k - 1.0))
        })
        .collect();
    let logs: Vec<f64> = candidates.iter().map(|c| c.1).collect();
    let total = ln_sum_exp(&logs);
    let b = candidates.iter().map(|(b, l)| b * exp(l - total)).sum();
    mean_ln(x, b)
}

/// `mean ln(1 - b x)`.
fn mean_ln(x: &[f64], b: f64) -> f64 {
    x.iter().map(|x| ln_1p(-b * x)).sum::<f64>() / x.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::random::{standard_normal, stream, uniform};

    #[test]
    fn shares_ess_and_evidence_of_known_weights() {
        let w = ImportanceWeights::new(&[-1000.0, f64::NEG_INFINITY, -1000.0 + ln(3.0)]).unwrap();
        for (got, exact) in w.shares().iter().zip([0.25, 0.0, 0.75]) {
            assert!((got - exact).abs() < 1e-12);
        }
        let r = w.reliability();
        assert!((r.ess - 1.6).abs() < 1e-12);
        assert!((r.log_evidence - (-1000.0 + ln(4.0 / 3.0))).abs() < 1e-10);
        assert!((r.standard_error - (1.0f64 / 1.6 - 1.0 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(r.pareto_k, None);
        let equal = ImportanceWeights::new(&[-3.0; 400]).unwrap();
        let r = equal.reliability();
        assert!((r.ess - 400.0).abs() < 1e-9 && r.standard_error < 1e-8);
        assert_eq!(r.pareto_k, Some(0.0));
        assert_eq!(r.warning(), None);
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let error = |l: &[f64]| ImportanceWeights::new(l).unwrap_err().to_string();
        assert!(error(&[]).contains("no draws"));
        assert!(error(&[0.0, f64::NAN]).contains("row 1 is NaN"));
        assert!(error(&[f64::INFINITY, 0.0]).contains("row 0 is inf"));
        assert!(error(&[f64::NEG_INFINITY; 7]).contains("all 7 draws"));
    }

    #[test]
    fn warnings_name_the_remedy() {
        let of = |draws, ess, pareto_k| {
            Reliability {
                draws,
                ess,
                pareto_k,
                log_evidence: 0.0,
                standard_error: 0.0,
            }
            .warning()
        };
        assert!(of(1000, 60.0, None).unwrap().contains("more draws"));
        // Few of many draws with weight is a waste, but no fault.
        assert_eq!(of(100_000, 900.0, None), None);
        assert!(of(1000, 900.0, Some(0.8)).unwrap().contains("prior_share"));
        assert_eq!(of(1000, 900.0, Some(0.6)), None);
        // A hundred draws need lighter tails.
        assert!(of(110, 105.0, Some(0.6)).is_some());
    }

    #[test]
    fn pareto_k_of_known_tails() {
        // Weights u^-k have a Pareto tail of shape k.
        for (label, k) in [("a", 0.2), ("b", 0.5), ("c", 0.9)] {
            let mut rng = stream(1, label);
            let w: Vec<f64> = (0..40_000)
                .map(|_| exp(-k * ln(uniform(&mut rng))))
                .collect();
            let got = pareto_k(&w).unwrap();
            assert!((got - k).abs() < 0.12, "{got}, not {k}");
            // Neither the scale nor the order matters.
            let other: Vec<f64> = w.iter().rev().map(|w| 1e-30 * w).collect();
            assert!((pareto_k(&other).unwrap() - got).abs() < 1e-9);
        }
        // Bounded weights have a negative shape.
        let mut rng = stream(2, "bounded");
        let w: Vec<f64> = (0..40_000).map(|_| uniform(&mut rng)).collect();
        assert!(pareto_k(&w).unwrap() < -0.5);
        // A normal proposal that is too narrow by a factor 2: weights with an infinite variance.
        let w: Vec<f64> = (0..40_000)
            .map(|_| {
                let x = 0.5 * standard_normal(&mut rng);
                exp(1.5 * x * x)
            })
            .collect();
        // Their k is 0.75, but the logarithm in their tail biases the estimate at this sample size.
        let k = pareto_k(&w).unwrap();
        assert!((0.5..0.8).contains(&k), "{k}");
    }

    #[test]
    fn thinning_keeps_sums_and_the_number() {
        let mut rng = stream(3, "thin");
        let logs: Vec<f64> = (0..5000).map(|_| 3.0 * standard_normal(&mut rng)).collect();
        let f: Vec<f64> = (0..5000).map(|i| f64::from(i % 7)).collect();
        let w = ImportanceWeights::new(&logs).unwrap();
        let exact = numerics::math::dot(w.shares(), &f);
        let mut mean = 0.0;
        for _ in 0..400 {
            let (rows, weights) = w.thin(600, &mut rng);
            assert!(rows.len().abs_diff(600) <= 1 && rows.is_sorted());
            assert!((weights.iter().sum::<f64>() - 1.0).abs() < 0.01);
            let sum: f64 = rows.iter().zip(&weights).map(|(&i, w)| w * f[i]).sum();
            assert!((sum - exact).abs() < 0.1);
            mean += sum / 400.0;
        }
        assert!((mean - exact).abs() < 0.003, "{mean}, not {exact}");
        // Nothing to leave out.
        let (rows, weights) = w.thin(5000, &mut rng);
        assert!(rows.len() == 5000 && weights == w.shares());
    }
}
