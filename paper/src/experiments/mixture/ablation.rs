//! Ablations: the mixture without some ingredient, on the same draws and fits.

use crate::engine::config::FieldError;
use amf::{MixtureAware, WeightRule};
use serde::{Deserialize, Serialize};

/// An ablation with its name in tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedAblation {
    /// Name, unique among experts, baselines and ablations.
    pub name: String,
    /// The change.
    pub what: Ablation,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Ablation {
    /// Without this expert; weights learned again.
    Without(String),
    /// With these experts alone; weights learned again.
    Only(Vec<String>),
    /// Equal weights.
    EqualWeights,
    /// Weights by another rule on the same out-of-fold log-densities.
    Rule(WeightRule),
    /// One split instead of cross-fitting: the models of the first fold, weights from the points that it holds out.
    OneSplit,
    /// The cross-fitted weights, but the models of the first fold instead of the averages over all folds.
    NoAverage,
    /// Weights that are best on the test draws. For comparison only: no fit can know them.
    Hindsight,
    /// Mixture-aware rounds after stage 2.
    MixtureAware(MixtureAware),
}

impl Ablation {
    /// What is wrong with it, given the names of the experts.
    ///
    /// # Errors
    /// The field and what is wrong with it.
    pub fn check(&self, experts: &[&str]) -> Result<(), FieldError> {
        let known = |name: &String| {
            if experts.contains(&name.as_str()) {
                Ok(())
            } else {
                Err(FieldError::new(format!("no expert is called \"{name}\"")))
            }
        };
        match self {
            Self::Without(name) if experts.len() < 2 => {
                let reason = format!("without \"{name}\" no expert is left");
                Err(FieldError::new(reason))
            }
            Self::Without(name) => known(name),
            Self::Only(names) if names.is_empty() => Err(FieldError::new("no expert is left")),
            Self::Only(names) => names.iter().try_for_each(known),
            Self::Rule(rule) => rule.check().map_err(FieldError::new),
            Self::MixtureAware(aware) => aware.check().map_err(FieldError::new),
            Self::EqualWeights | Self::OneSplit | Self::NoAverage | Self::Hindsight => Ok(()),
        }
    }
}
