//! Records of several results folders, joined in one.

use crate::record::{Metric, figure_path, record_path};
use crate::render;
use crate::results::Results;
use crate::work::Recorded;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Copies the records and figure data of some folders into another, which may have some already, and writes its tables, figures and report. Gives the
/// number of records there.
///
/// # Errors
/// A folder that cannot be read, a record that was changed, two of one run that differ in more than time and place.
pub fn collect(from: &[PathBuf], out: &Path) -> Result<usize> {
    let mut seen = BTreeMap::new();
    if out.join("records").exists() {
        add(out, out, &mut seen)?;
    }
    for folder in from {
        add(folder, out, &mut seen)?;
    }
    render::write_results(out, &Results::read(out)?)?;
    Ok(seen.len())
}

/// What is known of a run: its folder, hash and measures.
type Seen = BTreeMap<String, (PathBuf, String, Vec<(String, String, u64)>)>;

fn add(folder: &Path, out: &Path, seen: &mut Seen) -> Result<()> {
    let results = Results::read(folder)?;
    records(&results.mixtures, folder, out, seen)?;
    records(&results.posteriors, folder, out, seen)?;
    records(&results.amortised, folder, out, seen)
}

fn records<R: Recorded>(records: &[R], folder: &Path, out: &Path, seen: &mut Seen) -> Result<()> {
    for r in records {
        let bits = |m: &Metric| {
            let Metric {
                model,
                metric,
                value,
            } = m.clone();
            (model, metric, value.to_bits())
        };
        let metrics: Vec<_> = r.metrics().iter().map(bits).collect();
        let (stem, hash) = (r.stem(), r.hash().to_owned());
        if let Some((other, other_hash, other_metrics)) = seen.get(&stem) {
            let what = if *other_hash != hash {
                "is of another config"
            } else if *other_metrics != metrics {
                "has other measures"
            } else {
                continue;
            };
            let (a, b) = (record_path(folder, &stem), record_path(other, &stem));
            bail!(
                "{} {what} than {}: remove one of them",
                a.display(),
                b.display()
            );
        }
        if folder != out {
            for path in [figure_path, record_path] {
                let from = path(folder, &stem);
                if from.exists() {
                    let bytes = std::fs::read(&from)
                        .with_context(|| format!("{}: cannot be read", from.display()))?;
                    store::write(&path(out, &stem), &bytes)?;
                }
            }
        }
        seen.insert(stem, (folder.to_owned(), hash, metrics));
    }
    Ok(())
}
