//! Finished units of work and checkpoints, by name.

use crate::file::{Error, Wait, read, write_and};
use crate::seal::seal;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

/// What happens to a unit of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// It is computed, from the beginning or from a checkpoint.
    Begun {
        /// Name of the unit.
        unit: &'a str,
        /// Whether there was a checkpoint.
        resumed: bool,
    },
    /// It is done and stored.
    Finished {
        /// Name of the unit.
        unit: &'a str,
    },
    /// It was found in the store.
    Found {
        /// Name of the unit.
        unit: &'a str,
    },
    /// A file cannot be used; its content is computed again.
    Damaged {
        /// What is wrong, with the name of the file.
        reason: &'a str,
    },
}

/// Stores bytes by name. Names are file names: letters, digits, `-`, `_` and `.`.
pub trait CheckpointStore: Sync {
    /// Time between the checkpoints of a fit; `None`: nothing is stored, and no names are computed.
    fn pace(&self) -> Option<Duration>;
    /// The bytes under a name, if they are complete.
    fn get(&self, name: &str) -> Option<Vec<u8>>;
    /// Stores bytes, atomically.
    ///
    /// # Errors
    /// See [`Error`].
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Error>;
    /// Removes an entry, if it is there.
    fn remove(&self, name: &str);
    /// Receives the events of the units.
    fn tell(&self, event: Event<'_>);
}

/// Stores nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCheckpoints;

impl CheckpointStore for NoCheckpoints {
    fn pace(&self) -> Option<Duration> {
        None
    }

    fn get(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn put(&self, _: &str, _: &[u8]) -> Result<(), Error> {
        Ok(())
    }

    fn remove(&self, _: &str) {}

    fn tell(&self, _: Event<'_>) {}
}

/// Stores bytes and events in memory, for tests.
#[derive(Debug, Default)]
pub struct CheckpointMemory {
    pace: Duration,
    kept: Mutex<BTreeMap<String, Vec<u8>>>,
    told: Mutex<Vec<String>>,
}

impl CheckpointMemory {
    /// Checkpoints every `pace`; zero: after every step.
    #[must_use]
    pub fn new(pace: Duration) -> Self {
        Self {
            pace,
            ..Self::default()
        }
    }

    /// The entries, by name.
    ///
    /// # Panics
    /// If a thread panicked while it held the lock.
    #[must_use]
    pub fn kept(&self) -> BTreeMap<String, Vec<u8>> {
        self.kept.lock().expect("no panic").clone()
    }

    /// The events so far, in order.
    ///
    /// # Panics
    /// If a thread panicked while it held the lock.
    #[must_use]
    pub fn told(&self) -> Vec<String> {
        self.told.lock().expect("no panic").clone()
    }
}

impl CheckpointStore for CheckpointMemory {
    fn pace(&self) -> Option<Duration> {
        Some(self.pace)
    }

    fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.kept.lock().expect("no panic").get(name).cloned()
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let mut kept = self.kept.lock().expect("no panic");
        kept.insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn remove(&self, name: &str) {
        self.kept.lock().expect("no panic").remove(name);
    }

    fn tell(&self, event: Event<'_>) {
        self.told
            .lock()
            .expect("no panic")
            .push(format!("{event:?}"));
    }
}

/// Stores sealed files in a folder, which is created with the first one. Several processes can
/// share it.
pub struct CheckpointFolder<'a> {
    path: PathBuf,
    pace: Duration,
    tell: &'a (dyn Fn(Event<'_>) + Sync),
}

impl<'a> CheckpointFolder<'a> {
    /// Files in `path`, checkpoints every `pace`; `tell` receives the events.
    #[must_use]
    pub fn new(path: &Path, pace: Duration, tell: &'a (dyn Fn(Event<'_>) + Sync)) -> Self {
        Self {
            path: path.to_owned(),
            pace,
            tell,
        }
    }
}

impl CheckpointStore for CheckpointFolder<'_> {
    fn pace(&self) -> Option<Duration> {
        Some(self.pace)
    }

    fn get(&self, name: &str) -> Option<Vec<u8>> {
        match read(&self.path.join(name)) {
            Ok(bytes) => Some(bytes),
            Err(Error::Read { source, .. }) if source.kind() == ErrorKind::NotFound => None,
            Err(e) => {
                self.tell(Event::Damaged {
                    reason: &e.to_string(),
                });
                None
            }
        }
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        write_and(Wait::No, &self.path.join(name), &seal(bytes.to_vec()))
    }

    fn remove(&self, name: &str) {
        let _ = std::fs::remove_file(self.path.join(name));
    }

    fn tell(&self, event: Event<'_>) {
        (self.tell)(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_got_until_it_is_removed_or_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let told = Mutex::new(Vec::new());
        let tell = |e: Event<'_>| told.lock().unwrap().push(format!("{e:?}"));
        let place = dir.path().join("units");
        let checkpoints = CheckpointFolder::new(&place, Duration::from_secs(1), &tell);
        assert_eq!(checkpoints.get("a"), None);
        assert!(!place.exists() && told.lock().unwrap().is_empty());
        checkpoints.put("a", b"one").unwrap();
        assert_eq!(checkpoints.get("a").unwrap(), b"one");
        std::fs::write(place.join("a"), "rubbish").unwrap();
        assert_eq!(checkpoints.get("a"), None);
        let told = told.lock().unwrap().concat();
        assert!(
            told.contains("units") && told.contains("cut short"),
            "{told}"
        );
        checkpoints.remove("a");
        assert!(!place.join("a").exists());
    }
}
