//! The studies. A new one is a folder here and a line in [`KINDS`].

pub mod amortised;
pub mod canon;
mod cost;
pub mod mixture;
pub mod posterior;

use crate::engine::Kind;

/// All kinds of experiments, in the order of the report.
pub const KINDS: &[Kind] = &[
    Kind::of::<mixture::MixtureRun>(),
    Kind::of::<posterior::PosteriorRun>(),
    Kind::of::<amortised::AmortisedRun>(),
    Kind::of::<canon::CanonRun>(),
];
