//! The result: weighted draws, the evidence, and what is wrong with them.

use crate::anneal::Status;
use faer::prelude::*;
use numerics::Estimate;
use numerics::matrix::select_rows;
use numerics::random::{Pcg64, stream, uniform};

/// A posterior: weighted draws, the evidence, and what is wrong with them.
#[derive(Debug, Clone)]
pub struct Inference {
    pub(super) names: Vec<String>,
    pub(super) derived_names: Vec<String>,
    pub(super) theta: Mat<f64>,
    pub(super) log_likelihood: Vec<f64>,
    pub(super) derived: Vec<Vec<f64>>,
    pub(super) shares: Vec<f64>,
    pub(super) log_evidence: Estimate,
    pub(super) pareto_k: Option<f64>,
    pub(super) status: Status,
    pub(super) warnings: Vec<String>,
    pub(super) kept: usize,
    pub(super) unused: usize,
}

impl Inference {
    /// Names of the parameters.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Names of the derived quantities.
    #[must_use]
    pub fn derived_names(&self) -> &[String] {
        &self.derived_names
    }

    /// The parameters of all evaluations, N x d.
    #[must_use]
    pub fn theta(&self) -> MatRef<'_, f64> {
        self.theta.as_ref()
    }

    /// `ln L` of all evaluations, nats, as the likelihood gave it.
    #[must_use]
    pub fn log_likelihood(&self) -> &[f64] {
        &self.log_likelihood
    }

    /// The derived quantities of all evaluations.
    #[must_use]
    pub fn derived(&self) -> &[Vec<f64>] {
        &self.derived
    }

    /// Weights of all evaluations as draws of the posterior, with sum one.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.shares
    }

    /// `ln Z`, nats, with its standard error.
    #[must_use]
    pub fn log_evidence(&self) -> Estimate {
        self.log_evidence
    }

    /// Effective sample size of the weighted draws.
    #[must_use]
    pub fn ess(&self) -> f64 {
        self.status.ess
    }

    /// Pareto k of the weights.
    #[must_use]
    pub fn pareto_k(&self) -> Option<f64> {
        self.pareto_k
    }

    /// Whether a few draws dominate, so that a Pareto k above 0.7 does harm.
    #[must_use]
    pub fn dominated(&self) -> bool {
        super::verdict::dominated(&self.shares, self.status.ess)
    }

    /// How it ended.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// How many evaluations the folder had at the beginning, and how many of them have no part in the
    /// result: with another budget or another goal, the later rounds ask for other points.
    #[must_use]
    pub fn kept(&self) -> (usize, usize) {
        (self.kept, self.unused)
    }

    /// What is wrong with the result, and what to do about it; empty when it can be used.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Rows of `n` equally weighted draws of the posterior, by systematic resampling, in random
    /// order. A row occurs about n times its weight; there are none if the likelihood was zero
    /// everywhere.
    #[must_use]
    pub fn resampled(&self, n: usize, rng: &mut Pcg64) -> Vec<usize> {
        let mut rows = Vec::with_capacity(n);
        let (mut sum, offset) = (0.0, uniform(rng));
        for (i, w) in self.shares.iter().enumerate() {
            sum += w * n as f64;
            while (rows.len() as f64) + offset < sum && rows.len() < n {
                rows.push(i);
            }
        }
        // Rounding may leave the last one out.
        while let Some(&last) = rows.last()
            && rows.len() < n
        {
            rows.push(last);
        }
        numerics::random::shuffle(rng, &mut rows);
        rows
    }

    /// Equally weighted draws of the posterior, n x d.
    #[must_use]
    pub fn sample(&self, n: usize, seed: u64) -> Mat<f64> {
        let rows = self.resampled(n, &mut stream(seed, "resample"));
        select_rows(self.theta.as_ref(), &rows)
    }
}
