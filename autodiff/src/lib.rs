//! A tiny reverse-mode automatic differentiation engine over dense `f64` matrices.
pub mod math;
pub mod random;
