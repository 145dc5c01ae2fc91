//! Fits as units of work: what is done is kept, and found again by what it depends on.

use super::{ExpertConfig, ExpertError, ExpertObserver, ExpertReport, Fitted};
use crate::archive::{Description, Reader, Writer, read_expert};
use flows::{Data, Termination};
use numerics::checked::one_line;
use numerics::matrix::col;
use numerics::random::Pcg64;
use serde::{Deserialize, Serialize};
use std::sync::Mutex;
use std::time::Duration;
use store::{Event, Fingerprint, Shelf};

/// Changes whenever the same settings and data give another expert: what is kept of another version is not used.
const VERSION: u32 = 2;

/// Key of the text in a unit's file.
const KEY: &str = "expert";

/// What a unit's file holds besides the arrays.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    /// [`Description`] as JSON.
    description: String,
    report: ExpertReport,
    seconds: f64,
}

impl ExpertConfig {
    /// [`Self::fit`] as a unit of work named after `label`: what is on the shelf is taken from there, and what is done put there.
    ///
    /// The fit of a flow leaves checkpoints while it goes on. Settings, points, weights and the generator (its stream for the purpose "unit") decide which
    /// unit it is.
    ///
    /// # Errors
    /// See [`ExpertError`].
    pub fn fit_on(
        &self,
        shelf: &dyn Shelf,
        label: &str,
        train: Data<'_>,
        validation: Option<Data<'_>>,
        rng: &dyn Fn(&str) -> Pcg64,
        observe: ExpertObserver<'_>,
    ) -> Result<Fitted, ExpertError> {
        self.check().map_err(ExpertError::Config)?;
        if shelf.pace().is_none() {
            return self.fit_with(shelf, train, validation, rng, observe);
        }
        let unit = &self.name(label, train, validation, rng);
        if let Some(fitted) = found(shelf, unit) {
            shelf.tell(Event::Found { unit });
            return Ok(fitted);
        }
        shelf.tell(Event::Begun {
            unit,
            resumed: false,
        });
        let within = Within {
            shelf,
            names: Mutex::default(),
        };
        let fitted = self.fit_with(&within, train, validation, rng, observe)?;
        if fitted.report.termination != Termination::Interrupted
            && let Some(bytes) = fitted.to_bytes()
        {
            shelf.put(unit, &bytes)?;
            within.clear();
            shelf.tell(Event::Finished { unit });
        }
        Ok(fitted)
    }

    fn name(
        &self,
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
            .text(&text(ron::to_string(self)))
            .text(&text(ron::to_string(&rng("unit"))));
        let print = data(print, train);
        let print = validation.into_iter().fold(print, data);
        // Part of a file name.
        let sound = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let label: String = label.chars().filter(|c| sound(*c)).take(40).collect();
        format!("expert-{label}-{}", print.finish())
    }
}

/// What is kept of a unit, if it can be used.
fn found(shelf: &dyn Shelf, unit: &str) -> Option<Fitted> {
    let bytes = shelf.get(unit)?;
    let fitted = Fitted::from_bytes(&bytes).inspect_err(|e| {
        let reason = &format!("{unit}: {e}");
        shelf.tell(Event::Damaged { reason });
    });
    fitted.ok()
}

impl Fitted {
    /// The bytes of a unit's file (safetensors); `None` for an expert of a kind that cannot be saved.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let mut writer = Writer::default();
        let description = self.expert.write(&mut writer).ok()?;
        let manifest = Manifest {
            description: serde_json::to_string(&description).ok()?,
            report: self.report.clone(),
            seconds: self.seconds,
        };
        let text = ron::to_string(&manifest).ok()?;
        Some(writer.finish(KEY, text))
    }

    /// The inverse of [`Self::to_bytes`]: densities have the same bits.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let (text, mut reader) = Reader::open(bytes, KEY).map_err(|e| one_line(&e))?;
        let damaged = |e: &dyn std::fmt::Display| one_line(&format!("damaged description ({e})"));
        let manifest: Manifest = ron::from_str(&text).map_err(|e| damaged(&e))?;
        let description: Description =
            serde_json::from_str(&manifest.description).map_err(|e| damaged(&e))?;
        let expert = read_expert(&description, &mut reader).map_err(|e| one_line(&e))?;
        Ok(Self {
            expert,
            report: manifest.report,
            seconds: manifest.seconds,
        })
    }
}

/// The shelf within a unit: remembers what is put there, to clear it when the whole unit is done.
struct Within<'a> {
    shelf: &'a dyn Shelf,
    names: Mutex<Vec<String>>,
}

impl Within<'_> {
    fn clear(self) {
        let names = self.names.into_inner().unwrap_or_default();
        names.iter().for_each(|name| self.shelf.remove(name));
    }
}

impl Shelf for Within<'_> {
    fn pace(&self) -> Option<Duration> {
        self.shelf.pace()
    }

    fn get(&self, name: &str) -> Option<Vec<u8>> {
        // What an earlier process has left is cleared as well.
        if let Ok(mut names) = self.names.lock() {
            names.push(name.to_owned());
        }
        self.shelf.get(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), store::Error> {
        self.shelf.put(name, bytes)
    }

    fn remove(&self, name: &str) {
        self.shelf.remove(name);
    }

    fn tell(&self, event: Event<'_>) {
        self.shelf.tell(event);
    }
}
