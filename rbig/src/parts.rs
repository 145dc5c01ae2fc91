//! The numbers of a model, as files hold them: taken apart, and put together again with every
//! number checked.

use crate::marginal::{HistogramMarginal, Marginal, SmoothMarginal};
use crate::model::{Layer, Rbig};
use crate::rotation::Rotation;
use density::Affine;

/// All numbers that the density of a [`Rbig`] depends on; [`Rbig::history`] is left out.
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
    /// See [`HistogramMarginal`].
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
    /// See [`SmoothMarginal`].
    Smooth {
        /// Centre and scale of the warp by asinh, if there is one.
        warp: Option<(f64, f64)>,
        /// Of the (warped) data.
        centre: f64,
        /// Of the (warped) data.
        scale: f64,
        /// In units of `scale`; 1 for a normal fit.
        bandwidth: f64,
        /// The map onto the normal; nothing for the identity.
        spline: Option<SplineParts>,
    },
}

/// A monotone spline on equally spaced knots, see [`SmoothMarginal`].
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

impl Rbig {
    /// Its numbers.
    #[must_use]
    pub fn parts(&self) -> Parts {
        let layer = |layer: &Layer| LayerParts {
            marginals: layer
                .marginals
                .iter()
                .map(|m| match m {
                    Marginal::Histogram(m) => m.parts(),
                    Marginal::Smooth(m) => m.parts(),
                })
                .collect(),
            rotation: layer.rotation.rows(),
        };
        let (mean, deviation) = self.standardisation.parts();
        Parts {
            mean: mean.to_vec(),
            deviation: deviation.to_vec(),
            layers: self.layers.iter().map(layer).collect(),
        }
    }

    /// The inverse of [`Self::parts`], to the last bit, without a history.
    ///
    /// # Errors
    /// A sentence that says which number is wrong.
    pub fn from_parts(parts: Parts) -> Result<Self, String> {
        let dim = parts.mean.len();
        if let Some(j) = parts.deviation.iter().position(|&d| !positive(d)) {
            return Err(format!(
                "the standard deviation of column {j} is not positive"
            ));
        }
        let standardisation = Affine::new(parts.mean, parts.deviation)
            .filter(|s| s.dim() > 0)
            .ok_or("a finite mean and a standard deviation are needed for each column")?;
        let mut layers = Vec::with_capacity(parts.layers.len());
        for (l, layer) in parts.layers.into_iter().enumerate() {
            if layer.marginals.len() != dim {
                return Err(format!("layer {l} needs one marginal for each column"));
            }
            let marginal = |(j, m): (usize, MarginalParts)| {
                match m {
                    MarginalParts::Histogram { .. } => {
                        HistogramMarginal::from_parts(m).map(Marginal::Histogram)
                    }
                    MarginalParts::Smooth { .. } => {
                        SmoothMarginal::from_parts(m).map(Marginal::Smooth)
                    }
                }
                .map_err(|e| format!("layer {l}, column {j}: {e}"))
            };
            let marginals = layer.marginals.into_iter().enumerate().map(marginal);
            layers.push(Layer {
                marginals: marginals.collect::<Result<_, _>>()?,
                rotation: Rotation::from_rows(dim, &layer.rotation)
                    .ok_or_else(|| format!("the rotation of layer {l} is not orthogonal"))?,
            });
        }
        Ok(Self {
            standardisation,
            layers,
            history: Vec::new(),
        })
    }
}

pub(crate) fn positive(v: f64) -> bool {
    v > 0.0 && v.is_finite()
}
