//! The input and output of rendering: sections of records; tables, figures and text.

use super::arm::Arm;
use super::experiment::{Experiment, Record};
use super::presentation::{Presentation, Presentations};
use super::table::Table;
use anyhow::Result;
use std::path::PathBuf;

/// The arms of one protocol.
#[derive(Debug)]
pub struct Section<'a, R> {
    /// Name of the protocol.
    pub protocol: &'a str,
    /// Its presentation.
    pub presentation: Presentation,
    /// Its arms.
    pub arms: Vec<Arm<'a, R>>,
}

impl<'a, R: Record> Section<'a, R> {
    /// The sections of some records, in the order of the report.
    #[must_use]
    pub fn all(records: &'a [R], presentations: &Presentations) -> Vec<Self> {
        let mut sections: Vec<Self> = Vec::new();
        for arm in Arm::all(records) {
            match sections.iter_mut().find(|s| s.protocol == arm.protocol) {
                Some(section) => section.arms.push(arm),
                None => sections.push(Self {
                    protocol: arm.protocol,
                    presentation: presentations.of(arm.protocol),
                    arms: vec![arm],
                }),
            }
        }
        sections.sort_by_key(|s| s.presentation.order.unwrap_or(u32::MAX));
        sections
    }

    /// Names of the tables to make: those that the protocol asks for, else those of its kind.
    #[must_use]
    pub fn tables<'b>(&'b self, usual: &[&'b str]) -> Vec<&'b str> {
        asked(self.presentation.tables.as_deref(), usual)
    }

    /// Names of the figures to draw: those that the protocol asks for, else those of its kind.
    #[must_use]
    pub fn figures<'b>(&'b self, usual: &[&'b str]) -> Vec<&'b str> {
        asked(self.presentation.figures.as_deref(), usual)
    }
}

fn asked<'a>(given: Option<&'a [String]>, usual: &[&'a str]) -> Vec<&'a str> {
    match given {
        Some(given) => given.iter().map(String::as_str).collect(),
        None => usual.to_vec(),
    }
}

/// Experiments that the report shows.
pub trait Presented: Experiment {
    /// Heading and introduction of the report's chapter; kinds that follow each other can share one.
    const CHAPTER: &'static str;

    /// Tables, figures and text from records.
    ///
    /// # Errors
    /// The first figure that cannot be drawn or written.
    fn render(material: &Material<'_, Self>) -> Result<Rendered>
    where
        Self: Sized;
}

/// The input of rendering one kind.
pub struct Material<'a, E: Experiment> {
    /// The protocols, in the order of the report.
    pub sections: Vec<Section<'a, E::Record>>,
    /// Records that have figure data, with the data.
    pub drawn: Vec<(&'a E::Record, E::Figure)>,
    /// Where figures go.
    pub folder: PathBuf,
}

impl<'a, E: Experiment> Material<'a, E> {
    /// The records of one protocol that have figure data, with the data.
    #[must_use]
    pub fn drawn_of(&self, protocol: &str) -> Vec<(&'a E::Record, &E::Figure)> {
        let all = self.drawn.iter();
        let own = all.filter(|(r, _)| r.run().name().protocol == protocol);
        own.map(|(r, data)| (*r, data)).collect()
    }
}

/// The rendered results of one kind.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rendered {
    /// All tables.
    pub tables: Vec<Table>,
    /// Text before the sections of its chapter.
    pub opening: String,
    /// Text of its sections.
    pub sections: String,
    /// Text behind the sections of its chapter.
    pub closing: String,
}
