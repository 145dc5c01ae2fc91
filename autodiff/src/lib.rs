//! A tiny reverse-mode automatic differentiation engine over dense `f64` matrices.
//!
//! - [`Tape`] is an arena of matrix-valued nodes. Recording an operation computes its value at
//!   once; [`Tape::backward`] visits the nodes in reverse and adds the gradient of a scalar node to
//!   a flat parameter gradient. [`Tape::reset`] clears the nodes but not their buffers, so a step
//!   that repeats the shapes of the last one allocates nothing.
//! - [`Op`] is an operation with a hand-written backward pass. The built-in ones are methods of
//!   [`Graph`]; other crates add fused operations through the same trait.
//! - Parameters, gradients and the moments of [`Adam`] are flat vectors; operations address them by
//!   offset.
//! - [`check`] compares gradients with central differences.
//!
//! Matrices are samples x features, column-major: one feature is one contiguous column.
//!
//! ```
//! use autodiff::{Graph, Tape};
//!
//! // d/dw of sum((x w)^2) for x = [1, 2]^T and a 1 x 1 parameter w = 3.
//! let mut tape = Tape::new();
//! let params = [3.0];
//! let mut graph = Graph::new(&mut tape, &params);
//! let x = graph.constant(2, 1, &[1.0, 2.0]);
//! let w = graph.param(0, 1, 1);
//! let y = graph.matmul(x, w);
//! let squares = graph.mul(y, y);
//! let loss = graph.sum(squares);
//! let mut grad = [0.0];
//! tape.backward(loss, &params, &mut grad);
//! assert_eq!(grad, [30.0]);
//! ```

pub mod check;
mod ops;
pub mod optim;
mod tape;

pub use optim::{Adam, AdamConfig, Schedule};
pub use tape::{Backward, Forward, Graph, Op, Tape, Var};
