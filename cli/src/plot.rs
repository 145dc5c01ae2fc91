//! `amf plot`.

use super::cli::Plot;
use super::data;
use super::output::Output;
use anyhow::{Result, bail};
use density::Density;
use metrics::ImportanceWeights;
use numerics::random::stream;
use std::path::Path;

/// Draws of the model whose density is shown.
const DRAWS: usize = 50_000;

pub fn run(args: &Plot) -> Result<()> {
    let read = [Some(args.model.as_path()), args.data.as_deref()];
    let read: Vec<&Path> = read.into_iter().flatten().collect();
    check("--out", &args.out, &read)?;
    let density = data::model(&args.model)?;
    let table = match &args.data {
        Some(path) => Some(data::rows(
            path,
            &density,
            &args.columns,
            args.log_weight.as_ref(),
        )?),
        None => None,
    };
    let log_weights = table.as_ref().and_then(|t| t.log_weights.as_ref());
    let weights = log_weights.map(|w| ImportanceWeights::new(w)).transpose()?;
    let model = density.sample(DRAWS, &mut stream(args.seed.seed, "plot"));
    let columns: Vec<String> = density.columns().iter().map(|c| c.name.clone()).collect();
    let title = match density.report().source.as_deref() {
        Some(source) => format!("density fitted to {source}"),
        None => String::from("fitted density"),
    };
    let beneath = table.as_ref().map(|t| plots::Draws {
        values: t.values.as_ref(),
        weights: weights.as_ref().map(ImportanceWeights::shares),
    });
    draw(
        &args.out,
        &plots::Corner {
            name: "model",
            title: &title,
            columns: &columns,
            model: model.as_ref(),
            data: beneath,
        },
    )
}

/// Fails at once for a figure that could not be written.
pub fn check(option: &str, path: &Path, read: &[&Path]) -> Result<()> {
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    if !matches!(ending.as_deref(), Some("png" | "svg")) {
        bail!(
            "{option} {}: figures are .png or .svg; end the name so",
            path.display()
        );
    }
    Output::check_as(option, Some(path), read)?;
    Ok(())
}

/// Writes a corner plot, and says so when columns are left out.
pub fn draw(path: &Path, corner: &plots::Corner<'_>) -> Result<()> {
    plots::corner(path, corner)?;
    let columns = corner.columns.len();
    if columns > plots::MOST_SHOWN {
        say!("note: {} of {columns} columns are shown", plots::MOST_SHOWN);
    }
    Ok(())
}
