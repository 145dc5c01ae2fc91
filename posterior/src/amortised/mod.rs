//! Amortised posteriors: `q(theta | y)` learnt once from simulated pairs, for every y.

mod error;
mod fit;
mod flows;
mod model;
mod pairs;
mod settings;

pub use error::AmortisedError;
pub use model::{Amortised, ConditionedPosterior};
pub use settings::{AmortisedConfig, AmortisedModel};
