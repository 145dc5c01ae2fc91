//! The settings of a study and of its runs.

use crate::engine::presentation::Presentation;
use amf::WeightRule;
use datasets::posterior::SignDegenerate;
use metrics::Calibrate;
use numerics::checked;
use posterior::{AmortisedConfig, AmortisedModel, FlowSettings, PosteriorConfig};
use serde::{Deserialize, Serialize};

/// One study: every variant with every seed is a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmortisedStudy {
    /// Name of the protocol in tables and file names.
    pub protocol: String,
    /// Seeds: each gives its own pairs, initial parameters and batches.
    pub seeds: Vec<u64>,
    /// What simulates the data.
    pub simulator: SignDegenerate,
    /// Simulated pairs of parameters and data.
    #[serde(deserialize_with = "checked::at_least_one")]
    pub pairs: usize,
    /// The variants of the model that are compared.
    pub variants: Vec<Variant>,
    /// The flows and how they are fitted.
    pub model: Model,
    /// Unseen data for the comparison with the exact posterior.
    pub unseen: Unseen,
    /// Data for ranks and coverage.
    pub calibration: Calibration,
    /// Its presentation in the report.
    #[serde(default)]
    pub report: Presentation,
}

/// A variant of the model, with its name in tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Name, unique among the variants.
    pub name: String,
    /// One flow on a base, or a weighted sum of flows.
    pub model: AmortisedModel,
}

/// The model fitted to pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Pairs that a mixture is fitted to first.
    #[serde(deserialize_with = "checked::at_least_one")]
    pub neighbours: usize,
    /// The conditional flows, with their names.
    pub experts: Vec<(String, FlowSettings)>,
    /// Share of the pairs held out for early stopping and weights.
    pub validation: f64,
    /// How held-out densities become weights; the library's rule if it is not given.
    #[serde(default)]
    pub rule: Option<WeightRule>,
}

/// Data that the model has not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unseen {
    /// Observations.
    #[serde(deserialize_with = "checked::at_least_one")]
    pub observations: usize,
    /// Exact draws for each.
    #[serde(deserialize_with = "checked::at_least_one")]
    pub draws: usize,
}

/// Simulation-based calibration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Observations.
    #[serde(deserialize_with = "checked::at_least_one")]
    pub observations: usize,
    /// Draws, bins and regions.
    pub settings: Calibrate,
}

/// One run: a study's variant with one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmortisedRun {
    /// Name of the protocol.
    pub protocol: String,
    /// What simulates the data.
    pub simulator: SignDegenerate,
    /// Simulated pairs.
    pub pairs: usize,
    /// Name of the variant.
    pub variant: String,
    /// Seed of everything random.
    pub seed: u64,
    /// The fit.
    pub fit: AmortisedConfig,
    /// Unseen data for the comparison with the exact posterior.
    pub unseen: Unseen,
    /// Data for ranks and coverage.
    pub calibration: Calibration,
}

impl AmortisedStudy {
    pub(super) fn fit(&self, variant: &Variant) -> AmortisedConfig {
        let model = &self.model;
        AmortisedConfig {
            model: variant.model,
            neighbours: model.neighbours,
            experts: model.experts.clone(),
            validation: model.validation,
            rule: model.rule.unwrap_or(PosteriorConfig::quick(1).rule),
        }
    }

    /// All runs, variant by variant.
    #[must_use]
    pub fn runs(&self) -> Vec<AmortisedRun> {
        let mut runs = Vec::new();
        for variant in &self.variants {
            runs.extend(self.seeds.iter().map(|&seed| AmortisedRun {
                protocol: self.protocol.clone(),
                simulator: self.simulator,
                pairs: self.pairs,
                variant: variant.name.clone(),
                seed,
                fit: self.fit(variant),
                unseen: self.unseen,
                calibration: self.calibration.clone(),
            }));
        }
        runs
    }
}

impl AmortisedRun {
    /// The problem's name in tables.
    #[must_use]
    pub fn problem(&self) -> String {
        format!("signs_{}d", self.simulator.dim)
    }
}
