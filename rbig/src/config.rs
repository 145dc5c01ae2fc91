//! Settings of a fit.

use crate::Error;
use crate::marginal::MarginalKind;
use crate::rotation::RotationKind;
use serde::{Deserialize, Serialize};

/// When to stop adding layers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum LayerRule {
    /// A fixed number of layers.
    Count(usize),
    /// The number of layers, from 0 to `max_layers`, with the highest mean log-likelihood of
    /// validation data. The search ends after `patience` layers in a row without a gain of more
    /// than `min_gain` nats a point.
    HeldOut {
        /// Most layers tried.
        max_layers: usize,
        /// Layers without a gain before the search ends, >= 1.
        patience: usize,
        /// Least gain that counts, nats a point, >= 0.
        min_gain: f64,
    },
    /// Layers are added until `patience` rotations in a row give columns that look normal: the sum
    /// of their negentropies (the decrease of the total correlation) is below `tolerance` standard
    /// deviations of its value for independent normal columns. The layers of those last rotations
    /// are dropped.
    TotalCorrelation {
        /// Most layers.
        max_layers: usize,
        /// Standard deviations of the null level, >= 0.
        tolerance: f64,
        /// Rotations without a decrease before the fit ends, >= 1.
        patience: usize,
    },
}

/// Settings of [`crate::Rbig::fit`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RbigConfig {
    /// When to stop.
    pub layers: LayerRule,
    /// The marginal step.
    pub marginal: MarginalKind,
    /// The rotations between the marginal steps.
    pub rotation: RotationKind,
}

impl RbigConfig {
    /// Four layers of 50-bin histograms and random rotations (the setting of arXiv:2510.02056).
    #[must_use]
    pub fn published() -> Self {
        Self {
            layers: LayerRule::Count(4),
            marginal: MarginalKind::published_histogram(),
            rotation: RotationKind::Random,
        }
    }

    /// Smooth marginals, rotations towards non-normal directions, and a number of layers chosen on
    /// validation data.
    #[must_use]
    pub fn smooth() -> Self {
        Self {
            layers: LayerRule::HeldOut {
                max_layers: 50,
                patience: 8,
                min_gain: 0.0,
            },
            marginal: MarginalKind::smooth(),
            rotation: RotationKind::MostNonGaussian { candidates: 16 },
        }
    }

    /// Whether the settings are in range.
    ///
    /// # Errors
    /// [`Error::BadSetting`] names the field.
    pub fn check(&self) -> Result<(), Error> {
        let bad = |field, reason| Err(Error::BadSetting { field, reason });
        match self.layers {
            LayerRule::Count(_) => {}
            LayerRule::HeldOut {
                patience, min_gain, ..
            } => {
                if patience == 0 {
                    return bad("patience", "must be at least 1");
                }
                if !(min_gain >= 0.0 && min_gain.is_finite()) {
                    return bad("min_gain", "must be finite and >= 0");
                }
            }
            LayerRule::TotalCorrelation {
                tolerance,
                patience,
                ..
            } => {
                if patience == 0 {
                    return bad("patience", "must be at least 1");
                }
                if !(tolerance >= 0.0 && tolerance.is_finite()) {
                    return bad("tolerance", "must be finite and >= 0");
                }
            }
        }
        if self.rotation == (RotationKind::MostNonGaussian { candidates: 0 }) {
            return bad("candidates", "must be at least 1");
        }
        self.marginal.check()
    }
}
