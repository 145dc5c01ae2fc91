//! Files that are whole or not there, and the work that is kept in them.
//!
//! - [`seal`] and [`unseal`]: a checksum at the end of a file, so that one that was cut short or
//!   changed is never taken for a result;
//! - [`write`](fn@write): beside its place, to the disk, then renamed; what a killed process left
//!   beside is swept up by [`sweep`];
//! - [`CheckpointStore`]: finished units of work and checkpoints by name, [`CheckpointFolder`]
//!   keeps them as sealed files;
//! - [`Fingerprint`]: the name of a unit, a hash of everything that its result depends on;
//! - [`Signals`]: what Ctrl-C does (feature `signals`);
//! - [`RunLock`]: one process at a time works on a thing, as long as it lives.

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
