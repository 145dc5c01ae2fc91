//! Every table, from records.

mod bridges;
mod claims;
mod fits;
mod sweeps;
mod targets;

pub use claims::claims;
pub use fits::times;
pub use targets::targets;

use super::arms::Arm;
use crate::engine::table::Table;

/// Tables that a protocol can ask for.
pub const NAMES: &[&str] = &[
    "fits",
    "bridges",
    "weights",
    "evidence",
    "components",
    "evaluations",
];

/// The tables of a protocol that names none.
pub const USUAL: &[&str] = &["fits", "bridges", "weights", "evidence"];

/// The table of this name, if the records have its data.
#[must_use]
pub fn named(name: &str, protocol: &str, arms: &[Arm<'_>]) -> Option<Table> {
    match name {
        "fits" => Some(fits::fits(protocol, arms)),
        "bridges" => bridges::bridges(protocol, arms),
        "weights" => Some(fits::weights(protocol, arms)),
        "evidence" => Some(fits::evidence(protocol, arms)),
        "components" => Some(sweeps::components(protocol, arms)),
        "evaluations" => Some(sweeps::evaluations(protocol, arms)),
        _ => None,
    }
}
