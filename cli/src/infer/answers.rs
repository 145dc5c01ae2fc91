//! Where the answers of a program go: into a pipe, or into a file that outlives this process, so that
//! the answer to the point at work when this process is killed is not lost.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// What has come of an answer.
pub enum Heard {
    Line(String),
    /// Nothing yet.
    Silence,
    /// The pipe is closed: there will be none.
    Closed,
    Failed(std::io::Error),
}

/// The answers of one program.
pub enum Answers {
    Pipe(Receiver<std::io::Result<String>>),
    Kept(Kept),
}

impl Answers {
    /// From a pipe, read by a thread that ends with the program's output.
    pub fn from_pipe(output: ChildStdout) -> Self {
        let (send, lines) = channel();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            loop {
                let mut line = String::new();
                let read = output.read_line(&mut line);
                let last = !matches!(read, Ok(n) if n > 0);
                let message = match read {
                    Ok(0) => return,
                    Ok(_) => Ok(line),
                    Err(e) => Err(e),
                };
                if send.send(message).is_err() || last {
                    return;
                }
            }
        });
        Self::Pipe(lines)
    }

    /// Waits for a line, not much longer than `step`.
    pub fn hear(&mut self, step: Duration) -> Heard {
        match self {
            Self::Pipe(lines) => match lines.recv_timeout(step) {
                Ok(Ok(line)) => Heard::Line(line),
                Ok(Err(e)) => Heard::Failed(e),
                Err(RecvTimeoutError::Timeout) => Heard::Silence,
                Err(RecvTimeoutError::Disconnected) => Heard::Closed,
            },
            Self::Kept(kept) => kept.hear(step),
        }
    }

    /// Notes a question before it is asked.
    pub fn note(&mut self, question: &str) -> std::io::Result<()> {
        match self {
            Self::Pipe(_) => Ok(()),
            Self::Kept(kept) => kept.asked.write_all(question.as_bytes()),
        }
    }

    /// A line that nobody asked for; waits for it, not much longer than `wait`.
    pub fn unasked(&mut self, wait: Duration) -> Option<String> {
        match self.hear(wait) {
            Heard::Line(line) => Some(line),
            _ => None,
        }
    }

    /// The questions so far, as far as they are kept.
    pub fn questions(&self) -> Vec<String> {
        match self {
            Self::Pipe(_) => Vec::new(),
            Self::Kept(kept) => whole_lines(&kept.path),
        }
    }

    /// What has come of a line that has no end yet.
    pub fn begun(&self) -> Option<String> {
        match self {
            Self::Kept(kept) if !kept.text.is_empty() => {
                Some(String::from_utf8_lossy(&kept.text).into_owned())
            }
            _ => None,
        }
    }
}

/// Questions and answers in two files, a line each, in the same order.
pub struct Kept {
    asked: File,
    answers: File,
    /// Of the first; the second lies beside it.
    path: PathBuf,
    /// Read, but not a whole line yet.
    text: Vec<u8>,
}

/// Endings of the names of the two files.
const ASKED: &str = "asked";
const ANSWERS: &str = "answers";

impl Kept {
    /// New files in a folder, and the answers as the output of a program. The program holds a lock on
    /// them for as long as it lives.
    pub fn begin(folder: &Path) -> std::io::Result<(Self, Stdio)> {
        std::fs::create_dir_all(folder)?;
        for n in 0.. {
            let path = folder.join(format!("{}-{n}", std::process::id()));
            let mut new = OpenOptions::new();
            let output = match new
                .append(true)
                .create_new(true)
                .open(path.with_extension(ANSWERS))
            {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => continue,
                output => output?,
            };
            match output.try_lock() {
                Err(TryLockError::Error(e)) if e.kind() != ErrorKind::Unsupported => return Err(e),
                _ => {}
            }
            let kept = Self {
                asked: File::create(path.with_extension(ASKED))?,
                // Of its own: reading must not move where the program writes.
                answers: File::open(path.with_extension(ANSWERS))?,
                path: path.with_extension(ASKED),
                text: Vec::new(),
            };
            return Ok((kept, Stdio::from(output)));
        }
        unreachable!("some number is free")
    }

    fn hear(&mut self, step: Duration) -> Heard {
        let start = Instant::now();
        loop {
            if let Err(e) = self.answers.read_to_end(&mut self.text) {
                return Heard::Failed(e);
            }
            if let Some(end) = self.text.iter().position(|b| *b == b'\n') {
                let rest = self.text.split_off(end + 1);
                let line = std::mem::replace(&mut self.text, rest);
                return Heard::Line(String::from_utf8_lossy(&line).into_owned());
            }
            let waited = start.elapsed();
            if waited >= step {
                return Heard::Silence;
            }
            // A tenth of the time of a point at most is lost.
            std::thread::sleep((waited / 10).clamp(SHORTEST, LONGEST));
        }
    }
}

/// Not when the process is killed: the files are for that.
impl Drop for Kept {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        let _ = std::fs::remove_file(self.path.with_extension(ANSWERS));
    }
}

/// Between two looks for an answer.
const SHORTEST: Duration = Duration::from_micros(20);
const LONGEST: Duration = Duration::from_millis(10);

/// The lines of a file, without one that has no end.
fn whole_lines(path: &Path) -> Vec<String> {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let end = text.rfind('\n').map_or(0, |k| k + 1);
    text[..end].lines().map(String::from).collect()
}

/// Answers that programs of earlier processes left in a folder, by their questions.
#[derive(Default)]
pub struct Left {
    pub answers: BTreeMap<String, String>,
    /// Programs that have printed more answers than there were questions.
    pub strays: Vec<TooMany>,
    files: Vec<PathBuf>,
}

/// More answers than questions.
pub struct TooMany {
    pub questions: Vec<String>,
    /// The last answer that was asked for, and the lines behind it.
    pub answers: Vec<String>,
    files: [PathBuf; 2],
}

impl TooMany {
    /// Removes the files.
    pub fn clear(&self) {
        remove(&self.files);
    }
}

fn remove(files: &[PathBuf]) {
    for file in files {
        let _ = std::fs::remove_file(file);
    }
}

impl Left {
    /// Reads them; programs that are still at work are waited for, as long as `wait` says.
    pub fn read(folder: &Path, wait: &dyn Fn(Duration) -> bool) -> std::io::Result<Self> {
        let mut left = Self::default();
        let entries = match std::fs::read_dir(folder) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(left),
            entries => entries?,
        };
        let start = Instant::now();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_none_or(|e| e != ANSWERS) {
                continue;
            }
            let file = File::open(&path)?;
            while let Err(TryLockError::WouldBlock) = file.try_lock_shared() {
                if !wait(start.elapsed()) {
                    break;
                }
                std::thread::sleep(LONGEST);
            }
            let asked = path.with_extension(ASKED);
            let (questions, answers) = (whole_lines(&asked), whole_lines(&path));
            let pairs = questions.iter().cloned().zip(answers.iter().cloned());
            left.answers.extend(pairs);
            if answers.len() > questions.len() {
                let from = questions.len().saturating_sub(1);
                left.strays.push(TooMany {
                    answers: answers[from..].to_vec(),
                    questions,
                    files: [path.clone(), asked.clone()],
                });
            }
            left.files.extend([path, asked]);
        }
        Ok(left)
    }

    /// Removes the files, once the values are elsewhere.
    pub fn clear(&mut self) {
        remove(&std::mem::take(&mut self.files));
        self.answers.clear();
        self.strays.clear();
    }
}
