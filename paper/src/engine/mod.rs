//! The engine of all studies: it reads and checks protocols, computes each run once into a record,
//! and renders records as `metrics.csv`, tables, figures and a report.
//!
//! A file in RON is a [`Protocol`], which gives [`Experiment`]s; each writes a [`Record`], and
//! records are [`Presented`]. The engine does not depend on any study.

pub mod arm;
pub mod cache;
pub mod catalogue;
pub mod collect;
pub mod config;
pub mod context;
pub mod estimate;
mod event_log;
pub mod experiment;
pub mod figure;
pub mod job;
pub mod kind;
pub mod mean;
pub mod metric;
pub mod metrics_csv;
pub mod presentation;
mod progress;
pub mod protocol_file;
pub mod provenance;
pub mod record;
mod report;
pub mod reproduce;
pub mod results;
pub mod schedule;
pub mod section;
pub mod table;
pub mod verdict;

pub use config::FieldError;
pub use context::{Context, Interrupted};
pub use experiment::{Experiment, Protocol, Record, RunName, Stored};
pub use figure::Figures;
pub use kind::Kind;
pub use metric::Metric;
pub use presentation::Presentation;
pub use provenance::Provenance;
pub use section::{Material, Presented, Rendered};
