//! Regenerates every table and figure of the project: RON configs -> runs -> records -> tables, figures, report.
//!
//! Tables and figures are pure functions of the records: [`render::write_results`] computes nothing anew.

pub mod ablation;
pub mod cli;
pub mod config;
mod cross_fitted;
pub mod figures;
pub mod metrics_csv;
mod progress;
pub mod published;
pub mod record;
pub mod render;
pub mod report;
pub mod reproduce;
pub mod run;
pub mod summary;
pub mod table;
pub mod tables;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
