//! Regenerates every table and figure of the project: RON configs -> runs -> records -> tables, figures, report.
//!
//! Tables and figures are pure functions of the records: [`render::write_results`] computes nothing anew.

pub mod ablation;
pub mod cli;
pub mod collect;
pub mod config;
pub mod configs;
mod cross_fitted;
pub mod figures;
pub mod jobs;
pub mod metrics_csv;
pub mod posterior;
mod progress;
pub mod published;
pub mod record;
pub mod render;
pub mod report;
pub mod reproduce;
pub mod results;
pub mod run;
pub mod schedule;
pub mod summary;
pub mod table;
pub mod tables;
pub mod target;
pub mod units;
pub mod work;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
