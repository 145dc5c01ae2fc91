//! Mixture-aware training: experts refitted in view of each other, with a knob on how far they specialise.

use crate::cross_fit::{CrossFitError, CrossFitted, FoldModel};
use crate::recipe::Recipe;
use density::{Data, Density, FitContext, log_prob_table};
use faer::prelude::*;
use numerics::math::{exp, ln, ln_sum_exp};
use numerics::matrix::select_rows;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Rounds of expectation-maximisation over whole experts, the first future work that arXiv:2510.02056 names.
///
/// A round maximises, over responsibilities r, weights pi and experts,
/// `sum_nk r_nk (ln pi_k + ln q_k(x_n) - ln r_nk) + s N I(r)`, where `I(r) = mean_n sum_k r_nk ln(r_nk / mean_m r_mk)` is the mutual information
/// between point and expert. For r and pi together the maximum has `r_nk` proportional to `pi_k q_k(x_n)^(1 / (1 - s))`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixtureAware {
    /// Rounds of refitting.
    #[serde(deserialize_with = "numerics::checked::at_least_one")]
    pub rounds: usize,
    /// The knob s, below 1: above 0 the mutual information earns a bonus (experts specialise, towards one expert for each point), below 0 it
    /// pays a penalty (every expert keeps to all points), 0 is expectation-maximisation.
    pub specialisation: f64,
}

/// Experts with fewer effective points than this keep their model.
const FEWEST: f64 = 20.0;

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

/// Mutual information between point and expert, `mean_n sum_k r_nk ln(r_nk / mean_m r_mk)`, nats: 0 when every expert serves all points alike,
/// `ln K` when K experts share the points out evenly.
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

impl Recipe {
    /// One mixture-aware round after a fit: each fold's models are fitted again on its inside points weighted by their responsibilities under
    /// that fold's own mixture, so held-out points still play no fold; then new weights.
    ///
    /// # Errors
    /// See [`CrossFitError`].
    pub fn refit(
        &self,
        data: Data<'_>,
        fitted: &CrossFitted,
        (aware, round): (&MixtureAware, usize),
        seed: u64,
        context: &FitContext<'_>,
    ) -> Result<CrossFitted, CrossFitError> {
        aware.check().map_err(CrossFitError::Config)?;
        let emphasis: Vec<Mat<f64>> = (0..fitted.folds.len())
            .into_par_iter()
            .map(|p| {
                let inside = select_rows(data.points, &fitted.folds[p].inside);
                let models: Vec<&dyn Density> = fitted.models.iter().map(|m| &*m[p]).collect();
                let table = log_prob_table(&models, inside.as_ref());
                aware.responsibilities(table.as_ref(), &fitted.weights.pi)
            })
            .collect();
        let label = format!("/round{round}");
        let jobs: Vec<(usize, usize)> = (0..self.experts.len())
            .flat_map(|e| (0..fitted.folds.len()).map(move |p| (e, p)))
            .collect();
        let models: Vec<FoldModel> = jobs
            .par_iter()
            .map(|&(e, p)| {
                let fold = &fitted.folds[p];
                let own = numerics::matrix::col(emphasis[p].as_ref(), e);
                if effective(&own[..fold.validation]) < FEWEST / 4.0
                    || effective(&own[fold.validation..]) < FEWEST
                {
                    return Ok(FoldModel {
                        model: Arc::clone(&fitted.models[e][p]),
                        report: fitted.reports[e][p].clone(),
                        seconds: 0.0,
                    });
                }
                self.fit_fold(data, fold, Some(own), seed, (e, p, &label), context)
            })
            .collect::<Result<_, _>>()?;
        let mut models = models.into_iter();
        let models = (0..self.experts.len())
            .map(|_| models.by_ref().take(fitted.folds.len()).collect())
            .collect();
        self.assemble(data, fitted.folds.clone(), models, seed)
    }
}

/// `(sum w)^2 / sum w^2`.
fn effective(w: &[f64]) -> f64 {
    let squares = numerics::math::dot(w, w);
    if squares > 0.0 {
        numerics::math::sum(w) * numerics::math::sum(w) / squares
    } else {
        0.0
    }
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
