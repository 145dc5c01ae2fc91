//! Rows that are mapped through the layers while a model is fitted.

use crate::Error;
use crate::columns::Columns;
use crate::evaluate::{add_base, standardise};
use crate::marginal::{Marginal, MarginalKind, check_weights};
use crate::rotation::Rotation;
use density::{Affine, Data};
use numerics::math::dot;
use rayon::prelude::*;

/// The rows of a data set after some layers.
pub(crate) struct Rows {
    pub x: Columns,
    /// Weights with sum one.
    pub shares: Vec<f64>,
    /// Whether the rows have equal weights.
    equal: bool,
    log_det: Vec<f64>,
    spare: Vec<f64>,
}

impl Rows {
    /// Checked rows, before any layer.
    pub fn new(data: Data<'_>) -> Result<Self, Error> {
        if let Some(contexts) = data.contexts {
            return Err(Error::SizeMismatch {
                what: "columns of contexts",
                got: contexts.ncols(),
                expected: 0,
            });
        }
        let rows = data.rows();
        let total = check_weights(rows, data.weights)?;
        let shares = match data.weights {
            None => vec![1.0 / total; rows],
            Some(w) => w.iter().map(|w| w / total).collect(),
        };
        let x = Columns::from_mat(data.points);
        for column in 0..x.dim() {
            if let Some(row) = x.column(column).iter().position(|v| !v.is_finite()) {
                return Err(Error::NotFinite { column, row });
            }
        }
        Ok(Self {
            x,
            shares,
            equal: data.weights.is_none(),
            log_det: vec![0.0; rows],
            spare: Vec::new(),
        })
    }

    /// Checked validation rows for a model of `dim` columns.
    pub fn validation(data: Data<'_>, dim: usize) -> Result<Self, Error> {
        if data.points.ncols() != dim {
            return Err(Error::SizeMismatch {
                what: "validation columns",
                got: data.points.ncols(),
                expected: dim,
            });
        }
        if data.rows() == 0 {
            return Err(Error::TooFewRows { rows: 0, needed: 1 });
        }
        Self::new(data)
    }

    /// Number of rows with positive weight.
    pub fn weighted_rows(&self) -> usize {
        self.shares.iter().filter(|s| **s > 0.0).count()
    }

    pub fn standardise(&mut self, by: &Affine) {
        standardise(&mut self.x, &mut self.log_det, by);
    }

    /// One marginal for each column.
    pub fn fit_marginals(&self, kind: &MarginalKind, layer: usize) -> Result<Vec<Marginal>, Error> {
        let weights = (!self.equal).then_some(self.shares.as_slice());
        let fitted: Vec<_> = (0..self.x.dim())
            .into_par_iter()
            .map(|j| {
                let column = self.x.column(j);
                // A standardised column has unit variance, and so has any rotation of independent
                // ones; a rotated column without variance is a linear relation between the columns.
                if layer > 0 && dot(column, &self.spread(column)) < 1e-18 {
                    return Err(Error::Singular { layer });
                }
                Marginal::fit(kind, column, weights).map_err(|e| match e {
                    Error::ConstantColumn { .. } if layer > 0 => Error::Singular { layer },
                    e => e.in_column(j),
                })
            })
            .collect();
        // The error of the first column, in any order of execution.
        fitted.into_iter().collect()
    }

    /// `share (x - mean)` of each row.
    fn spread(&self, column: &[f64]) -> Vec<f64> {
        let mean = dot(column, &self.shares);
        column
            .iter()
            .zip(&self.shares)
            .map(|(x, s)| s * (x - mean))
            .collect()
    }

    pub fn apply_marginals(&mut self, marginals: &[Marginal]) {
        for (j, m) in marginals.iter().enumerate() {
            m.forward(self.x.column_mut(j), &mut self.log_det);
        }
    }

    pub fn rotate(&mut self, rotation: &Rotation) {
        self.x
            .replace(&mut self.spare, |x, y, rows| rotation.forward(x, y, rows));
    }

    pub fn is_finite(&self) -> bool {
        self.x.as_slice().iter().all(|v| v.is_finite())
            && self.log_det.iter().all(|v| v.is_finite())
    }

    /// Mean negative log-likelihood.
    pub fn nll(&self) -> f64 {
        let mut log_prob = self.log_det.clone();
        add_base(&self.x, &mut log_prob);
        -dot(&log_prob, &self.shares)
    }
}
