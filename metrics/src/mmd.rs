//! Maximum mean discrepancy with a Gaussian kernel.

use super::MetricError;
use super::points::Points;
use faer::MatRef;
use numerics::math::{exp, sum};
use serde::{Deserialize, Serialize};

/// Two estimates of one discrepancy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mmd {
    /// From the U-statistic, which leaves out the pairs of a point with itself.
    pub unbiased: f64,
    /// From the V-statistic, which counts them.
    pub biased: f64,
}

/// A target sample with its own term of the statistic, precomputed for comparisons.
///
/// With `k(x, y) = exp(-|x - y|^2 / (2 sigma^2))`, m target points x and n model points y,
///
/// ```text
/// unbiased^2 = sum_{i != j} k(x_i, x_j) / (m (m-1)) + sum_{i != j} k(y_i, y_j) / (n (n-1)) - 2 sum_ij k(x_i, y_j) / (m n)
/// biased^2   = sum_ij k(x_i, x_j) / m^2             + sum_ij k(y_i, y_j) / n^2             - 2 sum_ij k(x_i, y_j) / (m n)
/// ```
///
/// Source: Gretton et al. (2012), J. Mach. Learn. Res. 13; arXiv:2510.02056 takes sigma = 1.
#[derive(Debug, Clone)]
pub struct TargetMmd {
    target: Points,
    /// `1 / (2 sigma^2)`.
    rate: f64,
    /// `sum_{i != j} k(x_i, x_j)`.
    own: f64,
}

impl TargetMmd {
    /// Prepares a target sample `m x d`, m >= 2, for kernel width `sigma` in the units of the
    /// coordinates.
    ///
    /// # Errors
    /// Fewer than two points, a coordinate that is not finite, a `sigma` that is not positive.
    pub fn new(target: MatRef<'_, f64>, sigma: f64) -> Result<Self, MetricError> {
        Self::from_points(Points::new(target, "target", 2)?, sigma)
    }

    pub(super) fn from_points(target: Points, sigma: f64) -> Result<Self, MetricError> {
        let rate = 0.5 / (sigma * sigma);
        if !(sigma > 0.0 && rate > 0.0 && rate.is_finite()) {
            return Err(MetricError::Width);
        }
        let own = own_sum(&target, rate);
        Ok(Self { target, rate, own })
    }

    /// The discrepancy `sqrt(max(0, MMD^2))` of a model sample `n x d`, n >= 2, by both estimators.
    ///
    /// # Errors
    /// Fewer than two points, another dimension, a coordinate that is not finite.
    pub fn compare(&self, model: MatRef<'_, f64>) -> Result<Mmd, MetricError> {
        self.compare_points(&Points::new(model, "model", 2)?)
    }

    /// `MMD^2` itself, which the unbiased estimator can make negative.
    ///
    /// # Errors
    /// As [`Self::compare`].
    pub fn squared(&self, model: MatRef<'_, f64>) -> Result<Mmd, MetricError> {
        self.squared_points(&Points::new(model, "model", 2)?)
    }

    pub(super) fn compare_points(&self, model: &Points) -> Result<Mmd, MetricError> {
        let Mmd { unbiased, biased } = self.squared_points(model)?;
        Ok(Mmd {
            unbiased: unbiased.max(0.0).sqrt(),
            biased: biased.max(0.0).sqrt(),
        })
    }

    fn squared_points(&self, model: &Points) -> Result<Mmd, MetricError> {
        self.target.check_dimension(model)?;
        let (m, n) = (self.target.len() as f64, model.len() as f64);
        let model_own = own_sum(model, self.rate);
        let cross = 2.0 * cross_sum(&self.target, model, self.rate) / (m * n);
        Ok(Mmd {
            unbiased: self.own / (m * (m - 1.0)) + model_own / (n * (n - 1.0)) - cross,
            biased: (self.own + m) / (m * m) + (model_own + n) / (n * n) - cross,
        })
    }
}

/// `sum_{i != j} k(x_i, x_j)`: each pair is evaluated once.
fn own_sum(x: &Points, rate: f64) -> f64 {
    let rows: Vec<f64> = (0..x.len())
        .map(|i| row_sum(x, i, x, i + 1, rate))
        .collect();
    2.0 * sum(&rows)
}

/// `sum_ij k(x_i, y_j)`.
fn cross_sum(x: &Points, y: &Points, rate: f64) -> f64 {
    let rows: Vec<f64> = (0..x.len()).map(|i| row_sum(x, i, y, 0, rate)).collect();
    sum(&rows)
}

/// `sum_{j >= from} k(x_i, y_j)`, tile by tile.
fn row_sum(x: &Points, i: usize, y: &Points, from: usize, rate: f64) -> f64 {
    const TILE: usize = 256;
    let mut buffer = [0.0; TILE];
    let mut total = 0.0;
    let mut start = from;
    while start < y.len() {
        let tile = &mut buffer[..TILE.min(y.len() - start)];
        let end = start + tile.len();
        tile.fill(0.0);
        for (xs, ys) in x.columns().zip(y.columns()) {
            let xi = xs[i];
            for (square, yj) in tile.iter_mut().zip(&ys[start..end]) {
                let difference = xi - yj;
                *square += difference * difference;
            }
        }
        for v in tile.iter_mut() {
            *v = exp(-rate * *v);
        }
        total += sum(tile);
        start = end;
    }
    total
}
