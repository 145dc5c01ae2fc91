//! A program that computes the log-likelihood: it reads a line of parameters and answers with a line
//! of numbers, again and again.

use super::answers::{Answers, Heard, Kept, Left};
use super::watch::Watch;
use posterior::Value;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
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
    /// Where their answers are kept until they are noted elsewhere.
    pub folder: Option<PathBuf>,
    /// What programs of a process that was killed have left there.
    pub left: Mutex<Left>,
    /// Told about answers.
    pub watch: &'a Watch,
    /// Those that are running.
    pub running: Mutex<Vec<Running>>,
    /// How many points were counted as impossible because it failed, and what happened first.
    pub rejected: Mutex<(usize, String)>,
    /// Whether it has answered at all.
    pub answered: AtomicBool,
}

/// One running program.
pub struct Running {
    child: Child,
    input: ChildStdin,
    answers: Answers,
}

impl Running {
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
        let kept = match &self.folder {
            None => None,
            Some(folder) => {
                let kept = Kept::begin(folder);
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
            input,
            answers,
        })
    }

    /// Asks one program about one point.
    pub fn ask(&self, program: &mut Running, question: &str) -> Result<Value, String> {
        // In one piece: half a line must not be taken for a point when this process is killed.
        let line = format!("{question}\n");
        if let Some(line) = program.answers.unasked() {
            let shown: String = line.trim().chars().take(80).collect();
            return Err(format!(
                "it said \"{}\" before it was asked, where one line for each point is expected, just",
                shown.escape_debug()
            ));
        }
        let noted = program.answers.note(&line);
        noted.map_err(|e| format!("the question cannot be kept: {e}"))?;
        let sent = program.input.write_all(line.as_bytes());
        let gone = |program: &mut Running| match program.status() {
            Ok(Some(status)) => format!("the program ended ({status})"),
            Ok(None) => "the program closed its input or output and lives on".to_owned(),
            Err(e) => format!("the program is gone ({e})"),
        };
        if sent.is_err() {
            return Err(gone(program));
        }
        let start = Instant::now();
        let mut ended = false;
        let line = loop {
            match program.answers.hear(STEP) {
                Heard::Line(line) => break line,
                Heard::Failed(e) => return Err(format!("its answer cannot be read: {e}")),
                Heard::Closed => return Err(gone(program)),
                // What it wrote last was looked for once more.
                Heard::Silence if ended => return Err(gone(program)),
                Heard::Silence => {
                    ended = matches!(program.child.try_wait(), Ok(Some(_)));
                    if self.signals.stop().load(Ordering::Relaxed) {
                        return Err("interrupted".into());
                    }
                    if !ended && self.timeout.is_some_and(|most| start.elapsed() >= most) {
                        let seconds = start.elapsed().as_secs();
                        return Err(format!("no answer within {seconds} s (--timeout)"));
                    }
                }
            }
        };
        self.parse(line.trim())
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

/// Between looks at the program's health.
const STEP: Duration = Duration::from_millis(100);

/// The line of a point.
pub fn question(row: &[f64]) -> String {
    let fields: Vec<String> = row.iter().map(|v| format!("{v:?}")).collect();
    fields.join(",")
}
