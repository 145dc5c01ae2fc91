//! The settings of a study and of its runs.

use super::ablation::NamedAblation;
use crate::engine::presentation::Presentation;
use amf::{NamedExpert, RepeatedKFold, WeightRule};
use datasets::Family;
use numerics::checked;
use serde::{Deserialize, Serialize};

/// One protocol: every target with every seed is a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixtureStudy {
    /// Name of the protocol in tables and file names.
    pub protocol: String,
    /// Target densities.
    pub targets: Vec<Family>,
    /// Seeds: each gives its own draws, initial parameters and batches.
    pub seeds: Vec<u64>,
    /// How many draws serve which purpose.
    pub draws: Draws,
    /// The experts of the mixture.
    pub experts: Vec<NamedExpert>,
    /// Stage 2.
    pub weights: WeightStage,
    /// What is measured.
    pub evaluation: Evaluation,
    /// Cross-fitting: all of `draws.train` serve training, early stopping and weights in turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_fit: Option<RepeatedKFold>,
    /// Models that are fitted to all draws of the budget by themselves, to compare with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub baselines: Vec<NamedExpert>,
    /// What the mixture would be without some ingredient (cross-fitting only).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ablations: Vec<NamedAblation>,
    /// Other numbers of training draws, each with its own runs.
    #[serde(default)]
    pub other_sizes: Vec<usize>,
    /// Its presentation in the report.
    #[serde(default)]
    pub report: Presentation,
}

/// One run: a protocol for one target and one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixtureRun {
    /// Name of the protocol.
    pub protocol: String,
    /// Target density.
    pub target: Family,
    /// Seed of everything random.
    pub seed: u64,
    /// How many draws serve which purpose.
    pub draws: Draws,
    /// The experts of the mixture.
    pub experts: Vec<NamedExpert>,
    /// Stage 2.
    pub weights: WeightStage,
    /// What is measured.
    pub evaluation: Evaluation,
    /// Cross-fitting: all of `draws.train` serve training, early stopping and weights in turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_fit: Option<RepeatedKFold>,
    /// Models that are fitted to all draws of the budget by themselves, to compare with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub baselines: Vec<NamedExpert>,
    /// What the mixture would be without some ingredient (cross-fitting only).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ablations: Vec<NamedAblation>,
}

/// Sizes of the disjoint sets of draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draws {
    /// For maximum likelihood.
    #[serde(deserialize_with = "checked::at_least_one")]
    pub train: usize,
    /// For early stopping and the number of layers.
    #[serde(default)]
    pub validation: usize,
    /// For mixture weights learnt from held-out points.
    #[serde(default)]
    pub weights: usize,
    /// Held-out likelihood in the training curves if there is no validation set; nothing is
    /// selected on it.
    #[serde(default)]
    pub monitor: usize,
    /// For the measures.
    #[serde(deserialize_with = "checked::at_least_one")]
    pub test: usize,
}

impl Draws {
    /// Draws that a fit uses in all.
    #[must_use]
    pub fn budget(&self) -> usize {
        let held_out = self.validation.saturating_add(self.weights);
        self.train.saturating_add(held_out)
    }
}

/// How the mixture weights are learned.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightStage {
    /// The rule.
    pub rule: WeightRule,
    /// The points that it uses.
    pub source: WeightSource,
}

/// Where the points for the weights come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WeightSource {
    /// Fresh draws of the target at every step, beyond the budget (as published).
    Fresh,
    /// The held-out points `draws.weights`.
    HeldOut,
    /// The points of the budget under the models that did not see them (cross-fitting).
    OutOfFold,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Model draws, and test points compared with them, for each sampled metric.
    #[serde(deserialize_with = "checked::at_least_one")]
    pub samples: usize,
    /// Fresh sets of model draws over which each sampled metric is averaged.
    #[serde(deserialize_with = "checked::at_least_one")]
    pub sets: usize,
    /// Models whose samples are measured.
    #[serde(default, skip_serializing_if = "Sampled::is_all")]
    pub sampled: Sampled,
}

/// Models whose samples are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Sampled {
    /// The mixture and its experts.
    #[default]
    All,
    /// The mixture, and fresh draws of the target as the floor.
    Mixture,
}

impl Sampled {
    // By reference, as serde asks.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    fn is_all(&self) -> bool {
        *self == Self::All
    }
}

impl MixtureStudy {
    /// All runs of the protocol, size by size and target by target.
    #[must_use]
    pub fn runs(&self) -> Vec<MixtureRun> {
        let sizes = std::iter::once(self.draws.train).chain(self.other_sizes.iter().copied());
        let mut runs = Vec::new();
        for train in sizes {
            for &target in &self.targets {
                runs.extend(self.seeds.iter().map(|&seed| MixtureRun {
                    protocol: self.protocol.clone(),
                    target,
                    seed,
                    draws: Draws {
                        train,
                        ..self.draws
                    },
                    experts: self.experts.clone(),
                    weights: self.weights,
                    evaluation: self.evaluation,
                    cross_fit: self.cross_fit,
                    baselines: self.baselines.clone(),
                    ablations: self.ablations.clone(),
                }));
            }
        }
        runs
    }
}
