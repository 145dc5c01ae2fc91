//! Evaluations that turn out to be wrong leave the folder of a run.

use super::session::Session;
use crate::journal::mark;
use std::collections::BTreeSet;
use std::path::Path;

impl Session<'_> {
    /// Removes the evaluations at these points, if they are there, from the folder of a run that nobody
    /// works on; they will be wanted again. Returns how many there were.
    ///
    /// # Errors
    /// The file cannot be read or written; it is as it was then.
    pub fn forget(folder: &Path, points: &[Vec<f64>]) -> Result<usize, String> {
        let path = folder.join("evaluations.csv");
        let failed = |e: std::io::Error| format!("{}: {e}", path.display());
        let text = match std::fs::read_to_string(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(0),
            text => text.map_err(failed)?,
        };
        let marks: BTreeSet<String> = points.iter().map(|p| format!("{:016x}", mark(p))).collect();
        let bad = |line: &&str| line.split(',').next().is_some_and(|m| marks.contains(m));
        let (bad, good): (Vec<&str>, Vec<&str>) = text.split_inclusive('\n').partition(bad);
        if !bad.is_empty() {
            store::write(&path, good.concat().as_bytes()).map_err(|e| e.to_string())?;
        }
        Ok(bad.len())
    }
}

/// The marks of all evaluations in the folder of a run.
pub(super) fn marks(folder: &Path) -> Result<Vec<u64>, String> {
    let path = folder.join("evaluations.csv");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mark = |line: &str| u64::from_str_radix(line.split(',').next()?, 16).ok();
    let marks: BTreeSet<u64> = text.lines().skip(1).filter_map(mark).collect();
    Ok(marks.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Journal, Value};

    #[test]
    fn forgotten_points_are_unknown_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Session::forget(folder.path(), &[vec![0.5]]), Ok(0));
        let open = || Journal::open(folder.path(), "seed 1\n", &[]).unwrap();
        let journal = open();
        for x in [0.5, -2.0, 7.25] {
            journal.add(mark(&[x]), Value::default()).unwrap();
        }
        drop(journal);
        let points = [vec![0.5], vec![7.25], vec![9.0]];
        assert_eq!(Session::forget(folder.path(), &points), Ok(2));
        assert_eq!(marks(folder.path()), Ok(vec![mark(&[-2.0])]));
        let journal = open();
        let known = [0.5, -2.0, 7.25].map(|x| journal.get(mark(&[x])).is_some());
        assert_eq!(known, [false, true, false]);
    }
}
