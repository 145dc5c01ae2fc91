//! Synthetic targets: seeded draws and exact log-densities. Two-dimensional families, and in
//! [`posterior`] multi-modal inverse problems whose posterior is known. [`multivariate`] has
//! targets of other dimensions, [`eight_schools`] a hierarchical model for the sampler of
//! [`hamiltonian`].
//!
//! The six [families](Family::PAPER) of arXiv:2510.02056, and two more. Each is known in closed
//! form or up to a one-dimensional integral, so that [`Family::log_prob`] is exact, and
//! [`Family::entropy`], the lowest negative log-likelihood that any model can reach, follows by
//! deterministic quadrature.
//!
//! ```
//! use numerics::random::stream;
//! use datasets::Family;
//!
//! let family: Family = "banana".parse()?;
//! let x = family.sample(500, &mut stream(2025, "banana/train"));
//! let log_prob = family.log_prob(x.as_ref());
//! let nll = -log_prob.iter().sum::<f64>() / 500.0;
//! assert!((nll - family.entropy().value).abs() < 0.2);
//! # Ok::<(), datasets::UnknownFamily>(())
//! ```

mod banana;
pub mod eight_schools;
mod entropy;
mod family;
mod gaussian_mixture;
pub mod hamiltonian;
pub mod multivariate;
mod names;
pub mod posterior;
mod quadrature;
mod rings;
mod target;
mod two_moons;

pub use entropy::Quadrature;
pub use family::{Family, UnknownFamily};
