//! A cache of fits, by a hash of everything that they depend on.

use super::{ExpertConfig, ExpertError, Fitted};
use crate::archive::KINDS;
use density::{Data, Description, FitContext, Reader, archive};
use flows::Termination;
use numerics::checked::one_line;
use numerics::matrix::col;
use numerics::random::Pcg64;
use serde::{Deserialize, Serialize};
use std::sync::Mutex;
use std::time::Duration;
use store::{CheckpointStore, Event, Fingerprint};

/// To be raised when the same settings and data give another expert: cached fits of other versions
/// are not used.
const VERSION: u32 = 3;

/// The content of a unit's file besides the density.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attachment {
    /// In RON, which can hold infinities.
    report: String,
    seconds: f64,
}

/// The fit as a unit of work named after `label`: read from the checkpoint store if it is there,
/// otherwise computed and stored.
///
/// Settings, points, weights and the generator (its stream for the purpose "unit") identify the
/// unit.
pub(super) fn cached(
    config: &ExpertConfig,
    label: &str,
    train: Data<'_>,
    validation: Option<Data<'_>>,
    rng: &dyn Fn(&str) -> Pcg64,
    context: &FitContext<'_>,
    fit: impl FnOnce(&FitContext<'_>) -> Result<Fitted, ExpertError>,
) -> Result<Fitted, ExpertError> {
    let checkpoints = context.checkpoints();
    if checkpoints.pace().is_none() {
        return fit(context);
    }
    let unit = &unit_name(config, label, train, validation, rng);
    if let Some(fitted) = found(checkpoints, unit) {
        checkpoints.tell(Event::Found { unit });
        return Ok(fitted);
    }
    checkpoints.tell(Event::Begun {
        unit,
        resumed: false,
    });
    let within = Within {
        checkpoints,
        names: Mutex::default(),
    };
    let fitted = fit(&context.checkpointed_in(&within))?;
    if fitted.report.termination != Termination::Interrupted
        && let Some(bytes) = fitted.to_bytes()
    {
        checkpoints.put(unit, &bytes)?;
        within.clear();
        checkpoints.tell(Event::Finished { unit });
    }
    Ok(fitted)
}

fn unit_name(
    config: &ExpertConfig,
    label: &str,
    train: Data<'_>,
    validation: Option<Data<'_>>,
    rng: &dyn Fn(&str) -> Pcg64,
) -> String {
    let text = |found: Result<String, ron::Error>| found.expect("settings are serialisable");
    let data = |print: Fingerprint, data: Data<'_>| {
        let columns = 0..data.points.ncols();
        let print = columns.fold(print, |p, j| p.numbers(col(data.points, j)));
        print.numbers(data.weights.unwrap_or_default())
    };
    let print = Fingerprint::new("expert", VERSION)
        .text(&text(ron::to_string(config)))
        .text(&text(ron::to_string(&rng("unit"))));
    let print = data(print, train);
    let print = validation.into_iter().fold(print, data);
    // Used in a file name.
    let sound = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let label: String = label.chars().filter(|c| sound(*c)).take(40).collect();
    format!("expert-{label}-{}", print.finish())
}

/// The cached unit, if it can be used.
fn found(checkpoints: &dyn CheckpointStore, unit: &str) -> Option<Fitted> {
    let bytes = checkpoints.get(unit)?;
    let fitted = Fitted::from_bytes(&bytes).inspect_err(|e| {
        let reason = &format!("{unit}: {e}");
        checkpoints.tell(Event::Damaged { reason });
    });
    fitted.ok()
}

impl Fitted {
    /// The bytes of a unit's file (safetensors); `None` for an expert of a kind that cannot be
    /// saved.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let attachment = Attachment {
            report: ron::to_string(&self.report).ok()?,
            seconds: self.seconds,
        };
        archive::pack(&self.expert, &attachment).ok()
    }

    /// The inverse of [`Self::to_bytes`]: densities have the same bits.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let read = |d: &Description, r: &mut Reader<'_>| r.sound_density(d);
        let (expert, attachment): (_, Attachment) = archive::open(bytes, KINDS, read)?;
        let report = ron::from_str(&attachment.report);
        let report = report.map_err(|e| one_line(&format!("damaged report ({e})")))?;
        Ok(Self {
            expert,
            report,
            seconds: attachment.seconds,
        })
    }
}

/// The checkpoints within a unit: records their names, to remove them when the unit is done.
struct Within<'a> {
    checkpoints: &'a dyn CheckpointStore,
    names: Mutex<Vec<String>>,
}

impl Within<'_> {
    fn clear(self) {
        let names = self.names.into_inner().unwrap_or_default();
        names.iter().for_each(|name| self.checkpoints.remove(name));
    }
}

impl CheckpointStore for Within<'_> {
    fn pace(&self) -> Option<Duration> {
        self.checkpoints.pace()
    }

    fn get(&self, name: &str) -> Option<Vec<u8>> {
        // Checkpoints of an earlier process are removed as well.
        if let Ok(mut names) = self.names.lock() {
            names.push(name.to_owned());
        }
        self.checkpoints.get(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), store::Error> {
        self.checkpoints.put(name, bytes)
    }

    fn remove(&self, name: &str) {
        self.checkpoints.remove(name);
    }

    fn tell(&self, event: Event<'_>) {
        self.checkpoints.tell(event);
    }
}
