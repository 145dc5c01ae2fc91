//! Evaluations on disk, as they come: none is made twice.

use crate::likelihood::Value;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Mutex;

/// Values by the mark (a hash of the parameters) of their point; in a folder, a line of `evaluations.csv` for each.
///
/// The number of a point in the run would not do: with another budget or another goal, rounds have
/// other sizes, and the same numbers stand for other points.
#[derive(Debug, Default)]
pub struct Journal {
    values: Mutex<BTreeMap<u64, Value>>,
    file: Option<Mutex<File>>,
}

/// A hash of the parameters of a point.
#[must_use]
pub fn mark(theta: &[f64]) -> u64 {
    let hash = store::Fingerprint::new("point", 1).numbers(theta).finish();
    u64::from_str_radix(&hash[..16], 16).unwrap_or_default()
}

impl Journal {
    /// In memory only.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// In a folder, which is made if need be. `problem` describes what the values belong to, a
    /// property a line: the folder of another problem is refused.
    ///
    /// # Errors
    /// The folder belongs to another problem (the first line that differs is quoted), or a file
    /// cannot be read or written.
    pub fn open(folder: &Path, problem: &str, derived: &[String]) -> Result<Self, String> {
        let shown = folder.display();
        std::fs::create_dir_all(folder)
            .map_err(|e| format!("{shown}: cannot be made a folder: {e}"))?;
        let path = folder.join("problem.txt");
        match std::fs::read_to_string(&path) {
            Ok(before) => same(&before, problem).map_err(|e| format!("{shown}: {e}"))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                if folder.join("evaluations.csv").exists() {
                    return Err(format!(
                        "{shown}: evaluations.csv is there, but problem.txt, which says what it belongs to, is not; bring it back or take another folder"
                    ));
                }
                store::write(&path, problem.as_bytes()).map_err(|e| e.to_string())?;
            }
            Err(e) => return Err(format!("{}: {e}", path.display())),
        }
        let path = folder.join("evaluations.csv");
        let failed = |e: std::io::Error| format!("{}: {e}", path.display());
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path);
        let mut file = file.map_err(failed)?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(failed)?;
        // A line that a kill cut short.
        let whole = text.rfind('\n').map_or(0, |k| k + 1);
        if whole < text.len() {
            file.set_len(whole as u64).map_err(failed)?;
            file.seek(SeekFrom::End(0)).map_err(failed)?;
        }
        let mut heading = String::from("mark,log_likelihood");
        derived
            .iter()
            .for_each(|name| heading += &format!(",{name}"));
        let mut values = BTreeMap::new();
        for (k, line) in text[..whole].lines().enumerate() {
            let at = || format!("{}, line {}", path.display(), k + 1);
            if k == 0 {
                if line != heading {
                    return Err(format!(
                        "{}: the heading is \"{line}\", not \"{heading}\"",
                        at()
                    ));
                }
                continue;
            }
            let (mark, value) =
                parse(line, derived.len()).ok_or_else(|| format!("{}: damaged", at()))?;
            values.insert(mark, value);
        }
        if whole == 0 {
            writeln!(file, "{heading}").map_err(failed)?;
        }
        Ok(Self {
            values: Mutex::new(values),
            file: Some(Mutex::new(file)),
        })
    }

    /// Adds a value: in the file when this returns, safe from the death of the process (not of the
    /// machine).
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add(&self, mark: u64, value: Value) -> Result<(), String> {
        if let Some(file) = &self.file {
            let mut line = if value.failed {
                format!("{mark:016x},{FAILED}")
            } else {
                format!("{mark:016x},{:?}", value.log_likelihood)
            };
            value
                .derived
                .iter()
                .for_each(|v| line += &format!(",{v:?}"));
            line.push('\n');
            let mut file = file.lock().unwrap_or_else(|e| e.into_inner());
            let written = file.write_all(line.as_bytes());
            written.map_err(|e| format!("evaluations.csv: cannot be written: {e}"))?;
        }
        self.values
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .insert(mark, value);
        Ok(())
    }

    /// Forgets the points that could not be evaluated: values that come later stand for them.
    pub fn forget_failures(&self) {
        self.values
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .retain(|_, value| !value.failed);
    }

    /// The value of a point.
    #[must_use]
    pub fn get(&self, mark: u64) -> Option<Value> {
        self.values
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .get(&mark)
            .cloned()
    }
}

/// In place of the log-likelihood of a point that could not be evaluated.
const FAILED: &str = "failed";

fn parse(line: &str, derived: usize) -> Option<(u64, Value)> {
    let mut fields = line.split(',');
    let mark = u64::from_str_radix(fields.next()?, 16).ok()?;
    let (log_likelihood, failed) = match fields.next()? {
        FAILED => (f64::NEG_INFINITY, true),
        field => (field.parse().ok()?, false),
    };
    let derived_values: Vec<f64> = fields.map(|f| f.parse().ok()).collect::<Option<_>>()?;
    (derived_values.len() == derived).then_some((
        mark,
        Value {
            log_likelihood,
            derived: derived_values,
            failed,
        },
    ))
}

/// Whether two descriptions are the same; quotes the first line that differs.
fn same(before: &str, now: &str) -> Result<(), String> {
    let (mut old, mut new) = (before.lines(), now.lines());
    loop {
        let (a, b) = (old.next(), new.next());
        if a != b {
            let quote = |line: Option<&str>| line.map_or("nothing".into(), |l| format!("\"{l}\""));
            return Err(format!(
                "it holds the evaluations of another problem: {} then, {} now; take another folder",
                quote(a),
                quote(b)
            ));
        }
        if a.is_none() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(log_likelihood: f64) -> Value {
        Value {
            log_likelihood,
            derived: vec![0.1, f64::NEG_INFINITY],
            failed: false,
        }
    }

    #[test]
    fn values_survive_a_kill_and_other_problems_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let derived = ["a".to_owned(), "b".to_owned()];
        let open = |problem: &str| Journal::open(folder.path(), problem, &derived);
        let journal = open("seed 1\nd 2\n").unwrap();
        journal.add(3, value(-0.1)).unwrap();
        journal.add(u64::MAX, value(f64::NEG_INFINITY)).unwrap();
        drop(journal);
        // Cut short within the last line.
        let path = folder.path().join("evaluations.csv");
        let mut text = std::fs::read_to_string(&path).unwrap();
        text += "0000000000000007,-2.0";
        std::fs::write(&path, text).unwrap();
        let journal = open("seed 1\nd 2\n").unwrap();
        assert_eq!(journal.get(3), Some(value(-0.1)));
        assert_eq!(journal.get(u64::MAX), Some(value(f64::NEG_INFINITY)));
        assert_eq!(journal.get(7), None);
        journal.add(7, value(2.0)).unwrap();
        drop(journal);
        assert_eq!(open("seed 1\nd 2\n").unwrap().get(7), Some(value(2.0)));
        // A failure stands until it is forgotten.
        let journal = open("seed 1\nd 2\n").unwrap();
        journal.add(9, Value::failure(2)).unwrap();
        drop(journal);
        let journal = open("seed 1\nd 2\n").unwrap();
        assert!(journal.get(9).unwrap().failed);
        journal.forget_failures();
        assert_eq!((journal.get(9), journal.get(7)), (None, Some(value(2.0))));
        drop(journal);
        let error = open("seed 1\nd 3\n").unwrap_err();
        assert!(error.contains("\"d 2\" then, \"d 3\" now"), "{error}");
        let error = open("seed 1\nd 2\ndata\n").unwrap_err();
        assert!(error.contains("nothing then, \"data\" now"), "{error}");
        std::fs::write(&path, "mark,log_likelihood,a,b\n0f,x,2,3\n").unwrap();
        let error = open("seed 1\nd 2\n").unwrap_err();
        assert!(error.contains("line 2: damaged"), "{error}");
        // Nobody knows what they belong to.
        std::fs::remove_file(folder.path().join("problem.txt")).unwrap();
        let error = open("seed 1\nd 2\n").unwrap_err();
        assert!(
            error.contains("problem.txt") && error.contains("another folder"),
            "{error}"
        );
    }
}
