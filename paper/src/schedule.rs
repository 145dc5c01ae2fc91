//! Many runs, several at a time, beside other processes.

use crate::progress::Display;
use crate::record::Provenance;
use crate::run::Interrupted;
use crate::units::Journal;
use crate::work::{Context, Work};
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
    /// The results folder. Several processes can work in it.
    pub out: PathBuf,
    /// Worker threads.
    pub threads: usize,
    /// Compute even what lies there already.
    pub force: bool,
    /// Time between the checkpoints of a fit.
    pub pace: Duration,
    /// Where every unit of work is written down as it begins and ends.
    pub journal: Option<PathBuf>,
}

/// Between two looks at whether another process is done.
const LOOK: Duration = Duration::from_millis(200);

impl Schedule {
    /// Results into `out` by so many threads; checkpoints every ten seconds, no journal.
    #[must_use]
    pub fn new(out: PathBuf, threads: usize) -> Self {
        Self {
            out,
            threads,
            force: false,
            pace: Duration::from_secs(10),
            journal: None,
        }
    }

    /// Computes all runs that are not done yet. A run that another process works on is left to it, and waited for.
    ///
    /// # Errors
    /// The first run that fails, a file that cannot be written; [`Interrupted`] when `stop` is set.
    pub fn compute(&self, work: &[&dyn Work], stop: &AtomicBool) -> Result<()> {
        store::sweep(&self.out);
        let journal = Journal::open(self.journal.as_deref())?;
        let mut open = Vec::new();
        for w in work {
            let warn = |reason| eprintln!("warning: {reason}");
            if self.force || !w.is_done(&self.out, &warn) {
                open.push(*w);
            } else {
                self.tidy(*w)?;
            }
        }
        if open.is_empty() {
            return Ok(());
        }
        open.sort_by_key(|w| std::cmp::Reverse(w.cost()));
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
                        let Some(unit) = queue.lock().expect("no worker panics").pop_front() else {
                            break;
                        };
                        line.start(&unit.stem());
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
                        let result = pool(threads).and_then(|pool| {
                            pool.install(|| self.perform(unit, &journal, context))
                        });
                        match result {
                            Ok(true) => display.finished(),
                            // Another process works on it: what else there is comes first.
                            Ok(false) => {
                                queue.lock().expect("no worker panics").push_back(unit);
                                std::thread::sleep(LOOK);
                            }
                            Err(e) => {
                                halt.store(true, Ordering::Relaxed);
                                let e = e.context(unit.stem());
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

    /// Computes one run, unless another process has it: then `false`.
    fn perform(&self, unit: &dyn Work, journal: &Journal, context: Context<'_>) -> Result<bool> {
        let Some(_claim) = RunLock::take(&self.run_lock(unit))? else {
            return Ok(false);
        };
        // Another process may have done it since we looked.
        if self.force || !unit.is_done(&self.out, &|_| {}) {
            let stem = unit.stem();
            let tell = |event: store::Event<'_>| journal.write(&stem, event);
            let folder = self.units(unit);
            if self.force {
                let _ = std::fs::remove_dir_all(&folder);
            }
            let checkpoints = CheckpointFolder::new(&folder, self.pace, &tell);
            let context = Context {
                fit: context.fit.checkpointed_in(&checkpoints),
                ..context
            };
            unit.perform(&self.out, &context)?;
        }
        self.clear(unit);
        Ok(true)
    }

    /// Takes away what a process has left that ended between the record of a run and the end of its units.
    fn tidy(&self, unit: &dyn Work) -> Result<()> {
        let left = self.units(unit).exists() || self.run_lock(unit).exists();
        if left && let Some(_claim) = RunLock::take(&self.run_lock(unit))? {
            self.clear(unit);
        }
        Ok(())
    }

    /// Removes the units of a run, and folders that are empty then.
    fn clear(&self, unit: &dyn Work) {
        let folder = self.units(unit);
        let _ = std::fs::remove_dir_all(&folder);
        let _ = std::fs::remove_file(self.run_lock(unit));
        let root = self.out.join(UNITS);
        for above in folder.ancestors().skip(1) {
            if !above.starts_with(&root) || std::fs::remove_dir(above).is_err() {
                break;
            }
        }
    }

    /// Where the units of a run lie until it is done.
    fn units(&self, unit: &dyn Work) -> PathBuf {
        self.out.join(UNITS).join(unit.stem())
    }

    fn run_lock(&self, unit: &dyn Work) -> PathBuf {
        let mut path = self.units(unit).into_os_string();
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
