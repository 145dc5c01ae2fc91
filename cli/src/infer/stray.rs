//! Lines that nobody asked for. Answers are told apart by their order alone: with one line too many,
//! those behind it belong to other points, and nothing else shows it.

use super::program::{Program, Running, Trouble};
use posterior::Session;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// At the end of a round: later ones are seen before the next point is sent, or at the end.
const LINGER: Duration = Duration::from_millis(100);

/// At the end of a run, besides the time of some points.
const FAREWELL: Duration = Duration::from_secs(1);

/// A late answer may take longer than the usual one, by this factor.
const SLOW: u32 = 3;

/// How long answers take.
#[derive(Default)]
pub struct Pace {
    microseconds: AtomicU64,
    answers: AtomicU64,
}

impl Pace {
    pub fn add(&self, time: Duration) {
        let time = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.microseconds.fetch_add(time, Ordering::Relaxed);
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// A time in which an answer should have come.
    fn enough(&self) -> Duration {
        let answers = self.answers.load(Ordering::Relaxed).max(1);
        let mean = self.microseconds.load(Ordering::Relaxed) / answers;
        SLOW * Duration::from_micros(mean)
    }
}

/// Whether a line at the end of the input looks like an answer that was owed to a point. A program
/// may say goodbye, or answer the end of its input with its last numbers once more.
pub fn owed(line: &str, is_answer: impl Fn(&str) -> bool, last: &str) -> bool {
    let line = line.trim();
    line != last.trim() && is_answer(line)
}

/// The error for a line that is left over, and how many evaluations were removed for it.
pub fn too_many(line: &str, removed: usize, state: Option<&Path>) -> String {
    let shown: String = line.trim().chars().take(80).collect();
    let kept = match state {
        None => String::new(),
        Some(state) => format!(
            "; the {removed} evaluations of this program are removed from {}",
            state.display()
        ),
    };
    format!(
        "--command: the program printed more lines than points (\"{}\" is left over), so that its answers may belong to \
         other points; print one line for each point, and other text to standard error{kept}",
        shown.escape_debug()
    )
}

impl Program<'_> {
    /// Fails if a program says something that it was not asked for, for the short time that a round can
    /// wait.
    pub fn linger(&self, program: &mut Running) -> Result<(), Trouble> {
        self.unasked(program, self.pace.enough().min(LINGER))
    }

    /// The same, for some time.
    pub fn unasked(&self, program: &mut Running, wait: Duration) -> Result<(), Trouble> {
        match program.answers.unasked(wait) {
            None => Ok(()),
            Some(line) => {
                let text = too_many(&line, 0, None);
                program.stray = Some(line);
                Err(Trouble::Stray(text))
            }
        }
    }

    /// Ends those that are running, once they had time to print what they still owe.
    ///
    /// # Errors
    /// A line was left over. The evaluations of that program are removed from the state.
    pub fn end(&self) -> Result<(), String> {
        let _at_work = self.interrupts.at_work();
        let mut lock = self.running.lock().unwrap_or_else(|e| e.into_inner());
        let mut running = std::mem::take(&mut *lock);
        drop(lock);
        running.iter_mut().for_each(Running::close);
        let until = Instant::now() + self.pace.enough() + FAREWELL;
        for program in &mut running {
            if program.stray.is_none() {
                program.stray = self.owed(program, until);
            }
        }
        // Before their files go: if this process is killed now, the next one finds the line in them.
        let bad = running.iter().filter(|p| p.stray.is_some());
        let questions: Vec<String> = bad.flat_map(|p| p.answers.questions()).collect();
        let line = running.iter().find_map(|p| p.stray.clone());
        let result = line.map_or(Ok(()), |line| self.removed(&line, &questions).and_then(Err));
        drop(running);
        self.leave();
        result
    }

    /// Removes the folder of answers, unless something is left in it.
    pub fn leave(&self) {
        if let Some(folder) = self.folder() {
            let _ = std::fs::remove_dir(folder);
        }
    }

    /// Removes the evaluations at these points from the state; gives the error that says so.
    ///
    /// # Errors
    /// They cannot be removed.
    pub fn removed(&self, line: &str, questions: &[String]) -> Result<String, String> {
        let Some(state) = &self.state else {
            return Ok(too_many(line, 0, None));
        };
        let numbers = |q: &String| q.split(',').map(|t| t.parse().ok()).collect();
        let points: Vec<Vec<f64>> = questions.iter().filter_map(numbers).collect();
        let removed = Session::forget(state, &points)?;
        Ok(too_many(line, removed, Some(state)))
    }

    /// A line that was owed to an earlier point, printed by a program whose input is closed.
    fn owed(&self, program: &mut Running, until: Instant) -> Option<String> {
        let last = program.last.clone()?;
        let is_answer = |line: &str| self.parse(line).is_ok();
        loop {
            // Looked at first: what it has written by then is there.
            let ended = program.ended();
            let line = program.answers.unasked(STEP);
            match line {
                Some(line) if owed(&line, is_answer, &last) => return Some(line),
                // A program that repeats itself for ever has its time too.
                Some(_) => {}
                None if ended => return None,
                None => {}
            }
            if Instant::now() >= until || self.interrupts.now() {
                return None;
            }
        }
    }
}

/// Between two looks whether a program has ended.
const STEP: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_farewell_and_a_last_answer_once_more_are_owed_to_no_point() {
        let is_answer = |line: &str| line.parse::<f64>().is_ok();
        assert!(owed("-2.5\n", is_answer, "-1\n"));
        assert!(!owed("-1 \n", is_answer, "-1\n"));
        assert!(!owed("3 calls, goodbye\n", is_answer, "-1\n"));
    }

    #[test]
    fn the_error_says_what_is_wanted_and_what_was_removed() {
        let text = too_many("-2\n", 7, Some(Path::new("run")));
        for part in [
            "more lines than points (\"-2\"",
            "one line for each point",
            "7 evaluations of this program are removed from run",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
