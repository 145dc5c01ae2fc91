//! A fitted model.

use crate::marginal::{HistogramMarginal, Marginal, SmoothMarginal};
use crate::parts::{LayerParts, MarginalParts, Parts, positive};
use crate::rotation::Rotation;
use density::Affine;
use serde::{Deserialize, Serialize};

/// The state of the fit after a number of layers; the first entry of [`Rbig::history`] is the
/// standardisation alone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerRecord {
    /// Number of layers.
    pub layers: usize,
    /// Mean negative log-likelihood of the training data, nats.
    pub train_nll: f64,
    /// The same of the validation data, if there were any.
    pub validation_nll: Option<f64>,
    /// Sum of the negentropies of the columns that the layer made normal, nats. From the second
    /// layer on this is the decrease of the total correlation; zero for the standardisation.
    pub negentropy: f64,
}

/// One marginal map for each column, then a rotation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layer {
    pub marginals: Vec<Marginal>,
    pub rotation: Rotation,
}

/// A normalising flow fitted layer by layer without gradients (Laparra, Camps-Valls and Malo 2011,
/// arXiv:1602.00229).
///
/// Data are standardised, then each layer maps every column onto a standard normal (see
/// [`crate::MarginalKind`]) and rotates the axes. With `z = T(x)`, `ln q(x) = sum_i ln phi(z_i) +
/// ln |det dT/dx|`. With no layers q is the product of normals with the means and variances of the
/// columns. A row's result does not depend on the other rows.
///
/// Fitted by [`Rbig::fit`] with a [`crate::RbigConfig`], and is a [`density::Density`].
#[derive(Debug, Clone, PartialEq)]
pub struct Rbig {
    pub(crate) standardisation: Affine,
    pub(crate) layers: Vec<Layer>,
    pub(crate) history: Vec<LayerRecord>,
}

impl Rbig {
    /// Number of layers.
    #[must_use]
    pub fn num_layers(&self) -> usize {
        self.layers.len()
    }

    /// One entry for the standardisation and one for each layer tried, including those that were
    /// dropped.
    #[must_use]
    pub fn history(&self) -> &[LayerRecord] {
        &self.history
    }
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
