//! Means and standard errors over seeds.

use crate::record::Record;
use crate::work::Recorded;
use amf::ExpertConfig;
use datasets::Family;
use numerics::math::mean_and_standard_error;

/// A mean over seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// The mean.
    pub value: f64,
    /// Its standard error; `None` for a single seed.
    pub error: Option<f64>,
}

impl Mean {
    /// Of some values; `None` without any.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let (value, error) = mean_and_standard_error(values);
        Some(Self {
            value,
            error: (values.len() > 1).then_some(error),
        })
    }
}

/// The records of one protocol, target and number of draws: one for each seed.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    /// Name of the protocol.
    pub protocol: &'a str,
    /// Target.
    pub family: Family,
    /// Draws of a fit in all.
    pub n: usize,
    /// In the order of their seeds.
    pub records: Vec<&'a Record>,
}

impl<'a> Group<'a> {
    /// The mean of a measure over the seeds.
    #[must_use]
    pub fn mean(&self, model: &str, metric: &str) -> Option<Mean> {
        Mean::of(&self.values(model, metric))
    }

    /// A measure, seed by seed.
    #[must_use]
    pub fn values(&self, model: &str, metric: &str) -> Vec<f64> {
        self.records
            .iter()
            .filter_map(|r| r.get(model, metric))
            .collect()
    }

    /// The mean over the seeds of a measure of one model minus that of another.
    #[must_use]
    pub fn difference(&self, model: &str, other: &str, metric: &str) -> Option<Mean> {
        let pairs = self.records.iter();
        let differences: Vec<f64> = pairs
            .filter_map(|r| Some(r.get(model, metric)? - r.get(other, metric)?))
            .collect();
        Mean::of(&differences)
    }

    /// The mean of NLL minus entropy over the seeds.
    #[must_use]
    pub fn gap(&self, model: &str) -> Option<Mean> {
        let gaps: Vec<f64> = self
            .values(model, "nll")
            .iter()
            .map(|v| v - self.entropy())
            .collect();
        Mean::of(&gaps)
    }

    /// Entropy of the target, nats.
    #[must_use]
    pub fn entropy(&self) -> f64 {
        self.records[0].entropy.0
    }

    /// The mixture, then the experts.
    #[must_use]
    pub fn models(&self) -> Vec<&'a str> {
        std::iter::once("mixture").chain(self.experts()).collect()
    }

    /// Whether its runs are cross-fitted.
    #[must_use]
    pub fn is_cross_fitted(&self) -> bool {
        self.records[0].run.cross_fit.is_some()
    }

    /// Whether it only varies another protocol: cross-fitted, and compared with nothing but itself.
    #[must_use]
    pub fn is_variant(&self) -> bool {
        self.is_cross_fitted() && self.records[0].run.baselines.is_empty()
    }

    /// The experts that are flows (RBIG among them), in the order of the config.
    pub fn flows(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let experts = &self.records[0].run.experts;
        let flows = experts
            .iter()
            .filter(|e| matches!(e.kind, ExpertConfig::Flow(_) | ExpertConfig::Rbig(_)));
        flows.map(|e| e.name.as_str())
    }

    /// The baselines, in the order of the config.
    pub fn baselines(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let baselines = &self.records[0].run.baselines;
        baselines.iter().map(|e| e.name.as_str())
    }

    /// The experts, in the order of the config.
    pub fn experts(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.records[0].run.experts.iter().map(|e| e.name.as_str())
    }
}

/// Groups records, in their order.
#[must_use]
pub fn groups(records: &[Record]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for r in records {
        let (protocol, family, n) = (r.run.protocol.as_str(), r.run.target, r.run.draws.budget());
        match groups
            .iter_mut()
            .find(|g| (g.protocol, g.family, g.n) == (protocol, family, n))
        {
            Some(g) => g.records.push(r),
            None => groups.push(Group {
                protocol,
                family,
                n,
                records: vec![r],
            }),
        }
    }
    groups
}

/// The groups of each protocol, in the order of the groups.
#[must_use]
pub fn by_protocol<'a>(groups: &[Group<'a>]) -> Vec<(&'a str, Vec<Group<'a>>)> {
    let mut protocols: Vec<(&str, Vec<Group<'_>>)> = Vec::new();
    for g in groups {
        match protocols.iter_mut().find(|(p, _)| *p == g.protocol) {
            Some((_, list)) => list.push(g.clone()),
            None => protocols.push((g.protocol, vec![g.clone()])),
        }
    }
    protocols
}

/// Numbers of draws that occur, in rising order.
#[must_use]
pub fn sizes(groups: &[Group<'_>]) -> Vec<usize> {
    let mut sizes: Vec<usize> = groups.iter().map(|g| g.n).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// The groups whose number of draws is nearest to 1,000, the papers' size: those that figures show.
#[must_use]
pub fn main_size<'a>(groups: &[Group<'a>]) -> Vec<Group<'a>> {
    let nearest = sizes(groups).into_iter().min_by_key(|n| n.abs_diff(1000));
    let of_size = groups.iter().filter(|g| Some(g.n) == nearest);
    of_size.cloned().collect()
}
