//! Densities that figures show, and their colours.

use super::super::projections::Projections;
use super::super::record::{PosteriorFigure, PosteriorRecord};
use super::super::settings::rank;
use crate::engine::Record;
use crate::engine::figure::palette;
use datasets::posterior::Benchmark;
use plotters::style::RGBColor;

/// Shares of the exact posterior whose regions of highest density are outlined.
pub const SHARES: [f64; 3] = [0.5, 0.9, 0.999];
/// Range of log-densities that the colours show, below the exact maximum.
pub const RANGE: f64 = 11.512_925_464_970_229;

/// A density that a figure shows.
pub struct Shown {
    /// Heading.
    pub title: String,
    /// Of its lines.
    pub colour: RGBColor,
    /// The density.
    pub projections: Projections,
}

/// The exact density, then the fits on each base.
pub fn shown(benchmark: Benchmark, drawn: &[(&PosteriorRecord, &PosteriorFigure)]) -> Vec<Shown> {
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
pub fn heat(log_ratio: f64) -> RGBColor {
    palette::heat(1.0 + log_ratio / RANGE)
}

/// Log-densities of a plane as numbers.
pub fn values(plane: &[f32]) -> Vec<f64> {
    plane.iter().map(|l| f64::from(*l)).collect()
}

/// The largest log-density of a plane.
pub fn top(plane: &[f32]) -> f64 {
    plane
        .iter()
        .map(|l| f64::from(*l))
        .fold(f64::NEG_INFINITY, f64::max)
}
