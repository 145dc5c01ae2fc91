//! All evaluations so far, with what weighs them.

use super::proposal::{Proposal, log_prior};
use faer::prelude::*;
use numerics::math::{exp, ln, ln_sum_exp, ln_sum_exp2};
use rayon::prelude::*;

/// Truncated weights have a smaller mean, with which they are truncated again.
const TRUNCATIONS: usize = 3;

/// All evaluations so far.
pub(super) struct Population {
    /// N x d.
    pub z: Mat<f64>,
    /// `ln L`, -infinity where the likelihood is zero.
    pub log_likelihood: Vec<f64>,
    /// `ln N(z; 0, I)`.
    pub log_prior: Vec<f64>,
    /// `ln q_t(z_i)`, t the round of point i.
    pub log_own: Vec<f64>,
    /// `ln sum_t n_t q_t(z_i)` over all rounds.
    log_all: Vec<f64>,
    /// The rounds, in order.
    pub rounds: Vec<Proposal>,
}

impl Population {
    pub fn new(dim: usize) -> Self {
        Self {
            z: Mat::zeros(0, dim),
            log_likelihood: Vec::new(),
            log_prior: Vec::new(),
            log_own: Vec::new(),
            log_all: Vec::new(),
            rounds: Vec::new(),
        }
    }

    pub fn len(&self) -> usize {
        self.log_likelihood.len()
    }

    /// Adds a round.
    pub fn add(&mut self, proposal: Proposal, z: &Mat<f64>, log_likelihood: &[f64]) {
        let ln_n = ln(proposal.draws() as f64);
        let at_old = proposal.log_prob(self.z.as_ref());
        for (all, l) in self.log_all.iter_mut().zip(&at_old) {
            *all = ln_sum_exp2(*all, ln_n + l);
        }
        let own = proposal.log_prob(z.as_ref());
        let old: Vec<Vec<f64>> = self
            .rounds
            .par_iter()
            .map(|r| r.log_prob(z.as_ref()))
            .collect();
        let mut all: Vec<f64> = own.iter().map(|l| ln_n + l).collect();
        for (round, values) in self.rounds.iter().zip(&old) {
            let ln_n = ln(round.draws() as f64);
            for (a, l) in all.iter_mut().zip(values) {
                *a = ln_sum_exp2(*a, ln_n + l);
            }
        }
        let before = self.len();
        self.z = Mat::from_fn(before + z.nrows(), z.ncols(), |i, j| {
            if i < before {
                self.z[(i, j)]
            } else {
                z[(i - before, j)]
            }
        });
        let prior = log_prior(z.as_ref());
        // Points so far out that numbers overflow have no part in the posterior.
        let usable = prior
            .iter()
            .zip(&own)
            .map(|(p, q)| p.is_finite() && q.is_finite());
        let seen = log_likelihood.iter().zip(usable);
        self.log_likelihood
            .extend(seen.map(|(l, usable)| if usable { *l } else { f64::NEG_INFINITY }));
        self.log_prior.extend(prior);
        self.log_own.extend(own);
        self.log_all.extend(all);
        self.rounds.push(proposal);
    }

    /// Deterministic-mixture log-weights for `L^beta` times the prior, with mean Z(beta).
    pub fn log_weights(&self, beta: f64) -> Vec<f64> {
        let ln_n = ln(self.len() as f64);
        let terms = self
            .log_likelihood
            .iter()
            .zip(&self.log_prior)
            .zip(&self.log_all);
        terms
            .map(|((l, p), all)| {
                if *l == f64::NEG_INFINITY {
                    *l
                } else {
                    beta * l + p - all + ln_n
                }
            })
            .collect()
    }

    /// `ESS / n` of draws of the prior as draws of the tempered posterior, `1 / E(L^beta / Z(beta))`.
    pub fn efficiency_of_prior(&self, beta: f64) -> f64 {
        let weights = self.log_weights(beta);
        let tempered = self.log_likelihood.iter().zip(&weights);
        let squares: Vec<f64> = tempered
            .map(|(l, w)| {
                if *l == f64::NEG_INFINITY {
                    *l
                } else {
                    beta * l + w
                }
            })
            .collect();
        let (once, twice) = (ln_sum_exp(&weights), ln_sum_exp(&squares));
        exp(2.0 * once - twice - ln(self.len() as f64))
    }

    /// [`Self::log_weights`], each at most `sqrt N` times their mean (truncated importance sampling, Ionides
    /// 2008): one point that the proposals have missed so far must not decide the temperature and the
    /// next fit alone.
    pub fn truncated(&self, beta: f64) -> Vec<f64> {
        let mut log_weights = self.log_weights(beta);
        let ln_n = ln(self.len() as f64);
        for _ in 0..TRUNCATIONS {
            let most = ln_sum_exp(&log_weights) - 0.5 * ln_n;
            log_weights.iter_mut().for_each(|w| *w = w.min(most));
        }
        log_weights
    }

    /// The largest beta in `[0, 1]` at which the effective sample size is at least `enough`, or 0.
    pub fn temperature(&self, enough: f64) -> f64 {
        let fits = |beta: f64| effective(&self.truncated(beta)) >= enough;
        if fits(1.0) {
            return 1.0;
        }
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..50 {
            // By halves of the scale while it is small: likelihoods have any scale.
            let middle = if low == 0.0 {
                high / 8.0
            } else {
                0.5 * (low + high)
            };
            if fits(middle) {
                low = middle;
            } else {
                high = middle;
            }
            if high - low < 1e-3 * low {
                break;
            }
        }
        low
    }
}

/// `(sum w)^2 / sum w^2`; 0 if all are zero.
pub(super) fn effective(log_weights: &[f64]) -> f64 {
    let max = log_weights
        .iter()
        .copied()
        .fold(f64::NEG_INFINITY, f64::max);
    if max == f64::NEG_INFINITY {
        return 0.0;
    }
    let weights: Vec<f64> = log_weights.iter().map(|l| exp(l - max)).collect();
    let total = numerics::math::sum(&weights);
    total * total / numerics::math::dot(&weights, &weights)
}
