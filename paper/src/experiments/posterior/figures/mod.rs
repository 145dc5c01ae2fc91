//! Every figure of posteriors, from records.

mod corner;
mod plane;
mod sweep;

use super::arms::{Arm, benchmarks, dim};
use super::projections::{Projections, WINDOW, pairs};
use super::record::{PosteriorFigure, PosteriorRecord};
use super::settings::rank;
use crate::engine::Record;
use crate::engine::figure::{Figures, palette};
use anyhow::Result;
use datasets::posterior::Benchmark;
use plotters::style::RGBColor;

/// Shares of the exact posterior whose regions of highest density are outlined.
const SHARES: [f64; 3] = [0.5, 0.9, 0.999];
/// Range of log-densities that the colours show, below the exact maximum.
const RANGE: f64 = 11.512_925_464_970_229;

/// A density that a figure shows.
struct Shown {
    title: String,
    colour: RGBColor,
    projections: Projections,
}

/// Figures that a protocol can ask for.
pub const NAMES: &[&str] = &["densities", "components", "evaluations"];

/// Those of a protocol that asks for none by name.
pub const USUAL: &[&str] = &["densities"];

/// Draws the figures of this name, if the records hold what they show.
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
                "KL(posterior || q) of the mixture against the likelihood evaluations N (left) and against the effective sample size that \
                 they have in the end (right), axes logarithmic. Bars are standard errors over seeds.",
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
        let caption = "Density on a logarithmic scale of colours over five powers of ten. Black: where each density is as high as the exact \
                       one at the edge of its regions of highest density of 50, 90 and 99.9 %. Orange: the exact 99.9 % region, outside of \
                       which is the bridge mass. First seed.";
        plane::draw(&figures.add(benchmark.name(), title, caption), &shown)
    } else {
        let caption = "Marginal densities of each coordinate (grey: exact) and of each pair, on a logarithmic scale of colours over five \
                       powers of ten; black and orange as in the plane. First seed.";
        corner::draw(&figures.add(benchmark.name(), title, caption), &shown)
    }
}

/// The exact density, then the fits on each base.
fn shown(benchmark: Benchmark, drawn: &[(&PosteriorRecord, &PosteriorFigure)]) -> Vec<Shown> {
    let mut fits: Vec<_> = drawn
        .iter()
        .filter(|(r, _)| r.run.benchmark == benchmark)
        .collect();
    if fits.is_empty() {
        return Vec::new();
    }
    fits.sort_by_key(|(r, _)| rank(&r.run.base));
    let problem = benchmark.problem();
    let exact = Shown {
        title: "exact posterior".into(),
        colour: palette::TARGET,
        projections: Projections::of(problem.dim(), &|x| problem.log_posterior(x)),
    };
    let fits = fits.into_iter().map(|(r, data)| {
        let value = |metric: &str| r.get("mixture", metric).unwrap_or(f64::NAN);
        Shown {
            title: format!(
                "{} base: KL {:.3}, bridges {:.1} %",
                r.run.base,
                value("kl_forward"),
                100.0 * value("bridge_mass")
            ),
            colour: colour(&r.run.base),
            projections: data.projections.clone(),
        }
    });
    std::iter::once(exact).chain(fits).collect()
}

/// One colour for each base.
#[must_use]
pub fn colour(base: &str) -> RGBColor {
    match base {
        "normal" => RGBColor(213, 94, 0),
        "matched" => RGBColor(0, 114, 178),
        "bic" => RGBColor(0, 158, 115),
        _ => RGBColor(204, 121, 167),
    }
}

/// The colour of a log-density relative to the exact maximum.
fn heat(log_ratio: f64) -> RGBColor {
    palette::heat(1.0 + log_ratio / RANGE)
}

/// Log-densities of a plane as numbers.
fn values(plane: &[f32]) -> Vec<f64> {
    plane.iter().map(|l| f64::from(*l)).collect()
}

/// The largest log-density of a plane.
fn top(plane: &[f32]) -> f64 {
    plane
        .iter()
        .map(|l| f64::from(*l))
        .fold(f64::NEG_INFINITY, f64::max)
}

/// The plans of some arms, in their order, with the bases.
fn series<'a>(arms: &[Arm<'a>]) -> Vec<(&'a str, &'a str)> {
    let mut all: Vec<(&str, &str)> = Vec::new();
    for a in arms {
        if !all.contains(&(a.plan(), a.base())) {
            all.push((a.plan(), a.base()));
        }
    }
    all
}
