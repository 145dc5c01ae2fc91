//! Units of work that are no fits, and the journal of all units.

use crate::config::{SCHEMA, dialect};
use anyhow::{Context, Result};
use numerics::checked::one_line;
use serde::{Serialize, de::DeserializeOwned};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use store::{CheckpointStore, Event, Fingerprint};

/// What a unit of work gives: found on the checkpoints, or computed and put there.
///
/// `run` is the hash of the run and `label` says what of it: together they are all that the result depends on.
///
/// # Errors
/// Those of `compute`, and what cannot be kept.
pub fn kept<T: Serialize + DeserializeOwned>(
    checkpoints: &dyn CheckpointStore,
    run: &str,
    label: &str,
    compute: impl FnOnce() -> Result<T>,
) -> Result<T> {
    if checkpoints.pace().is_none() {
        return compute();
    }
    let print = Fingerprint::new("evaluation", SCHEMA).text(run).text(label);
    let unit = &format!("{label}-{}", print.finish());
    if let Some(bytes) = checkpoints.get(unit) {
        match dialect().from_bytes(&bytes) {
            Ok(value) => {
                checkpoints.tell(Event::Found { unit });
                return Ok(value);
            }
            Err(e) => {
                let reason = &one_line(&format!("{unit}: {e}"));
                checkpoints.tell(Event::Damaged { reason });
            }
        }
    }
    checkpoints.tell(Event::Begun {
        unit,
        resumed: false,
    });
    let value = compute()?;
    checkpoints.put(unit, dialect().to_string(&value)?.as_bytes())?;
    checkpoints.tell(Event::Finished { unit });
    Ok(value)
}

/// A file with a line for each unit that begins, ends or is found: `begun`, `resumed`, `finished` or `found`, the run, and the unit, with tabs in between.
///
/// Damaged files are told on standard error as well.
#[derive(Debug, Default)]
pub struct Journal {
    file: Option<Mutex<File>>,
}

impl Journal {
    /// Appends to a file; keeps no journal without one.
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

    /// Writes a line, in one piece: several processes can share a journal.
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
            // A journal that cannot be written stops no work.
            let _ = file.write_all(line.as_bytes());
        }
    }
}
