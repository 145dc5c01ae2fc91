//! Flows of a posterior: their shapes and how they are fitted.

use crate::frame::Frame;
use autodiff::{AdamConfig, Schedule};
use flows::{Activation, Architecture, Batch, FitConfig, LogScale, Nets, Ordering};
use serde::{Deserialize, Serialize};

/// A flow: its shape and how it is fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowSettings {
    /// MAF or RealNVP. On a mixture base it should start near the identity (an `output_gain` well
    /// below 1).
    pub architecture: Architecture,
    /// The coordinates in which it works.
    #[serde(default)]
    pub frame: Frame,
    /// Weighted maximum likelihood.
    pub fit: FitConfig,
}

impl FlowSettings {
    pub(crate) fn check(&self) -> Result<(), String> {
        self.architecture.check()?;
        if let Frame::Turned(angle) = self.frame
            && !angle.is_finite()
        {
            return Err(format!("frame: the angle must be finite, not {angle}"));
        }
        self.fit.check()
    }

    /// A masked autoregressive flow that starts near the identity, in rotated coordinates: at the
    /// identity itself, with modes that are products along the axes, the gradient is too small to
    /// leave it (see [`Frame`]).
    #[must_use]
    pub fn maf(layers: usize, hidden: &[usize], fit: FitConfig) -> Self {
        Self {
            architecture: Architecture::Maf {
                layers,
                hidden: hidden.to_vec(),
                activation: Activation::Relu,
                ordering: Ordering::Reversed,
                log_scale: GENTLE,
                output_gain: NEAR_IDENTITY,
            },
            frame: Frame::Turned(0.5),
            fit,
        }
    }

    /// A RealNVP that starts near the identity, in rotated coordinates, with one network for shift
    /// and log-scale in each coupling.
    #[must_use]
    pub fn realnvp(couplings: usize, hidden: &[usize], fit: FitConfig) -> Self {
        Self {
            architecture: Architecture::RealNvp {
                couplings,
                hidden: hidden.to_vec(),
                activation: Activation::Relu,
                nets: Nets::Shared,
                log_scale: GENTLE,
                output_gain: NEAR_IDENTITY,
            },
            frame: Frame::Turned(0.5),
            fit,
        }
    }
}

/// Output gain of a layer's networks at the start.
const NEAR_IDENTITY: f64 = 0.3;

const GENTLE: LogScale = LogScale {
    bound: 1.0,
    knee: 1.0,
};
/// Mini-batches of 250, a rate that falls to zero along a cosine, early stopping.
pub(super) fn fit_config(steps: usize) -> FitConfig {
    FitConfig {
        steps,
        batch: Batch::Size(250),
        learning_rate: 2e-3,
        schedule: Schedule::Cosine { floor: 0.0 },
        adam: AdamConfig::default(),
        clip_norm: Some(5.0),
        evaluate_every: (steps / 20).max(1),
        patience: Some(10),
    }
}
