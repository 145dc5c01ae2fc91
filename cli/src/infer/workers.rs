//! A likelihood that another program computes: started once for each worker, it reads a line of
//! parameters and answers with a line of numbers, again and again.

use super::watch::Watch;
use faer::prelude::*;
use posterior::{Deliver, Likelihood, Value};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;
use store::Signals;

/// The program, and what it is asked.
pub struct Program<'a> {
    /// Given to the shell.
    pub command: String,
    /// How many run at a time.
    pub workers: usize,
    /// How long one point may take.
    pub timeout: Option<Duration>,
    /// Whether a point at which it fails counts as impossible.
    pub reject: bool,
    /// Names of the parameters.
    pub names: Vec<String>,
    /// Names of the numbers behind the log-likelihood.
    pub derived: Vec<String>,
    /// Set when the run should end.
    pub signals: &'a Signals,
    /// Told about answers.
    pub watch: &'a Watch,
    /// Those that are running.
    pub running: Mutex<Vec<Running>>,
    /// How many points were counted as impossible because it failed, and what happened first.
    pub rejected: Mutex<(usize, String)>,
}

/// One running program.
pub struct Running {
    child: Child,
    input: ChildStdin,
    lines: Receiver<std::io::Result<String>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program<'_> {
    /// Ends those that are running.
    pub fn end(&self) {
        self.running
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .clear();
    }

    /// A warning about points that it failed at.
    pub fn rejected(&self) -> Option<String> {
        let rejected = self.rejected.lock().unwrap_or_else(|e| e.into_inner());
        let (n, first) = &*rejected;
        (*n > 0).then(|| {
            format!("the program failed at {n} points, counted as impossible; the first: {first}")
        })
    }

    fn start(&self) -> Result<Running, String> {
        let child = Command::new("sh")
            .args(["-c", &format!("exec {}", self.command)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = child.map_err(|e| format!("--command: sh cannot be started: {e}"))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = (input, output) else {
            return Err("--command: the program has no input or output".into());
        };
        let (send, lines) = channel();
        // Ends with the program's output.
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            loop {
                let mut line = String::new();
                match output.read_line(&mut line) {
                    Ok(0) => return,
                    Ok(_) if send.send(Ok(line)).is_ok() => {}
                    Ok(_) => return,
                    Err(e) => {
                        let _ = send.send(Err(e));
                        return;
                    }
                }
            }
        });
        Ok(Running {
            child,
            input,
            lines,
        })
    }

    /// Asks one program about one point.
    fn ask(&self, program: &mut Running, row: &[f64]) -> Result<Value, String> {
        let fields: Vec<String> = row.iter().map(|v| format!("{v:?}")).collect();
        let sent =
            writeln!(program.input, "{}", fields.join(",")).and_then(|()| program.input.flush());
        let gone = |program: &mut Running| match program.child.wait() {
            Ok(status) => format!("the program ended ({status})"),
            Err(e) => format!("the program is gone ({e})"),
        };
        if sent.is_err() {
            return Err(gone(program));
        }
        let mut waited = Duration::ZERO;
        let line = loop {
            let step = Duration::from_millis(100);
            match program.lines.recv_timeout(step) {
                Ok(Ok(line)) => break line,
                Ok(Err(e)) => return Err(format!("its answer cannot be read: {e}")),
                Err(RecvTimeoutError::Disconnected) => return Err(gone(program)),
                Err(RecvTimeoutError::Timeout) => {
                    waited += step;
                    if self.signals.stop().load(Ordering::Relaxed) {
                        return Err("interrupted".into());
                    }
                    if self.timeout.is_some_and(|most| waited >= most) {
                        let seconds = waited.as_secs();
                        return Err(format!("no answer within {seconds} s (--timeout)"));
                    }
                }
            }
        };
        self.parse(line.trim())
    }

    fn parse(&self, line: &str) -> Result<Value, String> {
        let wanted = 1 + self.derived.len();
        let numbers: Option<Vec<f64>> = line.split(',').map(|t| t.trim().parse().ok()).collect();
        match numbers {
            Some(numbers) if numbers.len() == wanted => Ok(Value {
                log_likelihood: numbers[0],
                derived: numbers[1..].to_vec(),
            }),
            _ => {
                let shown: String = line.chars().take(80).collect();
                let number = if wanted == 1 {
                    "one number".into()
                } else {
                    format!("{wanted} numbers")
                };
                Err(format!(
                    "it answered \"{}\" instead of {number}",
                    shown.escape_debug()
                ))
            }
        }
    }

    fn point(&self, row: &[f64]) -> String {
        let each = self
            .names
            .iter()
            .zip(row)
            .map(|(n, v)| format!("{n} = {v:?}"));
        each.collect::<Vec<_>>().join(", ")
    }
}

impl Likelihood for &Program<'_> {
    fn derived(&self) -> &[String] {
        &self.derived
    }

    fn evaluate(&self, theta: MatRef<'_, f64>, deliver: &Deliver<'_>) -> Result<(), String> {
        let next = AtomicUsize::new(0);
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
                let value = match self.ask(&mut program, &row) {
                    Ok(value) => value,
                    Err(e) if e == "interrupted" => return Err(e),
                    Err(e) if self.reject => {
                        let mut rejected = self.rejected.lock().unwrap_or_else(|e| e.into_inner());
                        if rejected.0 == 0 {
                            rejected.1 = format!("{e} at {}", self.point(&row));
                        }
                        rejected.0 += 1;
                        drop(rejected);
                        program = self.start()?;
                        let derived = vec![f64::NAN; self.derived.len()];
                        Value {
                            log_likelihood: f64::NEG_INFINITY,
                            derived,
                        }
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
            None => Ok(()),
            Some(e) => Err(e),
        }
    }
}
