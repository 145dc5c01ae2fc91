//! The evidence by importance sampling.

use datasets::posterior::InverseProblem;
use density::Density;
use faer::prelude::*;
use metrics::{ImportanceWeights, Reliability, WeightsError};
use numerics::math::{ln, ln_sum_exp2};
use numerics::matrix::select_rows;
use numerics::random::Pcg64;
use serde::{Deserialize, Serialize};

/// Draws for an estimate of the evidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceDraws {
    /// Number of draws, each one likelihood evaluation.
    #[serde(deserialize_with = "numerics::checked::at_least_one")]
    pub draws: usize,
    /// Share of them from the prior instead of q, at least 0 and below 1. Above 0 it bounds the
    /// weights where the tails of q are too light (defensive importance sampling, Hesterberg 1995),
    /// and costs about as much of the effective sample size.
    #[serde(default, deserialize_with = "numerics::checked::share")]
    pub prior_share: f64,
}

/// `ln Z`, `Z = integral p(theta) L(theta) dtheta`, by importance sampling from
/// `g = (1 - a) q + a p`: `Z = E_g[L p / g]`, `a` the share of draws from the prior.
///
/// The estimate with its standard error, the effective sample size and the Pareto k of the weights
/// are in [`Reliability`]: with k above 0.7, `g` is too light where the posterior has mass. With
/// `a = 0` a mode that q lacks goes unseen: ln Z is too low, with a small error and a low k. The
/// evaluations of a fit give an estimate at no further cost: [`FitReport::reliability`](super::FitReport::reliability).
///
/// # Errors
/// When a weight is NaN or +infinity, or all are zero.
pub fn log_evidence(
    problem: &dyn InverseProblem,
    q: &dyn Density,
    EvidenceDraws { draws, prior_share }: EvidenceDraws,
    rng: &mut Pcg64,
) -> Result<Reliability, WeightsError> {
    let from_prior = ((draws as f64 * prior_share).round() as usize).min(draws);
    let first = problem.sample_prior(from_prior, rng);
    let second = q.sample(draws - from_prior, rng);
    let theta = Mat::from_fn(draws, problem.dim(), |i, j| {
        if i < from_prior {
            first[(i, j)]
        } else {
            second[(i - from_prior, j)]
        }
    });
    let share = from_prior as f64 / draws as f64;
    let (ln_prior, ln_q) = (ln(share), ln(1.0 - share));
    let log_q = q.log_prob(theta.as_ref());
    let log_prior = problem.log_prior(theta.as_ref());
    // Outside the prior's support the likelihood may be undefined.
    let inside: Vec<usize> = (0..draws)
        .filter(|&i| log_prior[i] != f64::NEG_INFINITY)
        .collect();
    let part = select_rows(theta.as_ref(), &inside);
    let mut log_weights = vec![f64::NEG_INFINITY; draws];
    for (&i, l) in inside.iter().zip(problem.log_likelihood(part.as_ref())) {
        let log_g = ln_sum_exp2(ln_prior + log_prior[i], ln_q + log_q[i]);
        log_weights[i] = l + log_prior[i] - log_g;
    }
    Ok(*ImportanceWeights::new(&log_weights)?.reliability())
}

#[cfg(test)]
mod tests {
    use super::*;
    use datasets::posterior::Benchmark;
    use density::{Data, EmConfig, GaussianMixture};
    use numerics::random::stream;

    #[test]
    fn a_fair_model_gives_the_evidence_and_a_bad_one_is_found_out() {
        let problem = Benchmark::UnequalModes.problem();
        let draws = problem.sample_posterior(5000, &mut stream(1, "draws"));
        let fit = |points: MatRef<'_, f64>, k: usize| {
            let em = EmConfig::default();
            GaussianMixture::fit(Data::new(points), k, &em, &mut stream(1, "em")).unwrap()
        };
        let good = fit(draws.as_ref(), 4);
        let evidence = |q, draws, prior_share| {
            let draws = EvidenceDraws { draws, prior_share };
            log_evidence(problem, q, draws, &mut stream(1, "evidence")).unwrap()
        };
        let exact = problem.log_evidence();
        for prior_share in [0.0, 0.1] {
            let found = evidence(&good, 20_000, prior_share);
            let error = found.log_evidence - exact;
            assert!(
                error.abs() < 4.0 * found.standard_error + 1e-4,
                "{error}, {found:?}"
            );
            assert!(found.standard_error < 0.004 && found.pareto_k.unwrap() < 0.7);
        }
        // A model of one mode misses the others, unless some draws come from the prior.
        let modes = problem.mode_of(draws.as_ref());
        let rows: Vec<usize> = (0..5000).filter(|&i| modes[i] == 0).collect();
        let one = fit(select_rows(draws.as_ref(), &rows).as_ref(), 1);
        let found = evidence(&one, 200_000, 0.0);
        assert!(found.log_evidence < exact - 0.3, "{found:?}");
        let found = evidence(&one, 200_000, 0.2);
        let error = found.log_evidence - exact;
        assert!(error.abs() < 4.0 * found.standard_error && found.standard_error < 0.02);
    }
}
