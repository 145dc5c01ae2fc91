//! Adaptive mixtures of normalizing flows (AMF-VI, arXiv:2510.02056).
//!
//! A heterogeneous mixture `q(x) = sum_k pi_k q_k(x)` of experts (MAF, RealNVP, RBIG), fitted in
//! two stages:
//! 1. each expert alone, by maximum likelihood ([`ExpertConfig::fit`]);
//! 2. global weights from the experts' likelihoods, without a gating network ([`WeightRule`]).
//!
//! [`Mixture`] scores and samples the result. Log-densities are in nats; points are n x d.
//!
//! # A density of one's own draws
//!
//! ```
//! use amf::{Density, Draws, FitContext, Recipe, stream};
//! # use amf::ExpertConfig;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let rng = &mut stream(1, "draws");
//! # let points = faer::Mat::from_fn(200, 2, |_, _| numerics::random::standard_normal(rng));
//! # let recipe = Recipe::default().with_experts([amf::NamedExpert::new("kde", ExpertConfig::kde())]);
//! # let (dir, test) = (tempfile::tempdir()?, points.as_ref().subrows(0, 20));
//! # let path = dir.path().join("model.safetensors");
//! # /*
//! let recipe = Recipe::default();
//! # */
//! let density = recipe.fit(&Draws::of(points.as_ref()), 1, &FitContext::default())?;
//! let log_density = density.log_prob(test);
//! let more = density.sample(1000, &mut stream(1, "more"));
//! println!("{:?}", density.report().verdict);
//! density.save(&path)?;
//! # assert_eq!(amf::FittedDensity::load(&path)?.log_prob(test), log_density);
//! # assert_eq!(more.nrows(), 1000);
//! # Ok(())
//! # }
//! ```
//!
//! Columns have names and bounds ([`Column`]), draws may have log-weights: those of a nested
//! sampler, or log-likelihoods at draws of the prior.
//!
//! ```
//! use amf::{Column, Draws, ExpertConfig, FitContext, NamedExpert, Recipe, stream};
//! use numerics::random::standard_normal;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let rng = &mut stream(1, "prior");
//! let theta = faer::Mat::from_fn(2000, 2, |_, j| if j == 0 { standard_normal(rng).abs() } else { standard_normal(rng) });
//! let log_weights: Vec<f64> = (0..2000).map(|i| -5.0 * (theta[(i, 0)] * theta[(i, 1)] - 1.0f64).powi(2)).collect();
//! let columns = [Column::positive("a"), Column::real("b")];
//! let draws = Draws::new(&columns, theta.as_ref()).weighted(&log_weights);
//! let recipe = Recipe::default().with_experts([NamedExpert::new("kde", ExpertConfig::kde())]);
//! let density = recipe.fit(&draws, 1, &FitContext::default())?;
//! let reliability = density.report().weights.expect("the draws have weights");
//! println!("ESS {:.0}, Pareto k {:?}, ln Z {:.2}", reliability.ess, reliability.pareto_k, reliability.log_evidence);
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
    BaselineReport, Calibration, Column, Comparison, DensityError, DrawCheck, Draws, DrawsError,
    ExpertLine, FittedDensity, LeftOut, Region, Report, RowDependence, Score, Trust, Verdict,
    suggested_support,
};
pub use folds::{Fold, RepeatedKFold};
pub use mixture_aware::{MixtureAware, mutual_information};
pub use recipe::Recipe;
pub use weights::{LearnedWeights, WeightData, WeightError, WeightRule};

// Re-exports for programs that fit and sample.
pub use density::{Data, Density, FitContext, Mixture, Progress, Support, log_prob_table};
pub use numerics::random::{stream, streams};
