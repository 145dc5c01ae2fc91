//! Mixture-aware training: experts refitted by their responsibilities, with a parameter for
//! specialisation.

use faer::prelude::*;
use numerics::math::{exp, ln, ln_sum_exp};
use serde::{Deserialize, Serialize};

/// Rounds of expectation-maximisation over whole experts, named as future work in arXiv:2510.02056.
///
/// A round maximises, over responsibilities r, weights pi and experts,
/// `sum_nk r_nk (ln pi_k + ln q_k(x_n) - ln r_nk) + s N I(r)`, where
/// `I(r) = mean_n sum_k r_nk ln(r_nk / mean_m r_mk)` is the mutual information between point and
/// expert. For r and pi together the maximum has `r_nk` proportional to
/// `pi_k q_k(x_n)^(1 / (1 - s))`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixtureAware {
    /// Rounds of refitting.
    #[serde(deserialize_with = "numerics::checked::at_least_one")]
    pub rounds: usize,
    /// The parameter s, below 1: above 0 the mutual information is rewarded (experts specialise,
    /// towards one expert for each point), below 0 it is penalised (every expert fits all points),
    /// 0 is expectation-maximisation.
    pub specialisation: f64,
}

impl MixtureAware {
    /// What is wrong with the settings, if anything.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub fn check(&self) -> Result<(), String> {
        if self.rounds == 0 {
            return Err("rounds must be at least 1, not 0".into());
        }
        if !(self.specialisation < 1.0 && self.specialisation.is_finite()) {
            return Err(format!(
                "specialisation must be below 1, not {}",
                self.specialisation
            ));
        }
        Ok(())
    }

    /// `r_nk`, n x K, from a table of `ln q_k(x_n)`.
    #[must_use]
    pub fn responsibilities(&self, table: MatRef<'_, f64>, pi: &[f64]) -> Mat<f64> {
        let power = 1.0 / (1.0 - self.specialisation);
        let mut r = Mat::zeros(table.nrows(), table.ncols());
        let mut terms = vec![0.0; pi.len()];
        for n in 0..table.nrows() {
            for (k, t) in terms.iter_mut().enumerate() {
                *t = if pi[k] == 0.0 {
                    f64::NEG_INFINITY
                } else {
                    ln(pi[k]) + power * table[(n, k)]
                };
            }
            let total = ln_sum_exp(&terms);
            for (k, t) in terms.iter().enumerate() {
                r[(n, k)] = if total == f64::NEG_INFINITY {
                    pi[k]
                } else {
                    exp(t - total)
                };
            }
        }
        r
    }
}

/// Mutual information between point and expert, `mean_n sum_k r_nk ln(r_nk / mean_m r_mk)`, nats: 0
/// when every expert serves all points alike, `ln K` when K experts share the points out evenly.
#[must_use]
pub fn mutual_information(r: MatRef<'_, f64>) -> f64 {
    let n = r.nrows() as f64;
    let mut total = 0.0;
    for k in 0..r.ncols() {
        let column = numerics::matrix::col(r, k);
        let mean = numerics::math::sum(column) / n;
        let terms = column.iter().filter(|v| **v > 0.0);
        total += terms.map(|&v| v * ln(v / mean)).sum::<f64>() / n;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_knob_moves_the_mutual_information() {
        let table = Mat::from_fn(40, 2, |n, k| if (n < 20) == (k == 0) { 0.0 } else { -1.0 });
        let pi = [0.5, 0.5];
        let at = |specialisation: f64| {
            let aware = MixtureAware {
                rounds: 1,
                specialisation,
            };
            let r = aware.responsibilities(table.as_ref(), &pi);
            (0..40).for_each(|n| assert!((r[(n, 0)] + r[(n, 1)] - 1.0).abs() < 1e-12));
            (r[(0, 0)], mutual_information(r.as_ref()))
        };
        let (plain, soft, hard) = (at(0.0), at(-3.0), at(0.99));
        assert!((plain.0 - 1.0 / (1.0 + numerics::math::exp(-1.0))).abs() < 1e-12);
        assert!(soft.1 < plain.1 && plain.1 < hard.1);
        assert!((hard.1 - std::f64::consts::LN_2).abs() < 1e-6);
        let bad = MixtureAware {
            rounds: 1,
            specialisation: 1.0,
        };
        assert!(bad.check().unwrap_err().contains("specialisation"));
    }
}
