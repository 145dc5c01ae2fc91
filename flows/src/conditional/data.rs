//! Pairs of points and contexts.

use super::beside;
use crate::fit::{Data, FitError, Rows};
use crate::standardise::Standardise;
use faer::prelude::*;

/// Pairs of a point and a context, row by row, with optional weights (not negative, not all zero; they need not sum to one).
#[derive(Debug, Clone, Copy)]
pub struct ConditionalData<'a> {
    /// n x d.
    pub points: MatRef<'a, f64>,
    /// n x c.
    pub contexts: MatRef<'a, f64>,
    /// n weights, or equal ones.
    pub weights: Option<&'a [f64]>,
}

impl<'a> ConditionalData<'a> {
    /// Equally weighted pairs.
    #[must_use]
    pub fn new(points: MatRef<'a, f64>, contexts: MatRef<'a, f64>) -> Self {
        Self {
            points,
            contexts,
            weights: None,
        }
    }

    /// The points with their weights, without the contexts.
    #[must_use]
    pub fn marginal(&self) -> Data<'a> {
        Data {
            points: self.points,
            weights: self.weights,
        }
    }

    /// Weighted mean of `-ln q(theta | y)`, given `ln q` of each pair, nats.
    #[must_use]
    pub fn mean_nll(&self, log_q: &[f64]) -> f64 {
        self.marginal().mean_nll(log_q)
    }

    /// Weighted means and standard deviations of the columns of the points and of the contexts, as [`super::ConditionalFlow::new`] takes them.
    ///
    /// # Errors
    /// [`FitError::Data`] when values, weights or shapes cannot be used, or a column is constant.
    pub fn standardise(&self) -> Result<(Standardise, Standardise), FitError> {
        let name = "training";
        self.check((self.points.ncols(), self.contexts.ncols()), name)?;
        let fit = |x, what: &str, why: &str| {
            Standardise::fit(x, self.weights).map_err(|j| FitError::Data {
                name,
                reason: format!("column {j} of the {what} is constant: {why}"),
            })
        };
        Ok((
            fit(self.points, "points", "it has no density")?,
            fit(self.contexts, "contexts", "it tells nothing, leave it out")?,
        ))
    }

    pub(crate) fn check(
        &self,
        (dim, context): (usize, usize),
        name: &'static str,
    ) -> Result<(), FitError> {
        self.marginal().check(dim, name)?;
        let bad = |reason: String| Err(FitError::Data { name, reason });
        let (n, c) = (self.contexts.nrows(), self.contexts.ncols());
        if n != self.points.nrows() {
            return bad(format!("{n} contexts for {} points", self.points.nrows()));
        }
        if c != context {
            return bad(format!(
                "{c} columns of contexts where the flow has {context}"
            ));
        }
        for j in 0..c {
            if let Some(i) = (0..n).find(|&i| !self.contexts[(i, j)].is_finite()) {
                let value = self.contexts[(i, j)];
                return bad(format!("{value} in row {i}, column {j} of the contexts"));
            }
        }
        Ok(())
    }

    /// Standardised points and contexts side by side, with weights of mean one.
    pub(crate) fn rows(&self, points: &Standardise, contexts: &Standardise) -> Rows {
        let (d, c) = (points.dim(), contexts.dim());
        let mut rows = beside(self.points, self.contexts);
        points.transform(rows.as_mut().subcols_mut(0, d));
        contexts.transform(rows.as_mut().subcols_mut(d, c));
        Rows {
            points: rows,
            weights: self.marginal().unit_weights(),
        }
    }
}
