//! Annealed importance sampling with learnt proposals: from the prior to the posterior, in as many
//! dimensions as people have.
//!
//! All of it happens in coordinates z in which the prior is `N(0, I)`. Round 0 draws from the prior;
//! round t draws from `q_t = (1 - a) m_t + a N(0, I)`, where the density `m_t` is fitted to all
//! evaluations so far, weighted for the tempered posterior
//!
//! `L(z)^beta_t N(z; 0, I) / sum_s (n_s / N) q_s(z)`
//!
//! (the balance heuristic of Veach and Guibas 1995; deterministic-mixture weights, Cornuet, Marin,
//! Mira and Robert 2012) and `beta_t` is the largest temperature for which the effective sample size
//! of those weights is large enough to fit `m_t`. At `beta = 1` rounds go on until the effective
//! sample size or the error of `ln Z` that was asked for is reached, or the budget is spent.
//!
//! Weights for training use a point in the fit of the densities that weigh it. Estimates do not:
//! see [`Estimates`].

mod annealer;
mod estimate;
mod fit;
mod mixture;
mod population;
mod proposal;
mod seam;
mod settings;

pub use annealer::{Annealer, Status};
pub use estimate::Estimates;
pub(crate) use proposal::log_prior;
pub use settings::AnnealSettings;
