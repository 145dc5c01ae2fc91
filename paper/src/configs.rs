//! The configs of a folder: protocols of mixtures in it, studies of posteriors in `posterior/` and `amortised/` below it.

use crate::config::{self, Protocol, first_repeated};
use crate::posterior::{self, AmortisedStudy, Study, amortised};
use crate::results::Results;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// All that can be reproduced.
#[derive(Debug, Clone, PartialEq)]
pub struct Configs {
    /// Mixtures of flows fitted to draws of a target.
    pub protocols: Vec<Protocol>,
    /// Posteriors from likelihood evaluations.
    pub studies: Vec<Study>,
    /// Posteriors for all data at once.
    pub amortised: Vec<AmortisedStudy>,
}

impl Configs {
    /// Reads and checks them.
    ///
    /// # Errors
    /// The first that cannot be used, in one line with file, line and column; a folder without any.
    pub fn read(folder: &Path) -> Result<Self> {
        let studies = below(folder, posterior::FOLDER, Study::read)?;
        let amortised = below(folder, amortised::FOLDER, AmortisedStudy::read)?;
        let none = studies.is_empty() && amortised.is_empty();
        let protocols = if none || !config::files(folder)?.is_empty() {
            config::read_all(folder)?
        } else {
            Vec::new()
        };
        let this = Self {
            protocols,
            studies,
            amortised,
        };
        if let Some(name) = first_repeated(&this.names()) {
            bail!(
                "{}: two configs are of protocol \"{name}\"",
                folder.display()
            );
        }
        Ok(this)
    }

    /// Reads and checks one config, of the kind that its folder tells.
    ///
    /// # Errors
    /// One line with file, line and column, and what is wrong there.
    pub fn of_file(path: &Path) -> Result<Self> {
        let mut this = Self {
            protocols: Vec::new(),
            studies: Vec::new(),
            amortised: Vec::new(),
        };
        let folder = path.parent().and_then(Path::file_name);
        match folder.and_then(std::ffi::OsStr::to_str) {
            Some(posterior::FOLDER) => this.studies.push(Study::read(path)?),
            Some(amortised::FOLDER) => this.amortised.push(AmortisedStudy::read(path)?),
            _ => this.protocols.push(Protocol::read(path)?),
        }
        Ok(this)
    }

    /// The names of the protocols.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let protocols = self.protocols.iter().map(|p| p.protocol.as_str());
        let studies = self.studies.iter().map(|s| s.protocol.as_str());
        let amortised = self.amortised.iter().map(|s| s.protocol.as_str());
        protocols.chain(studies).chain(amortised).collect()
    }

    /// The runs of every study of posteriors, with those that have no record of theirs among some: name of the study, number of its runs, missing ones.
    #[must_use]
    pub fn missing(&self, results: &Results) -> Vec<(&str, usize, Vec<String>)> {
        fn of<'a, R>(
            protocol: &'a str,
            runs: &[R],
            has: impl Fn(&R) -> bool,
            stem: impl Fn(&R) -> String,
        ) -> (&'a str, usize, Vec<String>) {
            let missing = runs.iter().filter(|r| !has(r)).map(stem).collect();
            (protocol, runs.len(), missing)
        }
        let studies = self.studies.iter().map(|s| {
            let has = |run: &posterior::PosteriorRun| {
                let mut records = results.posteriors.iter();
                records.any(|r| r.hash == run.hash() && &r.run == run)
            };
            of(&s.protocol, &s.runs(), has, posterior::PosteriorRun::stem)
        });
        let amortised = self.amortised.iter().map(|s| {
            let has = |run: &posterior::AmortisedRun| {
                let mut records = results.amortised.iter();
                records.any(|r| r.hash == run.hash() && &r.run == run)
            };
            of(&s.protocol, &s.runs(), has, posterior::AmortisedRun::stem)
        });
        studies.chain(amortised).collect()
    }
}

/// The configs in a folder below a folder; none without it.
fn below<T>(folder: &Path, name: &str, read: fn(&Path) -> Result<T>) -> Result<Vec<T>> {
    let folder = folder.join(name);
    if folder.exists() {
        config::files(&folder)?.iter().map(|p| read(p)).collect()
    } else {
        Ok(Vec::new())
    }
}

/// The paths of all configs below a folder.
///
/// # Errors
/// A folder that cannot be read, or without any.
pub fn paths(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = config::files(folder)?;
    for below in [posterior::FOLDER, amortised::FOLDER] {
        let folder = folder.join(below);
        if folder.exists() {
            paths.extend(config::files(&folder)?);
        }
    }
    if paths.is_empty() {
        bail!("{}: no config (*.ron) in it", folder.display());
    }
    Ok(paths)
}
