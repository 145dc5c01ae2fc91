//! Kinds of experiments behind one interface.

use super::config::ConfigError;
use super::experiment::{Experiment, Protocol, Record};
use super::job::Job;
use super::metrics_csv::{Row, rows};
use super::presentation::{Presentation, Presentations};
use super::protocol_file;
use super::provenance::Provenance;
use super::record::{self, record_path};
use super::section::{Material, Presented, Rendered, Section};
use anyhow::Result;
use std::path::Path;

/// A kind of experiments.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Folder of its configs and records; may be empty.
    pub folder: &'static str,
    /// Heading and introduction of its chapter.
    pub chapter: &'static str,
    /// Names of its targets.
    pub targets: fn() -> Vec<&'static str>,
    /// Reads and checks a protocol.
    pub protocol: fn(&Path) -> Result<Listed, ConfigError>,
    /// Reads the records of some runs, or all of a results folder.
    pub records: fn(&Path, Option<&[&str]>) -> Result<Records>,
}

/// A protocol of any kind.
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its presentation in the report.
    pub presentation: Presentation,
    /// Its runs.
    pub jobs: Vec<Job>,
}

/// The records of one kind.
pub struct Records {
    /// A summary of each.
    pub found: Vec<Found>,
    /// Heading and introduction of their chapter.
    pub chapter: &'static str,
    render: Box<Render>,
}

/// Renders with presentations, from a results folder with figure data into a folder of figures.
type Render = dyn Fn(&Presentations, &Path, &Path) -> Result<Rendered>;

/// The summary of a record of any kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// File name, without its ending.
    pub stem: String,
    /// Hash of the run.
    pub hash: String,
    /// Whether that is the hash of the run that it holds.
    pub valid: bool,
    /// Every measure.
    pub rows: Vec<Row>,
    /// Where and with what it was computed.
    pub provenance: Provenance,
    /// Whether a fit diverged and backed off.
    pub diverged: bool,
}

impl Kind {
    /// The kind of some experiments.
    #[must_use]
    pub const fn of<E: Presented>() -> Self {
        Self {
            folder: E::FOLDER,
            chapter: E::CHAPTER,
            targets: E::targets,
            protocol: protocol::<E>,
            records: records::<E>,
        }
    }
}

fn protocol<E: Experiment>(path: &Path) -> Result<Listed, ConfigError> {
    let protocol: E::Protocol = protocol_file::read(path)?;
    let runs = protocol.runs().into_iter();
    Ok(Listed {
        name: protocol.name().to_owned(),
        presentation: protocol.presentation().clone(),
        jobs: runs.map(|(run, figure)| Job::new(run, figure)).collect(),
    })
}

fn records<E: Presented>(results: &Path, stems: Option<&[&str]>) -> Result<Records> {
    let records = match stems {
        None => record::read_all::<E>(results)?,
        Some(stems) => {
            let read = |stem: &&str| record::read(&record_path(results, stem));
            let records: Result<Vec<E::Record>> = stems.iter().map(read).collect();
            record::sorted::<E>(records?)
        }
    };
    let found = records.iter().map(|r| Found {
        stem: r.run().stem(),
        hash: r.hash().to_owned(),
        valid: r.run().hash() == r.hash(),
        rows: rows(r),
        provenance: r.provenance().clone(),
        diverged: r.diverged(),
    });
    Ok(Records {
        found: found.collect(),
        chapter: E::CHAPTER,
        render: Box::new(move |presentations, results, figures| {
            let mut drawn = Vec::new();
            for r in &records {
                let data = record::figure::<E>(results, r)?;
                drawn.extend(data.map(|data| (r, data)));
            }
            E::render(&Material {
                sections: Section::all(&records, presentations),
                drawn,
                folder: figures.to_owned(),
            })
        }),
    })
}

impl Records {
    /// Tables, figures and text; figure data are read from `results`, figures are written to
    /// `figures`.
    ///
    /// # Errors
    /// The first file that cannot be read or written.
    pub fn render(
        &self,
        presentations: &Presentations,
        results: &Path,
        figures: &Path,
    ) -> Result<Rendered> {
        (self.render)(presentations, results, figures)
    }
}
