//! A program that computes the log-likelihood: it reads a line of parameters and answers with a line
//! of numbers, again and again.

use super::answers::{Answers, Heard, Kept, Left};
use super::interrupts::Interrupts;
use super::stray::Pace;
use super::watch::Watch;
use posterior::Value;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

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
    pub interrupts: &'a Interrupts,
    /// The folder of the run's evaluations.
    pub state: Option<PathBuf>,
    /// What programs of a process that was killed have left there.
    pub left: Mutex<Left>,
    /// Told about answers.
    pub watch: &'a Watch,
    /// Those that are running, and those that have printed too much.
    pub running: Mutex<Vec<Running>>,
    pub pace: Pace,
    /// How many points were counted as impossible because it failed, and what happened first.
    pub rejected: Mutex<(usize, String)>,
    /// Whether it has answered at all.
    pub answered: AtomicBool,
}

/// One running program.
pub struct Running {
    child: Child,
    /// None once it is closed.
    input: Option<ChildStdin>,
    pub answers: Answers,
    /// Its last answer; none if it has none that count, or has failed since.
    pub last: Option<String>,
    /// A line that nobody asked for.
    pub stray: Option<String>,
}

/// Why there is no value.
pub enum Trouble {
    Interrupted,
    /// A line that nobody asked for: earlier answers may be those of other points.
    Stray(String),
    /// The program failed at this point.
    Failed(String),
}

impl Running {
    /// There will be no more points.
    pub fn close(&mut self) {
        self.input = None;
    }

    /// Whether it has ended.
    pub fn ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    fn send(&mut self, line: &str) -> std::io::Result<()> {
        match &mut self.input {
            Some(input) => input.write_all(line.as_bytes()),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Why there will be no answer.
    fn gone(&mut self) -> String {
        match self.status() {
            Ok(Some(status)) => format!("the program ended ({status})"),
            Ok(None) => "the program closed its input or output and lives on".into(),
            Err(e) => format!("the program is gone ({e})"),
        }
    }

    /// How it ended; none if it goes on. A program that ends closes its pipes a moment before.
    fn status(&mut self) -> std::io::Result<Option<ExitStatus>> {
        let start = Instant::now();
        loop {
            let status = self.child.try_wait()?;
            if status.is_some() || start.elapsed() > Duration::from_secs(1) {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        end_group(&mut self.child);
        let _ = self.child.wait();
    }
}

/// Kills the shell and what it has started.
fn end_group(child: &mut Child) {
    #[cfg(unix)]
    if let (Ok(None), Ok(id)) = (child.try_wait(), i32::try_from(child.id())) {
        let group = nix::unistd::Pid::from_raw(id);
        let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
    }
    let _ = child.kill();
}

impl Program<'_> {
    /// Starts one.
    pub fn start(&self) -> Result<Running, String> {
        let failed = |e: std::io::Error| format!("--command: sh cannot be started: {e}");
        let mut command = Command::new("sh");
        command.args(["-c", &self.command]);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.stdin(Stdio::piped());
        let kept = match self.folder() {
            None => None,
            Some(folder) => {
                let kept = Kept::begin(&folder);
                let (kept, output) = kept.map_err(|e| format!("{}: {e}", folder.display()))?;
                command.stdout(output);
                Some(kept)
            }
        };
        if kept.is_none() {
            command.stdout(Stdio::piped());
        }
        let mut child = command.spawn().map_err(failed)?;
        // With it goes our own end of the output.
        drop(command);
        let answers = match (kept, child.stdout.take()) {
            (Some(kept), _) => Some(Answers::Kept(kept)),
            (None, output) => output.map(Answers::from_pipe),
        };
        let (Some(input), Some(answers)) = (child.stdin.take(), answers) else {
            return Err("--command: the program has no input or output".into());
        };
        Ok(Running {
            child,
            input: Some(input),
            answers,
            last: None,
            stray: None,
        })
    }

    /// Where answers are kept until they are noted elsewhere.
    pub fn folder(&self) -> Option<PathBuf> {
        self.state.as_ref().map(|state| state.join("programs"))
    }

    /// Asks one program about one point.
    pub fn ask(&self, program: &mut Running, question: &str) -> Result<Value, Trouble> {
        self.unasked(program, Duration::ZERO)?;
        let _at_work = self.interrupts.at_work();
        let answer = self.answer(program, question).and_then(|line| {
            let value = self.parse(line.trim()).map_err(Trouble::Failed)?;
            program.last = Some(line);
            Ok(value)
        });
        if answer.is_err() {
            // What it prints now may belong to this point.
            program.last = None;
        }
        answer
    }

    /// Sends a point, and waits for the line that comes back.
    fn answer(&self, program: &mut Running, question: &str) -> Result<String, Trouble> {
        // In one piece: half a line must not be taken for a point when this process is killed.
        let line = format!("{question}\n");
        let failed = |text: String| Err(Trouble::Failed(text));
        if let Err(e) = program.answers.note(&line) {
            return failed(format!("the question cannot be kept: {e}"));
        }
        if program.send(&line).is_err() {
            return failed(program.gone());
        }
        let start = Instant::now();
        let mut ended = false;
        loop {
            match program.answers.hear(STEP) {
                Heard::Line(line) => {
                    self.pace.add(start.elapsed());
                    return Ok(line);
                }
                Heard::Failed(e) => return failed(format!("its answer cannot be read: {e}")),
                Heard::Closed => return failed(program.gone()),
                // What it wrote last was looked for once more.
                Heard::Silence if ended => return failed(program.gone()),
                Heard::Silence => {
                    ended = program.ended();
                    if self.interrupts.now() {
                        return Err(Trouble::Interrupted);
                    }
                    if !ended && self.timeout.is_some_and(|most| start.elapsed() >= most) {
                        return failed(self.silent(program.answers.begun()));
                    }
                }
            }
        }
    }

    /// What is said of a program that has not answered in time.
    fn silent(&self, begun: Option<String>) -> String {
        let seconds = self.timeout.unwrap_or_default().as_secs_f64();
        match begun {
            Some(begun) => {
                let shown: String = begun.chars().take(80).collect();
                format!(
                    "no answer within {seconds} s (--timeout): it printed \"{}\" without the line feed that ends an answer,",
                    shown.escape_debug()
                )
            }
            None => format!(
                "no answer within {seconds} s (--timeout; a program that did print one must end it with a line feed and \
                 flush its output, in Python print(..., flush=True))"
            ),
        }
    }

    /// The numbers of an answer.
    pub fn parse(&self, line: &str) -> Result<Value, String> {
        let wanted = 1 + self.derived.len();
        let numbers: Option<Vec<f64>> = line.split(',').map(|t| t.trim().parse().ok()).collect();
        match numbers {
            Some(numbers) if numbers.len() == wanted => Ok(Value {
                log_likelihood: numbers[0],
                derived: numbers[1..].to_vec(),
                failed: false,
            }),
            // Where the data are impossible there may be nothing to derive.
            Some(numbers) if numbers.len() == 1 && impossible(numbers[0]) => Ok(Value {
                log_likelihood: numbers[0],
                derived: vec![f64::NAN; self.derived.len()],
                failed: false,
            }),
            _ => {
                let shown: String = line.chars().take(80).collect();
                let number = if wanted == 1 {
                    "one number".into()
                } else {
                    let names = self.derived.join(",");
                    format!("{wanted} numbers (log-likelihood,{names}; or -inf alone)")
                };
                Err(format!(
                    "it answered \"{}\" instead of {number}",
                    shown.escape_debug()
                ))
            }
        }
    }

    /// A point in words.
    pub fn point(&self, row: &[f64]) -> String {
        let each = self
            .names
            .iter()
            .zip(row)
            .map(|(n, v)| format!("{n} = {v:?}"));
        each.collect::<Vec<_>>().join(", ")
    }
}

/// Whether a log-likelihood says that the data are impossible.
pub fn impossible(log_likelihood: f64) -> bool {
    log_likelihood == f64::NEG_INFINITY || log_likelihood.is_nan()
}

/// Between looks at the program's health.
const STEP: Duration = Duration::from_millis(100);

/// The line of a point.
pub fn question(row: &[f64]) -> String {
    let fields: Vec<String> = row.iter().map(|v| format!("{v:?}")).collect();
    fields.join(",")
}
