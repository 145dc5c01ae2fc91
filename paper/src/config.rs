//! Run configs: the experiment as it is written down, checked when it is read.

use crate::ablation::NamedAblation;
use amf::{NamedExpert, RepeatedKFold, WeightRule};
use anyhow::{Context, Result, anyhow, bail};
use datasets::Family;
use numerics::checked::{self, one_line};
use ron::extensions::Extensions;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Changes whenever the meaning of a config or of a record changes: records of another version are computed again.
pub const SCHEMA: u32 = 1;

/// The dialect of RON used for configs and records: `Some` and the parentheses of newtype variants may be left out.
#[must_use]
pub fn dialect() -> ron::Options {
    ron::Options::default()
        .with_default_extension(Extensions::IMPLICIT_SOME | Extensions::UNWRAP_VARIANT_NEWTYPES)
}

/// One protocol: every target with every seed is a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// Name of the protocol in tables and file names.
    pub protocol: String,
    /// Target densities.
    pub targets: Vec<Family>,
    /// Seeds: each gives draws, initial parameters and batches of its own.
    pub seeds: Vec<u64>,
    /// How many draws serve which purpose.
    pub draws: Draws,
    /// The experts of the mixture.
    pub experts: Vec<NamedExpert>,
    /// Stage 2.
    pub weights: WeightStage,
    /// What is measured.
    pub evaluation: Evaluation,
    /// Cross-fitting: all of `draws.train` serve training, early stopping and weights in turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_fit: Option<RepeatedKFold>,
    /// Models that are fitted to all draws of the budget by themselves, to compare with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub baselines: Vec<NamedExpert>,
    /// What the mixture would be without some ingredient (cross-fitting only).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ablations: Vec<NamedAblation>,
    /// Other numbers of training draws, each with runs of its own.
    #[serde(default)]
    pub other_sizes: Vec<usize>,
}

/// One run: a protocol for one target and one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Name of the protocol.
    pub protocol: String,
    /// Target density.
    pub target: Family,
    /// Seed of everything random.
    pub seed: u64,
    /// How many draws serve which purpose.
    pub draws: Draws,
    /// The experts of the mixture.
    pub experts: Vec<NamedExpert>,
    /// Stage 2.
    pub weights: WeightStage,
    /// What is measured.
    pub evaluation: Evaluation,
    /// Cross-fitting: all of `draws.train` serve training, early stopping and weights in turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_fit: Option<RepeatedKFold>,
    /// Models that are fitted to all draws of the budget by themselves, to compare with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub baselines: Vec<NamedExpert>,
    /// What the mixture would be without some ingredient (cross-fitting only).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ablations: Vec<NamedAblation>,
}

/// Sizes of the disjoint sets of draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draws {
    /// Maximum likelihood.
    #[serde(deserialize_with = "checked::at_least_one")]
    pub train: usize,
    /// Early stopping, number of layers.
    #[serde(default)]
    pub validation: usize,
    /// Mixture weights, when they come from held-out points.
    #[serde(default)]
    pub weights: usize,
    /// Held-out likelihood in the training curves where there is no validation set; nothing is selected on them.
    #[serde(default)]
    pub monitor: usize,
    /// Measures of the result.
    #[serde(deserialize_with = "checked::at_least_one")]
    pub test: usize,
}

impl Draws {
    /// Draws that a fit uses in all.
    #[must_use]
    pub fn budget(&self) -> usize {
        let held_out = self.validation.saturating_add(self.weights);
        self.train.saturating_add(held_out)
    }
}

/// How the mixture weights are learned.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightStage {
    /// The rule.
    pub rule: WeightRule,
    /// The points that it looks at.
    pub source: WeightSource,
}

/// Where the points for the weights come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WeightSource {
    /// Fresh draws of the target at every step, beyond the budget (as published).
    Fresh,
    /// The held-out points `draws.weights`.
    HeldOut,
    /// The points of the budget under the models that did not see them (cross-fitting).
    OutOfFold,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Model draws, and test points compared with them, for each sampled metric.
    #[serde(deserialize_with = "checked::at_least_one")]
    pub samples: usize,
    /// Fresh sets of model draws over which each sampled metric is averaged.
    #[serde(deserialize_with = "checked::at_least_one")]
    pub sets: usize,
    /// Which models have their samples measured.
    #[serde(default, skip_serializing_if = "Sampled::is_all")]
    pub sampled: Sampled,
}

/// Models whose samples are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Sampled {
    /// The mixture and its experts.
    #[default]
    All,
    /// The mixture, and fresh draws of the target as the floor.
    Mixture,
}

impl Sampled {
    // By reference, as serde asks.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    fn is_all(&self) -> bool {
        *self == Self::All
    }
}

impl Protocol {
    /// Reads and checks a config.
    ///
    /// # Errors
    /// One line with file, line and column, and what is wrong there.
    pub fn read(path: &Path) -> Result<Self> {
        read_text(path, Self::parse)
    }

    /// Checks the text of a config; `source` is what errors call it.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn parse(text: &str, source: &str) -> Result<Self> {
        let this: Self = parse(text, source)?;
        this.check().map_err(|(hint, reason)| {
            let (line, col) = place(text, &hint, &reason);
            anyhow!("{source}:{line}:{col}: {}", one_line(&reason))
        })?;
        Ok(this)
    }

    /// Whatever no single field shows; the error names a field for its place in the file.
    fn check(&self) -> std::result::Result<(), (String, String)> {
        let bad = |field: &str, reason: String| Err((field.to_owned(), reason));
        if !is_name(&self.protocol) {
            return bad(
                "protocol",
                "protocol must be a name of letters, digits, _ and -".into(),
            );
        }
        for (field, empty) in [
            ("targets", self.targets.is_empty()),
            ("seeds", self.seeds.is_empty()),
            ("experts", self.experts.is_empty()),
        ] {
            if empty {
                return bad(field, format!("{field} must not be empty"));
            }
        }
        let models = self.experts.len() + self.baselines.len() + self.ablations.len();
        let sizes = 1 + self.other_sizes.len();
        check_fits(&[self.targets.len(), self.seeds.len(), sizes, models])
            .map_err(|reason| ("seeds".to_owned(), reason))?;
        if let Some(t) = first_repeated(&self.targets) {
            return bad("targets", format!("{t} is listed twice"));
        }
        if let Some(s) = first_repeated(&self.seeds) {
            return bad("seeds", format!("{s} is listed twice"));
        }
        let named: Vec<&NamedExpert> = self.experts.iter().chain(&self.baselines).collect();
        let mut names: Vec<&str> = named.iter().map(|e| e.name.as_str()).collect();
        names.extend(self.ablations.iter().map(|a| a.name.as_str()));
        if let Some(n) = first_repeated(&names) {
            return bad("experts", format!("two experts are called \"{n}\""));
        }
        if names
            .iter()
            .any(|n| ["mixture", "target"].contains(n) || !is_name(n))
        {
            let reason =
                "name of an expert must be of letters, digits, _ and -, and not \"mixture\"";
            return bad("experts", reason.into());
        }
        for e in &named {
            if let Err(reason) = e.kind.check() {
                let field = reason
                    .split([' ', '.'])
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                return Err((field, format!("expert \"{}\": {reason}", e.name)));
            }
        }
        for e in &self.experts {
            if self.draws.validation == 0 && self.cross_fit.is_none() && e.kind.needs_validation() {
                let reason = format!(
                    "expert \"{}\" stops on a validation set: draws.validation must be above 0",
                    e.name
                );
                return bad("draws", reason);
            }
        }
        self.check_cross_fit()?;
        if let Err(reason) = self.weights.rule.check() {
            return bad("rule", reason);
        }
        if self.weights.source == WeightSource::HeldOut && self.draws.weights == 0 {
            return bad(
                "draws",
                "weights from held-out points need draws.weights above 0".into(),
            );
        }
        if self.evaluation.samples > self.draws.test {
            return bad(
                "samples",
                "evaluation.samples must not be above draws.test".into(),
            );
        }
        Ok(())
    }

    /// What belongs to cross-fitting, and only to it.
    fn check_cross_fit(&self) -> std::result::Result<(), (String, String)> {
        let bad = |field: &str, reason: &str| Err((field.to_owned(), reason.to_owned()));
        let Some(partition) = &self.cross_fit else {
            if !self.ablations.is_empty() {
                return bad("ablations", "ablations need cross_fit");
            }
            if self.weights.source == WeightSource::OutOfFold {
                return bad("source", "source OutOfFold needs cross_fit");
            }
            return Ok(());
        };
        if let Err(reason) = partition.check() {
            return Err(("cross_fit".into(), reason));
        }
        if self.weights.source != WeightSource::OutOfFold {
            return bad("source", "source must be OutOfFold with cross_fit");
        }
        let Draws {
            validation,
            weights,
            monitor,
            ..
        } = self.draws;
        if [validation, weights, monitor] != [0; 3] {
            return bad(
                "draws",
                "cross_fit takes validation and weights out of draws.train: set no others",
            );
        }
        if let Some(e) = self.baselines.iter().find(|e| e.kind.needs_validation()) {
            let reason = format!("baseline \"{}\" must not need a validation set", e.name);
            return bad("baselines", &reason);
        }
        let experts: BTreeSet<&str> = self.experts.iter().map(|e| e.name.as_str()).collect();
        for a in &self.ablations {
            if let Err(reason) = a.what.check(&experts) {
                return bad("ablations", &format!("ablation \"{}\": {reason}", a.name));
            }
        }
        Ok(())
    }

    /// All runs of the protocol, size by size and target by target.
    #[must_use]
    pub fn runs(&self) -> Vec<Run> {
        let sizes = std::iter::once(self.draws.train).chain(self.other_sizes.iter().copied());
        let mut runs = Vec::new();
        for train in sizes {
            for &target in &self.targets {
                runs.extend(self.seeds.iter().map(|&seed| Run {
                    protocol: self.protocol.clone(),
                    target,
                    seed,
                    draws: Draws {
                        train,
                        ..self.draws
                    },
                    experts: self.experts.clone(),
                    weights: self.weights,
                    evaluation: self.evaluation,
                    cross_fit: self.cross_fit,
                    baselines: self.baselines.clone(),
                    ablations: self.ablations.clone(),
                }));
            }
        }
        runs
    }
}

impl Run {
    /// A stable hash of everything that the results depend on.
    ///
    /// # Panics
    /// Never: a config is serialisable.
    #[must_use]
    pub fn hash(&self) -> String {
        hash(&format!("schema {SCHEMA}"), self)
    }

    /// File name of the record, without its ending.
    #[must_use]
    pub fn stem(&self) -> String {
        format!(
            "{}/{}-n{}-seed{}",
            self.protocol,
            self.target,
            self.draws.budget(),
            self.seed
        )
    }
}

/// A stable hash of a config and of the version of its meaning.
pub(crate) fn hash<T: Serialize>(version: &str, config: &T) -> String {
    let text = dialect()
        .to_string(config)
        .expect("a config is serialisable");
    let digest = Sha256::digest(format!("{version}\n{text}").as_bytes());
    digest.iter().take(8).map(|b| format!("{b:02x}")).collect()
}

/// All configs of a folder, by name.
///
/// # Errors
/// The first that cannot be read, or a folder without any.
pub fn read_all(folder: &Path) -> Result<Vec<Protocol>> {
    let protocols: Vec<Protocol> = files(folder)?
        .iter()
        .map(|p| Protocol::read(p))
        .collect::<Result<_>>()?;
    if protocols.is_empty() {
        bail!("{}: no config (*.ron) in it", folder.display());
    }
    let names: Vec<&String> = protocols.iter().map(|p| &p.protocol).collect();
    if let Some(name) = first_repeated(&names) {
        bail!(
            "{}: two configs are of protocol \"{name}\"",
            folder.display()
        );
    }
    Ok(protocols)
}

/// The configs of a folder, by name.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("{}: cannot be read", folder.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "ron") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// What `parse` makes of the text of a file.
pub(crate) fn read_text<T>(path: &Path, parse: fn(&str, &str) -> Result<T>) -> Result<T> {
    let source = path.display().to_string();
    let text =
        std::fs::read_to_string(path).with_context(|| format!("{source}: cannot be read"))?;
    parse(&text, &source)
}

/// A config that is not checked yet; an error is one line with file, line and column.
pub(crate) fn parse<T: DeserializeOwned>(text: &str, source: &str) -> Result<T> {
    dialect().from_str(text).map_err(|e| {
        let at = e.span.start;
        let reason = one_line(&e.code.to_string());
        anyhow!("{source}:{}:{}: {reason}", at.line, at.col)
    })
}

/// Whether a name can be part of a file name.
pub(crate) fn is_name(s: &str) -> bool {
    let sound = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !s.is_empty() && s.chars().all(sound)
}

/// The first item that stood there before.
pub(crate) fn first_repeated<T: Ord>(items: &[T]) -> Option<&T> {
    let mut seen = BTreeSet::new();
    items.iter().find(|x| !seen.insert(*x))
}

/// Fits that a config may ask for: all runs are listed before the first is done.
const MOST_FITS: usize = 1_000_000;

/// Whether a product of numbers of things that are all combined with each other is no more fits than can be listed.
pub(crate) fn check_fits(factors: &[usize]) -> std::result::Result<(), String> {
    let fits = factors
        .iter()
        .try_fold(1usize, |all, n| all.checked_mul(*n));
    if fits.is_some_and(|n| n <= MOST_FITS) {
        return Ok(());
    }
    Err(format!(
        "seeds ask, with all that they are combined with, for more than {MOST_FITS} fits; write several configs"
    ))
}

/// Words of a reason among which the name of a field is looked for.
const MOST_WORDS: usize = 64;

/// Line and column of what an error is about: the first field that the reason names, from the named expert on where `hint` is one, else
/// the field `hint`, else the beginning.
fn place(text: &str, hint: &str, reason: &str) -> (usize, usize) {
    place_from(text, 0, hint, reason)
}

/// The same in the text from some byte on.
pub(crate) fn place_from(text: &str, from: usize, hint: &str, reason: &str) -> (usize, usize) {
    let start = from + text[from..].find(&format!("\"{hint}\"")).unwrap_or(0);
    let words = reason.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    // A reason can hold a name from the file, which may be long.
    let fields = words.take(MOST_WORDS).filter(|w| w.len() > 2).chain([hint]);
    let found = fields
        .into_iter()
        .find_map(|f| Some(start + text[start..].find(&format!(" {f}:"))? + 1));
    let at = found.unwrap_or(start);
    let line = text[..at].matches('\n').count() + 1;
    let col = at - text[..at].rfind('\n').map_or(0, |n| n + 1) + 1;
    (line, col)
}
