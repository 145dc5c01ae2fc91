//! Computes whatever is missing, writes every result, compares with the committed ones.

use crate::configs::Configs;
use crate::jobs::Jobs;
use crate::metrics_csv::{self, Comparison};
use crate::record::{figure_path, record_path};
use crate::render;
use crate::results::Results;
use crate::schedule::Schedule;
use crate::target::Target;
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// What to reproduce, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder of the configs.
    pub configs: PathBuf,
    /// Folder of the committed results.
    pub committed: PathBuf,
    /// How the runs are computed, and where the new results go.
    pub schedule: Schedule,
    /// Only these targets (all when empty).
    pub only: Vec<Target>,
    /// Only these protocols (all when empty).
    pub protocols: Vec<String>,
    /// Put the new results in the place of the committed ones.
    pub update: bool,
    /// Of the committed results there is `metrics.csv` alone (the small-scale runs).
    pub metrics_only: bool,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The verdict in words.
    pub verdict: String,
    /// Whether the committed results were reproduced.
    pub reproduced: bool,
    /// The report.
    pub report: PathBuf,
}

/// Reproduces.
///
/// # Errors
/// A config that cannot be used, a run that fails, a file that cannot be written; [`Interrupted`](crate::run::Interrupted) when `stop` is set.
pub fn reproduce(options: &Options, stop: &AtomicBool) -> Result<Outcome> {
    let configs = Configs::read(&options.configs)?;
    let jobs = Jobs::select(&configs, &options.protocols, &options.only)?;
    options.schedule.compute(&jobs.work(), stop)?;
    let out = &options.schedule.out;
    let results = jobs.read(out)?;
    render::write_results(out, &results)?;
    let report = out.join("REPORT.md");
    if options.update {
        update(&jobs, &results, options)?;
        return Ok(Outcome {
            verdict: format!("{} now holds these results", options.committed.display()),
            reproduced: true,
            report: if options.metrics_only {
                report
            } else {
                options.committed.join("REPORT.md")
            },
        });
    }
    let path = options.committed.join("metrics.csv");
    if !path.exists() {
        return Ok(Outcome {
            verdict: format!(
                "nothing to compare with: {} does not exist (write it with --update)",
                path.display()
            ),
            reproduced: false,
            report,
        });
    }
    let comparison = Comparison::new(&results.rows(), &metrics_csv::read(&path)?);
    Ok(Outcome {
        verdict: comparison.verdict(),
        reproduced: comparison.reproduced(),
        report,
    })
}

/// Copies the new records over the committed ones and renders those afresh.
fn update(jobs: &Jobs, results: &Results, options: &Options) -> Result<()> {
    if options.metrics_only {
        return metrics_csv::write(&options.committed.join("metrics.csv"), &results.rows());
    }
    for stem in jobs.work().iter().map(|w| w.stem()) {
        for path in [record_path, figure_path] {
            let (from, to) = (
                path(&options.schedule.out, &stem),
                path(&options.committed, &stem),
            );
            if from.exists() {
                let bytes = std::fs::read(&from)
                    .with_context(|| format!("{}: cannot be read", from.display()))?;
                store::write(&to, &bytes)?;
            }
        }
    }
    render::write_results(&options.committed, &Results::read(&options.committed)?)
}
