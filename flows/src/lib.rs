//! Normalizing flows with hand-written layers: exact log-densities, sampling, maximum-likelihood
//! fitting.
//!
//! A flow is a bijection between data and a base distribution. Directions, throughout:
//! - **forward**, `transform_and_log_det`: data -> base; its log-determinant is `ln |det dz/dx|`;
//! - **inverse**, `inverse_and_log_det`: base -> data; its log-determinant is `ln |det dx/dz|`.
//!
//! `log_prob(x) = log_base(z(x)) + ln |det dz/dx|`, in nats. Matrices are samples x features,
//! column-major.
//!
//! - [`Flow`]: standardisation, layers, base distribution and parameters; a
//!   [`Density`](density::Density), or one for each context.
//! - [`Flow::fit`]: weighted maximum likelihood by Adam, mini-batches, early stopping.
//! - [`Architecture`]: MAF and RealNVP as stacks of layers: [`Made`], masked autoregressive
//!   (arXiv:1502.03509, arXiv:1705.07057), triangular for every dimension, and [`Coupling`], affine
//!   (arXiv:1605.08803).

mod activation;
mod affine;
mod architecture;
mod base;
mod blocks;
mod conditioner;
mod coupling;
mod dense;
mod describe;
mod error;
mod fit;
mod flow;
mod layer;
mod made;
mod nets;
mod scalar;
mod stack;
mod thin;
mod trained_mixture;

pub use activation::Activation;
pub use affine::LogScale;
pub use architecture::{Architecture, LayerSpec, Ordering};
pub use base::Base;
pub use blocks::ParamBlock;
pub use conditioner::Conditioner;
pub use coupling::Coupling;
pub use describe::KIND;
pub use error::{FitError, FlowError};
pub use fit::{Backoff, Batch, Evaluation, FitConfig, FitReport, Termination};
pub use flow::{Conditioned, Flow, FlowBuilder};
pub use layer::{Layer, Workspace};
pub use made::Made;
pub use nets::Nets;

/// Rows processed together: with a hidden width of 128, their activations stay in the second-level
/// cache.
pub(crate) const CHUNK_ROWS: usize = 256;

/// Splits `n` rows into the fewest chunks of at most `most`, all of nearly the same size.
pub(crate) fn chunks(
    n: usize,
    most: usize,
) -> impl Iterator<Item = std::ops::Range<usize>> + Clone {
    let count = n.div_ceil(most).max(1);
    (0..count).map(move |c| (c * n / count)..((c + 1) * n / count))
}
