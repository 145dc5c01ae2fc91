//! Every figure of posteriors, from records.

mod corner;
mod plane;
mod shown;
mod sweep;

pub use shown::colour;

use super::arms::{Arm, benchmarks, dim};
use super::record::{PosteriorFigure, PosteriorRecord};
use crate::engine::figure::Figures;
use anyhow::Result;
use datasets::posterior::Benchmark;
use shown::shown;

/// Figures that a protocol can ask for.
pub const NAMES: &[&str] = &["densities", "components", "evaluations"];

/// The figures of a protocol that names none.
pub const USUAL: &[&str] = &["densities"];

/// Draws the figures of this name, if the records have their data.
///
/// # Errors
/// The first figure that cannot be drawn or written.
pub fn draw(
    name: &str,
    arms: &[Arm<'_>],
    drawn: &[(&PosteriorRecord, &PosteriorFigure)],
    figures: &mut Figures<'_>,
) -> Result<()> {
    match name {
        "densities" => {
            for benchmark in benchmarks(arms) {
                draw_densities(benchmark, drawn, figures)?;
            }
            Ok(())
        }
        "components" => {
            let path = figures.add(
                "components",
                "KL against the number of base components",
                "KL(posterior || q) against the number of components of the base, both axes logarithmic; the line marks the number of \
                 modes. Bars are standard errors over seeds.",
            );
            sweep::components(&path, arms)
        }
        "evaluations" => {
            let path = figures.add(
                "evaluations",
                "KL against likelihood evaluations and effective sample size",
                "KL(posterior || q) of the mixture against the likelihood evaluations N (left) and against the effective sample size \
                 that they have in the end (right), axes logarithmic. Bars are standard errors over seeds.",
            );
            sweep::evaluations(&path, arms)
        }
        _ => Ok(()),
    }
}

fn draw_densities(
    benchmark: Benchmark,
    drawn: &[(&PosteriorRecord, &PosteriorFigure)],
    figures: &mut Figures<'_>,
) -> Result<()> {
    let shown = shown(benchmark, drawn);
    if shown.len() < 2 {
        return Ok(());
    }
    let title = format!("{}: what the base makes of it", benchmark.title());
    if dim(benchmark) == 2 {
        let caption = "Density on a logarithmic scale of colours over five powers of ten. Black: where each density is as high as the \
                       exact one at the edge of its regions of highest density of 50, 90 and 99.9 %. Orange: the exact 99.9 % region, \
                       outside of which is the bridge mass. First seed.";
        plane::draw(&figures.add(benchmark.name(), title, caption), &shown)
    } else {
        let caption = "Marginal densities of each coordinate (grey: exact) and of each pair, on a logarithmic scale of colours over \
                       five powers of ten; black and orange as in the plane. First seed.";
        corner::draw(&figures.add(benchmark.name(), title, caption), &shown)
    }
}
