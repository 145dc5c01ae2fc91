//! Rotation-based iterative Gaussianisation: density estimation, sampling and information measures
//! without gradients.
//!
//! A model maps data to a standard normal ("forward") by alternating marginal Gaussianisation and
//! rotation (Laparra, Camps-Valls and Malo 2011, arXiv:1602.00229). Both have exact inverses and
//! Jacobians, so the density is exact and normalised. Matrices are samples x features. Results have
//! the same bits on every CPU.
//!
//! ```
//! use density::{Data, Density};
//! use numerics::random::{standard_normal, stream};
//! use rbig::{Rbig, RbigConfig};
//!
//! let mut rng = stream(1, "example");
//! let x = faer::Mat::from_fn(500, 2, |_, _| standard_normal(&mut rng));
//! let model = Rbig::fit(Data::new(x.as_ref()), None, &RbigConfig::published(), &mut rng)?;
//! let log_density = model.log_prob(x.as_ref());
//! let draws = model.sample(10, &mut rng);
//! # assert!(log_density.len() == 500 && draws.nrows() == 10);
//! # Ok::<(), rbig::Error>(())
//! ```

mod columns;
mod config;
mod describe;
mod error;
mod evaluate;
mod fit;
pub mod information;
pub mod marginal;
mod model;
mod negentropy;
mod parts;
mod rotation;
mod rows;

pub use config::{LayerRule, RbigConfig};
pub use describe::KIND;
pub use error::Error;
pub use information::{entropy, kl_divergence, mutual_information, total_correlation};
pub use marginal::{Marginal, MarginalKind};
pub use model::{LayerRecord, Rbig};
pub use negentropy::Negentropy;
pub use parts::{LayerParts, MarginalParts, Parts, SplineParts};
pub use rotation::RotationKind;
