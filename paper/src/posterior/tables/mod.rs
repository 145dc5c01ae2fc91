//! Every table of posteriors, from records.

mod bridges;
mod claims;
mod fits;
mod sweeps;
mod targets;

use super::record::PosteriorRecord;
use super::summary::{Arm, arms, benchmarks, by_protocol};
use crate::table::Table;
use amf::experts::Components;
use posterior::PosteriorBase;

/// A table with the protocol that it is about, if it is about one.
#[derive(Debug, Clone, PartialEq)]
pub struct Titled {
    /// Name of the protocol.
    pub protocol: Option<String>,
    /// The table.
    pub table: Table,
}

/// All tables that the records allow.
#[must_use]
pub fn all(records: &[PosteriorRecord]) -> Vec<Titled> {
    let arms = arms(records);
    let protocols = by_protocol(&arms);
    let mut tables = Vec::new();
    for (protocol, arms) in &protocols {
        let mut own = Vec::new();
        if is_component_study(arms) {
            own.push(sweeps::components(protocol, arms));
        } else if is_evaluation_study(arms) {
            own.push(sweeps::evaluations(protocol, arms));
        } else {
            own.push(fits::fits(protocol, arms));
            own.extend(bridges::bridges(protocol, arms));
            own.push(fits::weights(protocol, arms));
            own.push(fits::evidence(protocol, arms));
        }
        tables.extend(own.into_iter().map(|table| Titled {
            protocol: Some((*protocol).to_owned()),
            table,
        }));
    }
    if !records.is_empty() {
        let overall = [
            targets::targets(&protocols),
            claims::claims(&protocols),
            fits::times(&protocols),
        ];
        tables.extend(overall.into_iter().map(|table| Titled {
            protocol: None,
            table,
        }));
    }
    tables
}

/// "seed 1" or what the numbers are over several.
fn seeds(arms: &[Arm<'_>]) -> String {
    let records = &arms[0].records;
    match records.len() {
        1 => format!("seed {}", records[0].run.seed),
        n => format!("mean ± standard error over {n} seeds"),
    }
}

/// The number of components of an arm's base, where it is given.
#[must_use]
pub fn components(arm: &Arm<'_>) -> Option<usize> {
    match arm.records[0].run.fit.base {
        PosteriorBase::Mixture {
            components: Components::Fixed(n),
            ..
        } => Some(n),
        _ => None,
    }
}

/// Whether some arms differ in the number of components alone.
#[must_use]
pub fn is_component_study(arms: &[Arm<'_>]) -> bool {
    benchmarks(arms).into_iter().any(|b| {
        let own: Vec<_> = arms.iter().filter(|a| a.benchmark == b).collect();
        own.len() > 2 && own.iter().all(|a| components(a).is_some())
    }) && !is_evaluation_study(arms)
}

/// Whether some arms of one benchmark and plan differ in the number of evaluations.
#[must_use]
pub fn is_evaluation_study(arms: &[Arm<'_>]) -> bool {
    arms.iter().any(|a| {
        let same = |b: &&Arm<'_>| (b.benchmark, b.plan, b.base) == (a.benchmark, a.plan, a.base);
        arms.iter().filter(same).any(|b| b.n != a.n)
    })
}

pub(super) fn header<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(String::from).to_vec()
}

/// With a capital at the beginning.
pub(super) fn capital(s: &str) -> String {
    let mut chars = s.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}
