//! Regenerates every table and figure of the project: RON configs -> runs -> records -> tables, figures, report.
//!
//! [`engine`] is shared by all studies, [`experiments`] has the studies. Tables and figures are
//! pure functions of the records.

pub mod cli;
pub mod engine;
pub mod experiments;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
