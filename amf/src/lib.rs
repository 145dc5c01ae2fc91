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
//! Fit, score, sample, save, load. [`Recipe::default`] is the recipe for data of any kind; one small expert keeps the example quick.
//!
//! ```
//! use amf::{Column, Recipe, Density, Draws, Expert};
//! use numerics::random::{standard_normal, stream};
//! use std::ops::ControlFlow;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let rng = &mut stream(1, "draws");
//! let points = faer::Mat::from_fn(200, 2, |_, j| standard_normal(rng).powi(if j == 0 { 2 } else { 1 }));
//! let columns = [Column::positive("tau"), Column::real("mu")];
//! let mut settings = Recipe::default();
//! settings.experts.retain(|e| e.name == "gmm");
//! let draws = Draws::new(&columns, points.as_ref());
//! let density = settings.fit_density(&draws, 1, &|_| ControlFlow::Continue(()))?;
//! println!("held-out NLL {:.3} nats; {:?}", density.report().mixture.value, density.report().verdict);
//! let samples = density.sample(1000, &mut stream(1, "samples"));
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("model.safetensors");
//! density.save(&path)?;
//! assert_eq!(FittedDensity::load(&path)?.log_prob(samples.as_ref()), density.log_prob(samples.as_ref()));
//! # Ok(())
//! # }
//! ```
//!
//! Draws of a prior with a log-likelihood each are weighted draws of the posterior; to let the fit choose where it evaluates the likelihood, see
//! [`posterior`].
//!
//! ```
//! use amf::{Column, Recipe, Draws, Expert};
//! use numerics::random::{standard_normal, stream};
//! use std::ops::ControlFlow;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let log_likelihood = |theta: &[f64]| -0.5 * ((theta[0] * theta[1] - 1.0) / 0.3).powi(2);
//! let rng = &mut stream(1, "prior");
//! let theta = faer::Mat::from_fn(2000, 2, |_, _| standard_normal(rng));
//! let log_weights: Vec<f64> = (0..2000).map(|i| log_likelihood(&[theta[(i, 0)], theta[(i, 1)]])).collect();
//! let columns = [Column::real("a"), Column::real("b")];
//! let mut settings = Recipe::default();
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
mod cross_fit;
pub mod experts;
mod fitted;
mod folds;
mod mixture_aware;
mod preprocess;
mod recipe;
mod weights;

pub use cross_fit::{CrossFitError, CrossFitted};
pub use experts::{ExpertConfig, ExpertError, ExpertReport, Fitted, NamedExpert};
pub use fitted::{
    BaselineReport, Calibration, Column, Comparison, DensityError, Draws, DrawsError, ExpertLine,
    FittedDensity, LeftOut, Region, Report, Score, Trust, Verdict, suggested_support,
};
pub use folds::{Fold, RepeatedKFold};
pub use mixture_aware::{MixtureAware, mutual_information};
pub use recipe::Recipe;
pub use weights::{LearnedWeights, WeightData, WeightError, WeightRule};

// What a program that fits and samples needs besides.
pub use density::{Data, Density, FitContext, Mixture, Progress, Support};
pub use numerics::random::stream;
