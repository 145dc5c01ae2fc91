//! The numbers of a model, as stored in files: see [`crate::Rbig::parts`].

/// All numbers that the density of a [`crate::Rbig`] depends on; [`crate::Rbig::history`] is left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    /// Means of the columns.
    pub mean: Vec<f64>,
    /// Standard deviations of the columns.
    pub deviation: Vec<f64>,
    /// The layers, from the data on.
    pub layers: Vec<LayerParts>,
}

/// One layer: marginals, then a rotation.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerParts {
    /// One for each column.
    pub marginals: Vec<MarginalParts>,
    /// The orthogonal Q of `y = x Q`, d x d, row by row.
    pub rotation: Vec<f64>,
}

/// A map of one variable onto a standard normal.
#[derive(Debug, Clone, PartialEq)]
pub enum MarginalParts {
    /// See [`crate::marginal::HistogramMarginal`].
    Histogram {
        /// Lower edge of the first bin.
        low: f64,
        /// Width of a bin.
        width: f64,
        /// Probability beyond each edge.
        clamp: f64,
        /// Slope of the tails.
        tail_slope: f64,
        /// Probability of each bin.
        mass: Vec<f64>,
    },
    /// See [`crate::marginal::SmoothMarginal`].
    Smooth {
        /// Centre and scale of the arcsinh transform, if there is one.
        warp: Option<(f64, f64)>,
        /// Of the (transformed) data.
        centre: f64,
        /// Of the (transformed) data.
        scale: f64,
        /// In units of `scale`; 1 for a normal fit.
        bandwidth: f64,
        /// The map onto the normal; `None` for the identity.
        spline: Option<SplineParts>,
    },
}

/// A monotone spline on equally spaced knots, see [`crate::marginal::SmoothMarginal`].
#[derive(Debug, Clone, PartialEq)]
pub struct SplineParts {
    /// The first knot.
    pub first: f64,
    /// From knot to knot.
    pub step: f64,
    /// At the knots, increasing.
    pub values: Vec<f64>,
    /// At the knots, positive.
    pub slopes: Vec<f64>,
}

pub(crate) fn positive(v: f64) -> bool {
    v > 0.0 && v.is_finite()
}
