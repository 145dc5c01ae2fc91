//! Posteriors from likelihood evaluations: likelihood-weighted flows (arXiv:2512.04954).
//!
//! The prior can be sampled and the likelihood evaluated; draws of the posterior are not needed.
//! Draws `theta_i` of a proposal get weights `w_i` proportional to likelihood times prior over
//! proposal, and maximising `sum_i w_i ln q(theta_i)` minimises `KL(posterior || q)`.
//!
//! 1. [`Posterior`] is where to start: posterior and evidence for any prior and likelihood, in 1 to about
//!    30 dimensions, by [annealing](anneal).
//! 2. [`PosteriorConfig::fit`] is the method of the paper and its study: draws of the prior, once, or
//!    annealing; flows on a normal or a Gaussian-mixture base are fitted to the weighted
//!    [`Evaluations`] by weighted maximum likelihood and mixed by stacking.
//! 3. [`AmortisedConfig::fit`] learns `q(theta | y)` for all data at once from simulated pairs.
//! 4. [`log_evidence`], [`Compare`] against an exact posterior, and [`metrics::Calibrate`] (ranks
//!    and coverage over many data) judge the result.
//!
//! [`from_fn`] makes a problem from a closure.

mod amortised;
pub mod anneal;
mod canon;
mod compare;
mod error;
mod evaluations;
mod evidence;
mod fit;
mod frame;
mod infer;
mod journal;
mod likelihood;
mod model;
mod parts;
mod prior;
mod problem;
mod sampled_prior;
mod settings;

pub use amortised::{
    Amortised, AmortisedConfig, AmortisedError, AmortisedModel, ConditionedPosterior,
};
pub use compare::{Compare, Comparison};
pub use datasets::posterior::{ExactPosterior, InverseProblem};
pub use error::PosteriorError;
pub use evaluations::{EvaluationError, Evaluations};
pub use evidence::{EvidenceDraws, log_evidence};
pub use fit::FittedPosterior;
pub use frame::Frame;
pub use infer::{InferError, Inference, Posterior, Session, StatusObserver, Wanted};
pub use journal::Journal;
pub use likelihood::{Deliver, Likelihood, Value};
pub use metrics::{ImportanceWeights, Reliability, WeightsError};
pub use model::{ExpertSummary, FitReport};
pub use prior::{Prior, PriorMap, UnitCube};
pub use problem::{FnProblem, from_fn};
pub use sampled_prior::SampledPrior;
pub use settings::{Draws, FlowSettings, Means, PosteriorBase, PosteriorConfig, Tails};
