//! Real models: simulated data, or data in the public domain. Where the evidence is not known by
//! quadrature, the reference is the mean of long runs (`posterior/examples/reference.rs`).

mod eight_schools;
mod gaussian_process;
mod logistic;
mod lotka_volterra;
mod radial_velocity;
