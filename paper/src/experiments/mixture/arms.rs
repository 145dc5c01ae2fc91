//! Queries of tables and figures about the arms of mixtures.

use super::record::MixtureRecord;
use crate::engine::Record;
use crate::engine::arm::Arm;
use crate::engine::mean::Mean;
use amf::ExpertConfig;
use datasets::Family;

/// The records of one protocol, target and number of draws: one for each seed.
pub type Group<'a> = Arm<'a, MixtureRecord>;

impl<'a> Arm<'a, MixtureRecord> {
    /// The target.
    #[must_use]
    pub fn family(&self) -> Family {
        self.run().target
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
        self.run().cross_fit.is_some()
    }

    /// Whether it is a variation of another protocol: cross-fitted, without baselines.
    #[must_use]
    pub fn is_variant(&self) -> bool {
        self.is_cross_fitted() && self.run().baselines.is_empty()
    }

    /// The experts that are flows (RBIG among them), in the order of the config.
    pub fn flows(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let experts = &self.run().experts;
        let flows = experts
            .iter()
            .filter(|e| matches!(e.kind, ExpertConfig::Flow(_) | ExpertConfig::Rbig(_)));
        flows.map(|e| e.name.as_str())
    }

    /// The baselines, in the order of the config.
    pub fn baselines(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let baselines = &self.run().baselines;
        baselines.iter().map(|e| e.name.as_str())
    }

    /// The experts, in the order of the config.
    pub fn experts(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.run().experts.iter().map(|e| e.name.as_str())
    }
}

/// Numbers of draws that occur, in ascending order.
#[must_use]
pub fn sizes(groups: &[Group<'_>]) -> Vec<usize> {
    let mut sizes: Vec<usize> = groups.iter().map(|g| g.n).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// The groups whose number of draws is nearest to 1,000, the papers' size; figures show these.
#[must_use]
pub fn main_size<'a>(groups: &[Group<'a>]) -> Vec<Group<'a>> {
    let nearest = sizes(groups).into_iter().min_by_key(|n| n.abs_diff(1000));
    let of_size = groups.iter().filter(|g| Some(g.n) == nearest);
    of_size.cloned().collect()
}

/// The mean of a measure over families, from the means of each family; its standard error from theirs.
#[must_use]
pub fn over_families(means: &[Mean]) -> Option<Mean> {
    if means.is_empty() {
        return None;
    }
    let n = means.len() as f64;
    let value = means.iter().map(|m| m.value).sum::<f64>() / n;
    let squares: Option<f64> = means.iter().map(|m| m.error.map(|e| e * e)).sum();
    Some(Mean {
        value,
        error: squares.map(|s| s.sqrt() / n),
    })
}

/// The expert with the smallest mean of a measure.
#[must_use]
pub fn best_expert<'a>(g: &Group<'a>, metric: &str) -> Option<(&'a str, Mean)> {
    let all = g.experts().filter_map(|e| Some((e, g.mean(e, metric)?)));
    all.min_by(|a, b| a.1.value.total_cmp(&b.1.value))
}

/// The flow (RBIG among them) with the smallest mean NLL.
#[must_use]
pub fn best_flow<'a>(g: &Group<'a>) -> Option<(&'a str, Mean)> {
    let all = g.flows().filter_map(|e| Some((e, g.mean(e, "nll")?)));
    all.min_by(|a, b| a.1.value.total_cmp(&b.1.value))
}
