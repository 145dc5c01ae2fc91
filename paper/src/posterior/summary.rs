//! Records of one benchmark, plan, base and budget: means over their seeds.

use super::record::PosteriorRecord;
use crate::summary::Mean;
use crate::work::Recorded;
use datasets::posterior::Benchmark;

/// The records of one protocol, benchmark, plan, base and budget: one for each seed.
#[derive(Debug, Clone)]
pub struct Arm<'a> {
    /// Name of the protocol.
    pub protocol: &'a str,
    /// The posterior.
    pub benchmark: Benchmark,
    /// Name of the plan; may be empty.
    pub plan: &'a str,
    /// Name of the base.
    pub base: &'a str,
    /// Likelihood evaluations, at most.
    pub n: usize,
    /// In the order of their seeds.
    pub records: Vec<&'a PosteriorRecord>,
}

impl<'a> Arm<'a> {
    /// A measure, seed by seed.
    #[must_use]
    pub fn values(&self, model: &str, metric: &str) -> Vec<f64> {
        let records = self.records.iter();
        records.filter_map(|r| r.get(model, metric)).collect()
    }

    /// Its mean over the seeds.
    #[must_use]
    pub fn mean(&self, model: &str, metric: &str) -> Option<Mean> {
        Mean::of(&self.values(model, metric))
    }

    /// The mean over the seeds of its absolute value.
    #[must_use]
    pub fn mean_size(&self, model: &str, metric: &str) -> Option<Mean> {
        let sizes: Vec<f64> = self.values(model, metric).iter().map(|v| v.abs()).collect();
        Mean::of(&sizes)
    }

    /// The largest absolute value of all seeds.
    #[must_use]
    pub fn largest(&self, model: &str, metric: &str) -> Option<f64> {
        let values = self.values(model, metric).into_iter();
        values.map(f64::abs).reduce(f64::max)
    }

    /// The mean over the seeds of a measure here minus there, seed by seed.
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

/// Groups records, in their order.
#[must_use]
pub fn arms(records: &[PosteriorRecord]) -> Vec<Arm<'_>> {
    let mut arms: Vec<Arm<'_>> = Vec::new();
    for r in records {
        let run = &r.run;
        let (protocol, benchmark) = (run.protocol.as_str(), run.benchmark);
        let (plan, base, n) = (run.plan.as_str(), run.base.as_str(), run.budget());
        let same = |a: &&mut Arm<'_>| {
            (a.protocol, a.benchmark, a.plan, a.base, a.n) == (protocol, benchmark, plan, base, n)
        };
        match arms.iter_mut().find(same) {
            Some(arm) => arm.records.push(r),
            None => arms.push(Arm {
                protocol,
                benchmark,
                plan,
                base,
                n,
                records: vec![r],
            }),
        }
    }
    arms
}

/// The arms of each protocol, in the order of the report.
#[must_use]
pub fn by_protocol<'a>(arms: &[Arm<'a>]) -> Vec<(&'a str, Vec<Arm<'a>>)> {
    let mut protocols: Vec<(&str, Vec<Arm<'_>>)> = Vec::new();
    for a in arms {
        match protocols.iter_mut().find(|(p, _)| *p == a.protocol) {
            Some((_, list)) => list.push(a.clone()),
            None => protocols.push((a.protocol, vec![a.clone()])),
        }
    }
    let order = ["one_shot", "refined", "components", "evaluations"];
    let place = |p: &str| order.iter().position(|o| *o == p).unwrap_or(order.len());
    protocols.sort_by_key(|(p, _)| place(p));
    protocols
}

/// The benchmarks that occur, in their order.
#[must_use]
pub fn benchmarks(arms: &[Arm<'_>]) -> Vec<Benchmark> {
    let mut all: Vec<Benchmark> = arms.iter().map(|a| a.benchmark).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The arm of a benchmark and base.
#[must_use]
pub fn find<'a, 'b>(arms: &'b [Arm<'a>], benchmark: Benchmark, base: &str) -> Option<&'b Arm<'a>> {
    arms.iter()
        .find(|a| a.benchmark == benchmark && a.base == base)
}

/// The parameters of a benchmark.
#[must_use]
pub fn dim(benchmark: Benchmark) -> usize {
    benchmark.problem().dim()
}
