//! Every table, from records.

mod claims;
mod cross_fitted;
mod fits;
mod times;

pub use claims::claims;
pub use times::times;

use super::arms::{Group, main_size};
use crate::engine::table::Table;

/// Tables that a protocol can ask for.
pub const NAMES: &[&str] = &[
    "metrics",
    "weights",
    "published",
    "gaps",
    "checks",
    "experts",
    "sampled",
    "ablations",
];

/// The table of this name, if the records have its data.
#[must_use]
pub fn named(name: &str, protocol: &str, groups: &[Group<'_>]) -> Option<Table> {
    let cross_fitted = groups[0].is_cross_fitted();
    let compared = groups[0].baselines().next().is_some();
    match name {
        "metrics" => Some(fits::metrics(protocol, groups)),
        "weights" if cross_fitted => Some(fits::weights(protocol, &main_size(groups))),
        "weights" => Some(fits::weights(protocol, groups)),
        "published" => Some(fits::against_published(protocol, groups)),
        "gaps" if compared => Some(cross_fitted::gaps(protocol, groups)),
        "checks" if compared => Some(cross_fitted::checks(protocol, groups)),
        "experts" if compared => Some(cross_fitted::experts(protocol, groups)),
        "sampled" if compared => Some(cross_fitted::sampled(protocol, &main_size(groups))),
        "ablations" if !groups[0].run().ablations.is_empty() => {
            Some(cross_fitted::ablations(protocol, groups))
        }
        _ => None,
    }
}

/// The tables of a protocol that names none.
#[must_use]
pub fn usual(groups: &[Group<'_>]) -> &'static [&'static str] {
    match (groups[0].is_cross_fitted(), groups[0].is_variant()) {
        (false, _) => &["metrics", "weights"],
        (true, false) => &[
            "gaps",
            "checks",
            "experts",
            "weights",
            "sampled",
            "ablations",
        ],
        (true, true) => &["ablations"],
    }
}
