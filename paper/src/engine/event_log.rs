//! The event log: a line for every unit of work that begins, ends or is found done.

use anyhow::{Context, Result};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use store::Event;

/// A file of lines `begun`, `resumed`, `finished` or `found`, the run, and the unit, with tabs in between.
///
/// Damaged files are reported on standard error as well.
#[derive(Debug, Default)]
pub struct EventLog {
    file: Option<Mutex<File>>,
}

impl EventLog {
    /// Appends to a file; writes nothing without one.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        let open = |path: &Path| {
            let file = OpenOptions::new().append(true).create(true).open(path);
            let file = file.with_context(|| format!("{}: cannot be written", path.display()));
            file.map(Mutex::new)
        };
        Ok(Self {
            file: path.map(open).transpose()?,
        })
    }

    /// Writes a line, in one piece: several processes can share a log.
    pub fn write(&self, run: &str, event: Event<'_>) {
        let line = match event {
            Event::Begun { unit, resumed } => {
                let word = if resumed { "resumed" } else { "begun" };
                format!("{word}\t{run}\t{unit}\n")
            }
            Event::Finished { unit } => format!("finished\t{run}\t{unit}\n"),
            Event::Found { unit } => format!("found\t{run}\t{unit}\n"),
            Event::Damaged { reason } => {
                eprintln!("warning: {reason}; it is computed again");
                format!("damaged\t{run}\t{reason}\n")
            }
        };
        if let Some(file) = &self.file
            && let Ok(mut file) = file.lock()
        {
            // A log that cannot be written does not stop the work.
            let _ = file.write_all(line.as_bytes());
        }
    }
}
