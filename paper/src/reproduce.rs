//! Computes whatever is missing, writes every result, compares with the committed ones.

use crate::config::{self, Protocol, Run};
use crate::metrics_csv::{self, Comparison};
use crate::progress::Display;
use crate::record::{self, FigureData, Provenance, Record};
use crate::{render, run};
use anyhow::{Context, Result, bail};
use datasets::Family;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// What to reproduce, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder of the configs.
    pub configs: PathBuf,
    /// Folder of the committed results.
    pub committed: PathBuf,
    /// Folder of the new results.
    pub out: PathBuf,
    /// Only these targets (all when empty).
    pub only: Vec<Family>,
    /// Only these protocols (all when empty).
    pub protocols: Vec<String>,
    /// Worker threads.
    pub threads: usize,
    /// Compute even what lies there already.
    pub force: bool,
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

/// A run with whether its figures are wanted.
struct Job {
    run: Run,
    figure: bool,
}

/// Reproduces.
///
/// # Errors
/// A config that cannot be used, a run that fails, a file that cannot be written; [`run::Interrupted`] when `stop` is set.
pub fn reproduce(options: &Options, stop: &AtomicBool) -> Result<Outcome> {
    let protocols = config::read_all(&options.configs)?;
    let jobs = select(&protocols, options)?;
    compute_all(&jobs, options, stop)?;
    let records: Vec<Record> = jobs
        .iter()
        .map(|j| record::read(&Record::path(&options.out, &j.run)))
        .collect::<Result<_>>()?;
    render::write_results(&options.out, &records)?;
    let report = options.out.join("REPORT.md");
    if options.update {
        update(&records, options)?;
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
    let comparison = Comparison::new(&metrics_csv::rows(&records), &metrics_csv::read(&path)?);
    Ok(Outcome {
        verdict: comparison.verdict(),
        reproduced: comparison.reproduced(),
        report,
    })
}

/// The runs that the options ask for, the longest first.
fn select(protocols: &[Protocol], options: &Options) -> Result<Vec<Job>> {
    for name in &options.protocols {
        if !protocols.iter().any(|p| &p.protocol == name) {
            let known: Vec<&str> = protocols.iter().map(|p| p.protocol.as_str()).collect();
            bail!("no protocol \"{name}\": there are {}", known.join(", "));
        }
    }
    let mut jobs = Vec::new();
    for p in protocols {
        if !options.protocols.is_empty() && !options.protocols.contains(&p.protocol) {
            continue;
        }
        for run in p.runs() {
            if options.only.is_empty() || options.only.contains(&run.target) {
                let figure = run.seed == p.seeds[0] && run.draws.train == p.draws.train;
                jobs.push(Job { run, figure });
            }
        }
    }
    if jobs.is_empty() {
        bail!(
            "no run fits --only and --protocol: see the targets in {}",
            options.configs.display()
        );
    }
    Ok(jobs)
}

/// An estimate of the work in a run, to begin with the longest.
fn cost(run: &Run) -> usize {
    run.experts
        .iter()
        .map(|e| match &e.kind {
            amf::ExpertConfig::Flow(f) => {
                let batch = match f.fit.batch {
                    flows::Batch::Full => run.draws.train,
                    flows::Batch::Size(n) => n,
                };
                f.fit.steps * batch
            }
            _ => run.draws.train,
        })
        .sum::<usize>()
        * run.cross_fit.map_or(1, |p| p.models(run.draws.train))
}

/// Whether a finished record (and the figure data, where wanted) of this very run lies in the results folder.
fn is_done(job: &Job, out: &Path) -> bool {
    let hash = job.run.hash();
    let record = record::read::<Record>(&Record::path(out, &job.run)).is_ok_and(|r| r.hash == hash);
    let figure = !job.figure
        || record::read::<FigureData>(&FigureData::path(out, &job.run))
            .is_ok_and(|f| f.hash == hash);
    record && figure
}

/// Computes all runs that are not done yet, several at a time.
fn compute_all(jobs: &[Job], options: &Options, stop: &AtomicBool) -> Result<()> {
    let mut open: Vec<&Job> = jobs
        .iter()
        .filter(|j| options.force || !is_done(j, &options.out))
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    open.sort_by_key(|j| std::cmp::Reverse(cost(&j.run)));
    let workers = options.threads.min(open.len()).max(1);
    // Threads beyond one for each run speed up the single run.
    let threads = (options.threads / workers).max(1);
    let provenance = Provenance::here(threads);
    let display = Display::new(open.len());
    let queue = Mutex::new(VecDeque::from(open));
    let failure: Mutex<Option<anyhow::Error>> = Mutex::new(None);
    let halt = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let line = display.worker();
                while !halt.load(Ordering::Relaxed) && !stop.load(Ordering::Relaxed) {
                    let Some(job) = queue.lock().expect("no worker panics").pop_front() else {
                        break;
                    };
                    line.start(&job.run.stem());
                    let result =
                        compute_one(job, options, stop, threads, &provenance, &|s| line.show(&s));
                    if let Err(e) = result {
                        halt.store(true, Ordering::Relaxed);
                        let e = e.context(job.run.stem());
                        failure.lock().expect("no worker panics").get_or_insert(e);
                    }
                    display.finished();
                }
                line.clear();
            });
        }
    });
    display.clear();
    match failure.into_inner().expect("no worker panics") {
        Some(e) => Err(e),
        None if stop.load(Ordering::Relaxed) => bail!(run::Interrupted),
        None => Ok(()),
    }
}

fn compute_one(
    job: &Job,
    options: &Options,
    stop: &AtomicBool,
    threads: usize,
    provenance: &Provenance,
    observe: &(dyn Fn(run::Stage) + Sync),
) -> Result<()> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()?;
    let (record, figure) =
        pool.install(|| run::compute(&job.run, job.figure, stop, provenance, observe))?;
    // The record last: its presence says that the run is done.
    if let Some(figure) = figure {
        record::write(&FigureData::path(&options.out, &job.run), &figure)?;
    }
    record::write(&Record::path(&options.out, &job.run), &record)
}

/// Copies the new records over the committed ones and renders those afresh.
fn update(records: &[Record], options: &Options) -> Result<()> {
    if options.metrics_only {
        return metrics_csv::write(
            &options.committed.join("metrics.csv"),
            &metrics_csv::rows(records),
        );
    }
    for r in records {
        for path in [Record::path, FigureData::path]
            .map(|p| (p(&options.out, &r.run), p(&options.committed, &r.run)))
        {
            let (from, to) = path;
            if from.exists() {
                let bytes = std::fs::read(&from)
                    .with_context(|| format!("{}: cannot be read", from.display()))?;
                record::write_bytes(&to, &bytes)?;
            }
        }
    }
    let all = record::read_all(&options.committed)?;
    render::write_results(&options.committed, &all)
}
