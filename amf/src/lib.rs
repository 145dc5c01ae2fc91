//! Adaptive mixtures of normalizing flows.
pub mod metrics;
