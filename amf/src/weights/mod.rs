//! Stage 2: global weights from the experts' likelihoods.
//!
//! [`WeightRule`] names a rule and its settings, [`WeightData`] the log-densities that it learns
//! from.

mod batches;
mod data;
mod learn;
mod moving_average;
mod points;
mod rule;
mod screening;
mod stacking;
#[cfg(test)]
mod testing;

pub use data::{LearnedWeights, WeightData, WeightError};
pub use rule::WeightRule;
