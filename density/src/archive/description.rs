//! The description of a saved density: everything but its numbers.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The structure of a saved density; its numbers are arrays in the same folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// Which kind of density it is.
    pub kind: String,
    /// The settings of the kind.
    #[serde(flatten)]
    settings: Map<String, Value>,
}

/// Why a density cannot be saved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotSavable(pub String);

/// Of kinds without settings.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoSettings {}

impl Description {
    /// A kind with its settings, a struct.
    ///
    /// # Panics
    /// If the settings are not a struct that can be written as JSON.
    #[must_use]
    pub fn new(kind: &str, settings: &impl Serialize) -> Self {
        let value = serde_json::to_value(settings).expect("settings are serialisable");
        let Value::Object(settings) = value else {
            panic!("settings are a struct")
        };
        Self {
            kind: kind.to_owned(),
            settings,
        }
    }

    /// A kind with arrays only.
    #[must_use]
    pub fn plain(kind: &str) -> Self {
        Self::new(kind, &NoSettings {})
    }

    /// The settings of a density of this kind.
    ///
    /// # Errors
    /// A sentence: it is of another kind, or a setting is missing, unknown or wrong.
    pub fn settings<T: DeserializeOwned>(&self, kind: &str) -> Result<T, String> {
        if self.kind != kind {
            return Err(format!("a {} where a {kind} is needed", self.kind));
        }
        let value = Value::Object(self.settings.clone());
        serde_json::from_value(value).map_err(|e| format!("damaged description of a {kind} ({e})"))
    }
}
