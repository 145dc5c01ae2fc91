//! The settings of a study and of its runs.

use crate::engine::presentation::Presentation;
use amf::WeightRule;
use amf::experts::Components;
use datasets::posterior::Benchmark;
use density::EmConfig;
use numerics::checked;
use posterior::{
    Compare, Draws, EvidenceDraws, FlowSettings, Means, PosteriorBase, PosteriorConfig, Tails,
};
use serde::{Deserialize, Serialize};

/// One study: every benchmark with every plan, base and seed is a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PosteriorStudy {
    /// Name of the protocol in tables and file names.
    pub protocol: String,
    /// Seeds: each gives its own evaluations, initial parameters and batches.
    pub seeds: Vec<u64>,
    /// The bases that are compared.
    pub bases: Vec<NamedBase>,
    /// The bases whose fits figures show, side by side, for the first seed.
    #[serde(default)]
    pub shown: Vec<String>,
    /// The benchmarks, with the models fitted to them.
    pub problems: Vec<Problems>,
    /// The measures.
    pub measures: Measures,
    /// Its presentation in the report.
    #[serde(default)]
    pub report: Presentation,
}

/// A base with its name in tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedBase {
    /// Name, unique among the bases.
    pub name: String,
    /// The base.
    pub base: BaseChoice,
    /// Flows that were tuned for it, in place of those of the problems.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experts: Option<Vec<(String, FlowSettings)>>,
    /// Fewer seeds than the others have, for a base whose fits take long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<Vec<u64>>,
}

/// The base of every flow of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum BaseChoice {
    /// `N(0, I)`.
    StandardNormal,
    /// A Gaussian mixture on the weighted points.
    Mixture {
        /// How many components it has.
        components: Count,
        /// Whether they are trained.
        #[serde(default)]
        means: Means,
        /// Expectation-maximisation.
        #[serde(default)]
        em: EmConfig,
        /// Whether the base is an expert itself.
        #[serde(default)]
        as_expert: bool,
    },
}

/// How many components a base has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Count {
    /// As many as the posterior has modes.
    Matched,
    /// This many.
    Fixed(usize),
    /// As many as BIC chooses on the weighted points.
    Bic {
        /// The largest number tried.
        most: usize,
        /// The search ends after this many numbers without a smaller BIC.
        patience: usize,
    },
}

/// Benchmarks that share settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problems {
    /// The benchmarks.
    pub benchmarks: Vec<Benchmark>,
    /// How the likelihood evaluations are spent.
    pub plans: Vec<Plan>,
    /// Heavier tails than a normal's for the components of mixture bases, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tails: Option<Tails>,
    /// The model fitted to them.
    pub model: Model,
}

/// How the likelihood evaluations are spent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Name in tables, where a study has several.
    #[serde(default)]
    pub name: String,
    /// Where the likelihood is evaluated.
    pub draws: Draws,
}

/// The model fitted to weighted evaluations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The flows, with their names.
    pub experts: Vec<(String, FlowSettings)>,
    /// Number of folds.
    pub folds: usize,
    /// How many of the folds get models.
    pub models: usize,
    /// Most training points for each effective one; the library's number if it is not given.
    #[serde(default)]
    pub points_for_each_effective: Option<f64>,
    /// Most training points in all.
    #[serde(default)]
    pub most_points: Option<usize>,
    /// Most points for expectation-maximisation of bases and proposals.
    #[serde(default)]
    pub base_points: Option<usize>,
    /// Most points for early stopping.
    #[serde(default)]
    pub validation_points: Option<usize>,
    /// How held-out densities become weights.
    #[serde(default)]
    pub rule: Option<WeightRule>,
}

/// The measures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measures {
    /// Draws for divergences, masses and W2.
    pub compare: Compare,
    /// Draws of each for the sliced distance, whose time is nearly proportional to them.
    #[serde(deserialize_with = "checked::at_least_one")]
    pub sliced_draws: usize,
    /// Draws for the evidence.
    pub evidence: EvidenceDraws,
}

/// One run: a study's benchmark, plan and base with one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PosteriorRun {
    /// Name of the protocol.
    pub protocol: String,
    /// The posterior.
    pub benchmark: Benchmark,
    /// Name of the plan; empty if there is only one.
    pub plan: String,
    /// Name of the base.
    pub base: String,
    /// Seed of everything random.
    pub seed: u64,
    /// The fit.
    pub fit: PosteriorConfig,
    /// The measures.
    pub measures: Measures,
}

impl PosteriorStudy {
    /// All runs, benchmark by benchmark.
    #[must_use]
    pub fn runs(&self) -> Vec<PosteriorRun> {
        let mut runs = Vec::new();
        for problems in &self.problems {
            for &benchmark in &problems.benchmarks {
                for plan in &problems.plans {
                    for base in &self.bases {
                        let fit = base.fit(benchmark, plan, problems);
                        let seeds = base.seeds.as_ref().unwrap_or(&self.seeds);
                        runs.extend(seeds.iter().map(|&seed| PosteriorRun {
                            protocol: self.protocol.clone(),
                            benchmark,
                            plan: plan.name.clone(),
                            base: base.name.clone(),
                            seed,
                            fit: fit.clone(),
                            measures: self.measures,
                        }));
                    }
                }
            }
        }
        runs
    }

    /// Whether figures show this run of the study.
    #[must_use]
    pub fn shows(&self, run: &PosteriorRun) -> bool {
        run.seed == self.seeds[0] && self.shown.contains(&run.base)
    }
}

impl Plan {
    pub(super) fn budget(&self) -> usize {
        self.draws.budget()
    }
}

impl NamedBase {
    /// The settings of a fit on this base.
    pub(super) fn fit(
        &self,
        benchmark: Benchmark,
        plan: &Plan,
        problems: &Problems,
    ) -> PosteriorConfig {
        let mut config = self.base.fit(benchmark, plan, problems);
        if let Some(experts) = &self.experts {
            config.experts.clone_from(experts);
        }
        config
    }
}

impl BaseChoice {
    fn fit(&self, benchmark: Benchmark, plan: &Plan, problems: &Problems) -> PosteriorConfig {
        let model = &problems.model;
        let (base, base_as_expert) = match *self {
            Self::StandardNormal => (PosteriorBase::StandardNormal, false),
            Self::Mixture {
                components,
                means,
                em,
                as_expert,
            } => {
                let components = match components {
                    Count::Matched => Components::Fixed(benchmark.matched_components()),
                    Count::Fixed(n) => Components::Fixed(n),
                    Count::Bic { most, patience } => Components::Bic { most, patience },
                };
                let base = PosteriorBase::Mixture {
                    components,
                    means,
                    tails: problems.tails,
                    em,
                };
                (base, as_expert)
            }
        };
        let library = PosteriorConfig::quick(1);
        PosteriorConfig {
            draws: plan.draws,
            base,
            experts: model.experts.clone(),
            base_as_expert,
            folds: model.folds,
            models: model.models,
            points_for_each_effective: model
                .points_for_each_effective
                .unwrap_or(library.points_for_each_effective),
            most_points: model.most_points.unwrap_or(library.most_points),
            base_points: model.base_points.unwrap_or(library.base_points),
            validation_points: model.validation_points.unwrap_or(library.validation_points),
            rule: model.rule.unwrap_or(library.rule),
        }
    }
}

impl PosteriorRun {
    /// Likelihood evaluations, at most.
    #[must_use]
    pub fn budget(&self) -> usize {
        self.fit.budget()
    }

    /// Plan and base, which distinguish runs of one benchmark and budget.
    #[must_use]
    pub fn arm(&self) -> String {
        if self.plan.is_empty() {
            self.base.clone()
        } else {
            format!("{}-{}", self.plan, self.base)
        }
    }
}

/// The order of bases in tables: normal, normal with flows of its own, matched, chosen, then by number and name.
#[must_use]
pub fn rank(base: &str) -> (usize, usize, &str) {
    let known = ["normal", "tuned", "matched", "bic"];
    let place = known.iter().position(|k| *k == base);
    (place.unwrap_or(known.len()), base.len(), base)
}
