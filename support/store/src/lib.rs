//! Atomic files, and finished work stored in them.
//!
//! - [`seal`] and [`unseal`]: a checksum at the end of a file, so that a truncated or changed file
//!   is never used as a result;
//! - [`write`](fn@write): under a temporary name, synced to disk, then renamed; [`sweep`] removes
//!   the temporary files of killed processes;
//! - [`CheckpointStore`]: finished units of work and checkpoints by name, [`CheckpointFolder`]
//!   stores them as sealed files;
//! - [`Fingerprint`]: the name of a unit, a hash of everything that its result depends on;
//! - [`Signals`]: handling of Ctrl-C (feature `signals`);
//! - [`RunLock`]: one process at a time works on a run.

mod checkpoints;
mod file;
mod fingerprint;
mod run_lock;
mod seal;
#[cfg(feature = "signals")]
mod signals;

pub use checkpoints::{CheckpointFolder, CheckpointMemory, CheckpointStore, Event, NoCheckpoints};
pub use file::{Error, read, sweep, write, write_sealed};
pub use fingerprint::Fingerprint;
pub use run_lock::RunLock;
pub use seal::{Damage, seal, unseal};
#[cfg(feature = "signals")]
pub use signals::Signals;
