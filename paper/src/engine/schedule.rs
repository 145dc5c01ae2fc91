//! Computes many runs, several at a time, next to other processes.

use super::context::{Context, Interrupted};
use super::event_log::EventLog;
use super::job::Job;
use super::progress::Display;
use super::provenance::Provenance;
use anyhow::{Result, bail};
use density::{FitContext, Progress};
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::{CheckpointFolder, RunLock};

/// How runs are computed.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// The results folder. Several processes can share it.
    pub out: PathBuf,
    /// Worker threads.
    pub threads: usize,
    /// Compute finished runs again.
    pub force: bool,
    /// Time between the checkpoints of a fit.
    pub pace: Duration,
    /// The event log of units of work.
    pub event_log: Option<PathBuf>,
}

/// Interval between checks whether another process is done.
const LOOK: Duration = Duration::from_millis(200);

impl Schedule {
    /// Results into `out` by this number of threads; checkpoints every ten seconds, no event log.
    #[must_use]
    pub fn new(out: PathBuf, threads: usize) -> Self {
        Self {
            out,
            threads,
            force: false,
            pace: Duration::from_secs(10),
            event_log: None,
        }
    }

    /// Those that are not done yet; `warn` is called with records that cannot be used.
    #[must_use]
    pub fn open<'a>(&self, jobs: &[&'a Job], warn: &dyn Fn(String)) -> Vec<&'a Job> {
        let open = |job: &&Job| self.force || !job.is_done(&self.out, warn);
        jobs.iter().copied().filter(open).collect()
    }

    /// Computes all runs that are not done yet. A run that another process has locked is left to
    /// it, and waited for.
    ///
    /// # Errors
    /// The first run that fails, a file that cannot be written; [`Interrupted`] when `stop` is set.
    pub fn compute(&self, jobs: &[&Job], stop: &AtomicBool) -> Result<()> {
        store::sweep(&self.out);
        let log = EventLog::open(self.event_log.as_deref())?;
        let mut open = self.open(jobs, &|reason| eprintln!("warning: {reason}"));
        for job in jobs {
            if !open.iter().any(|o| std::ptr::eq(*o, *job)) {
                self.tidy(job)?;
            }
        }
        if open.is_empty() {
            return Ok(());
        }
        open.sort_by_key(|job| std::cmp::Reverse(job.cost));
        let workers = self.threads.min(open.len()).max(1);
        // Threads beyond one for each run speed up the single run.
        let threads = (self.threads / workers).max(1);
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
                        line.start(&job.stem);
                        let observer = |p: &Progress<'_>| {
                            line.show(p);
                            if stop.load(Ordering::Relaxed) {
                                ControlFlow::Break(())
                            } else {
                                ControlFlow::Continue(())
                            }
                        };
                        let context = Context {
                            provenance: &provenance,
                            fit: FitContext::default().observed_by(&observer),
                        };
                        let result = pool(threads)
                            .and_then(|pool| pool.install(|| self.perform(job, &log, context)));
                        match result {
                            Ok(true) => display.finished(),
                            // Another process works on it: other runs come first.
                            Ok(false) => {
                                queue.lock().expect("no worker panics").push_back(job);
                                std::thread::sleep(LOOK);
                            }
                            Err(e) => {
                                halt.store(true, Ordering::Relaxed);
                                let e = e.context(job.stem.clone());
                                failure.lock().expect("no worker panics").get_or_insert(e);
                            }
                        }
                    }
                    line.clear();
                });
            }
        });
        display.clear();
        match failure.into_inner().expect("no worker panics") {
            Some(e) => Err(e),
            None if stop.load(Ordering::Relaxed) => bail!(Interrupted),
            None => Ok(()),
        }
    }

    /// Computes one run; `false` if another process has locked it.
    fn perform(&self, job: &Job, log: &EventLog, context: Context<'_>) -> Result<bool> {
        let Some(_lock) = RunLock::take(&self.run_lock(job))? else {
            return Ok(false);
        };
        // Another process may have done it since the last check.
        if self.force || !job.is_done(&self.out, &|_| {}) {
            let stem = &job.stem;
            let tell = |event: store::Event<'_>| log.write(stem, event);
            let folder = self.units(job);
            if self.force {
                let _ = std::fs::remove_dir_all(&folder);
            }
            let checkpoints = CheckpointFolder::new(&folder, self.pace, &tell);
            let context = Context {
                fit: context.fit.checkpointed_in(&checkpoints),
                ..context
            };
            job.perform(&self.out, &context)?;
        }
        self.clear(job);
        Ok(true)
    }

    /// Removes the units of a process that ended after it wrote the record of a run.
    fn tidy(&self, job: &Job) -> Result<()> {
        let left = self.units(job).exists() || self.run_lock(job).exists();
        if left && let Some(_lock) = RunLock::take(&self.run_lock(job))? {
            self.clear(job);
        }
        Ok(())
    }

    /// Removes the units of a run, and folders that are empty then.
    fn clear(&self, job: &Job) {
        let folder = self.units(job);
        let _ = std::fs::remove_dir_all(&folder);
        let _ = std::fs::remove_file(self.run_lock(job));
        let root = self.out.join(UNITS);
        for above in folder.ancestors().skip(1) {
            if !above.starts_with(&root) || std::fs::remove_dir(above).is_err() {
                break;
            }
        }
    }

    /// The folder of a run's units until it is done.
    fn units(&self, job: &Job) -> PathBuf {
        self.out.join(UNITS).join(&job.stem)
    }

    fn run_lock(&self, job: &Job) -> PathBuf {
        let mut path = self.units(job).into_os_string();
        path.push(".lock");
        path.into()
    }
}

/// The folder of the units of runs that are not done.
const UNITS: &str = "units";

fn pool(threads: usize) -> Result<rayon::ThreadPool> {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
    Ok(builder.build()?)
}
