//! Distances between a target and a model: from log-densities, and from samples of both.
//!
//! - [`nll`] and [`kl_exact`] need the model's (and the target's) log-density at draws of the
//!   target.
//! - [`TargetKde`], [`wasserstein2`], [`TargetSliced`] and [`TargetMmd`] compare two sets of
//!   samples.
//! - [`TargetSet`] prepares a target sample once and gives every sampled metric of a model sample.
//!
//! Samples are `n x d` matrices, one row a point. Definitions follow arXiv:2510.02056 for the
//! metrics that it uses. Everything is computed in a fixed order with portable maths: the same
//! samples give the same bits on every machine.
//!
//! ```
//! use metrics::TargetSet;
//! use numerics::random::{standard_normal, stream};
//! use faer::Mat;
//!
//! let mut rng = stream(1, "example");
//! let target = Mat::from_fn(200, 2, |_, _| standard_normal(&mut rng));
//! let model = Mat::from_fn(200, 2, |_, _| 0.5 + standard_normal(&mut rng));
//! let metrics = TargetSet::new(target.as_ref())?.compare(model.as_ref())?;
//! assert!(metrics.w2 > metrics.sliced_w2 && metrics.kl_kde.unwrap() > 0.0);
//! # Ok::<(), metrics::MetricError>(())
//! ```

mod assignment;
mod calibration;
mod importance;
mod kde;
mod likelihood;
mod mmd;
mod neighbours;
mod orthants;
mod points;
mod sliced;
mod target_set;
mod wasserstein;

pub use assignment::{Assignment, assign};
pub use calibration::{
    Calibrate, Calibration, Coverage, RankHistogram, chi_squared_p_value, density_rank, ranks,
};
pub use importance::{ImportanceWeights, Reliability, WeightsError, pareto_k};
pub use kde::TargetKde;
pub use likelihood::{kl_exact, nll};
pub use mmd::{Mmd, TargetMmd};
pub use neighbours::NeighbourTest;
pub use orthants::OrthantTest;
pub use sliced::TargetSliced;
pub use target_set::{SampleMetrics, TargetSet};
pub use wasserstein::wasserstein2;

/// Why a metric has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricError {
    /// A sample has fewer points than the metric needs.
    #[error("the {set} sample has {got} points; at least {needed} are needed")]
    TooFew {
        /// `target` or `model`.
        set: &'static str,
        /// Points needed.
        needed: usize,
        /// Points given.
        got: usize,
    },
    /// The metric is defined for two samples of one size.
    #[error("the samples differ in size: {target} target points, {model} model points")]
    UnequalSizes {
        /// Target points.
        target: usize,
        /// Model points.
        model: usize,
    },
    /// The points of the two samples have different dimensions.
    #[error("the samples differ in dimension: {target} for the target, {model} for the model")]
    UnequalDimensions {
        /// Columns of the target sample.
        target: usize,
        /// Columns of the model sample.
        model: usize,
    },
    /// The metric is not defined in this dimension.
    #[error("the metric is for {needed}-dimensional points, not {got}-dimensional ones")]
    Dimension {
        /// Dimension the metric is for.
        needed: usize,
        /// Columns of the sample.
        got: usize,
    },
    /// A coordinate is NaN or infinite.
    #[error("coordinate {column} of point {row} of the {set} sample is not finite")]
    NonFinite {
        /// `target` or `model`.
        set: &'static str,
        /// Row of the first such point.
        row: usize,
        /// Column of the coordinate.
        column: usize,
    },
    /// Squared distances between the points overflow.
    #[error("the points are too far apart: their squared distances overflow")]
    Overflow,
    /// The points lie on a line, so that their covariance has no inverse.
    #[error("the covariance of the {set} sample is singular")]
    Singular {
        /// `target` or `model`.
        set: &'static str,
    },
    /// The width of the kernel is not a positive number.
    #[error("the kernel width must be positive and finite")]
    Width,
}
