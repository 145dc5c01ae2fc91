//! Computes missing runs, writes all results, compares them with the committed ones.

use super::catalogue::Catalogue;
use super::estimate::TimeEstimate;
use super::kind::Kind;
use super::metrics_csv;
use super::presentation::Presentations;
use super::record::{figure_path, record_path};
use super::results::Results;
use super::schedule::Schedule;
use super::verdict::Comparison;
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// Options of a reproduction.
#[derive(Clone)]
pub struct Options {
    /// The kinds of experiments.
    pub kinds: &'static [Kind],
    /// Folder of the configs.
    pub configs: PathBuf,
    /// Folder of the committed results.
    pub committed: PathBuf,
    /// How the runs are computed, and where the new results go.
    pub schedule: Schedule,
    /// Only these targets (all when empty).
    pub only: Vec<String>,
    /// Only these protocols (all when empty).
    pub protocols: Vec<String>,
    /// Replace the committed results by the new ones.
    pub update: bool,
    /// Only `metrics.csv` is committed (the small-scale runs).
    pub metrics_only: bool,
}

/// The outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The verdict in words.
    pub verdict: String,
    /// Whether the committed results were reproduced.
    pub reproduced: bool,
    /// The report.
    pub report: PathBuf,
}

/// How long a reproduction will take.
///
/// # Errors
/// A config that cannot be used.
pub fn estimate(options: &Options) -> Result<TimeEstimate> {
    let catalogue = Catalogue::read(options.kinds, &options.configs)?;
    let chosen = catalogue.select(&options.protocols, &options.only)?;
    let (jobs, schedule) = (chosen.jobs(), &options.schedule);
    // What is wrong with a record is said when it is computed again.
    let open = schedule.open(&jobs, &|_| {});
    Ok(TimeEstimate::new(
        &open,
        &options.committed,
        schedule.threads,
    ))
}

/// Reproduces.
///
/// # Errors
/// A config that cannot be used, a run that fails, a file that cannot be written; [`Interrupted`](super::Interrupted) when `stop` is set.
pub fn reproduce(options: &Options, stop: &AtomicBool) -> Result<Outcome> {
    let catalogue = Catalogue::read(options.kinds, &options.configs)?;
    let presentations = catalogue.presentations();
    let chosen = catalogue.select(&options.protocols, &options.only)?;
    options.schedule.compute(&chosen.jobs(), stop)?;
    let out = &options.schedule.out;
    let results = chosen.results(out)?;
    results.write(&presentations, out, out)?;
    let report = out.join("REPORT.md");
    if options.update {
        update(&chosen, &presentations, &results, options)?;
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

/// Copies the new records over the committed ones and renders all results again.
fn update(
    chosen: &Catalogue,
    presentations: &Presentations,
    results: &Results,
    options: &Options,
) -> Result<()> {
    let (out, committed) = (&options.schedule.out, &options.committed);
    if options.metrics_only {
        return metrics_csv::write(&committed.join("metrics.csv"), &results.rows());
    }
    for job in chosen.jobs() {
        for path in [record_path, figure_path] {
            let (from, to) = (path(out, &job.stem), path(committed, &job.stem));
            if from.exists() {
                let bytes = std::fs::read(&from)
                    .with_context(|| format!("{}: cannot be read", from.display()))?;
                store::write(&to, &bytes)?;
            }
        }
    }
    Results::read(options.kinds, committed)?.write(presentations, committed, committed)
}
