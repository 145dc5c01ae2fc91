//! Units of work that are no fits: computed once, then found in the checkpoints.

use super::config::dialect;
use anyhow::Result;
use numerics::checked::one_line;
use serde::{Serialize, de::DeserializeOwned};
use store::{CheckpointStore, Event, Fingerprint};

/// Changes whenever what is cached changes its meaning.
const VERSION: u32 = 1;

/// What a unit of work gives: found in the checkpoints, or computed and stored there.
///
/// `run` is the hash of the run and `label` says what of it: together they are all that the result depends on.
///
/// # Errors
/// Those of `compute`, and what cannot be stored.
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
