//! Studies of posteriors: the experiment as it is written down, checked when it is read.

use crate::config::{self, first_repeated, is_name};
use amf::WeightRule;
use amf::experts::Components;
use anyhow::{Result, anyhow};
use datasets::posterior::Benchmark;
use density::EmConfig;
use numerics::checked::{self, one_line};
use posterior::{
    Compare, EvidenceDraws, FirstDraws, FlowSettings, Means, PosteriorBase, PosteriorConfig,
    Proposal, Refinement, Tails,
};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Changes whenever the meaning of a study or of its records changes: records of another version are computed again.
pub const SCHEMA: u32 = 1;

/// One study: every benchmark with every plan, base and seed is a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// Name of the protocol in tables and file names.
    pub protocol: String,
    /// Seeds: each gives evaluations, initial parameters and batches of its own.
    pub seeds: Vec<u64>,
    /// The bases that are compared.
    pub bases: Vec<NamedBase>,
    /// The bases whose fits figures show, side by side, for the first seed.
    #[serde(default)]
    pub shown: Vec<String>,
    /// The benchmarks, with what is fitted to them.
    pub problems: Vec<Problems>,
    /// What is measured.
    pub measures: Measures,
}

/// A base with the name that it has in tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedBase {
    /// Name, unique among the bases.
    pub name: String,
    /// The base.
    pub base: BaseChoice,
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
        /// Whether they move.
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
    /// So many.
    Fixed(usize),
    /// As many as BIC chooses on the weighted points.
    Bic {
        /// The most.
        most: usize,
        /// It ends after so many numbers without a better one.
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
    /// What is fitted to them.
    pub model: Model,
}

/// How the likelihood evaluations are spent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Name in tables, where a study has several.
    #[serde(default)]
    pub name: String,
    /// Draws of the prior.
    pub first: FirstDraws,
    /// Rounds of refinement.
    #[serde(default)]
    pub refinement: Option<Refinement>,
}

/// What is fitted to weighted evaluations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The flows, with their names.
    pub experts: Vec<(String, FlowSettings)>,
    /// Number of folds.
    pub folds: usize,
    /// How many of the folds get models.
    pub models: usize,
    /// Points that are trained on for each effective one, at most; the library's number if it is not given.
    #[serde(default)]
    pub points_for_each_effective: Option<f64>,
    /// And in all, at most.
    #[serde(default)]
    pub most_points: Option<usize>,
    /// Points on which bases and proposals are fitted by expectation-maximisation, at most.
    #[serde(default)]
    pub base_points: Option<usize>,
    /// Points on which fits stop, at most.
    #[serde(default)]
    pub validation_points: Option<usize>,
    /// How held-out densities become weights.
    #[serde(default)]
    pub rule: Option<WeightRule>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measures {
    /// Draws for divergences, masses and W2.
    pub compare: Compare,
    /// Draws of each for the sliced distance, whose time is nearly in proportion.
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
    /// Name of the plan; empty where there is but one.
    pub plan: String,
    /// Name of the base.
    pub base: String,
    /// Seed of everything random.
    pub seed: u64,
    /// The fit.
    pub fit: PosteriorConfig,
    /// What is measured.
    pub measures: Measures,
}

/// What is wrong with a config: a sentence, and near what it is.
pub(super) struct Wrong {
    /// The first text in the file to look from on, and how often it occurs before.
    from: (String, usize),
    /// The field or the name of an expert or base near which it is.
    hint: String,
    reason: String,
}

impl Wrong {
    pub fn field(field: &str, reason: impl Into<String>) -> Self {
        Self {
            from: (String::new(), 0),
            hint: field.into(),
            reason: reason.into(),
        }
    }

    /// With file, line and column.
    pub fn error(&self, source: &str, text: &str) -> anyhow::Error {
        let (needle, count) = &self.from;
        let from = text.match_indices(needle.as_str()).nth(*count);
        // The last part of a reason names the field.
        let about = self.reason.rsplit(": ").next().unwrap_or_default();
        let (line, col) = config::place_from(text, from.map_or(0, |f| f.0), &self.hint, about);
        anyhow!("{source}:{line}:{col}: {}", one_line(&self.reason))
    }
}

impl Study {
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
        let all = || self.problems.iter();
        for (field, empty) in [
            ("seeds", self.seeds.is_empty()),
            ("bases", self.bases.is_empty()),
            ("problems", self.problems.is_empty()),
            ("benchmarks", all().any(|p| p.benchmarks.is_empty())),
            ("plans", all().any(|p| p.plans.is_empty())),
        ] {
            if empty {
                return bad(field, format!("{field} must not be empty"));
            }
        }
        let combined =
            |p: &Problems| p.benchmarks.len() * p.plans.len() * (1 + p.model.experts.len());
        let combined = all().map(combined).fold(0usize, usize::saturating_add);
        config::check_fits(&[self.seeds.len(), self.bases.len(), combined])
            .map_err(|reason| Wrong::field("seeds", reason))?;
        if let Some(s) = first_repeated(&self.seeds) {
            return bad("seeds", format!("seeds: {s} is listed twice"));
        }
        let benchmarks: Vec<Benchmark> = all().flat_map(|p| p.benchmarks.clone()).collect();
        if let Some(b) = first_repeated(&benchmarks) {
            return bad("benchmarks", format!("benchmarks: {b} is listed twice"));
        }
        let names: Vec<&str> = self.bases.iter().map(|b| b.name.as_str()).collect();
        if let Some(n) = first_repeated(&names) {
            return bad("bases", format!("bases: two are called \"{n}\""));
        }
        if let Some(n) = names.iter().find(|n| !is_name(n)) {
            let reason = format!("bases: \"{n}\" is not a name of letters, digits, _ and -");
            return bad("bases", reason);
        }
        if let Some(n) = self.shown.iter().find(|n| !names.contains(&n.as_str())) {
            let reason = format!("shown must name bases, and no base is called \"{n}\"");
            return bad("shown", reason);
        }
        (0..self.problems.len()).try_for_each(|k| self.check_problems(k))
    }

    /// Plans with names of their own, and fits that can be run.
    fn check_problems(&self, k: usize) -> std::result::Result<(), Wrong> {
        let problems = &self.problems[k];
        let (plans, model) = (&problems.plans, &problems.model);
        let bad = |hint: &str, reason: String| Wrong {
            from: (" benchmarks:".into(), k),
            hint: hint.into(),
            reason,
        };
        let fits: Vec<(&str, usize)> = plans
            .iter()
            .map(|p| (p.name.as_str(), p.budget()))
            .collect();
        if first_repeated(&fits).is_some() {
            let reason = "plans: two have the same name and number of evaluations";
            return Err(bad("plans", reason.into()));
        }
        let unsound = |p: &&Plan| !p.name.is_empty() && !is_name(&p.name);
        if let Some(p) = plans.iter().find(unsound) {
            let name = &p.name;
            let reason = format!("plans: \"{name}\" is not a name of letters, digits, _ and -");
            return Err(bad("plans", reason));
        }
        let unsound = |n: &str| n == "mixture" || !is_name(n);
        if model.experts.iter().any(|(n, _)| unsound(n)) {
            let reason = "experts: a name must be of letters, digits, _ and -, and not \"mixture\"";
            return Err(bad("experts", reason.into()));
        }
        for base in &self.bases {
            for plan in plans {
                let fit = base.base.fit(problems.benchmarks[0], plan, problems);
                let Err(reason) = fit.check() else { continue };
                if let Some(rest) = reason.strip_prefix("base: tails: ") {
                    return Err(bad("tails", format!("tails: {rest}")));
                }
                if reason.starts_with("base") {
                    let from = (" bases:".into(), 0);
                    let hint = base.name.clone();
                    return Err(Wrong { from, hint, reason });
                }
                let quoted = reason.split_once("expert \"");
                let expert = quoted.and_then(|(_, rest)| rest.split('"').next());
                let field = reason.split([' ', '.', ':']).next().unwrap_or_default();
                return Err(bad(expert.unwrap_or(field), reason.clone()));
            }
        }
        Ok(())
    }

    /// All runs, benchmark by benchmark.
    #[must_use]
    pub fn runs(&self) -> Vec<PosteriorRun> {
        let mut runs = Vec::new();
        for problems in &self.problems {
            for &benchmark in &problems.benchmarks {
                for plan in &problems.plans {
                    for base in &self.bases {
                        let fit = base.base.fit(benchmark, plan, problems);
                        runs.extend(self.seeds.iter().map(|&seed| PosteriorRun {
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
    fn budget(&self) -> usize {
        let first = match self.first {
            FirstDraws::Count(n) => n,
            FirstDraws::UntilEss { most, .. } => most,
        };
        let rounds = self.refinement.iter().flat_map(|r| &r.rounds);
        rounds.fold(first, |all, n| all.saturating_add(*n))
    }
}

impl BaseChoice {
    /// The settings of a fit on this base.
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
            first: plan.first,
            refinement: plan.refinement.clone(),
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
    /// A stable hash of everything that the results depend on.
    ///
    /// # Panics
    /// Never: a config is serialisable.
    #[must_use]
    pub fn hash(&self) -> String {
        config::hash(&format!("posterior schema {SCHEMA}"), self)
    }

    /// Likelihood evaluations, at most.
    #[must_use]
    pub fn budget(&self) -> usize {
        self.fit.budget()
    }

    /// Plan and base: what tells runs of one benchmark and budget apart.
    #[must_use]
    pub fn arm(&self) -> String {
        if self.plan.is_empty() {
            self.base.clone()
        } else {
            format!("{}-{}", self.plan, self.base)
        }
    }

    /// File name of the record, without its ending.
    #[must_use]
    pub fn stem(&self) -> String {
        format!(
            "{}/{}/{}-{}-n{}-seed{}",
            super::FOLDER,
            self.protocol,
            self.benchmark,
            self.arm(),
            self.budget(),
            self.seed
        )
    }

    /// Points times steps of optimisation.
    pub(crate) fn cost(&self) -> usize {
        let fit = &self.fit;
        let step = |f: &FlowSettings| crate::run::batch(f.fit.batch, fit.most_points);
        let own: usize = fit.experts.iter().map(|(_, f)| f.fit.steps * step(f)).sum();
        let rounds = fit.refinement.as_ref().map_or(0, |r| match r.proposal {
            Proposal::Model { steps } => {
                let once: usize = fit.experts.iter().map(|(_, f)| steps * step(f)).sum();
                once * r.rounds.len()
            }
            Proposal::Mixture { .. } => 0,
        });
        own * fit.models + rounds + 10 * self.measures.compare.draws
    }
}
