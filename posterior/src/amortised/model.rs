//! An amortised posterior.

use super::flows::{Flows, sample_mixture};
use amf::LearnedWeights;
use density::{Bijection, Density, mixture_log_prob};
use faer::prelude::*;
use numerics::matrix::col_mut;
use numerics::random::Pcg64;

/// A mixture of experts that are conditional flows or weighted sums of them, `q(theta | y) = sum_k
/// pi_k q_k(theta | y)`.
pub struct Amortised {
    pub(super) experts: Vec<ConditionalExpert>,
    pub(super) names: Vec<String>,
    pub(super) weights: LearnedWeights,
    pub(super) held_out_nll: f64,
    pub(super) expert_nll: Vec<f64>,
}

/// `q(theta | y)` for one y: a density of theta, see [`Amortised::condition`].
#[derive(Clone)]
pub struct ConditionedPosterior<'a> {
    amortised: &'a Amortised,
    weights: Vec<f64>,
    context: Vec<f64>,
}

/// A weighted sum of conditional flows in its own coordinates.
pub(super) struct ConditionalExpert {
    /// From parameters to the coordinates.
    pub bijection: Bijection,
    /// Of the coordinates.
    pub flows: Flows,
}

impl ConditionalExpert {
    /// `ln q(theta_i | y_i)` for the rows of theta (n x d) and y (n x c), nats.
    pub fn log_prob(&self, theta: MatRef<'_, f64>, y: MatRef<'_, f64>) -> Vec<f64> {
        let (z, log_det) = self.bijection.transform_and_log_det(theta);
        let mut out = self.flows.log_prob(z.as_ref(), y);
        out.iter_mut().zip(&log_det).for_each(|(l, j)| *l += j);
        out
    }
}

impl Amortised {
    /// Number of parameters d.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.experts[0].flows.flows[0].dim()
    }

    /// Number of data c.
    #[must_use]
    pub fn context_dim(&self) -> usize {
        self.experts[0].flows.flows[0].context_dim()
    }

    /// Names of the experts.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Weights of the experts.
    #[must_use]
    pub fn weights(&self) -> &LearnedWeights {
        &self.weights
    }

    /// Held-out negative log-likelihood of each expert, nats.
    #[must_use]
    pub fn expert_nll(&self) -> &[f64] {
        &self.expert_nll
    }

    /// Held-out negative log-likelihood of the mixture, nats.
    #[must_use]
    pub fn held_out_nll(&self) -> f64 {
        self.held_out_nll
    }

    /// `ln q(theta_i | y_i)` for the rows of theta (n x d) and y (n x c), nats.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[must_use]
    pub fn log_prob(&self, theta: MatRef<'_, f64>, y: MatRef<'_, f64>) -> Vec<f64> {
        self.mixed_log_prob(&self.weights.pi, theta, y)
    }

    fn mixed_log_prob(
        &self,
        weights: &[f64],
        theta: MatRef<'_, f64>,
        y: MatRef<'_, f64>,
    ) -> Vec<f64> {
        let mut table = Mat::zeros(theta.nrows(), self.experts.len());
        for (k, e) in self.experts.iter().enumerate() {
            if weights[k] > 0.0 {
                col_mut(table.as_mut(), k).copy_from_slice(&e.log_prob(theta, y));
            }
        }
        mixture_log_prob(table.as_ref(), weights)
    }

    /// `q(theta | y)` for one y (c numbers): a density like any other.
    ///
    /// # Panics
    /// If y has another length.
    #[must_use]
    pub fn condition(&self, y: &[f64]) -> ConditionedPosterior<'_> {
        assert_eq!(y.len(), self.context_dim(), "data of another length");
        ConditionedPosterior {
            amortised: self,
            weights: self.weights.pi.clone(),
            context: y.to_vec(),
        }
    }

    /// `q_k(theta | y)` of one expert alone.
    ///
    /// # Panics
    /// If there is no such expert or y has another length.
    #[must_use]
    pub fn condition_expert(&self, expert: usize, y: &[f64]) -> ConditionedPosterior<'_> {
        let mut conditioned = self.condition(y);
        conditioned.weights.fill(0.0);
        conditioned.weights[expert] = 1.0;
        conditioned
    }
}

impl Density for ConditionedPosterior<'_> {
    fn dim(&self) -> usize {
        self.amortised.dim()
    }

    fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
        let y = Mat::from_fn(x.nrows(), self.context.len(), |_, j| self.context[j]);
        self.amortised.mixed_log_prob(&self.weights, x, y.as_ref())
    }

    fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        let draw = |k: usize, n: usize, rng: &mut Pcg64| {
            let e = &self.amortised.experts[k];
            e.bijection
                .inverse(e.flows.sample_given(&self.context, n, rng))
        };
        sample_mixture(self.dim(), &self.weights, n, rng, &draw)
    }
}
