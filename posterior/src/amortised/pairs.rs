//! Pairs of parameters and data.

use density::{Bijection, Data};
use faer::prelude::*;
use numerics::math::{dot, sum};
use numerics::matrix::{col, select_rows};

/// Pairs, split into training and validation.
pub(super) struct Pairs {
    pub theta: Mat<f64>,
    pub y: Mat<f64>,
    pub weights: Option<Vec<f64>>,
}

impl Pairs {
    pub fn of(data: &Data<'_>, rows: &[usize]) -> Self {
        Self {
            theta: select_rows(data.points, rows),
            y: select_rows(data.contexts.expect("pairs have contexts"), rows),
            weights: data.weights.map(|w| rows.iter().map(|&i| w[i]).collect()),
        }
    }

    pub fn data(&self) -> Data<'_> {
        Data::new(self.theta.as_ref())
            .conditioned(self.y.as_ref())
            .weighted(self.weights.as_deref())
    }

    /// In the coordinates of a flow.
    pub fn inside(&self, bijection: &Bijection) -> Self {
        Self {
            theta: bijection.transform_and_log_det(self.theta.as_ref()).0,
            y: self.y.clone(),
            weights: self.weights.clone(),
        }
    }

    /// The pairs weighted by a component's responsibilities; `None` if hardly any weight is left.
    pub fn share(&self, responsibilities: MatRef<'_, f64>, k: usize) -> Option<Self> {
        let r = col(responsibilities, k);
        let rows: Vec<usize> = (0..r.len()).filter(|&i| r[i] > 1e-3).collect();
        if rows.len() < 20 {
            return None;
        }
        let weigh = |i: usize| r[i] * self.weights.as_ref().map_or(1.0, |w| w[i]);
        let mut part = Self::of(&self.data(), &rows);
        part.weights = Some(rows.iter().map(|&i| weigh(i)).collect());
        Some(part)
    }

    /// Mean responsibilities.
    pub fn shares(&self, responsibilities: MatRef<'_, f64>) -> Vec<f64> {
        let mean = |k: usize| {
            let r = col(responsibilities, k);
            match &self.weights {
                Some(w) => dot(r, w) / sum(w),
                None => sum(r) / r.len() as f64,
            }
        };
        (0..responsibilities.ncols()).map(mean).collect()
    }
}
