//! Data for fits.

use crate::Affine;
use faer::prelude::*;
use numerics::math;

/// Points with optional contexts and weights.
///
/// ```
/// # let x = faer::Mat::<f64>::zeros(3, 2);
/// let data = density::Data::new(x.as_ref()).weighted(&[1.0, 2.0, 0.5][..]);
/// assert!(data.check().is_ok());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Data<'a> {
    /// n x d.
    pub points: MatRef<'a, f64>,
    /// n x c: what each point is conditioned on; without it, the density is not conditional.
    pub contexts: Option<MatRef<'a, f64>>,
    /// n weights, not negative and not all zero, of any sum; without them, equal ones.
    pub weights: Option<&'a [f64]>,
    /// n numbers of the blocks that rows belong to, where rows of one block depend on each other: cross-fitting
    /// does not split them. Without them, every row is a block of its own.
    pub blocks: Option<&'a [usize]>,
}

/// What is wrong with data. Rows and columns count from 0.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DataError {
    /// There are no rows.
    #[error("no rows")]
    NoRows,
    /// There are no columns.
    #[error("no columns")]
    NoColumns,
    /// Another number of columns than the density has.
    #[error("{found} columns where the density has {expected}")]
    Columns {
        /// In the data.
        found: usize,
        /// Of the density.
        expected: usize,
    },
    /// Another number of columns of contexts than the density has.
    #[error("{found} columns of contexts where the density has {expected}")]
    ContextColumns {
        /// In the data.
        found: usize,
        /// Of the density.
        expected: usize,
    },
    /// A value that is not finite.
    #[error("{value} in row {row}, column {column}")]
    NotFinite {
        /// The row.
        row: usize,
        /// The column.
        column: usize,
        /// The value.
        value: f64,
    },
    /// A value of a context that is not finite.
    #[error("{value} in row {row}, column {column} of the contexts")]
    ContextNotFinite {
        /// The row.
        row: usize,
        /// The column.
        column: usize,
        /// The value.
        value: f64,
    },
    /// Not one context for each point.
    #[error("{found} contexts for {rows} points")]
    ContextRows {
        /// Contexts.
        found: usize,
        /// Points.
        rows: usize,
    },
    /// Not one weight for each point.
    #[error("{found} weights for {rows} rows")]
    WeightCount {
        /// Weights.
        found: usize,
        /// Points.
        rows: usize,
    },
    /// Not one block for each point.
    #[error("{found} numbers of blocks for {rows} rows")]
    BlockCount {
        /// Numbers of blocks.
        found: usize,
        /// Points.
        rows: usize,
    },
    /// A weight that is negative or not finite.
    #[error("weight {value} in row {row}")]
    Weight {
        /// The row.
        row: usize,
        /// The weight.
        value: f64,
    },
    /// A constant column.
    #[error("column {column} is constant: it has no density")]
    Constant {
        /// The column.
        column: usize,
    },
    /// A constant column of the contexts.
    #[error("column {column} of the contexts is constant: it tells nothing, leave it out")]
    ContextConstant {
        /// The column.
        column: usize,
    },
    /// Weights without a positive, finite sum.
    #[error("weights that sum to {0}")]
    WeightSum(f64),
}

impl<'a> Data<'a> {
    /// Equally weighted points (n x d).
    #[must_use]
    pub fn new(points: MatRef<'a, f64>) -> Self {
        Self {
            points,
            contexts: None,
            weights: None,
            blocks: None,
        }
    }

    /// With these weights (n), or equal ones.
    #[must_use]
    pub fn weighted(mut self, weights: impl Into<Option<&'a [f64]>>) -> Self {
        self.weights = weights.into();
        self
    }

    /// In these blocks (n), or each row on its own.
    #[must_use]
    pub fn in_blocks(mut self, blocks: impl Into<Option<&'a [usize]>>) -> Self {
        self.blocks = blocks.into();
        self
    }

    /// Conditioned on these contexts (n x c), row by row.
    #[must_use]
    pub fn conditioned(mut self, contexts: MatRef<'a, f64>) -> Self {
        self.contexts = Some(contexts);
        self
    }

    /// Number of points n.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.points.nrows()
    }

    /// Number of columns c of the contexts.
    #[must_use]
    pub fn context_dim(&self) -> usize {
        self.contexts.map_or(0, |c| c.ncols())
    }

    /// Weighted mean of `-ln q`, given `ln q` of each point, nats.
    #[must_use]
    pub fn mean_nll(&self, log_q: &[f64]) -> f64 {
        -math::dot(log_q, &self.shares())
    }

    /// Whether all values are finite and the weights are weights.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn check(&self) -> Result<(), DataError> {
        let (rows, columns) = self.points.shape();
        if columns == 0 {
            return Err(DataError::NoColumns);
        }
        if rows == 0 {
            return Err(DataError::NoRows);
        }
        if let Some((row, column, value)) = not_finite(self.points) {
            return Err(DataError::NotFinite { row, column, value });
        }
        if let Some(contexts) = self.contexts {
            let found = contexts.nrows();
            if found != rows {
                return Err(DataError::ContextRows { found, rows });
            }
            if let Some((row, column, value)) = not_finite(contexts) {
                return Err(DataError::ContextNotFinite { row, column, value });
            }
        }
        if let Some(found) = self.blocks.map(<[usize]>::len).filter(|b| *b != rows) {
            return Err(DataError::BlockCount { found, rows });
        }
        let Some(w) = self.weights else { return Ok(()) };
        let found = w.len();
        if found != rows {
            return Err(DataError::WeightCount { found, rows });
        }
        if let Some(row) = w.iter().position(|w| !(*w >= 0.0 && w.is_finite())) {
            let value = w[row];
            return Err(DataError::Weight { row, value });
        }
        let total = math::sum(w);
        if !(total > 0.0 && total.is_finite()) {
            return Err(DataError::WeightSum(total));
        }
        Ok(())
    }

    /// [`Self::check`], for a density of `dim` columns given contexts of `context_dim`.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn check_for(&self, dim: usize, context_dim: usize) -> Result<(), DataError> {
        let (found, expected) = (self.points.ncols(), dim);
        if found != expected {
            return Err(DataError::Columns { found, expected });
        }
        self.check()?;
        let (found, expected) = (self.context_dim(), context_dim);
        if found != expected {
            return Err(DataError::ContextColumns { found, expected });
        }
        Ok(())
    }

    /// Standardisation of the points and of the contexts: weighted means and standard deviations.
    ///
    /// # Errors
    /// [`DataError`], also of a column that is constant.
    pub fn standardise(&self) -> Result<(Affine, Affine), DataError> {
        self.check()?;
        let points = Affine::standardising(self.points, self.weights);
        let points = points.map_err(|column| DataError::Constant { column })?;
        let contexts = match self.contexts {
            None => Affine::identity(0),
            Some(y) => Affine::standardising(y, self.weights)
                .map_err(|column| DataError::ContextConstant { column })?,
        };
        Ok((points, contexts))
    }

    /// Weights of sum one.
    #[must_use]
    pub fn shares(&self) -> Vec<f64> {
        let n = self.rows() as f64;
        self.unit_weights().into_iter().map(|w| w / n).collect()
    }

    /// Weights of mean one.
    #[must_use]
    pub fn unit_weights(&self) -> Vec<f64> {
        let n = self.rows();
        match self.weights {
            None => vec![1.0; n],
            Some(w) => {
                let mean = math::sum(w) / n as f64;
                w.iter().map(|w| w / mean).collect()
            }
        }
    }
}

/// The first value that is not finite, column by column: its row, column and value.
fn not_finite(x: MatRef<'_, f64>) -> Option<(usize, usize, f64)> {
    let all = (0..x.ncols()).flat_map(|j| (0..x.nrows()).map(move |i| (i, j, x[(i, j)])));
    all.into_iter().find(|(_, _, v)| !v.is_finite())
}
