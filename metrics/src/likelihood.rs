//! Metrics from log-densities at draws of the target.

use numerics::Estimate;

/// Negative log-likelihood `mean_n -ln q(x_n)` in nats, from `log_q[n] = ln q(x_n)` at draws `x_n`
/// of the target.
///
/// Its expectation is the target's entropy plus KL(p || q). A model with density zero at a point
/// scores infinity; NaN stays NaN; no draws give NaN. Source: arXiv:2510.02056.
#[must_use]
pub fn nll(log_q: &[f64]) -> Estimate {
    mean_of(log_q.iter().map(|l| -l))
}

/// `KL(p || q) = E_p[ln p - ln q]` in nats, from both log-densities at the same draws of p.
///
/// Unbiased, and exact where the two densities agree; a single estimate can be negative by chance.
/// No draws give NaN.
///
/// # Panics
/// If the lengths differ.
#[must_use]
pub fn kl_exact(log_p: &[f64], log_q: &[f64]) -> Estimate {
    assert_eq!(log_p.len(), log_q.len(), "kl_exact: lengths differ");
    mean_of(log_p.iter().zip(log_q).map(|(p, q)| p - q))
}

fn mean_of(terms: impl Iterator<Item = f64>) -> Estimate {
    Estimate::of_mean(&terms.collect::<Vec<f64>>())
}
