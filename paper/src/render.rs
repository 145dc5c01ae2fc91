//! Writes everything that follows from records into a results folder.

use crate::posterior::{self, PosteriorFigure, amortised};
use crate::record::{self, FigureData};
use crate::results::Results;
use crate::work::{Recorded, Stamped};
use crate::{figures, metrics_csv, report, tables};
use anyhow::Result;
use std::path::Path;

/// Writes `metrics.csv`, `tables/`, `figures/` and `REPORT.md`.
///
/// # Errors
/// The first file that cannot be written.
pub fn write_results(folder: &Path, results: &Results) -> Result<()> {
    let (mixtures, posteriors) = (&results.mixtures, &results.posteriors);
    metrics_csv::write(&folder.join("metrics.csv"), &results.rows())?;
    let tables = tables::all(mixtures);
    let mut of_posteriors = posterior::tables::all(posteriors);
    of_posteriors.extend(amortised::tables::all(&results.amortised));
    for t in tables.iter().chain(of_posteriors.iter().map(|t| &t.table)) {
        let at = |ending: &str| folder.join("tables").join(format!("{}.{ending}", t.stem));
        store::write(&at("csv"), &t.csv()?)?;
        store::write(&at("md"), t.markdown().as_bytes())?;
        store::write(&at("tex"), t.latex().as_bytes())?;
    }
    let at = folder.join("figures");
    let drawn = drawn::<_, FigureData>(folder, mixtures)?;
    let figures = figures::write_all(&at, mixtures, &drawn)?;
    let drawn = self::drawn::<_, PosteriorFigure>(folder, posteriors)?;
    let mut figures_of_posteriors = posterior::figures::write_all(&at, posteriors, &drawn)?;
    figures_of_posteriors.extend(amortised::figure::write_all(&at, &results.amortised)?);
    let mut text = report::markdown(results, &tables, &figures);
    text += &posterior::report::markdown(results, &of_posteriors, &figures_of_posteriors);
    Ok(store::write(&folder.join("REPORT.md"), text.as_bytes())?)
}

/// The records that have figure data, with them.
fn drawn<'a, R: Recorded, F: Stamped>(folder: &Path, records: &'a [R]) -> Result<Vec<(&'a R, F)>> {
    let mut drawn = Vec::new();
    for r in records {
        let path = record::figure_path(folder, &r.stem());
        if path.exists() {
            let data: F = record::read(&path)?;
            if data.hash() == r.hash() {
                drawn.push((r, data));
            }
        }
    }
    Ok(drawn)
}
