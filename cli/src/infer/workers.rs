//! The programs as a likelihood: one for each worker, started when it is needed.

use super::answers::{Left, TooMany};
use super::program::{Program, Running, Trouble, question};
use super::stray::owed;
use anyhow::{Context, Result, bail};
use faer::prelude::*;
use posterior::{Deliver, Likelihood, Value};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, Once};
use std::time::Duration;

/// Before it is said what is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// So many failures, and no other answer, end the run.
const HOPELESS: usize = 20;

impl Program<'_> {
    /// Takes over what programs of a process that was killed have answered; waits for those that are
    /// still at work, so that no point is evaluated twice.
    pub fn recover(&self) -> Result<()> {
        let Some(folder) = self.folder() else {
            return Ok(());
        };
        let said = Once::new();
        let wait = |waited: Duration| {
            if waited >= PATIENCE {
                said.call_once(|| {
                    say!("waiting for programs of a run that was killed: their points are not evaluated again");
                });
            }
            !self.interrupts.stop() && self.timeout.is_none_or(|most| waited < most)
        };
        let left = Left::read(&folder, &wait)
            .context("--state: answers of earlier programs cannot be read")?;
        for program in &left.strays {
            self.believable(program)?;
        }
        *self.left.lock().unwrap_or_else(|e| e.into_inner()) = left;
        Ok(())
    }

    /// Fails if one of the lines that nobody asked for is an answer that was owed to an earlier point.
    fn believable(&self, program: &TooMany) -> Result<()> {
        let is_answer = |line: &str| self.parse(line).is_ok();
        let pairs = program.answers.iter().zip(program.answers.iter().skip(1));
        let mut owed = pairs.filter(|(last, line)| owed(line, is_answer, last));
        let Some((_, line)) = owed.next() else {
            return Ok(());
        };
        let removed = self.removed(line, &program.questions);
        let text = removed.map_err(anyhow::Error::msg)?;
        program.clear();
        self.leave();
        bail!(text)
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
        let mut kept = self.left.lock().unwrap_or_else(|e| e.into_inner());
        let round = Round {
            theta,
            next: AtomicUsize::new(0),
            left: std::mem::take(&mut kept.answers),
            deliver,
        };
        let failed: Mutex<Option<String>> = Mutex::new(None);
        self.watch.waiting(true);
        std::thread::scope(|scope| {
            for _ in 0..self.workers.min(theta.nrows()) {
                scope.spawn(|| {
                    if let Err(e) = self.work(&round) {
                        // The others end with their present points.
                        round.next.store(theta.nrows(), Ordering::Relaxed);
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

/// The points that the workers share.
struct Round<'a> {
    theta: MatRef<'a, f64>,
    /// The next row that nobody has taken.
    next: AtomicUsize,
    /// Answers that are known already, by their questions.
    left: BTreeMap<String, String>,
    deliver: &'a Deliver<'a>,
}

impl Round<'_> {
    /// Takes a row; none when all are taken.
    fn take(&self) -> Option<(usize, Vec<f64>)> {
        let i = self.next.fetch_add(1, Ordering::Relaxed);
        let theta = self.theta;
        (i < theta.nrows()).then(|| (i, (0..theta.ncols()).map(|j| theta[(i, j)]).collect()))
    }
}

impl Program<'_> {
    /// One worker in one round.
    fn work(&self, round: &Round<'_>) -> Result<(), String> {
        let lock = || self.running.lock().unwrap_or_else(|e| e.into_inner());
        let waiting = lock().pop();
        let mut program = waiting.map_or_else(|| self.start(), Ok)?;
        let done = self.rows(round, &mut program);
        // Whatever happened: what it still prints is looked at when the run ends.
        lock().push(program);
        done
    }

    /// Asks one program about rows until all are taken.
    fn rows(&self, round: &Round<'_>, program: &mut Running) -> Result<(), String> {
        loop {
            if self.interrupts.stop() {
                return Err("interrupted".into());
            }
            let Some((i, row)) = round.take() else {
                return match self.linger(program) {
                    Err(Trouble::Stray(e)) => Err(e),
                    _ => Ok(()),
                };
            };
            let question = question(&row);
            let value = match round.left.get(&question).map(|line| self.parse(line)) {
                Some(Ok(value)) => value,
                _ => self.value(program, &row, &question)?,
            };
            (round.deliver)(i, value)?;
        }
    }

    /// The value of a point that is not known yet.
    fn value(&self, program: &mut Running, row: &[f64], question: &str) -> Result<Value, String> {
        let value = match self.ask(program, question) {
            Ok(value) => {
                self.answered.store(true, Ordering::Relaxed);
                value
            }
            Err(Trouble::Interrupted) => return Err("interrupted".into()),
            // Even where failures are no errors: earlier answers may be wrong.
            Err(Trouble::Stray(e)) => return Err(e),
            Err(Trouble::Failed(e)) if self.reject => {
                self.reject(&format!("{e} at {}", self.point(row)))?;
                *program = self.start()?;
                Value::failure(self.derived.len())
            }
            Err(Trouble::Failed(e)) => {
                return Err(format!(
                    "--command: {e} at {}; --failures reject counts such points as impossible",
                    self.point(row)
                ));
            }
        };
        self.watch.answer();
        Ok(value)
    }

    /// Counts a point as impossible, unless all are.
    fn reject(&self, failure: &str) -> Result<(), String> {
        let mut rejected = self.rejected.lock().unwrap_or_else(|e| e.into_inner());
        if rejected.0 == 0 {
            failure.clone_into(&mut rejected.1);
        }
        rejected.0 += 1;
        if rejected.0 >= HOPELESS && !self.answered.load(Ordering::Relaxed) {
            return Err(format!(
                "--command: all of the first {HOPELESS} answers failed; the first: {}; mend the program \
                 (it can answer -inf where the data are impossible)",
                rejected.1
            ));
        }
        Ok(())
    }
}
