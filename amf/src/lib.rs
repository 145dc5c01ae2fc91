//! Adaptive mixtures of normalizing flows (AMF-VI, arXiv:2510.02056).
//!
//! A heterogeneous mixture `q(x) = sum_k pi_k q_k(x)` of experts (MAF, RealNVP, RBIG), fitted in two stages:
//! 1. each expert alone, by maximum likelihood ([`ExpertConfig::fit`]);
//! 2. global weights from the experts' likelihoods, without a gating network ([`WeightRule`]).
//!
//! [`Mixture`] scores and samples the result; [`metrics`] judges it. Log-densities are in nats; points are n x d.
//!
//! # A density of one's own draws
//!
//! Fit, score, sample, save, load. [`CrossFit::default`] is the recipe for data of any kind; one small expert keeps the example quick.
//!
//! ```
//! use amf::{Column, CrossFit, Density, Draws, Expert};
//! use numerics::random::{standard_normal, stream};
//! use std::ops::ControlFlow;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let rng = &mut stream(1, "draws");
//! let points = faer::Mat::from_fn(200, 2, |_, j| standard_normal(rng).powi(if j == 0 { 2 } else { 1 }));
//! let columns = [Column::positive("tau"), Column::real("mu")];
//! let mut settings = CrossFit::default();
//! settings.experts.retain(|e| e.name == "gmm");
//! let draws = Draws::new(&columns, points.as_ref());
//! let density = settings.fit_density(&draws, 1, &|_| ControlFlow::Continue(()))?;
//! println!("held-out NLL {:.3} nats; {:?}", density.report().mixture.value, density.report().verdict);
//! let samples = density.sample(1000, &mut stream(1, "samples"));
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("model.safetensors");
//! density.save(&path)?;
//! assert_eq!(Density::load(&path)?.log_prob(samples.as_ref()), density.log_prob(samples.as_ref()));
//! # Ok(())
//! # }
//! ```
//!
//! Draws of a prior with a log-likelihood each are weighted draws of the posterior; to let the fit choose where it evaluates the likelihood, see
//! [`posterior`].
//!
//! ```
//! use amf::{Column, CrossFit, Draws, Expert};
//! use numerics::random::{standard_normal, stream};
//! use std::ops::ControlFlow;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let log_likelihood = |theta: &[f64]| -0.5 * ((theta[0] * theta[1] - 1.0) / 0.3).powi(2);
//! let rng = &mut stream(1, "prior");
//! let theta = faer::Mat::from_fn(2000, 2, |_, _| standard_normal(rng));
//! let log_weights: Vec<f64> = (0..2000).map(|i| log_likelihood(&[theta[(i, 0)], theta[(i, 1)]])).collect();
//! let columns = [Column::real("a"), Column::real("b")];
//! let mut settings = CrossFit::default();
//! settings.experts.retain(|e| e.name == "gmm");
//! let draws = Draws::new(&columns, theta.as_ref()).weighted(&log_weights);
//! let posterior = settings.fit_density(&draws, 1, &|_| ControlFlow::Continue(()))?;
//! let reliability = posterior.report().weights.expect("the draws have weights");
//! println!("ESS {:.0}, Pareto k {:?}, ln Z {:.2}", reliability.ess, reliability.pareto_k, reliability.log_evidence);
//! assert!(posterior.log_prob(theta.as_ref()).iter().all(|l| l.is_finite()));
//! # Ok(())
//! # }
//! ```

pub mod archive;
#[cfg(feature = "command")]
pub mod command;
mod cross_fit;
mod density;
pub mod experts;
mod grid;
mod kde;
pub mod metrics;
mod mixture;
mod mixture_aware;
mod partition;
pub mod posterior;
mod recipe;
mod settings;
mod weights;

pub use cross_fit::{CrossFit, CrossFitError, CrossFitted, PartObserver, Watch};
pub use density::{
    BaselineReport, Calibration, Column, Comparison, Density, DensityError, DensityObserver, Draws,
    DrawsError, ExpertLine, FORMAT, LeftOut, LoadError, Region, Report, Score, Stage, Step,
    Support, Trust, Verdict, suggested_support,
};
pub use experts::{
    Expert, ExpertConfig, ExpertError, ExpertObserver, ExpertReport, Fitted, NamedExpert, Progress,
};
pub use kde::Kde;
pub use mixture::{Mixture, log_prob_table, mixture_log_prob};
pub use mixture_aware::{MixtureAware, mutual_information};
pub use partition::{Part, Partition};
pub use weights::{LearnedWeights, Source, WeightError, WeightRule, n_eff};
