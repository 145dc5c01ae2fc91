//! Estimates: each evaluation is weighted by the density that drew it, which was fixed before.

use super::population::{Population, effective};
use metrics::pareto_k;
use numerics::math::{exp, ln, ln_sum_exp, sum};

/// ln Z and the weighted draws.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimates {
    /// `ln Z`, nats; -infinity while no likelihood is above zero.
    pub log_evidence: f64,
    /// Its standard error, nats.
    pub standard_error: f64,
    /// Weights of all evaluations, with sum one.
    pub shares: Vec<f64>,
    /// `1 / sum w^2`.
    pub ess: f64,
    /// The Pareto k of the weights.
    pub pareto_k: Option<f64>,
}

/// Every round's draws are weighed by the density of that round alone, `w_i = L N / q_t`: `q_t` was
/// fixed before they were drawn, so that each round gives an unbiased estimate `Z_t`. (Weighed by all
/// rounds together, a point enters the fit of densities that weigh it, and ln Z comes out too low.)
///
/// `Z = sum_t n_t e_t^2 Z_t / sum_t n_t e_t^2`, where `e_t` is the efficiency `ESS / n` of the round
/// before t, also fixed before round t was drawn (`1 / n_t` for rounds of the prior alone, which
/// count like one draw). (With the efficiency of round t itself, rounds that
/// found a heavy weight would count less, and ln Z would come out too low again. The first power
/// would be best if efficiencies were known; early rounds, which miss parts of the posterior, look
/// better than they are.)
pub(super) fn estimate(population: &Population) -> Estimates {
    let mut log_weights = vec![f64::NEG_INFINITY; population.len()];
    let mut rounds: Vec<(f64, f64, f64, f64)> = Vec::new();
    let mut first = 0;
    for round in &population.rounds {
        let n = round.draws();
        let rows = first..first + n;
        for i in rows.clone() {
            let l = population.log_likelihood[i];
            if l != f64::NEG_INFINITY {
                log_weights[i] = l + population.log_prior[i] - population.log_own[i];
            }
        }
        let own = &mut log_weights[rows];
        let (n, ess) = (n as f64, effective(own));
        rounds.push((n, n * round.trust, ess, ln_sum_exp(own) - ln(n)));
        own.iter_mut().for_each(|w| *w += ln(round.trust));
        first += round.draws();
    }
    let total = sum(&rounds.iter().map(|r| r.1).collect::<Vec<f64>>());
    let log_sum = ln_sum_exp(&log_weights);
    if log_sum == f64::NEG_INFINITY {
        return Estimates {
            log_evidence: log_sum,
            standard_error: f64::INFINITY,
            shares: vec![0.0; log_weights.len()],
            ess: 0.0,
            pareto_k: None,
        };
    }
    let log_evidence = log_sum - ln(total);
    let found = rounds.iter().filter(|r| r.2 > 0.0);
    let variance = found.map(|(n, weight, ess, log_z)| {
        let part = weight / total * exp(log_z - log_evidence);
        part * part * (1.0 / ess - 1.0 / n).max(0.0)
    });
    let variance: f64 = variance.sum();
    let shares: Vec<f64> = log_weights.iter().map(|l| exp(l - log_sum)).collect();
    Estimates {
        log_evidence,
        standard_error: variance.sqrt(),
        ess: 1.0 / numerics::math::dot(&shares, &shares),
        pareto_k: pareto_k(&shares),
        shares,
    }
}
