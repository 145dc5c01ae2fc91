//! Mixtures of experts as arrays and a description of them: what a model file holds.
//!
//! Every number that was fitted is an f64 tensor of its true shape, under a name that says where it belongs
//! (`expert/0/1/layer/2/weight_0`); the structure is a closed [`Description`], kept as JSON. Reading checks every field: shapes, finite
//! values, positive scales, weights on the simplex, triangular and orthogonal matrices; masks follow from the description. It takes no more
//! memory than a small multiple of the file.

mod experts;
mod reader;
mod writer;

pub(crate) use experts::{
    must_work, read_mixture, write_flow, write_framed, write_gaussian_mixture, write_kde,
    write_mixture, write_rbig, write_warped,
};
pub use reader::Reader;
pub use writer::Writer;

use crate::experts::Expert;
use flows::LayerSpec;
use numerics::checked::one_line;
use serde::{Deserialize, Serialize};

/// The structure of a saved expert; its numbers are arrays in the same folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Description {
    /// [`flows::Flow`]: `shift` and `scale` (d), the parameters of its layers, and of its base.
    Flow {
        /// In forward order, from the data on.
        layers: Vec<LayerSpec>,
        /// What the data are mapped to.
        base: BaseDescription,
    },
    /// [`rbig::Rbig`]: `shift` and `scale` (d); for each layer `rotation` (d x d) and what the marginals are made of.
    Rbig {
        /// The marginals of each layer, from the data on.
        layers: Vec<Marginals>,
    },
    /// [`flows::GaussianMixture`]: `weights` (K), `means` (K x d) and `factors` (K x d x d, lower triangular).
    GaussianMixture {},
    /// [`crate::Kde`]: `points` (n x d, in coordinates where their covariance is the identity), their `weights` (n), `bandwidth` (1), and in the
    /// folder `frame` the normal that gives these coordinates.
    Kde {},
    /// [`crate::Mixture`]: `weights` (K), and each expert in a folder of its own, `0`, `1`, ...
    Mixture {
        /// What is mixed.
        experts: Vec<Description>,
    },
    /// A density in standardised, and maybe turned, coordinates: `shift` and `scale` (d), `rotation` (d x d), the density in the folder `density`.
    Framed {
        /// Whether there is a rotation.
        turned: bool,
        /// What lives in the frame.
        density: Box<Description>,
    },
    /// A density of `u = asinh((x - centre) / scale)` in some columns: `tail_centres` and `tail_scales` (d; a scale of 0 where u is x), and in the same
    /// folder the density.
    Warped {
        /// The density of u.
        density: Box<Description>,
    },
}

/// The base of a flow; a mixture lies in the folder `base`, like [`Description::GaussianMixture`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum BaseDescription {
    /// `N(0, I)`.
    StandardNormal,
    /// A Gaussian mixture.
    GaussianMixture,
    /// A Gaussian mixture whose means were trained: `displacements` (K x d).
    TrainedGaussianMixture {
        /// Whether the weights were trained as well: `log_weights` (K).
        train_weights: bool,
    },
}

/// The marginals of one layer of Gaussianisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Marginals {
    /// `bins` (d x bins, their probabilities) and `edges` (d x 4: low, width, clamp, tail slope).
    Histogram,
    /// `marginals` (d x 8: warp centre, warp scale (0 for no warp), centre, scale, bandwidth, first knot, step, number of knots) and `knots` (all
    /// columns' knots one after the other, x 2: value, slope).
    Smooth,
}

/// Why an expert cannot be saved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotSavable(pub String);

/// Reads an expert from the folder that `reader` stands in.
///
/// # Errors
/// A sentence that names the array and says what is wrong with it.
pub fn read_expert(
    description: &Description,
    reader: &mut Reader<'_>,
) -> Result<Box<dyn Expert>, String> {
    experts::read_sound(description, reader).map_err(|reason| one_line(&reason))
}
