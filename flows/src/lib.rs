//! Normalizing flows with hand-written layers: exact log-densities, sampling, maximum-likelihood fitting.
//!
//! A flow is a bijection between data and a base distribution. Directions, throughout:
//! - **forward**, `transform_and_log_det`: data -> base; its log-determinant is `ln |det dz/dx|`;
//! - **inverse**, `inverse_and_log_det`: base -> data; its log-determinant is `ln |det dx/dz|`.
//!
//! `log_prob(x) = log_base(z(x)) + ln |det dz/dx|`, in nats. Matrices are samples x features, column-major.
//!
//! - [`Made`]: one masked autoregressive layer (arXiv:1502.03509, arXiv:1705.07057), triangular for every dimension.
//! - [`Coupling`]: one affine coupling layer (arXiv:1605.08803).
//! - [`Architecture`]: MAF and RealNVP as stacks of those.
//! - [`Flow`]: standardisation, layers, base distribution and parameters; `log_prob`, `sample`, `save`, `load`.
//! - [`Flow::fit`]: weighted maximum likelihood by Adam, mini-batches, early stopping.
//! - [`ConditionalFlow`]: the same given a context, `q(theta | y)`, for amortised inference.

mod affine;
mod architecture;
mod archive;
mod base;
mod bijection;
mod blocks;
mod conditional;
mod conditioner;
mod coupling;
mod dense;
mod fit;
mod flow;
mod gaussian_mixture;
mod made;
mod save;
mod scalar;
mod stack;
mod standardise;
mod thin;
mod trained_mixture;
mod trial;

pub use affine::LogScale;
pub use architecture::{Architecture, LayerSpec, Nets, Ordering};
pub use base::Base;
pub use bijection::{Bijection, Workspace};
pub use blocks::ParamBlock;
pub use conditional::{ConditionalData, ConditionalFlow};
pub use conditioner::{Activation, Conditioner};
pub use coupling::Coupling;
pub use fit::{
    Backoff, Batch, Data, Evaluation, FitConfig, FitError, FitReport, Observer, Termination,
};
pub use flow::{Flow, FlowError};
pub use gaussian_mixture::{EmConfig, EmError, GaussianMixture, MixtureParts, symmetric_eigen};
pub use made::Made;
pub use standardise::Standardise;
pub use trial::{LARGEST, TRIAL_DRAWS, in_range, try_log_prob, try_out};

/// Rows that are worked on together: with a hidden width of 128, their activations stay in the second-level cache.
pub(crate) const CHUNK_ROWS: usize = 256;

/// Splits `n` rows into the fewest chunks of at most `most`, all of nearly the same size.
pub(crate) fn chunks(
    n: usize,
    most: usize,
) -> impl Iterator<Item = std::ops::Range<usize>> + Clone {
    let count = n.div_ceil(most).max(1);
    (0..count).map(move |c| (c * n / count)..((c + 1) * n / count))
}
