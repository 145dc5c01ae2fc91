//! A fitted model.

use crate::marginal::Marginal;
use crate::rotation::Rotation;
use density::Affine;
use serde::{Deserialize, Serialize};

/// What the fit saw after a number of layers; the first entry of [`Rbig::history`] is the
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
    /// layer on this is by how much the total correlation fell; zero for the standardisation.
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
/// [`crate::MarginalKind`]) and rotates the axes. With `z = T(x)`,
/// `ln q(x) = sum_i ln phi(z_i) + ln |det dT/dx|`. With no layers q is the product of normals with
/// the means and variances of the columns. A row's result does not depend on the rows beside it.
///
/// Fitted by [`Rbig::fit`] with a [`crate::RbigConfig`], and is a [`density::Density`].
#[derive(Debug, Clone, PartialEq)]
pub struct Rbig {
    pub(crate) standardisation: Affine,
    pub(crate) layers: Vec<Layer>,
    pub(crate) history: Vec<LayerRecord>,
}

impl Rbig {
    /// Number of layers kept.
    #[must_use]
    pub fn num_layers(&self) -> usize {
        self.layers.len()
    }

    /// One entry for the standardisation and one for each layer tried, also those that were not
    /// kept.
    #[must_use]
    pub fn history(&self) -> &[LayerRecord] {
        &self.history
    }
}
