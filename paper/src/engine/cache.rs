//! A cache of units of work other than fits.

use super::config::dialect;
use anyhow::Result;
use numerics::checked::one_line;
use serde::{Serialize, de::DeserializeOwned};
use store::{CheckpointStore, Event, Fingerprint};

/// To be raised when the meaning of cached values changes.
const VERSION: u32 = 1;

/// The result of a unit of work: read from the checkpoint store, or computed and stored there.
///
/// `run` is the hash of the run and `label` names the unit: the result depends on nothing else.
///
/// # Errors
/// Those of `compute`, and of the store.
pub fn cached<T: Serialize + DeserializeOwned>(
    checkpoints: &dyn CheckpointStore,
    run: &str,
    label: &str,
    compute: impl FnOnce() -> Result<T>,
) -> Result<T> {
    if checkpoints.pace().is_none() {
        return compute();
    }
    let print = Fingerprint::new("evaluation", VERSION)
        .text(run)
        .text(label);
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
