//! Amortised posteriors: one model for all data, checked on data that it has not seen.

pub mod config;
pub mod figure;
pub mod record;
pub mod run;
pub mod tables;

pub use config::{AmortisedRun, AmortisedStudy};
pub use record::{AmortisedRecord, rows, sort};

/// Name of the folder of configs below the folder of configs, and of records below the folder of records.
pub const FOLDER: &str = "amortised";
