//! The protocols of a folder, and a selection of their runs.

use super::config::{self, ConfigError};
use super::job::Job;
use super::kind::{Kind, Listed};
use super::presentation::Presentations;
use super::results::Results;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// Protocols of all kinds, with their runs.
pub struct Catalogue {
    kinds: &'static [Kind],
    entries: Vec<Entry>,
}

/// A protocol with its kind and file.
struct Entry {
    kind: usize,
    path: PathBuf,
    protocol: Listed,
}

impl Catalogue {
    /// Reads and checks the protocols of a folder: each kind has a folder in it.
    ///
    /// # Errors
    /// The first protocol that cannot be used, in one line with file, line and column; a folder
    /// without any; a name that occurs twice.
    pub fn read(kinds: &'static [Kind], folder: &Path) -> Result<Self> {
        let mut entries: Vec<Entry> = Vec::new();
        for (k, kind) in kinds.iter().enumerate() {
            let below = folder.join(kind.folder);
            if kind.folder.is_empty() || below.exists() {
                for path in config::files(&below)? {
                    entries.push(Entry::read(kinds, k, path)?);
                }
            }
        }
        if entries.is_empty() {
            bail!("{}: no config (*.ron) in it", folder.display());
        }
        let this = Self { kinds, entries };
        let mut names = this.names();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let folder = folder.display();
            bail!("{folder}: two configs are of protocol \"{}\"", pair[0]);
        }
        Ok(this)
    }

    /// Reads and checks one protocol, of the kind of its folder.
    ///
    /// # Errors
    /// One line with file, line and column, and what is wrong there.
    pub fn of_file(kinds: &'static [Kind], path: &Path) -> Result<Self> {
        let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
        let own = |kind: &Kind| !kind.folder.is_empty() && folder == kind.folder;
        let usual = kinds.iter().position(|kind| kind.folder.is_empty());
        let kind = kinds.iter().position(own).or(usual).unwrap_or(0);
        Ok(Self {
            kinds,
            entries: vec![Entry::read(kinds, kind, path.to_owned())?],
        })
    }

    /// The names of the protocols.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let names = self.entries.iter().map(|e| e.protocol.name.as_str());
        names.collect()
    }

    /// The names of those that one of the papers reports.
    #[must_use]
    pub fn of_papers(&self) -> Vec<String> {
        let own = self.entries.iter().map(|e| &e.protocol);
        let own = own.filter(|p| p.presentation.papers);
        own.map(|p| p.name.clone()).collect()
    }

    /// Their presentations in the report.
    #[must_use]
    pub fn presentations(&self) -> Presentations {
        let protocols = self.entries.iter().map(|e| &e.protocol);
        protocols
            .map(|p| (p.name.clone(), p.presentation.clone()))
            .collect()
    }

    /// The runs of some protocols on some targets, of all when none are named.
    ///
    /// # Errors
    /// An unknown protocol or target, or nothing to do.
    pub fn select(mut self, protocols: &[String], targets: &[String]) -> Result<Self> {
        let known = self.names();
        if let Some(name) = protocols.iter().find(|n| !known.contains(&n.as_str())) {
            bail!("no protocol \"{name}\": there are {}", known.join(", "));
        }
        let known: Vec<&str> = self.kinds.iter().flat_map(|k| (k.targets)()).collect();
        if let Some(name) = targets.iter().find(|n| !known.contains(&n.as_str())) {
            bail!("no target \"{name}\": there are {}", known.join(", "));
        }
        for e in &mut self.entries {
            let p = &mut e.protocol;
            let wanted = protocols.is_empty() || protocols.contains(&p.name);
            p.jobs
                .retain(|j| wanted && (targets.is_empty() || targets.contains(&j.target)));
        }
        if self.jobs().is_empty() {
            bail!("no run fits --only and --protocol: `paper list` shows all of them");
        }
        Ok(self)
    }

    /// These runs alone, by the stems of their records.
    ///
    /// # Errors
    /// An unknown run.
    pub fn named(mut self, runs: &[String]) -> Result<Self> {
        let jobs = self.jobs();
        if let Some(name) = runs.iter().find(|r| jobs.iter().all(|j| j.stem != **r)) {
            let some = jobs.first().map_or("", |j| &j.stem);
            bail!(
                "no run \"{name}\" in the config: `paper list` shows all of them, such as {some}"
            );
        }
        for e in &mut self.entries {
            e.protocol.jobs.retain(|j| runs.contains(&j.stem));
        }
        Ok(self)
    }

    /// The runs.
    #[must_use]
    pub fn jobs(&self) -> Vec<&Job> {
        self.entries.iter().flat_map(|e| &e.protocol.jobs).collect()
    }

    /// The runs, each with the file of its protocol.
    pub fn files(&self) -> impl Iterator<Item = (&Path, &Job)> {
        let entries = self.entries.iter();
        entries.flat_map(|e| e.protocol.jobs.iter().map(|j| (e.path.as_path(), j)))
    }

    /// The records of the runs.
    ///
    /// # Errors
    /// The first that cannot be read.
    pub fn results(&self, folder: &Path) -> Result<Results> {
        let of_kind = |k: usize| {
            let own = self.entries.iter().filter(|e| e.kind == k);
            let jobs = own.flat_map(|e| &e.protocol.jobs);
            let stems: Vec<&str> = jobs.map(|j| j.stem.as_str()).collect();
            (self.kinds[k].records)(folder, Some(&stems))
        };
        let kinds: Result<_> = (0..self.kinds.len()).map(of_kind).collect();
        Ok(Results { kinds: kinds? })
    }
}

impl Entry {
    fn read(kinds: &[Kind], kind: usize, path: PathBuf) -> Result<Self, ConfigError> {
        Ok(Self {
            kind,
            protocol: (kinds[kind].protocol)(&path)?,
            path,
        })
    }
}
