//! Progress: a line for each round, and a sign of life in between.

use super::report::line;
use posterior::anneal::Status;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// What is known of a run.
pub struct Watch {
    /// The longest time between two lines; without it nothing is printed.
    every: Option<Duration>,
    seen: Mutex<Seen>,
    done: AtomicBool,
    woken: Condvar,
}

struct Seen {
    status: Option<Status>,
    /// Values since the last round, and when the last one came.
    answers: usize,
    last_answer: Instant,
    waiting: bool,
    last_line: Instant,
}

impl Watch {
    /// A line at least every so many seconds; every ten on a terminal.
    pub fn new(seconds: Option<u64>) -> Self {
        let usual = std::io::stderr().is_terminal().then_some(10);
        let now = Instant::now();
        Self {
            every: seconds.or(usual).map(Duration::from_secs),
            seen: Mutex::new(Seen {
                status: None,
                answers: 0,
                last_answer: now,
                waiting: false,
                last_line: now,
            }),
            done: AtomicBool::new(false),
            woken: Condvar::new(),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Where the run stands; a new round gets its line.
    pub fn status(&self, s: &Status) {
        let mut seen = self.seen();
        if seen.status.as_ref().is_some_and(|t| t.rounds == s.rounds) || s.rounds == 0 {
            return;
        }
        seen.status = Some(s.clone());
        seen.answers = 0;
        if self.every.is_some() {
            say!("{}", line(s));
            seen.last_line = Instant::now();
        }
    }

    /// The programs are asked, or no longer.
    pub fn waiting(&self, waiting: bool) {
        let mut seen = self.seen();
        seen.waiting = waiting;
        seen.last_answer = Instant::now();
    }

    /// A value has come.
    pub fn answer(&self) {
        let mut seen = self.seen();
        seen.answers += 1;
        seen.last_answer = Instant::now();
    }

    /// Runs `f`, and prints a line whenever there was none for long.
    pub fn during<T>(&self, f: impl FnOnce() -> T) -> T {
        std::thread::scope(|scope| {
            let thread = self
                .every
                .map(|every| scope.spawn(move || self.beat(every)));
            let result = f();
            self.done.store(true, Ordering::Relaxed);
            self.woken.notify_all();
            if let Some(thread) = thread {
                let _ = thread.join();
            }
            result
        })
    }

    fn beat(&self, every: Duration) {
        let mut seen = self.seen();
        while !self.done.load(Ordering::Relaxed) {
            let quiet = seen.last_line.elapsed();
            if quiet >= every {
                say!("{}", seen.text());
                seen.last_line = Instant::now();
                continue;
            }
            let wait = self.woken.wait_timeout(seen, (every - quiet).min(STEP));
            seen = wait.unwrap_or_else(|e| e.into_inner()).0;
        }
    }
}

/// The end of a run is noticed at least so soon.
const STEP: Duration = Duration::from_millis(200);

/// From this many seconds without an answer on, the limit is recommended.
const LONG: u64 = 30;

impl Seen {
    fn text(&self) -> String {
        let done = self.status.as_ref().map_or(0, |s| s.evaluations) + self.answers;
        let round = self.status.as_ref().map_or(0, |s| s.rounds);
        if !self.waiting {
            return format!("after round {round}: {done} evaluations, fitting");
        }
        let quiet = self.last_answer.elapsed().as_secs();
        let advice = match quiet {
            LONG.. if done == 0 => {
                "; --timeout SECONDS limits a point; an answer needs a line feed and a flush"
            }
            LONG.. => "; --timeout SECONDS limits a point",
            _ => "",
        };
        format!("after round {round}: {done} evaluations, the last answer {quiet} s ago{advice}")
    }
}
