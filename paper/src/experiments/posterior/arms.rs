//! Queries of tables and figures about the arms of posteriors.

use super::record::PosteriorRecord;
use crate::engine::Record;
use crate::engine::mean::Mean;
use amf::experts::Components;
use datasets::posterior::Benchmark;
use posterior::{Draws, PosteriorBase};

/// The records of one protocol, benchmark, plan, base and budget: one for each seed.
pub type Arm<'a> = crate::engine::arm::Arm<'a, PosteriorRecord>;

impl<'a> crate::engine::arm::Arm<'a, PosteriorRecord> {
    /// The posterior.
    #[must_use]
    pub fn benchmark(&self) -> Benchmark {
        self.run().benchmark
    }

    /// Name of the plan; may be empty.
    #[must_use]
    pub fn plan(&self) -> &'a str {
        &self.run().plan
    }

    /// Name of the base.
    #[must_use]
    pub fn base(&self) -> &'a str {
        &self.run().base
    }

    /// Whether its evaluations are annealed, not drawn from the prior alone.
    #[must_use]
    pub fn is_annealed(&self) -> bool {
        matches!(self.run().fit.draws, Draws::Annealed(_))
    }

    /// The number of components of its base, if it is given.
    #[must_use]
    pub fn components(&self) -> Option<usize> {
        match self.run().fit.base {
            PosteriorBase::Mixture {
                components: Components::Fixed(n),
                ..
            } => Some(n),
            _ => None,
        }
    }

    /// The mean over the seeds of a measure's difference between two arms, seed by seed.
    #[must_use]
    pub fn difference(&self, other: &Self, model: &str, metric: &str) -> Option<Mean> {
        let there = |seed: u64| other.records.iter().find(|r| r.run.seed == seed);
        let differences = self
            .records
            .iter()
            .filter_map(|r| Some(r.get(model, metric)? - there(r.run.seed)?.get(model, metric)?));
        Mean::of(&differences.collect::<Vec<_>>())
    }

    /// The mixture, its flows, and the base where it is an expert.
    #[must_use]
    pub fn models(&self) -> Vec<&'a str> {
        self.records[0].models()
    }

    /// The mixture and its flows.
    #[must_use]
    pub fn flows(&self) -> Vec<&'a str> {
        self.models().into_iter().filter(|m| *m != "base").collect()
    }
}

/// The benchmarks that occur, in their order.
#[must_use]
pub fn benchmarks(arms: &[Arm<'_>]) -> Vec<Benchmark> {
    let mut all: Vec<Benchmark> = arms.iter().map(|a| a.benchmark()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The arm of a benchmark and base.
#[must_use]
pub fn find<'a, 'b>(arms: &'b [Arm<'a>], benchmark: Benchmark, base: &str) -> Option<&'b Arm<'a>> {
    arms.iter()
        .find(|a| a.benchmark() == benchmark && a.base() == base)
}

/// The parameters of a benchmark.
#[must_use]
pub fn dim(benchmark: Benchmark) -> usize {
    benchmark.problem().dim()
}

/// Whether some arms differ only in the number of components.
#[must_use]
pub fn is_component_study(arms: &[Arm<'_>]) -> bool {
    benchmarks(arms).into_iter().any(|b| {
        let own: Vec<_> = arms.iter().filter(|a| a.benchmark() == b).collect();
        own.len() > 2 && own.iter().all(|a| a.components().is_some())
    }) && !is_evaluation_study(arms)
}

/// Whether some arms of one benchmark and plan differ in the number of evaluations.
#[must_use]
pub fn is_evaluation_study(arms: &[Arm<'_>]) -> bool {
    arms.iter().any(|a| {
        let same = |b: &&Arm<'_>| {
            (b.benchmark(), b.plan(), b.base()) == (a.benchmark(), a.plan(), a.base())
        };
        arms.iter().filter(same).any(|b| b.n != a.n)
    })
}
