//! The presentation of a protocol in the report: stored in its file, not in its runs.

use super::config::FieldError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The presentation of a protocol in the report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Presentation {
    /// Heading of its section; "Protocol" and its name if it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its introduction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prose: Option<String>,
    /// Its place among the protocols of its kind; those without one come last, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<u32>,
    /// Its tables, in their order; those of its kind if they are not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tables: Option<Vec<String>>,
    /// Its figures, in their order; those of its kind if they are not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figures: Option<Vec<String>>,
    /// Whether one of the two papers reports it: `--papers` computes these alone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub papers: bool,
    /// Bounds set in advance, each a row of the table of targets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bounds: Vec<Bound>,
}

/// A bound on a measure of the mixture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bound {
    /// Name of the measure in `metrics.csv`.
    pub metric: String,
    /// Its name in the table.
    pub what: String,
    /// Upper bounds in two and in three dimensions.
    pub most: (f64, f64),
}

impl Presentation {
    /// The heading of the section.
    #[must_use]
    pub fn title(&self, protocol: &str) -> String {
        let title = self.title.clone();
        title.unwrap_or_else(|| format!("Protocol {protocol}"))
    }

    /// Its introduction in one line: the file can break it anywhere.
    #[must_use]
    pub fn prose(&self) -> String {
        let prose = self.prose.as_deref().unwrap_or("See its config.");
        prose.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Checks names and bounds.
    ///
    /// # Errors
    /// The first unknown table or figure; a bound that is not finite.
    pub fn check(&self, tables: &[&str], figures: &[&str]) -> Result<(), FieldError> {
        for (list, what, known) in [
            (&self.tables, "tables", tables),
            (&self.figures, "figures", figures),
        ] {
            let asked = list.iter().flatten().enumerate();
            for (i, name) in asked {
                if !known.contains(&name.as_str()) {
                    let known = known.join(", ");
                    let reason = format!("{what}: there is no \"{name}\", only {known}");
                    return Err(FieldError::new(reason).at(i).at(what).at("report"));
                }
            }
        }
        for (i, bound) in self.bounds.iter().enumerate() {
            if !(bound.most.0.is_finite() && bound.most.1.is_finite()) {
                let reason = "bounds: most must be two finite numbers";
                let error = FieldError::new(reason).at("most").at(i);
                return Err(error.at("bounds").at("report"));
            }
        }
        Ok(())
    }
}

/// The presentations of protocols, by their names.
#[derive(Debug, Clone, Default)]
pub struct Presentations(BTreeMap<String, Presentation>);

impl Presentations {
    /// That of a protocol; an empty one for an unknown protocol.
    #[must_use]
    pub fn of(&self, protocol: &str) -> Presentation {
        self.0.get(protocol).cloned().unwrap_or_default()
    }
}

impl FromIterator<(String, Presentation)> for Presentations {
    fn from_iter<I: IntoIterator<Item = (String, Presentation)>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}
