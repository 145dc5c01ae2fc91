//! Models and tables from the paths on the command line.

use super::cli::Fit;
use amf::{Column, FittedDensity};
use anyhow::{Result, bail};
use density::Support;
use std::path::Path;
use tables::{ReadOptions, Table};

/// A model file.
pub fn model(path: &Path) -> Result<FittedDensity> {
    match FittedDensity::load(path) {
        Ok(density) => Ok(density),
        Err(density::archive::LoadError::Io { path, source })
            if source.kind() == std::io::ErrorKind::NotFound =>
        {
            bail!("{path}: no such file; check the path")
        }
        Err(e) => Err(e.into()),
    }
}

/// The columns of a model from a table.
pub fn rows(
    path: &Path,
    density: &FittedDensity,
    columns: &[String],
    log_weight: Option<&String>,
) -> Result<Table> {
    let own: Vec<String> = density.columns().iter().map(|c| c.name.clone()).collect();
    let wanted = if columns.is_empty() {
        own
    } else if columns.len() == own.len() {
        columns.to_vec()
    } else {
        bail!(
            "--columns names {} columns where the model has {}: {}",
            columns.len(),
            own.len(),
            own.join(", ")
        )
    };
    let options = ReadOptions {
        columns: Some(wanted),
        log_weight: log_weight.cloned(),
    };
    Ok(tables::read(path, &options)?)
}

/// The columns of a table with the bounds that were asked for.
pub fn bounded(table: &Table, args: &Fit) -> Result<Vec<Column>> {
    let mut columns: Vec<Column> = table.columns.iter().map(Column::real).collect();
    let positive = args.positive.iter().map(|name| (name, Support::Positive));
    let intervals = args.interval.iter().map(|(name, low, high)| {
        let (low, high) = (*low, *high);
        (name, Support::Interval { low, high })
    });
    let above = args
        .above
        .iter()
        .map(|(name, low)| (name, Support::Above { low: *low }));
    let below = args
        .below
        .iter()
        .map(|(name, high)| (name, Support::Below { high: *high }));
    let bounds = positive.chain(intervals).chain(above).chain(below);
    for (name, support) in bounds {
        let Some(column) = columns.iter_mut().find(|c| c.name == *name) else {
            let nearest = nearest(name, &table.columns);
            bail!(
                "{}: no column \"{name}\" to bound among those fitted; {nearest}",
                table.source
            );
        };
        if column.support != Support::Real {
            bail!("column \"{name}\" is given two bounds; give it one");
        }
        support
            .check()
            .map_err(|e| anyhow::anyhow!("column \"{name}\": {e}"))?;
        column.support = support;
    }
    Ok(columns)
}

fn nearest(name: &str, columns: &[String]) -> String {
    let distance = |c: &&String| strsim::damerau_levenshtein(name, c);
    match columns.iter().min_by_key(distance) {
        Some(c) if name.len() > 2 && distance(&c) <= name.len() / 3 => {
            format!("did you mean \"{c}\"?")
        }
        _ => format!("there are: {}", columns.join(", ")),
    }
}
