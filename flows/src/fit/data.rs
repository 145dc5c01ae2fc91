//! What flows are fitted to.

use super::FitError;
use faer::prelude::*;
use numerics::math;

/// Points with optional weights (not negative, not all zero; they need not sum to one).
#[derive(Debug, Clone, Copy)]
pub struct Data<'a> {
    /// n x d.
    pub points: MatRef<'a, f64>,
    /// n weights, or equal ones.
    pub weights: Option<&'a [f64]>,
}

impl<'a> Data<'a> {
    /// Equally weighted points.
    #[must_use]
    pub fn new(points: MatRef<'a, f64>) -> Self {
        Self {
            points,
            weights: None,
        }
    }

    /// Weighted mean of `-ln q`, given `ln q` of each point, nats.
    #[must_use]
    pub fn mean_nll(&self, log_q: &[f64]) -> f64 {
        -math::dot(log_q, &self.shares())
    }

    pub(crate) fn check(&self, dim: usize, name: &'static str) -> Result<(), FitError> {
        let bad = |reason: String| Err(FitError::Data { name, reason });
        let (n, d) = (self.points.nrows(), self.points.ncols());
        if d != dim {
            return bad(format!("{d} columns where the flow has {dim}"));
        }
        if n == 0 {
            return bad("no rows".into());
        }
        for j in 0..d {
            if let Some(i) = (0..n).find(|&i| !self.points[(i, j)].is_finite()) {
                return bad(format!("{} in row {i}, column {j}", self.points[(i, j)]));
            }
        }
        let Some(w) = self.weights else { return Ok(()) };
        if w.len() != n {
            return bad(format!("{} weights for {n} rows", w.len()));
        }
        if let Some(i) = w.iter().position(|w| !(*w >= 0.0 && w.is_finite())) {
            return bad(format!("weight {} in row {i}", w[i]));
        }
        let total = math::sum(w);
        if !(total > 0.0 && total.is_finite()) {
            return bad(format!("weights that sum to {total}"));
        }
        Ok(())
    }

    /// Weights of sum one.
    pub(crate) fn shares(&self) -> Vec<f64> {
        let n = self.points.nrows() as f64;
        self.unit_weights().into_iter().map(|w| w / n).collect()
    }

    /// Weights of mean one.
    pub(crate) fn unit_weights(&self) -> Vec<f64> {
        let n = self.points.nrows();
        match self.weights {
            None => vec![1.0; n],
            Some(w) => {
                let mean = math::sum(w) / n as f64;
                w.iter().map(|w| w / mean).collect()
            }
        }
    }
}
