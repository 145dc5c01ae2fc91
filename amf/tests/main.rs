//! Contracts of experts, cross-fitting and fitted densities.

mod cache;
mod contract;
mod corruption;
mod cross_fit;
mod density;
mod numerics;
