//! Contracts of flows and of their fits.

mod allocation;
mod checkpoints;
mod conditional_fit;
mod contract;
mod corruption;
mod fit;
mod jacobian;
