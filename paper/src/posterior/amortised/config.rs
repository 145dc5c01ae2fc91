//! Studies of amortised posteriors, checked when they are read.

use super::super::config::Wrong;
use crate::config::{self, first_repeated, is_name};
use amf::WeightRule;
use anyhow::Result;
use datasets::posterior::{Benchmark, SignDegenerate};
use metrics::Calibrate;
use numerics::checked;
use posterior::{AmortisedConfig, AmortisedModel, FlowSettings, PosteriorConfig};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Changes whenever the meaning of a study or of its records changes: records of another version are computed again.
pub const SCHEMA: u32 = 1;

/// One study: every variant with every seed is a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmortisedStudy {
    /// Name of the protocol in tables and file names.
    pub protocol: String,
    /// Seeds: each gives pairs, initial parameters and batches of its own.
    pub seeds: Vec<u64>,
    /// What simulates the data.
    pub simulator: SignDegenerate,
    /// Simulated pairs of parameters and data.
    #[serde(deserialize_with = "checked::at_least_one")]
    pub pairs: usize,
    /// What the experts are made of: variants that are compared.
    pub variants: Vec<Variant>,
    /// The flows and how they are fitted.
    pub model: Model,
    /// Data on which it is measured against the exact posterior.
    pub unseen: Unseen,
    /// Data on which its ranks and regions are.
    pub calibration: Calibration,
}

/// What each expert is made of, with the name that it has in tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Name, unique among the variants.
    pub name: String,
    /// One flow on a base, or a sum of flows.
    pub model: AmortisedModel,
}

/// What is fitted to pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Pairs that a mixture is fitted to first.
    #[serde(deserialize_with = "checked::at_least_one")]
    pub neighbours: usize,
    /// The conditional flows, with their names.
    pub experts: Vec<(String, FlowSettings)>,
    /// Share of the pairs that stops training and weighs the experts.
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
    /// Data on which it is measured against the exact posterior.
    pub unseen: Unseen,
    /// Data on which its ranks and regions are.
    pub calibration: Calibration,
}

impl AmortisedStudy {
    /// Reads and checks a config.
    ///
    /// # Errors
    /// One line with file, line and column, and what is wrong there.
    pub fn read(path: &Path) -> Result<Self> {
        config::read_text(path, Self::parse)
    }

    /// Checks the text of a config; `source` is what errors call it.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn parse(text: &str, source: &str) -> Result<Self> {
        let this: Self = config::parse(text, source)?;
        this.check().map_err(|wrong| wrong.error(source, text))?;
        Ok(this)
    }

    /// Whatever no single field shows.
    fn check(&self) -> std::result::Result<(), Wrong> {
        let bad = |field: &str, reason: String| Err(Wrong::field(field, reason));
        if !is_name(&self.protocol) {
            let reason = "protocol must be a name of letters, digits, _ and -";
            return bad("protocol", reason.into());
        }
        for (field, empty) in [
            ("seeds", self.seeds.is_empty()),
            ("variants", self.variants.is_empty()),
        ] {
            if empty {
                return bad(field, format!("{field} must not be empty"));
            }
        }
        let experts = 1 + self.model.experts.len();
        config::check_fits(&[self.seeds.len(), self.variants.len(), experts])
            .map_err(|reason| Wrong::field("seeds", reason))?;
        if let Some(s) = first_repeated(&self.seeds) {
            return bad("seeds", format!("seeds: {s} is listed twice"));
        }
        let names: Vec<&str> = self.variants.iter().map(|v| v.name.as_str()).collect();
        if let Some(n) = first_repeated(&names) {
            return bad("variants", format!("variants: two are called \"{n}\""));
        }
        if let Some(n) = names.iter().find(|n| !is_name(n)) {
            let reason = format!("variants: \"{n}\" is not a name of letters, digits, _ and -");
            return bad("variants", reason);
        }
        let SignDegenerate { dim, sigma } = self.simulator;
        if !((1..=16).contains(&dim) && sigma > 0.0 && sigma.is_finite()) {
            let reason = format!(
                "simulator must have a dim from 1 to 16 and a positive sigma, not {dim} and {sigma}"
            );
            return bad("simulator", reason);
        }
        let unsound = |n: &str| n == "mixture" || !is_name(n);
        if self.model.experts.iter().any(|(n, _)| unsound(n)) {
            let reason = "experts: a name must be of letters, digits, _ and -, and not \"mixture\"";
            return bad("experts", reason.into());
        }
        for variant in &self.variants {
            if let Err(reason) = self.fit(variant).check() {
                let quoted = reason.split_once("expert \"");
                let expert = quoted.and_then(|(_, rest)| rest.split('"').next());
                let field = reason.split([' ', '.', ':']).next().unwrap_or_default();
                let of_variant = ["base", "model"].contains(&field);
                let hint = if of_variant { &variant.name } else { field };
                return bad(expert.unwrap_or(hint), reason.clone());
            }
        }
        if let Err(reason) = self.calibration.settings.check() {
            return bad("calibration", format!("calibration: {reason}"));
        }
        Ok(())
    }

    fn fit(&self, variant: &Variant) -> AmortisedConfig {
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

    /// The benchmark of the same simulator, for choosing runs by name.
    #[must_use]
    pub fn benchmark(&self) -> Option<Benchmark> {
        match self.simulator.dim {
            2 => Some(Benchmark::FourSigns),
            3 => Some(Benchmark::EightSigns),
            _ => None,
        }
    }
}

impl AmortisedRun {
    /// A stable hash of everything that the results depend on.
    ///
    /// # Panics
    /// Never: a config is serialisable.
    #[must_use]
    pub fn hash(&self) -> String {
        config::hash(&format!("amortised schema {SCHEMA}"), self)
    }

    /// The problem's name in tables.
    #[must_use]
    pub fn problem(&self) -> String {
        format!("signs_{}d", self.simulator.dim)
    }

    /// File name of the record, without its ending.
    #[must_use]
    pub fn stem(&self) -> String {
        format!(
            "{}/{}/{}-{}-n{}-seed{}",
            super::FOLDER,
            self.protocol,
            self.problem(),
            self.variant,
            self.pairs,
            self.seed
        )
    }
}
