//! Settings of a fit to a posterior.

mod base;
mod draws;
mod flow;
#[cfg(test)]
mod tests;

pub(crate) use base::check_mixture;
pub use base::{Means, PosteriorBase, Tails};
pub use draws::Draws;
pub use flow::FlowSettings;

use amf::WeightRule;
use amf::experts::Components;
use density::EmConfig;
use flow::fit_config;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How a posterior is learnt from likelihood evaluations: see the [crate](crate).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PosteriorConfig {
    /// Where the likelihood is evaluated: draws of the prior, as in arXiv:2512.04954, or annealing.
    pub draws: Draws,
    /// The base of every flow.
    pub base: PosteriorBase,
    /// The flows, with their names.
    pub experts: Vec<(String, FlowSettings)>,
    /// Whether the base mixture is an expert itself, named `base`.
    #[serde(default)]
    pub base_as_expert: bool,
    /// Number K of folds, at least 2: a fold's model trains on the other folds; its own fold serves
    /// for early stopping and weights.
    pub folds: usize,
    /// How many of the folds get models, 1 to K; they are averaged. With all K, every evaluation is
    /// used for training, early stopping and weights.
    pub models: usize,
    /// Evaluations used for training: at most this many for each effective one (see
    /// [`ImportanceWeights::thin`](crate::ImportanceWeights::thin)), at least 1.
    #[serde(default = "default_thin")]
    pub points_for_each_effective: f64,
    /// And at most this many in all.
    #[serde(
        default = "default_most_points",
        deserialize_with = "numerics::checked::at_least_one"
    )]
    pub most_points: usize,
    /// The most points that expectation-maximisation uses for a base: this gives a
    /// start from which training moves means and weights, in time proportional to the points.
    #[serde(
        default = "default_base_points",
        deserialize_with = "numerics::checked::at_least_one"
    )]
    pub base_points: usize,
    /// The most points that early stopping uses.
    #[serde(
        default = "default_validation_points",
        deserialize_with = "numerics::checked::at_least_one"
    )]
    pub validation_points: usize,
    /// How the experts' held-out densities become weights.
    #[serde(default = "stacking")]
    pub rule: WeightRule,
}

fn default_thin() -> f64 {
    4.0
}

fn default_most_points() -> usize {
    50_000
}

fn default_base_points() -> usize {
    10_000
}

fn default_validation_points() -> usize {
    4000
}

/// Stacking to 1e-8 nats.
pub(crate) fn stacking() -> WeightRule {
    WeightRule::Stacking {
        tolerance: 1e-8,
        max_iterations: 500,
        batch: 1,
    }
}

impl PosteriorConfig {
    /// A good start for up to three parameters: annealing, MAF and RealNVP on a base whose number of
    /// components BIC chooses, and the base itself.
    #[must_use]
    pub fn quick(evaluations: usize) -> Self {
        Self {
            draws: Draws::Annealed(evaluations),
            base: PosteriorBase::Mixture {
                components: Components::Bic {
                    most: 24,
                    patience: 2,
                },
                means: Means::TrainedWithWeights,
                tails: Some(Tails {
                    share: 0.03,
                    scale: 1.5,
                }),
                em: EmConfig {
                    restarts: 8,
                    ..EmConfig::default()
                },
            },
            experts: vec![
                (
                    "maf".into(),
                    FlowSettings::maf(6, &[32, 32], fit_config(1500)),
                ),
                (
                    "realnvp".into(),
                    FlowSettings::realnvp(6, &[32, 32], fit_config(1500)),
                ),
            ],
            base_as_expert: true,
            folds: 5,
            models: 1,
            points_for_each_effective: default_thin(),
            most_points: default_most_points(),
            base_points: default_base_points(),
            validation_points: default_validation_points(),
            rule: stacking(),
        }
    }

    /// The largest number of likelihood evaluations of a fit.
    #[must_use]
    pub fn budget(&self) -> usize {
        self.draws.budget()
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// A message that names the field.
    pub fn check(&self) -> Result<(), String> {
        self.draws.check().map_err(|e| format!("draws: {e}"))?;
        self.base.check().map_err(|e| format!("base: {e}"))?;
        let mut names = BTreeSet::new();
        for (name, flow) in &self.experts {
            if !names.insert(name) || name == "base" {
                return Err(format!(
                    "experts: \"{name}\" must be a name of its own, and not \"base\""
                ));
            }
            flow.check()
                .map_err(|e| format!("expert \"{name}\": {e}"))?;
        }
        if self.base_as_expert && self.base == PosteriorBase::StandardNormal {
            return Err("base_as_expert needs a mixture base".into());
        }
        if self.experts.is_empty() && !self.base_as_expert {
            return Err("experts must not be empty unless base_as_expert is set".into());
        }
        if self.folds < 2 {
            return Err(format!("folds must be at least 2, not {}", self.folds));
        }
        if !(1..=self.folds).contains(&self.models) {
            return Err(format!(
                "models must be from 1 to folds, not {} with {} folds",
                self.models, self.folds
            ));
        }
        if !(self.points_for_each_effective >= 1.0 && self.points_for_each_effective.is_finite()) {
            return Err(format!(
                "points_for_each_effective must be at least 1, not {}",
                self.points_for_each_effective
            ));
        }
        for (name, v) in [
            ("most_points", self.most_points),
            ("base_points", self.base_points),
            ("validation_points", self.validation_points),
        ] {
            if v == 0 {
                return Err(format!("{name} must be at least 1, not 0"));
            }
        }
        self.rule.check().map_err(|e| format!("rule: {e}"))
    }
}
