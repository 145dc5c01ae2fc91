//! Posteriors from likelihood evaluations (arXiv:2512.04954): studies -> runs -> records -> tables, figures, a section of the report.

pub mod amortised;
pub mod config;
pub mod figures;
pub mod record;
pub mod report;
pub mod run;
pub mod summary;
pub mod tables;

pub use amortised::{AmortisedRecord, AmortisedRun, AmortisedStudy};
pub use config::{PosteriorRun, Study};
pub use record::{PosteriorFigure, PosteriorRecord, rows, sort};

/// Name of the folder of configs below the folder of configs, and of records below the folder of records.
pub const FOLDER: &str = "posterior";
