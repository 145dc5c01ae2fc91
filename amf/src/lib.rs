//! Adaptive mixtures of normalizing flows (AMF-VI, arXiv:2510.02056).
//!
//! A heterogeneous mixture `q(x) = sum_k pi_k q_k(x)` of experts (MAF, RealNVP, RBIG), fitted in two stages:
//! 1. each expert alone, by maximum likelihood ([`ExpertConfig::fit`]);
//! 2. global weights from the experts' likelihoods, without a gating network ([`WeightRule`]).
//!
//! [`Mixture`] scores and samples the result; [`metrics`] judges it. Log-densities are in nats; points are n x d.

pub mod archive;
mod cross_fit;
pub mod experts;
mod kde;
pub mod metrics;
mod mixture;
mod mixture_aware;
mod partition;
pub mod posterior;
mod recipe;
mod weights;

pub use cross_fit::{CrossFit, CrossFitError, CrossFitted, PartObserver};
pub use experts::{Expert, ExpertConfig, ExpertError, ExpertReport, Fitted, NamedExpert, Progress};
pub use kde::Kde;
pub use mixture::{Mixture, log_prob_table, mixture_log_prob};
pub use mixture_aware::{MixtureAware, mutual_information};
pub use partition::{Part, Partition};
pub use weights::{LearnedWeights, Source, WeightError, WeightRule, n_eff};
