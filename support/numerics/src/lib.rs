//! Numerics that give the same bits on every machine.
//!
//! - [`math`]: `exp`, `ln`, `tanh`, the normal distribution, sums in a fixed order, log-sum-exp.
//! - [`random`]: one named stream of random numbers for each purpose.
//! - [`matrix`]: columns of column-major matrices as slices.
//! - [`linalg`]: Cholesky factors and eigenvalues of small symmetric matrices.
//! - [`distribution`]: distributions of one variable, by their quantiles.
//! - [`checked`]: deserialisation of numbers with a range.
//! - [`ChainDiagnostics`]: convergence and effective sample size of Markov chains.
//! - [`Estimate`]: a number with its standard error.
//! - [`Spread`]: whether floating-point arithmetic can tell the values of a column apart.

mod chains;
pub mod checked;
pub mod distribution;
mod estimate;
pub mod linalg;
pub mod math;
pub mod matrix;
pub mod random;
mod spread;

pub use chains::ChainDiagnostics;
pub use estimate::Estimate;
pub use spread::Spread;
