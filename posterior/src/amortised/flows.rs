//! Weighted sums of conditional flows.

use density::{Density, mixture_log_prob};
use faer::prelude::*;
use flows::Flow;
use numerics::matrix::col_mut;
use numerics::random::{Pcg64, categorical};

/// `sum_k w_k q_k(theta | y)`.
pub(super) struct Flows {
    pub flows: Vec<Flow>,
    pub weights: Vec<f64>,
}

impl Flows {
    /// `ln q_k(theta_i | y_i)`, n x K.
    pub fn table(&self, theta: MatRef<'_, f64>, contexts: MatRef<'_, f64>) -> Mat<f64> {
        let mut table = Mat::zeros(theta.nrows(), self.flows.len());
        for (k, flow) in self.flows.iter().enumerate() {
            col_mut(table.as_mut(), k).copy_from_slice(&flow.log_prob_given(theta, contexts));
        }
        table
    }

    pub fn log_prob(&self, theta: MatRef<'_, f64>, contexts: MatRef<'_, f64>) -> Vec<f64> {
        mixture_log_prob(self.table(theta, contexts).as_ref(), &self.weights)
    }

    pub fn sample_given(&self, context: &[f64], n: usize, rng: &mut Pcg64) -> Mat<f64> {
        let draw =
            |k: usize, n: usize, rng: &mut Pcg64| self.flows[k].condition(context).sample(n, rng);
        sample_mixture(self.flows[0].dim(), &self.weights, n, rng, &draw)
    }
}

/// `n` draws, each from a component drawn by its weight.
pub(super) fn sample_mixture(
    dim: usize,
    weights: &[f64],
    n: usize,
    rng: &mut Pcg64,
    draw: &dyn Fn(usize, usize, &mut Pcg64) -> Mat<f64>,
) -> Mat<f64> {
    let choice: Vec<usize> = (0..n).map(|_| categorical(rng, weights)).collect();
    let mut out = Mat::zeros(n, dim);
    for k in 0..weights.len() {
        let rows: Vec<usize> = (0..n).filter(|&i| choice[i] == k).collect();
        let draws = draw(k, rows.len(), rng);
        for j in 0..dim {
            for (from, &to) in rows.iter().enumerate() {
                out[(to, j)] = draws[(from, j)];
            }
        }
    }
    out
}
