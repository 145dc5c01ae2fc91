//! The evidence by importance sampling.

use super::weights::{ImportanceWeights, Reliability, WeightsError};
use crate::experts::Expert;
use autodiff::matrix::select_rows;
use autodiff::random::Pcg64;
use datasets::posterior::InverseProblem;

/// `ln Z`, `Z = integral p(theta) L(theta) dtheta`, from `n` draws of `q`: `Z = E_q[L p / q]`.
///
/// The likelihood is evaluated `n` times more. The estimate with its standard error, the effective sample size and the Pareto k of the weights
/// `L p / q` are the parts of [`Reliability`]: with k above 0.7, `q` misses a part of the posterior and so does the estimate. The evaluations of a
/// fit give an estimate for nothing: [`RoundReport::reliability`](super::RoundReport::reliability).
///
/// # Errors
/// When a weight is NaN or +infinity, or all are zero.
pub fn log_evidence(
    problem: &dyn InverseProblem,
    q: &dyn Expert,
    n: usize,
    rng: &mut Pcg64,
) -> Result<Reliability, WeightsError> {
    let theta = q.sample(n, rng);
    let log_q = q.log_prob(theta.as_ref());
    let log_prior = problem.log_prior(theta.as_ref());
    // Outside the prior's support the likelihood may not exist.
    let inside: Vec<usize> = (0..theta.nrows())
        .filter(|&i| log_prior[i] != f64::NEG_INFINITY)
        .collect();
    let part = select_rows(theta.as_ref(), &inside);
    let mut log_weights = vec![f64::NEG_INFINITY; theta.nrows()];
    for (&i, l) in inside.iter().zip(problem.log_likelihood(part.as_ref())) {
        log_weights[i] = l + log_prior[i] - log_q[i];
    }
    Ok(*ImportanceWeights::new(&log_weights)?.reliability())
}

#[cfg(test)]
mod tests {
    use super::*;
    use autodiff::random::stream;
    use datasets::posterior::Benchmark;
    use faer::prelude::*;
    use flows::{Data, EmConfig, GaussianMixture};

    #[test]
    fn a_fair_model_gives_the_evidence_and_a_bad_one_is_found_out() {
        let problem = Benchmark::UnequalModes.problem();
        let draws = problem.sample_posterior(5000, &mut stream(1, "draws"));
        let fit = |points: MatRef<'_, f64>, k: usize| {
            let em = EmConfig::default();
            GaussianMixture::fit(Data::new(points), k, &em, &mut stream(1, "em")).unwrap()
        };
        let good = fit(draws.as_ref(), 4);
        let found = log_evidence(problem, &good, 20_000, &mut stream(1, "evidence")).unwrap();
        let error = found.log_evidence - problem.log_evidence();
        assert!(
            error.abs() < 4.0 * found.standard_error + 1e-4,
            "{error}, {found:?}"
        );
        assert!(found.standard_error < 0.003 && found.pareto_k.unwrap() < 0.7);
        // A model of one mode does not know of the others: k tells.
        let modes = problem.mode_of(draws.as_ref());
        let rows: Vec<usize> = (0..5000).filter(|&i| modes[i] == 0).collect();
        let one = fit(select_rows(draws.as_ref(), &rows).as_ref(), 1);
        let found = log_evidence(problem, &one, 200_000, &mut stream(1, "evidence")).unwrap();
        assert!(
            found.log_evidence < problem.log_evidence() - 0.3,
            "{found:?}"
        );
    }
}
