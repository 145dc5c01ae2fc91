//! The programs as a likelihood: one for each worker, started when it is needed.

use super::answers::Left;
use super::program::{Program, question};
use faer::prelude::*;
use posterior::{Deliver, Likelihood, Value};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, Once};
use std::time::Duration;

/// Before it is said what is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// So many failures, and no other answer, end the run.
const HOPELESS: usize = 20;

impl Program<'_> {
    /// Ends those that are running; all of their answers are noted.
    pub fn end(&self) {
        self.running
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .clear();
        if let Some(folder) = &self.folder {
            // Unless something is left in it.
            let _ = std::fs::remove_dir(folder);
        }
    }

    /// Takes over what programs of a process that was killed have answered; waits for those that are
    /// still at work, so that no point is evaluated twice.
    pub fn recover(&self) -> std::io::Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let said = Once::new();
        let wait = |waited: Duration| {
            if waited >= PATIENCE {
                said.call_once(|| {
                    say!("waiting for programs of a run that was killed: their points are not evaluated again");
                });
            }
            let stop = self.signals.stop().load(Ordering::Relaxed);
            !stop && self.timeout.is_none_or(|most| waited < most)
        };
        let left = Left::read(folder, &wait)?;
        *self.left.lock().unwrap_or_else(|e| e.into_inner()) = left;
        Ok(())
    }

    /// A warning about points that it failed at.
    pub fn rejected(&self) -> Option<String> {
        let rejected = self.rejected.lock().unwrap_or_else(|e| e.into_inner());
        let (n, first) = &*rejected;
        (*n > 0).then(|| {
            format!("the program failed at {n} points, counted as impossible; the first: {first}; --failures error evaluates those again that --state keeps")
        })
    }
}

impl Likelihood for &Program<'_> {
    fn derived(&self) -> &[String] {
        &self.derived
    }

    fn evaluate(&self, theta: MatRef<'_, f64>, deliver: &Deliver<'_>) -> Result<(), String> {
        let next = AtomicUsize::new(0);
        let mut kept = self.left.lock().unwrap_or_else(|e| e.into_inner());
        let left = std::mem::take(&mut kept.answers);
        let failed: Mutex<Option<String>> = Mutex::new(None);
        let work = || -> Result<(), String> {
            let lock = || self.running.lock().unwrap_or_else(|e| e.into_inner());
            let mut program = lock().pop().map_or_else(|| self.start(), Ok)?;
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                if i >= theta.nrows() || self.signals.stop().load(Ordering::Relaxed) {
                    lock().push(program);
                    return if i >= theta.nrows() {
                        Ok(())
                    } else {
                        Err("interrupted".into())
                    };
                }
                let row: Vec<f64> = (0..theta.ncols()).map(|j| theta[(i, j)]).collect();
                let question = question(&row);
                if let Some(Ok(value)) = left.get(&question).map(|line| self.parse(line)) {
                    self.answered.store(true, Ordering::Relaxed);
                    deliver(i, value)?;
                    continue;
                }
                let value = match self.ask(&mut program, &question) {
                    Ok(value) => {
                        self.answered.store(true, Ordering::Relaxed);
                        value
                    }
                    Err(e) if e == "interrupted" => return Err(e),
                    Err(e) if self.reject => {
                        let mut rejected = self.rejected.lock().unwrap_or_else(|e| e.into_inner());
                        if rejected.0 == 0 {
                            rejected.1 = format!("{e} at {}", self.point(&row));
                        }
                        rejected.0 += 1;
                        if rejected.0 >= HOPELESS && !self.answered.load(Ordering::Relaxed) {
                            return Err(format!(
                                "--command: all of the first {HOPELESS} answers failed; the first: {}; mend the program \
                                 (it can answer -inf where the data are impossible)",
                                rejected.1
                            ));
                        }
                        drop(rejected);
                        program = self.start()?;
                        Value::failure(self.derived.len())
                    }
                    Err(e) => {
                        return Err(format!(
                            "--command: {e} at {}; --failures reject counts such points as impossible",
                            self.point(&row)
                        ));
                    }
                };
                self.watch.answer();
                deliver(i, value)?;
            }
        };
        self.watch.waiting(true);
        std::thread::scope(|scope| {
            for _ in 0..self.workers.min(theta.nrows()) {
                scope.spawn(|| {
                    if let Err(e) = work() {
                        // The others end with their present points.
                        next.store(theta.nrows(), Ordering::Relaxed);
                        let mut first = failed.lock().unwrap_or_else(|e| e.into_inner());
                        first.get_or_insert(e);
                    }
                });
            }
        });
        self.watch.waiting(false);
        match failed.into_inner().unwrap_or_else(|e| e.into_inner()) {
            // What was left is noted now.
            None => {
                kept.clear();
                Ok(())
            }
            Some(e) => Err(e),
        }
    }
}
