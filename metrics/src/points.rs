//! A checked copy of a sample.

use super::MetricError;
use faer::MatRef;

/// Points as contiguous columns of finite coordinates; at least one point, at least one column.
#[derive(Debug, Clone)]
pub(super) struct Points {
    n: usize,
    coordinates: Vec<f64>,
}

impl Points {
    /// Copies the sample `n x d` (any strides). `set` names it in errors.
    pub(super) fn new(
        sample: MatRef<'_, f64>,
        set: &'static str,
        needed: usize,
    ) -> Result<Self, MetricError> {
        let (n, d) = (sample.nrows(), sample.ncols());
        if n < needed {
            let got = n;
            return Err(MetricError::TooFew { set, needed, got });
        }
        if d == 0 {
            return Err(MetricError::Dimension { needed: 1, got: 0 });
        }
        let mut coordinates = Vec::with_capacity(n * d);
        for column in 0..d {
            for row in 0..n {
                let x = sample[(row, column)];
                if !x.is_finite() {
                    return Err(MetricError::NonFinite { set, row, column });
                }
                coordinates.push(x);
            }
        }
        Ok(Self { n, coordinates })
    }

    /// Number of points.
    pub(super) fn len(&self) -> usize {
        self.n
    }

    /// Dimension of the points.
    pub(super) fn dim(&self) -> usize {
        self.coordinates.len() / self.n
    }

    /// Coordinate j of every point.
    pub(super) fn column(&self, j: usize) -> &[f64] {
        &self.coordinates[j * self.n..(j + 1) * self.n]
    }

    /// All columns in order.
    pub(super) fn columns(&self) -> impl Iterator<Item = &[f64]> {
        self.coordinates.chunks_exact(self.n)
    }

    /// Two samples of one dimension, of at least two points each.
    pub(super) fn pair(
        target: MatRef<'_, f64>,
        model: MatRef<'_, f64>,
    ) -> Result<(Self, Self), MetricError> {
        let (target, model) = (
            Self::new(target, "target", 2)?,
            Self::new(model, "model", 2)?,
        );
        target.check_dimension(&model)?;
        Ok((target, model))
    }

    /// Checks that `model` has points of the same dimension as this target.
    pub(super) fn check_dimension(&self, model: &Self) -> Result<(), MetricError> {
        let (target, model) = (self.dim(), model.dim());
        if target == model {
            Ok(())
        } else {
            Err(MetricError::UnequalDimensions { target, model })
        }
    }

    /// Checks that `model` has as many points as this target, of the same dimension.
    pub(super) fn check_shape(&self, model: &Self) -> Result<(), MetricError> {
        self.check_dimension(model)?;
        let (target, model) = (self.len(), model.len());
        if target == model {
            Ok(())
        } else {
            Err(MetricError::UnequalSizes { target, model })
        }
    }
}
