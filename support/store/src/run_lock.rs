//! A lock on a run: one process at a time.

use crate::file::Error;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// An exclusive lock on a run, held until it is dropped or the process ends.
///
/// It is a locked file, removed with the lock. On file systems without locks every lock is granted:
/// then work may be done twice, with the same result.
#[derive(Debug)]
pub struct RunLock {
    path: PathBuf,
    _lock: File,
}

impl RunLock {
    /// Takes the lock; `None` if another process has it.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn take(path: &Path) -> Result<Option<Self>, Error> {
        let failed = |source| Error::Write {
            path: path.display().to_string(),
            source,
        };
        for _ in 0..8 {
            match Self::attempt(path) {
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                done => return done.map_err(failed),
            }
        }
        Self::attempt(path).map_err(failed)
    }

    fn attempt(path: &Path) -> io::Result<Option<Self>> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Unsupported => {}
            Err(TryLockError::Error(e)) => return Err(e),
        }
        // Its previous holder may have removed the file in between: a lock on a removed or replaced
        // file is not valid.
        if !is_at(&file, path)? {
            return Err(ErrorKind::NotFound.into());
        }
        Ok(Some(Self {
            path: path.to_owned(),
            _lock: file,
        }))
    }
}

/// Whether an open file is the one at a path.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (open, there) = (file.metadata()?, std::fs::metadata(path)?);
    Ok(open.ino() == there.ino() && open.dev() == there.dev())
}

/// Elsewhere an open file cannot be removed.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

impl Drop for RunLock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn only_one_has_it_and_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("claims/run");
        let first = RunLock::take(&path).unwrap().unwrap();
        assert!(RunLock::take(&path).unwrap().is_none());
        drop(first);
        assert!(!path.exists());
        assert!(RunLock::take(&path).unwrap().is_some());
        // The lock of a killed process is free.
        std::fs::write(&path, "").unwrap();
        assert!(RunLock::take(&path).unwrap().is_some());
    }

    #[test]
    fn never_two_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run");
        let (inside, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        if let Some(_claim) = RunLock::take(&path).unwrap() {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                            taken.fetch_add(1, Ordering::SeqCst);
                            inside.fetch_sub(1, Ordering::SeqCst);
                        }
                    }
                });
            }
        });
        assert!(taken.into_inner() > 0);
    }
}
