//! Computes whatever is missing, writes every result, compares with the committed ones.

use crate::config::Run;
use crate::configs::Configs;
use crate::metrics_csv::{self, Comparison};
use crate::posterior::{AmortisedRun, PosteriorRun};
use crate::progress::Display;
use crate::record::{self, Provenance, figure_path, record_path};
use crate::results::Results;
use crate::target::Target;
use crate::work::{self, Job, Unit, Work};
use crate::{render, run};
use anyhow::{Context, Result, bail};
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
    pub only: Vec<Target>,
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

/// What is to be done, kind by kind.
#[derive(Default)]
struct Jobs {
    mixtures: Vec<Job<Run>>,
    posteriors: Vec<Job<PosteriorRun>>,
    amortised: Vec<Job<AmortisedRun>>,
}

impl Jobs {
    /// The jobs that the options ask for.
    fn select(configs: &Configs, options: &Options) -> Result<Self> {
        let known = configs.names();
        if let Some(name) = options
            .protocols
            .iter()
            .find(|n| !known.contains(&n.as_str()))
        {
            bail!("no protocol \"{name}\": there are {}", known.join(", "));
        }
        let wanted = |protocol: &String| {
            options.protocols.is_empty() || options.protocols.contains(protocol)
        };
        let only = |target: Target| options.only.is_empty() || options.only.contains(&target);
        let mut jobs = Self::default();
        for p in configs.protocols.iter().filter(|p| wanted(&p.protocol)) {
            let runs = p.runs().into_iter();
            let runs = runs.filter(|r| only(Target::Family(r.target)));
            jobs.mixtures.extend(runs.map(|unit| Job {
                figure: unit.seed == p.seeds[0] && unit.draws.train == p.draws.train,
                unit,
            }));
        }
        for s in configs.studies.iter().filter(|s| wanted(&s.protocol)) {
            let runs = s.runs().into_iter();
            let runs = runs.filter(|r| only(Target::Benchmark(r.benchmark)));
            jobs.posteriors.extend(runs.map(|unit| Job {
                figure: s.shows(&unit),
                unit,
            }));
        }
        for s in configs.amortised.iter().filter(|s| wanted(&s.protocol)) {
            let named = s.benchmark().is_some_and(|b| only(Target::Benchmark(b)));
            if named || options.only.is_empty() {
                let runs = s.runs().into_iter();
                jobs.amortised.extend(runs.map(|unit| Job {
                    figure: false,
                    unit,
                }));
            }
        }
        if jobs.work().is_empty() {
            bail!(
                "no run fits --only and --protocol: see the targets in {}",
                options.configs.display()
            );
        }
        Ok(jobs)
    }

    /// All of them.
    fn work(&self) -> Vec<&dyn Work> {
        let mixtures = self.mixtures.iter().map(|j| j as &dyn Work);
        let posteriors = self.posteriors.iter().map(|j| j as &dyn Work);
        let amortised = self.amortised.iter().map(|j| j as &dyn Work);
        mixtures.chain(posteriors).chain(amortised).collect()
    }

    /// Their records.
    fn read(&self, folder: &Path) -> Result<Results> {
        fn all<U: Unit>(jobs: &[Job<U>], folder: &Path) -> Result<Vec<U::Record>> {
            jobs.iter().map(|j| j.read(folder)).collect()
        }
        let results = Results {
            mixtures: all(&self.mixtures, folder)?,
            posteriors: all(&self.posteriors, folder)?,
            amortised: all(&self.amortised, folder)?,
        };
        Ok(results.sorted())
    }
}

/// Reproduces.
///
/// # Errors
/// A config that cannot be used, a run that fails, a file that cannot be written; [`run::Interrupted`] when `stop` is set.
pub fn reproduce(options: &Options, stop: &AtomicBool) -> Result<Outcome> {
    let configs = Configs::read(&options.configs)?;
    let jobs = Jobs::select(&configs, options)?;
    compute_all(&jobs.work(), options, stop)?;
    let results = jobs.read(&options.out)?;
    render::write_results(&options.out, &results)?;
    let report = options.out.join("REPORT.md");
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

/// Computes all runs that are not done yet, several at a time.
fn compute_all(work: &[&dyn Work], options: &Options, stop: &AtomicBool) -> Result<()> {
    let mut open: Vec<&dyn Work> = work
        .iter()
        .copied()
        .filter(|w| options.force || !w.is_done(&options.out))
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    open.sort_by_key(|w| std::cmp::Reverse(w.cost()));
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
                    let Some(unit) = queue.lock().expect("no worker panics").pop_front() else {
                        break;
                    };
                    line.start(&unit.stem());
                    let context = work::Context {
                        stop,
                        provenance: &provenance,
                        observe: &|stage| line.show(&stage),
                    };
                    let result = pool(threads)
                        .and_then(|pool| pool.install(|| unit.perform(&options.out, &context)));
                    if let Err(e) = result {
                        halt.store(true, Ordering::Relaxed);
                        let e = e.context(unit.stem());
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

fn pool(threads: usize) -> Result<rayon::ThreadPool> {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
    Ok(builder.build()?)
}

/// Copies the new records over the committed ones and renders those afresh.
fn update(jobs: &Jobs, results: &Results, options: &Options) -> Result<()> {
    if options.metrics_only {
        return metrics_csv::write(&options.committed.join("metrics.csv"), &results.rows());
    }
    for stem in jobs.work().iter().map(|w| w.stem()) {
        for path in [record_path, figure_path] {
            let (from, to) = (path(&options.out, &stem), path(&options.committed, &stem));
            if from.exists() {
                let bytes = std::fs::read(&from)
                    .with_context(|| format!("{}: cannot be read", from.display()))?;
                record::write_bytes(&to, &bytes)?;
            }
        }
    }
    render::write_results(&options.committed, &Results::read(&options.committed)?)
}
