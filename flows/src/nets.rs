//! Shapes of the networks of a layer.

use crate::activation::Activation;
use crate::affine::LogScale;
use serde::{Deserialize, Serialize};

/// The networks of a coupling layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Nets {
    /// One network for the shifts, one for the log-scales.
    Separate,
    /// One network with both outputs.
    Shared,
}

/// What the networks of a layer have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NetShape<'a> {
    pub hidden: &'a [usize],
    pub activation: Activation,
    pub log_scale: LogScale,
    pub output_gain: f64,
}
