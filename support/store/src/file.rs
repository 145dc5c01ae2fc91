//! Files that are written under a temporary name and renamed.

use crate::seal::{Damage, seal, unseal};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Errors of files.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk is full.
    #[error(
        "{path}: cannot be written: {source}; make room and start again, what is finished is kept"
    )]
    Full {
        /// The file.
        path: String,
        /// The error of the system.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("{path}: cannot be written: {source}")]
    Write {
        /// The file.
        path: String,
        /// The error of the system.
        source: io::Error,
    },
    /// It cannot be read.
    #[error("{path}: cannot be read: {source}")]
    Read {
        /// The file.
        path: String,
        /// The error of the system.
        source: io::Error,
    },
    /// It was changed or cut short.
    #[error("{path}: {damage}")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        damage: Damage,
    },
}

/// Suffix of files that are still being written.
const PARTIAL: &str = ".partial";

/// Whether to wait until the file is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// It survives a failure of the machine.
    ForDisk,
    /// It survives the process; after a failure of the machine its checksum shows whether it is
    /// complete.
    No,
}

/// Writes a file atomically: under a temporary name, synced to disk, then renamed. Missing folders
/// are created.
///
/// The temporary file is locked while it is written, so that [`sweep`] can recognise abandoned
/// ones.
///
/// # Errors
/// [`Error::Full`], [`Error::Write`]; no temporary file is left.
pub fn write(path: &Path, contents: &[u8]) -> Result<(), Error> {
    write_and(Wait::ForDisk, path, contents)
}

pub(crate) fn write_and(wait: Wait, path: &Path, contents: &[u8]) -> Result<(), Error> {
    let failed = |source: io::Error| {
        let path = path.display().to_string();
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                Error::Full { path, source }
            }
            _ => Error::Write { path, source },
        }
    };
    // Retries under the next name: another process may sweep the file before it is locked, or
    // remove an empty folder; a process of the same id, on another machine or in another container,
    // may be writing the same name or have been killed while writing.
    for _ in 0..8 {
        match attempt(wait, path, contents) {
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists) => {}
            done => return done.map_err(failed),
        }
    }
    attempt(wait, path, contents).map_err(failed)
}

fn attempt(wait: Wait, path: &Path, contents: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let beside = beside(path);
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .open(&beside)
        .inspect_err(|e| {
            if e.kind() == ErrorKind::AlreadyExists && is_abandoned(&beside) {
                let _ = std::fs::remove_file(&beside);
            }
        })?;
    // On file systems without locks nothing is ever swept.
    let _ = file.try_lock();
    let done = file
        .write_all(contents)
        .and_then(|()| match wait {
            Wait::ForDisk => file.sync_all(),
            Wait::No => Ok(()),
        })
        .and_then(|()| std::fs::rename(&beside, path));
    if done.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    done
}

/// A unique temporary name for each write.
fn beside(path: &Path) -> PathBuf {
    beside_as(path, COUNT.fetch_add(1, Ordering::Relaxed))
}

static COUNT: AtomicU64 = AtomicU64::new(0);

fn beside_as(path: &Path, count: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}-{count}{PARTIAL}", std::process::id()));
    PathBuf::from(name)
}

/// Writes contents with their checksum, see [`write`](fn@write).
///
/// # Errors
/// As for [`write`](fn@write).
pub fn write_sealed(path: &Path, contents: Vec<u8>) -> Result<(), Error> {
    write(path, &seal(contents))
}

/// The contents of a sealed file.
///
/// # Errors
/// [`Error::Read`], [`Error::Damaged`].
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let name = || path.display().to_string();
    let mut bytes = std::fs::read(path).map_err(|source| Error::Read {
        path: name(),
        source,
    })?;
    match unseal(&bytes).map(<[u8]>::len) {
        Ok(length) => {
            bytes.truncate(length);
            Ok(bytes)
        }
        Err(damage) => Err(Error::Damaged {
            path: name(),
            damage,
        }),
    }
}

/// Removes abandoned temporary files in a folder and those below it. Files that cannot be examined
/// stay.
pub fn sweep(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() {
            sweep(&path);
        } else if kind.is_file() && path.to_string_lossy().ends_with(PARTIAL) && is_abandoned(&path)
        {
            let _ = std::fs::remove_file(&path);
        }
    }
}

/// Whether no process holds the lock of a file.
fn is_abandoned(path: &Path) -> bool {
    let Ok(file) = File::open(path) else {
        return false;
    };
    match file.try_lock() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_whole_and_nothing_lies_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/c.bin");
        write_sealed(&path, b"first".to_vec()).unwrap();
        write_sealed(&path, b"second".to_vec()).unwrap();
        assert_eq!(read(&path).unwrap(), b"second");
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1
        );
    }

    #[test]
    fn processes_of_the_same_number_are_out_of_the_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model");
        // The next names: some of a killed process, one of a process at work elsewhere.
        let next: Vec<PathBuf> = {
            let first = COUNT.load(Ordering::Relaxed);
            (first..first + 4).map(|n| beside_as(&path, n)).collect()
        };
        next.iter().for_each(|p| std::fs::write(p, "half").unwrap());
        let writer = File::open(&next[1]).unwrap();
        writer.try_lock().unwrap();
        for _ in 0..4 {
            write(&path, b"whole").unwrap();
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"whole");
        assert!(next[1].exists());
    }

    #[test]
    fn errors_name_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let e = write(&file.join("below"), b"y").unwrap_err().to_string();
        assert!(
            e.contains("below") && e.contains("cannot be written"),
            "{e}"
        );
        let e = read(&dir.path().join("none")).unwrap_err().to_string();
        assert!(e.contains("none") && e.contains("cannot be read"), "{e}");
        let e = read(&file).unwrap_err().to_string();
        assert!(e.contains("file") && e.contains("cut short"), "{e}");
        // A folder cannot be replaced: no temporary file is left.
        let folder = dir.path().join("folder");
        std::fs::create_dir_all(folder.join("full")).unwrap();
        assert!(write(&folder, b"z").is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn sweeping_takes_what_nobody_writes() {
        let dir = tempfile::tempdir().unwrap();
        let below = dir.path().join("below");
        std::fs::create_dir(&below).unwrap();
        let (dead, alive) = (below.join("a.1-0.partial"), below.join("b.2-0.partial"));
        std::fs::write(&dead, "half").unwrap();
        let writer = File::create(&alive).unwrap();
        writer.try_lock().unwrap();
        std::fs::write(below.join("whole"), "whole").unwrap();
        sweep(dir.path());
        assert!(!dead.exists() && alive.exists() && below.join("whole").exists());
        drop(writer);
        sweep(dir.path());
        assert!(!alive.exists());
    }

    #[test]
    fn writers_and_sweepers_do_not_disturb_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("record");
        std::thread::scope(|scope| {
            for i in 0..4u8 {
                let (dir, path) = (dir.path(), &path);
                scope.spawn(move || {
                    for _ in 0..50 {
                        write_sealed(path, vec![i; 1000]).unwrap();
                        sweep(dir);
                        assert_eq!(read(path).unwrap().len(), 1000);
                    }
                });
            }
        });
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
