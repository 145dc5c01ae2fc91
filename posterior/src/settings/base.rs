//! The base of the flows of a posterior.

use crate::parts::Parts;
use amf::experts::Components;
use density::{EmConfig, GaussianMixture, Rotation};
use flows::Base;
use serde::{Deserialize, Serialize};

/// The base of the flows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum PosteriorBase {
    /// `N(0, I)`.
    StandardNormal,
    /// A Gaussian mixture that starts from weighted expectation-maximisation on the standardised
    /// points.
    Mixture {
        /// How many components it has: given, matched to the modes, or chosen by BIC on the
        /// weighted points.
        components: Components,
        /// Whether they are trained.
        #[serde(default)]
        means: Means,
        /// Heavier tails than a normal's, or none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tails: Option<Tails>,
        /// Expectation-maximisation.
        #[serde(default)]
        em: EmConfig,
    },
}

/// Tails of the components of a base: each is `(1 - share) N(m, C) + share N(m, scale^2 C)`.
///
/// Importance weights need a q whose tails are no lighter than the posterior's, and the tails of a
/// mode that is not normal are heavier than those of its best normal fit in some direction. Where
/// the normal is right, the divergence is of second order in the share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tails {
    /// Share of each component's weight, above 0 and below 1.
    pub share: f64,
    /// Standard deviations in units of the component's, above 1.
    pub scale: f64,
}

/// Whether the components of a base are trained with the flow on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Means {
    /// They stay where expectation-maximisation put them.
    #[default]
    Fixed,
    /// Means are trained.
    Trained,
    /// Means and weights are trained.
    TrainedWithWeights,
}

impl PosteriorBase {
    /// The base of a flow in a frame, from a mixture of standardised coordinates.
    pub(crate) fn place(
        &self,
        mixture: Option<&GaussianMixture>,
        rotation: Option<&Rotation>,
    ) -> Base {
        let (Self::Mixture { means, .. }, Some(mixture)) = (self, mixture) else {
            return Base::StandardNormal;
        };
        let start = match rotation {
            Some(r) => Parts::of(mixture).rotated(r).build(),
            None => mixture.clone(),
        };
        match means {
            Means::Fixed => Base::GaussianMixture(start),
            Means::Trained | Means::TrainedWithWeights => Base::TrainedGaussianMixture {
                start,
                train_weights: *means == Means::TrainedWithWeights,
            },
        }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        match self {
            Self::StandardNormal => Ok(()),
            Self::Mixture {
                components,
                em,
                tails,
                ..
            } => {
                if let Some(Tails { share, scale }) = tails
                    && !(*share > 0.0 && *share < 1.0 && *scale > 1.0 && scale.is_finite())
                {
                    return Err(format!(
                        "tails: share must be above 0 and below 1 and scale above 1, not {share} and {scale}"
                    ));
                }
                check_mixture(*components, em)
            }
        }
    }
}

pub(crate) fn check_mixture(components: Components, em: &EmConfig) -> Result<(), String> {
    let (most, patience) = match components {
        Components::Bic { most, patience } => (most, patience),
        Components::Fixed(n) => (n, 1),
    };
    for (name, v) in [
        ("components", most),
        ("patience", patience),
        ("restarts", em.restarts),
        ("iterations", em.iterations),
    ] {
        if v == 0 {
            return Err(format!("{name} must be at least 1, not 0"));
        }
    }
    Ok(())
}
