//! The mixture of experts.

use crate::Density;
use crate::archive::{Description, NotSavable, Reader, Writer};
use faer::prelude::*;
use numerics::math::{exp, ln, ln_sum_exp};
use numerics::matrix::col_mut;
use numerics::random::{Pcg64, categorical};
use serde::{Deserialize, Serialize};

/// `q(x) = sum_k pi_k q_k(x)` with global weights on the simplex.
pub struct Mixture {
    experts: Vec<Box<dyn Density>>,
    weights: Vec<f64>,
}

/// The n x K table of `ln q_k(x_n)`.
#[must_use]
pub fn log_prob_table<D: Density>(experts: &[D], x: MatRef<'_, f64>) -> Mat<f64> {
    let mut table = Mat::zeros(x.nrows(), experts.len());
    for (k, e) in experts.iter().enumerate() {
        col_mut(table.as_mut(), k).copy_from_slice(&e.log_prob(x));
    }
    table
}

/// `ln sum_k pi_k q_k(x_n)` for each row of a table of log-densities.
#[must_use]
pub fn mixture_log_prob(table: MatRef<'_, f64>, weights: &[f64]) -> Vec<f64> {
    let log_weights: Vec<f64> = weights.iter().map(|&w| ln(w)).collect();
    let mut terms = vec![0.0; weights.len()];
    (0..table.nrows())
        .map(|i| {
            for (k, t) in terms.iter_mut().enumerate() {
                // An expert of weight zero does not count, even where its density is NaN.
                *t = if weights[k] == 0.0 {
                    f64::NEG_INFINITY
                } else {
                    log_weights[k] + table[(i, k)]
                };
            }
            ln_sum_exp(&terms)
        })
        .collect()
}

/// `exp(H(pi))`, H the Shannon entropy in nats.
#[must_use]
pub fn n_eff(pi: &[f64]) -> f64 {
    exp(-pi
        .iter()
        .filter(|p| **p > 0.0)
        .map(|&p| p * ln(p))
        .sum::<f64>())
}

/// The kind's name in files.
pub(crate) const KIND: &str = "mixture";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    experts: Vec<Description>,
}

impl Mixture {
    /// Reads `weights` (K), and each expert from its own folder, `0`, `1`, ...
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn read(description: &Description, r: &mut Reader<'_>) -> Result<Self, String> {
        let Settings { experts } = description.settings(KIND)?;
        let weights = r.shaped("weights", &[experts.len()])?;
        let experts = experts.iter().enumerate();
        let experts = experts.map(|(k, e)| r.within(&k.to_string(), |r| r.density(e)));
        let experts = experts.collect::<Result<Vec<_>, _>>()?;
        Self::with_weights(experts, weights)
    }

    /// A mixture of experts on the same space; weights are normalised.
    ///
    /// # Panics
    /// If there is no expert, the numbers or dimensions differ, or the weights are not a
    /// distribution.
    #[must_use]
    pub fn new(experts: Vec<Box<dyn Density>>, weights: Vec<f64>) -> Self {
        assert!(
            !experts.is_empty() && experts.len() == weights.len(),
            "one weight for each expert"
        );
        assert!(
            experts.iter().all(|e| e.dim() == experts[0].dim()),
            "experts of one dimension"
        );
        let total: f64 = weights.iter().sum();
        assert!(
            total > 0.0 && weights.iter().all(|w| *w >= 0.0),
            "weights are not negative"
        );
        let weights = weights.iter().map(|w| w / total).collect();
        Self { experts, weights }
    }

    /// A mixture with weights of sum one, not normalised again: for mixtures that were read from a
    /// file.
    fn with_weights(experts: Vec<Box<dyn Density>>, weights: Vec<f64>) -> Result<Self, String> {
        let total: f64 = weights.iter().sum();
        if experts.is_empty()
            || experts.len() != weights.len()
            || weights.iter().any(|w| *w < 0.0)
            || (total - 1.0).abs() >= 1e-9
        {
            return Err("a mixture needs experts, and weights on the simplex".into());
        }
        let dim = experts[0].dim();
        if let Some(e) = experts.iter().find(|e| e.dim() != dim) {
            let other = e.dim();
            return Err(format!(
                "experts of {dim} and of {other} columns in one mixture"
            ));
        }
        Ok(Self { experts, weights })
    }

    /// The average of some densities on the same space: equal weights.
    ///
    /// # Panics
    /// If there is none, or the dimensions differ.
    #[must_use]
    pub fn average(experts: Vec<Box<dyn Density>>) -> Self {
        let weights = vec![1.0; experts.len()];
        Self::new(experts, weights)
    }

    /// The experts.
    #[must_use]
    pub fn experts(&self) -> Vec<&dyn Density> {
        self.experts.iter().map(|e| &**e).collect()
    }

    /// The weights pi, on the simplex.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// `exp(H(pi))`: how many experts share the weight.
    #[must_use]
    pub fn n_eff(&self) -> f64 {
        n_eff(&self.weights)
    }

    /// The table of `ln q_k(x_n)`, n x K.
    #[must_use]
    pub fn log_prob_table(&self, x: MatRef<'_, f64>) -> Mat<f64> {
        log_prob_table(&self.experts, x)
    }
}

impl Density for Mixture {
    fn dim(&self) -> usize {
        self.experts[0].dim()
    }

    fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
        let mut table = Mat::zeros(x.nrows(), self.experts.len());
        for (k, e) in self.experts.iter().enumerate() {
            // Experts of weight zero are not evaluated.
            if self.weights[k] > 0.0 {
                col_mut(table.as_mut(), k).copy_from_slice(&e.log_prob(x));
            }
        }
        mixture_log_prob(table.as_ref(), &self.weights)
    }

    /// Draws an expert for each row by its weight, then the row from that expert.
    fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        let choice: Vec<usize> = (0..n).map(|_| categorical(rng, &self.weights)).collect();
        let mut out = Mat::zeros(n, self.dim());
        for (k, expert) in self.experts.iter().enumerate() {
            let rows: Vec<usize> = (0..n).filter(|&i| choice[i] == k).collect();
            let draws = expert.sample(rows.len(), rng);
            for j in 0..out.ncols() {
                for (from, &to) in rows.iter().enumerate() {
                    out[(to, j)] = draws[(from, j)];
                }
            }
        }
        out
    }

    fn describe(&self, w: &mut Writer) -> Result<Description, NotSavable> {
        w.vector("weights", &self.weights);
        let experts = self.experts.iter().enumerate();
        let experts = experts.map(|(k, e)| w.density(&k.to_string(), e));
        let settings = Settings {
            experts: experts.collect::<Result<_, _>>()?,
        };
        Ok(Description::new(KIND, &settings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::math::normal_log_pdf;
    use numerics::random::{standard_normal, stream};

    struct Normal(f64);

    impl Density for Normal {
        fn dim(&self) -> usize {
            1
        }
        fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
            (0..x.nrows())
                .map(|i| normal_log_pdf(x[(i, 0)] - self.0))
                .collect()
        }
        fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
            Mat::from_fn(n, 1, |_, _| self.0 + standard_normal(rng))
        }
    }

    #[test]
    fn log_prob_and_draws_follow_the_weights() {
        let m = Mixture::new(
            vec![Box::new(Normal(-4.0)), Box::new(Normal(4.0))],
            vec![1.0, 3.0],
        );
        assert_eq!(m.weights(), [0.25, 0.75]);
        let x = Mat::from_fn(1, 1, |_, _| 0.5);
        let exact = ln(0.25 * exp(normal_log_pdf(4.5)) + 0.75 * exp(normal_log_pdf(-3.5)));
        assert!((m.log_prob(x.as_ref())[0] - exact).abs() < 1e-14);
        let draws = m.sample(20_000, &mut stream(1, "mixture"));
        let right = (0..20_000).filter(|&i| draws[(i, 0)] > 0.0).count() as f64 / 20_000.0;
        assert!((right - 0.75).abs() < 0.015, "{right}");
        // Rows are exchangeable: the first half is mixed like the second.
        let first = (0..10_000).filter(|&i| draws[(i, 0)] > 0.0).count() as f64 / 10_000.0;
        assert!((first - 0.75).abs() < 0.02, "{first}");
    }

    #[test]
    fn n_eff_counts_equal_shares() {
        assert!((n_eff(&[0.25; 4]) - 4.0).abs() < 1e-12);
        assert_eq!(n_eff(&[0.0, 1.0]), 1.0);
    }

    #[test]
    fn an_expert_without_weight_does_not_count() {
        let table = Mat::from_fn(1, 2, |_, k| if k == 0 { -1.0 } else { f64::NAN });
        assert_eq!(mixture_log_prob(table.as_ref(), &[1.0, 0.0]), [-1.0]);
    }
}
