//! The functions behind hidden units.

use numerics::math;
use serde::{Deserialize, Serialize};

/// The function behind every hidden unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `tanh x`: a smooth density.
    Tanh,
}

impl Activation {
    /// `x <- act(x + bias)`.
    pub(crate) fn apply(self, x: &mut [f64], bias: f64) {
        match self {
            Self::Relu => {
                for v in x {
                    let s = *v + bias;
                    // NaN stays NaN.
                    *v = if s < 0.0 { 0.0 } else { s };
                }
            }
            Self::Tanh => {
                for v in x {
                    *v = math::tanh(*v + bias);
                }
            }
        }
    }

    /// `d <- d act'`, from the values `y` of the activation.
    pub(crate) fn backward(self, d: &mut [f64], y: &[f64]) {
        match self {
            Self::Relu => {
                for (d, y) in d.iter_mut().zip(y) {
                    *d = if *y > 0.0 { *d } else { 0.0 };
                }
            }
            Self::Tanh => {
                for (d, y) in d.iter_mut().zip(y) {
                    *d *= 1.0 - y * y;
                }
            }
        }
    }
}
