//! The corner plot of a density: marginals on the diagonal, pairs below it.

mod draw;
mod figure;

use crate::PlotError;
use crate::canvas;
use faer::MatRef;
use figure::Figure;
use std::path::Path;

/// Columns shown at most.
pub const MOST_SHOWN: usize = 10;

/// How much finer a PNG is drawn before it is averaged down.
const FINE: i32 = 3;

/// A density, given by draws, and optionally the draws that it was fitted to.
#[derive(Debug, Clone, Copy)]
pub struct Corner<'a> {
    /// What the draws stand for, in the legend: "model".
    pub name: &'a str,
    /// A heading.
    pub title: &'a str,
    /// Names of the columns.
    pub columns: &'a [String],
    /// Draws of the model, n x d: its densities are smoothed from these; 50,000 give smooth lines.
    pub model: MatRef<'a, f64>,
    /// Draws shown beneath; without them, draws of the model.
    pub data: Option<Draws<'a>>,
}

/// Draws with weights.
#[derive(Debug, Clone, Copy)]
pub struct Draws<'a> {
    /// One draw for each row, n x d.
    pub values: MatRef<'a, f64>,
    /// Weights that are not negative and not all zero; equal without.
    pub weights: Option<&'a [f64]>,
}

/// Writes a corner plot as PNG or SVG, by the ending of the file's name. Of more than
/// [`MOST_SHOWN`] columns the first are shown.
///
/// On the diagonal is the model's density over a histogram of the data. Below it the model's
/// regions of highest density of 50, 90 and 99 % are outlined over the data. The model's densities
/// are histograms of its draws, smoothed by a Gaussian kernel whose width follows from Silverman's
/// rule.
///
/// # Errors
/// [`PlotError::Format`] for another ending; [`PlotError::Input`] for no rows, shapes that do not
/// fit, numbers that are not finite, or weights that are negative or all zero; [`PlotError::Write`]
/// if the file cannot be written.
pub fn corner(path: &Path, corner: &Corner<'_>) -> Result<(), PlotError> {
    let name = path.display().to_string();
    if let Some(problem) = corner.problem() {
        let path = name;
        return Err(PlotError::Input { path, problem });
    }
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    match ending.as_deref() {
        Some("png") => {
            let figure = Figure::new(corner, FINE);
            canvas::smooth_png(path, figure.size(), FINE as u32, |area| figure.draw(area))
        }
        Some("svg") => {
            let figure = Figure::new(corner, 1);
            canvas::svg(path, figure.size(), |area| figure.draw(area))
        }
        _ => Err(PlotError::Format { path: name }),
    }
}

impl Corner<'_> {
    /// Why the plot cannot be drawn.
    fn problem(&self) -> Option<String> {
        let d = self.columns.len();
        let data = self.data.map(|data| data.values);
        for (what, values) in [("model", Some(self.model)), ("data", data)] {
            let Some(values) = values else { continue };
            if values.ncols() != d || d == 0 {
                let found = values.ncols();
                return Some(format!("{d} names for the {found} columns of the {what}"));
            }
            if values.nrows() < 2 {
                return Some(format!("fewer than two draws of the {what}"));
            }
            let finite = |j| values.col(j).iter().all(|v| v.is_finite());
            if !(0..d).all(finite) {
                return Some(format!("numbers of the {what} are not finite"));
            }
        }
        let Draws {
            values,
            weights: Some(weights),
        } = self.data?
        else {
            return None;
        };
        let fit = weights.len() == values.nrows() && weights.iter().all(|w| *w >= 0.0);
        let total: f64 = weights.iter().sum();
        let sound = fit && total > 0.0 && total.is_finite();
        (!sound)
            .then(|| "weights must be one for each row, not negative, and not all zero".to_owned())
    }
}
