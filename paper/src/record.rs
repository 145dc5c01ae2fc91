//! Records: what one run found, with everything that is needed to trace it.

use crate::config::{Run, dialect};
use crate::work::{Recorded, Stamped};
use amf::{ExpertReport, LearnedWeights};
use anyhow::{Context, Result, anyhow};
use numerics::checked::one_line;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::path::{Path, PathBuf};

/// The result of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Hash of `run` and of the code's schema version.
    pub hash: String,
    /// The run.
    pub run: Run,
    /// Entropy of the target and its error, nats: the floor of the NLL.
    pub entropy: (f64, f64),
    /// How each expert's fit went, in the order of the config.
    pub experts: Vec<ExpertReport>,
    /// The mixture weights.
    pub weights: LearnedWeights,
    /// Every measure.
    pub metrics: Vec<Metric>,
    /// How long each stage took.
    pub seconds: Seconds,
    /// Where and with what it was computed.
    pub provenance: Provenance,
}

/// One number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// `mixture` or the name of an expert.
    pub model: String,
    /// Name of the measure.
    pub metric: String,
    /// Its value.
    pub value: f64,
}

/// Wall-clock seconds of each stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seconds {
    /// Stage 1, expert by expert.
    pub fit: Vec<f64>,
    /// Stage 2.
    pub weights: f64,
    /// All metrics.
    pub evaluation: f64,
}

/// What a result may depend on besides its config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Git commit of the code ("unknown" outside a checkout).
    pub commit: String,
    /// Whether tracked files differed from that commit.
    pub dirty: bool,
    /// Compiler.
    pub toolchain: String,
    /// Processor.
    pub cpu: String,
    /// Threads of this run.
    pub threads: usize,
}

/// Points and grids for the figures of one run, rounded to what a figure shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FigureData {
    /// Hash of the run.
    pub hash: String,
    /// Draws: of the target, the mixture, then each expert.
    pub draws: Vec<(String, Vec<(f32, f32)>)>,
    /// Mixture log-density on a grid over the target's window, row by row from the lower left.
    pub grid: Vec<f32>,
    /// Points of the grid in each direction.
    pub side: usize,
}

impl Stamped for Record {
    fn hash(&self) -> &str {
        &self.hash
    }
}

impl Recorded for Record {
    fn stem(&self) -> String {
        self.run.stem()
    }

    fn metrics(&self) -> &[Metric] {
        &self.metrics
    }
}

impl Stamped for FigureData {
    fn hash(&self) -> &str {
        &self.hash
    }
}

impl Record {
    /// Where the record of a run lies below a results folder.
    #[must_use]
    pub fn path(results: &Path, run: &Run) -> PathBuf {
        record_path(results, &run.stem())
    }
}

impl FigureData {
    /// Where the figure data of a run lie below a results folder.
    #[must_use]
    pub fn path(results: &Path, run: &Run) -> PathBuf {
        figure_path(results, &run.stem())
    }
}

/// Where a record lies below a results folder.
#[must_use]
pub fn record_path(results: &Path, stem: &str) -> PathBuf {
    results.join("records").join(format!("{stem}.ron"))
}

/// Where figure data lie below a results folder.
#[must_use]
pub fn figure_path(results: &Path, stem: &str) -> PathBuf {
    results.join("records").join(format!("{stem}.figure.ron"))
}

/// Reads a record: RON with its checksum behind it.
///
/// # Errors
/// Names the file, and what is wrong with it: where it cannot be read, was cut short or changed, or the line and column that make no sense.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = store::read(path).map_err(|e| match e {
        store::Error::Damaged { .. } => anyhow!("{e}: it has to be computed again"),
        e => anyhow!(e),
    })?;
    parse(&path.display().to_string(), &bytes)
}

/// A record from the text of its file, without the checksum; `name` is the file's.
///
/// # Errors
/// As of [`read`].
pub fn parse<T: DeserializeOwned>(name: &str, text: &[u8]) -> Result<T> {
    dialect().from_bytes(text).map_err(|e| {
        let at = e.span.start;
        let reason = one_line(&e.code.to_string());
        anyhow!("{name}:{}:{}: {reason}", at.line, at.col)
    })
}

/// Writes a record with its checksum behind it, whole or not at all.
///
/// # Errors
/// Names the file.
pub fn write<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let pretty = ron::ser::PrettyConfig::new()
        .compact_arrays(true)
        .compact_structs(false)
        .indentor("  ")
        .extensions(ron::extensions::Extensions::empty());
    let mut text = dialect().to_string_pretty(value, pretty)?;
    text.push('\n');
    Ok(store::write_sealed(path, text.into_bytes())?)
}

/// All records in the folders of a folder, by path.
pub(crate) fn read_folders<T: DeserializeOwned>(folder: &Path) -> Result<Vec<T>> {
    let mut paths = Vec::new();
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("{}: cannot be read", folder.display()))?;
    for protocol in entries {
        let protocol = protocol?.path();
        if protocol.is_dir() {
            for file in std::fs::read_dir(&protocol)? {
                paths.push(file?.path());
            }
        }
    }
    paths.retain(|p| {
        let name = p.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".ron") && !name.ends_with(".figure.ron")
    });
    paths.sort();
    paths.iter().map(|p| read(p)).collect()
}

/// All records of mixtures of flows fitted to draws below a results folder, by path.
///
/// # Errors
/// The first that cannot be read.
pub fn read_all(results: &Path) -> Result<Vec<Record>> {
    let mut records: Vec<Record> = read_folders(&results.join("records"))?;
    sort(&mut records);
    Ok(records)
}

/// Puts records in the order of tables.
pub fn sort(records: &mut [Record]) {
    records.sort_by(|a, b| {
        let key = |r: &Record| {
            (
                r.run.protocol.clone(),
                r.run.target,
                r.run.draws.budget(),
                r.run.seed,
            )
        };
        key(a).cmp(&key(b))
    });
}

impl Provenance {
    /// Of this process.
    #[must_use]
    pub fn here(threads: usize) -> Self {
        // Of the code, wherever it is called from.
        let git = |args: &[&str]| {
            let out = std::process::Command::new("git")
                .args(["-C", env!("CARGO_MANIFEST_DIR")])
                .args(args)
                .output()
                .ok()?;
            out.status
                .success()
                .then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
        };
        let cpu = std::fs::read_to_string("/proc/cpuinfo")
            .ok()
            .and_then(|text| {
                let line = text
                    .lines()
                    .find(|l| l.starts_with("model name"))?
                    .to_owned();
                Some(line.split(':').nth(1)?.trim().to_owned())
            });
        Self {
            commit: git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".into()),
            dirty: git(&["status", "--porcelain", "--untracked-files=no"])
                .is_none_or(|s| !s.is_empty()),
            toolchain: env!("PAPER_TOOLCHAIN").into(),
            cpu: cpu.unwrap_or_else(|| std::env::consts::ARCH.into()),
            threads,
        }
    }
}
