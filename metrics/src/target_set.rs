//! Every sampled metric at once.

use super::points::Points;
use super::wasserstein::wasserstein2_points;
use super::{MetricError, Mmd, TargetKde, TargetMmd, TargetSliced};
use faer::MatRef;
use serde::{Deserialize, Serialize};

/// Kernel width of the maximum mean discrepancy, as published.
const SIGMA: f64 = 1.0;

/// The sampled metrics between a target and a model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleMetrics {
    /// KL(target || model) between kernel density estimates, nats ([`TargetKde`]); only in two
    /// dimensions.
    pub kl_kde: Option<f64>,
    /// Exact 2-Wasserstein distance ([`super::wasserstein2`]).
    pub w2: f64,
    /// Sliced 2-Wasserstein distance ([`TargetSliced`]).
    pub sliced_w2: f64,
    /// Maximum mean discrepancy, sigma = 1, by the unbiased estimator ([`TargetMmd`]).
    pub mmd_unbiased: f64,
    /// The same by the biased estimator.
    pub mmd_biased: f64,
}

/// A target sample with everything that comparisons with models share.
#[derive(Debug, Clone)]
pub struct TargetSet {
    points: Points,
    kde: Option<TargetKde>,
    sliced: TargetSliced,
    mmd: TargetMmd,
}

impl TargetSet {
    /// Prepares a target sample `n x d`, n >= 2.
    ///
    /// # Errors
    /// Fewer than two points, a coordinate that is not finite, two-dimensional points on a common
    /// line.
    pub fn new(target: MatRef<'_, f64>) -> Result<Self, MetricError> {
        let points = Points::new(target, "target", 2)?;
        let kde = match points.dim() {
            2 => Some(TargetKde::from_points(points.clone())?),
            _ => None,
        };
        Ok(Self {
            kde,
            sliced: TargetSliced::from_points(points.clone()),
            mmd: TargetMmd::from_points(points.clone(), SIGMA)?,
            points,
        })
    }

    /// The metrics of a model sample of the same shape `n x d`.
    ///
    /// # Errors
    /// Another shape, a coordinate that is not finite, two-dimensional points on a common line,
    /// squared distances that overflow.
    pub fn compare(&self, model: MatRef<'_, f64>) -> Result<SampleMetrics, MetricError> {
        let model = Points::new(model, "model", 2)?;
        self.points.check_shape(&model)?;
        let Mmd { unbiased, biased } = self.mmd.compare_points(&model)?;
        Ok(SampleMetrics {
            kl_kde: match &self.kde {
                Some(kde) => Some(kde.kl_points(&model)?),
                None => None,
            },
            w2: wasserstein2_points(&self.points, &model)?,
            sliced_w2: self.sliced.compare_points(&model)?,
            mmd_unbiased: unbiased,
            mmd_biased: biased,
        })
    }
}
