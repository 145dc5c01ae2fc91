//! Records of several results folders, joined in one.

use super::kind::{Found, Kind};
use super::presentation::Presentations;
use super::record::{figure_path, record_path};
use super::results::Results;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Copies the records and figure data of some folders into another, which may already have records,
/// and writes its tables, figures and report. Returns the number of records there.
///
/// # Errors
/// A folder that cannot be read, a record that was changed, two of one run that differ in more than time and place.
pub fn collect(
    kinds: &[Kind],
    presentations: &Presentations,
    from: &[PathBuf],
    out: &Path,
) -> Result<usize> {
    let mut seen = Seen::new();
    if out.join("records").exists() {
        add(kinds, out, out, &mut seen)?;
    }
    for folder in from {
        add(kinds, folder, out, &mut seen)?;
    }
    Results::read(kinds, out)?.write(presentations, out, out)?;
    Ok(seen.len())
}

/// The runs by their stems: folder and record.
type Seen = BTreeMap<String, (PathBuf, Found)>;

fn add(kinds: &[Kind], folder: &Path, out: &Path, seen: &mut Seen) -> Result<()> {
    for found in Results::read(kinds, folder)?.found() {
        let stem = &found.stem;
        if let Some((other, of_other)) = seen.get(stem) {
            let what = if of_other.hash != found.hash {
                "is of another config"
            } else if !same_metrics(found, of_other) {
                "has other measures"
            } else {
                continue;
            };
            let (a, b) = (record_path(folder, stem), record_path(other, stem));
            bail!(
                "{} {what} than {}: remove one of them",
                a.display(),
                b.display()
            );
        }
        if folder != out {
            for path in [figure_path, record_path] {
                let from = path(folder, stem);
                if from.exists() {
                    let bytes = std::fs::read(&from)
                        .with_context(|| format!("{}: cannot be read", from.display()))?;
                    store::write(&path(out, stem), &bytes)?;
                }
            }
        }
        seen.insert(stem.clone(), (folder.to_owned(), found.clone()));
    }
    Ok(())
}

/// Whether all digits are the same.
fn same_metrics(a: &Found, b: &Found) -> bool {
    let same = |(a, b): (&super::metrics_csv::Row, &super::metrics_csv::Row)| {
        (&a.model, &a.metric, a.value.to_bits()) == (&b.model, &b.metric, b.value.to_bits())
    };
    a.rows.len() == b.rows.len() && a.rows.iter().zip(&b.rows).all(same)
}
