//! Writes everything that follows from records into a results folder.

use crate::record::{self, FigureData, Record};
use crate::{figures, metrics_csv, report, tables};
use anyhow::Result;
use std::path::Path;

/// Writes `metrics.csv`, `tables/`, `figures/` and `REPORT.md`.
///
/// # Errors
/// The first file that cannot be written.
pub fn write_results(folder: &Path, records: &[Record]) -> Result<()> {
    metrics_csv::write(&folder.join("metrics.csv"), &metrics_csv::rows(records))?;
    let tables = tables::all(records);
    for t in &tables {
        let at = |ending: &str| folder.join("tables").join(format!("{}.{ending}", t.stem));
        record::write_bytes(&at("csv"), &t.csv()?)?;
        record::write_bytes(&at("md"), t.markdown().as_bytes())?;
        record::write_bytes(&at("tex"), t.latex().as_bytes())?;
    }
    let mut drawn = Vec::new();
    for r in records {
        let path = FigureData::path(folder, &r.run);
        if path.exists() {
            let data: FigureData = record::read(&path)?;
            if data.hash == r.hash {
                drawn.push((r, data));
            }
        }
    }
    let figures = figures::write_all(&folder.join("figures"), records, &drawn)?;
    let text = report::markdown(records, &tables, &figures);
    record::write_bytes(&folder.join("REPORT.md"), text.as_bytes())
}
