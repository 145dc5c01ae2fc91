//! Multi-modal inverse problems with exact answers: benchmarks for likelihood-weighted flows
//! (arXiv:2512.04954).
//!
//! Parameters `theta` have a standard normal prior `p(theta)`, the data were observed once, and the
//! likelihood `L(theta) = p(y | theta)` can be evaluated. The posterior is
//! `p(theta | y) = p(theta) L(theta) / Z`. Here its evidence `Z`, its modes and their masses, and
//! the regions of highest density are known, and it can be sampled, so that approximations can be
//! evaluated. The benchmarks are this project's own. [`Canon`] has test problems of evidence samplers and
//! real models with priors of any kind, in 2 to 30 dimensions, of which only the evidence and for
//! some the masses of the modes are known.
//!
//! ```
//! use numerics::random::stream;
//! use datasets::posterior::{Benchmark, ExactPosterior, InverseProblem};
//!
//! let benchmark: Benchmark = "four_signs".parse()?;
//! let problem = benchmark.problem();
//!
//! // What a method that learns the posterior is given: draws of the prior and their likelihoods.
//! let theta = problem.sample_prior(1000, &mut stream(1, "prior"));
//! let log_likelihood = problem.log_likelihood(theta.as_ref());
//! assert_eq!(log_likelihood.len(), 1000);
//!
//! // What it is measured against.
//! let exact = problem.sample_posterior(1000, &mut stream(1, "exact"));
//! let entropy = -problem.log_posterior(exact.as_ref()).iter().sum::<f64>() / 1000.0;
//! assert!((entropy + 0.29).abs() < 0.1);
//! assert_eq!(problem.mode_masses(), [0.25; 4]);
//! # Ok::<(), datasets::posterior::UnknownBenchmark>(())
//! ```

mod arc;
mod benchmark;
mod canon;
mod catalogue;
mod gaussian;
mod line;
mod models;
mod modes;
mod parts;
mod prior;
mod problem;
mod ring;
mod sign;
mod sign_coordinate;
mod sign_posterior;

pub use benchmark::{Benchmark, UnknownBenchmark};
pub use canon::Canon;
pub use modes::Modes;
pub use problem::{ExactPosterior, InverseProblem};
pub use sign::SignDegenerate;
pub use sign_posterior::SignPosterior;
