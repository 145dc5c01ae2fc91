//! The corner plot of a density: marginals on the diagonal, pairs below it.

use crate::PlotError;
use crate::canvas::{self, Drawn, font, text_width};
use crate::contour;
use crate::palette::INK;
use crate::smooth;
use crate::ticks::Ticks;
use faer::MatRef;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::FontTransform;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::Path;

/// Columns that are shown at most.
pub const MOST_SHOWN: usize = 10;
/// Points of a panel at most, and of all panels.
const MOST_POINTS: (usize, usize) = (2_000, 30_000);
/// Regions of highest density that are outlined: how much more is smoothed for each, because draws are sparse at its edge, and
/// the strength of its line.
const SHARES: [(f64, f64, f64); 3] = [(0.99, 1.7, 0.55), (0.9, 1.2, 0.8), (0.5, 1.0, 1.0)];
/// Cells of a grid, of a plane along each side.
const CELLS: (usize, usize) = (240, 110);
/// What an axis shows: of the model's draws, and of the data.
const TAILS: (f64, f64) = (0.001, 0.003);

/// How much finer a PNG is drawn before it is averaged down.
const FINE: i32 = 3;

const MODEL: RGBColor = RGBColor(0, 100, 170);
const DATA: RGBColor = RGBColor(120, 120, 120);
const FRAME: RGBColor = RGBColor(110, 110, 110);

/// A density, known by draws, and perhaps the draws that it was fitted to.
#[derive(Debug, Clone, Copy)]
pub struct Corner<'a> {
    /// A heading.
    pub title: &'a str,
    /// Names of the columns.
    pub columns: &'a [String],
    /// Draws of the model, n x d: its densities are smoothed from these, 50,000 of them make fine lines.
    pub model: MatRef<'a, f64>,
    /// What is shown beneath; without it, draws of the model.
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

/// Writes a corner plot as PNG or SVG, by the ending of the name; of more than [`MOST_SHOWN`] columns the first are shown.
///
/// Marginals are on the diagonal: the model's density over a histogram of the data. Below it the model's regions of highest
/// density that hold 50, 90 and 99 % are outlined over the data. The model's densities are histograms of its draws under a
/// Gaussian kernel, whose width follows from their number and the width of their bulk.
///
/// # Errors
/// [`PlotError::Format`] for another ending, [`PlotError::Input`] for no rows, shapes that do not fit, numbers that are not finite,
/// weights that weigh nothing; [`PlotError::Write`] if the file cannot be written.
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
    /// Why this cannot be drawn.
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

/// Everything that is drawn, worked out.
struct Figure {
    /// What all sizes are multiplied by.
    fine: i32,
    /// Room at the left for marks and names.
    left: i32,
    title: String,
    legend: Vec<(String, RGBColor)>,
    axes: Vec<Axis>,
    /// The model's draws, a column each.
    model: Vec<Vec<f64>>,
    /// Points that are shown, a column each.
    points: Vec<Vec<f64>>,
    bars: Option<Vec<Vec<f64>>>,
}

/// One coordinate.
struct Axis {
    name: String,
    window: (f64, f64),
    /// Standard deviation of the model's bulk.
    scale: f64,
    ticks: Ticks,
}

/// A square of pixels: left, top, side.
#[derive(Clone, Copy)]
struct Panel(i32, i32, i32);

/// Around and between the panels.
const BOTTOM: i32 = 84;
const TOP: i32 = 92;
const RIGHT: i32 = 30;
const GAP: i32 = 14;
/// Height of marks.
const MARK: i32 = canvas::SMALL - 3;

impl Figure {
    fn new(corner: &Corner<'_>, fine: i32) -> Self {
        let d = corner.columns.len().min(MOST_SHOWN);
        let columns = |values: MatRef<'_, f64>| -> Vec<Vec<f64>> {
            (0..d)
                .map(|j| values.col(j).iter().copied().collect())
                .collect()
        };
        let model = columns(corner.model);
        let weights = corner.data.and_then(|d| d.weights).map(<[f64]>::to_vec);
        let beneath = corner.data.map_or(corner.model, |d| d.values);
        let pairs = (d * (d - 1) / 2).max(1);
        let most = MOST_POINTS.0.min(MOST_POINTS.1 / pairs);
        let shown = evenly(beneath.nrows(), weights.as_deref(), most);
        let point = |j: usize| shown.iter().map(|i| beneath[(*i, j)]).collect();
        let points: Vec<Vec<f64>> = (0..d).map(point).collect();
        let axes: Vec<Axis> = (0..d)
            .map(|j| {
                let mut sorted = model[j].clone();
                sorted.sort_by(f64::total_cmp);
                // The points are draws of the weighted data: their quantiles need no weights.
                let mut seen = points[j].clone();
                seen.sort_by(f64::total_cmp);
                let window = window(&sorted, &seen);
                Axis {
                    name: corner.columns[j].clone(),
                    window,
                    scale: smooth::scale(&sorted),
                    ticks: ticks(window, side(d)),
                }
            })
            .collect();
        let up = axes.iter().skip(1).flat_map(|a| &a.ticks.marks);
        let widest = up.map(|(_, s)| text_width(s, MARK)).max().unwrap_or(0);
        let bars = corner.data.map(|data| {
            let column = |j: usize| bars(data, j, axes[j].window);
            (0..d).map(column).collect()
        });
        let mut title = corner.title.to_owned();
        if d < corner.columns.len() {
            let more = format!("first {d} of {} columns", corner.columns.len());
            title = if title.is_empty() {
                more
            } else {
                format!("{title} ({more})")
            };
        }
        let beneath = if corner.data.is_some() {
            "data"
        } else {
            "draws of the model"
        };
        let under = if corner.data.is_some() { DATA } else { light() };
        let model_is = if d == 1 {
            "model"
        } else {
            "model: density; regions of 50, 90 and 99 %"
        };
        let legend = vec![(model_is.to_owned(), MODEL), (beneath.to_owned(), under)];
        Self {
            fine,
            left: widest + 62,
            title,
            legend,
            axes,
            model,
            points,
            bars,
        }
    }

    fn panel(&self, row: usize, column: usize) -> Panel {
        let side = side(self.axes.len());
        let at = |start: i32, k: usize| self.fine * (start + k as i32 * (side + GAP));
        Panel(at(self.left, column), at(TOP, row), self.fine * side)
    }

    fn size(&self) -> (u32, u32) {
        let d = self.axes.len() as i32;
        let inner = d * side(self.axes.len()) + (d - 1) * GAP;
        let sum = |before: i32, after: i32| (self.fine * (before + inner + after)) as u32;
        (sum(self.left, RIGHT), sum(TOP, BOTTOM))
    }

    /// The font at a size, to be placed by a point of its box.
    fn text(&self, size: i32, h: HPos, v: VPos) -> TextStyle<'static> {
        font(self.fine * size).pos(Pos::new(h, v))
    }

    /// Text from below upwards, left of a panel.
    fn upright<DB: DrawingBackend<ErrorType: 'static>>(
        &self,
        area: &DrawingArea<DB, Shift>,
        text: String,
        at: (i32, i32),
    ) -> Drawn {
        let style = ("sans-serif", self.fine * canvas::SMALL).into_font();
        let style = style.transform(FontTransform::Rotate270).color(&INK);
        let style = style.pos(Pos::new(HPos::Center, VPos::Top));
        Ok(area.draw(&Text::new(text, at, style))?)
    }

    fn draw<DB: DrawingBackend<ErrorType: 'static>>(&self, area: &DrawingArea<DB, Shift>) -> Drawn {
        self.heading(area)?;
        for row in 0..self.axes.len() {
            for column in 0..=row {
                let panel = self.panel(row, column);
                if row == column {
                    self.marginal(area, panel, row)?;
                } else {
                    self.pair(area, panel, (column, row))?;
                }
                self.frame(area, panel, (row, column))?;
            }
        }
        Ok(())
    }

    /// The title, and what the colours stand for.
    fn heading<DB: DrawingBackend<ErrorType: 'static>>(
        &self,
        area: &DrawingArea<DB, Shift>,
    ) -> Drawn {
        let f = self.fine;
        let width = self.size().0 as i32 / f;
        let style = self.text(canvas::LARGE, HPos::Center, VPos::Center);
        let title = cut(&self.title, canvas::LARGE, width - 40);
        area.draw(&Text::new(title, (f * width / 2, f * 28), style))?;
        let style = self.text(canvas::SMALL, HPos::Left, VPos::Center);
        let entry = |name: &str| text_width(name, canvas::SMALL) + 58;
        let total: i32 = self.legend.iter().map(|(name, _)| entry(name)).sum();
        let (mut x, y) = ((width - total + 24) / 2, 66);
        for (k, (name, colour)) in self.legend.iter().enumerate() {
            if k == 0 {
                let corners = [(f * x, f * (y - 1)), (f * (x + 24), f * (y + 1))];
                area.draw(&Rectangle::new(corners, colour.filled()))?;
            } else {
                for (dx, dy) in [(3, -4), (10, 4), (16, -2), (22, 5)] {
                    let at = (f * (x + dx), f * (y + dy));
                    area.draw(&Circle::new(at, 2 * f, colour.filled()))?;
                }
            }
            area.draw(&Text::new(
                name.clone(),
                (f * (x + 34), f * y),
                style.clone(),
            ))?;
            x += entry(name);
        }
        Ok(())
    }

    /// The model's density over the histogram of the data.
    fn marginal<DB: DrawingBackend<ErrorType: 'static>>(
        &self,
        area: &DrawingArea<DB, Shift>,
        Panel(left, top, side): Panel,
        j: usize,
    ) -> Drawn {
        let axis = &self.axes[j];
        let x = &self.model[j];
        let width = 1.1 * axis.smoothing(x.len(), 5.0);
        let curve = smooth::line(x, axis.window, CELLS.0, width);
        let bars = self
            .bars
            .as_ref()
            .map(|b| b[j].as_slice())
            .unwrap_or_default();
        let highest = curve.iter().chain(bars).copied().fold(0.0, f64::max);
        let y_of = |p: f64| top + side - (f64::from(side) * 0.94 * p / highest).round() as i32;
        let x_of =
            |i: f64, count: usize| left + (f64::from(side) * i / count as f64).round() as i32;
        for (i, p) in bars.iter().enumerate() {
            let (a, b) = (x_of(i as f64, bars.len()), x_of((i + 1) as f64, bars.len()));
            let corners = [(a, y_of(*p)), (b, top + side)];
            area.draw(&Rectangle::new(corners, RGBColor(222, 222, 222).filled()))?;
        }
        let points = curve.iter().enumerate();
        let points = points.map(|(i, p)| (x_of(i as f64 + 0.5, CELLS.0), y_of(*p)));
        area.draw(&PathElement::new(
            points.collect::<Vec<_>>(),
            MODEL.stroke_width(2 * self.fine as u32),
        ))?;
        Ok(())
    }

    /// The model's regions of highest density over the points.
    fn pair<DB: DrawingBackend<ErrorType: 'static>>(
        &self,
        area: &DrawingArea<DB, Shift>,
        Panel(left, top, side): Panel,
        (i, j): (usize, usize),
    ) -> Drawn {
        let (a, b) = (&self.axes[i], &self.axes[j]);
        let place = |u: f64, v: f64| {
            let at = |t: f64| (f64::from(side) * t).round() as i32;
            (left + at(u), top + side - at(v))
        };
        let colour = if self.bars.is_some() { DATA } else { light() };
        let strength = if self.points[i].len() > 800 {
            0.35
        } else {
            0.5
        };
        // Half a pixel more than one in small panels.
        let radius = if side > 250 * self.fine {
            2 * self.fine
        } else {
            (3 * self.fine + 1) / 3
        };
        for (x, y) in self.points[i].iter().zip(&self.points[j]) {
            let (u, v) = (a.share(*x), b.share(*y));
            if (0.0..1.0).contains(&u) && (0.0..1.0).contains(&v) {
                let style = colour.mix(strength).filled();
                area.draw(&Circle::new(place(u, v), radius, style))?;
            }
        }
        let (x, y) = (&self.model[i], &self.model[j]);
        let widths = [a.smoothing(x.len(), 6.0), b.smoothing(y.len(), 6.0)];
        for (share, more, strength) in SHARES {
            let widths = widths.map(|w| more * w);
            let shares = smooth::plane((x, y), [a.window, b.window], CELLS.1, widths);
            let level = smooth::level(&shares, share);
            for line in contour::lines(&shares, CELLS.1, level) {
                let at = |v: f64| (v + 0.5) / CELLS.1 as f64;
                let points: Vec<(i32, i32)> =
                    line.into_iter().map(|(u, v)| place(at(u), at(v))).collect();
                let style = MODEL.mix(strength).stroke_width(2 * self.fine as u32);
                area.draw(&PathElement::new(points, style))?;
            }
        }
        Ok(())
    }

    /// The frame of a panel, and at the edges of the triangle its ticks and names.
    fn frame<DB: DrawingBackend<ErrorType: 'static>>(
        &self,
        area: &DrawingArea<DB, Shift>,
        Panel(left, top, side): Panel,
        (row, column): (usize, usize),
    ) -> Drawn {
        let f = self.fine;
        let (right, bottom, tick) = (left + side, top + side, 6 * f);
        let line = |a, b| PathElement::new(vec![a, b], FRAME.stroke_width(f as u32));
        let (across, up) = (&self.axes[column], &self.axes[row]);
        let last = row + 1 == self.axes.len();
        for (v, text) in &across.ticks.marks {
            let x = left + (f64::from(side) * across.share(*v)).round() as i32;
            area.draw(&line((x, bottom), (x, bottom - tick)))?;
            if last {
                let style = self.text(MARK, HPos::Center, VPos::Top);
                area.draw(&Text::new(text.clone(), (x, bottom + 8 * f), style))?;
            }
        }
        if last {
            let style = self.text(canvas::SMALL, HPos::Center, VPos::Top);
            let name = cut(&across.ticks.label(&across.name), canvas::SMALL, side / f);
            area.draw(&Text::new(name, (left + side / 2, bottom + 42 * f), style))?;
        }
        if row != column {
            for (v, text) in &up.ticks.marks {
                let y = bottom - (f64::from(side) * up.share(*v)).round() as i32;
                area.draw(&line((left, y), (left + tick, y)))?;
                if column == 0 {
                    let style = self.text(MARK, HPos::Right, VPos::Center);
                    area.draw(&Text::new(text.clone(), (left - 8 * f, y), style))?;
                }
            }
        }
        let middle = top + side / 2;
        if row > 0 && column == 0 {
            let name = cut(&up.ticks.label(&up.name), canvas::SMALL, side / f);
            self.upright(area, name, (14 * f, middle))?;
        } else if self.axes.len() == 1 {
            self.upright(area, "density".into(), (left - 36 * f, middle))?;
        }
        let corners = [
            (left, top),
            (right, top),
            (right, bottom),
            (left, bottom),
            (left, top),
        ];
        area.draw(&PathElement::new(
            corners.to_vec(),
            FRAME.stroke_width(f as u32),
        ))?;
        Ok(())
    }
}

/// Pixels along the side of a panel of d x d.
fn side(d: usize) -> i32 {
    match d {
        1 => 520,
        2 => 380,
        3 => 300,
        _ => (1080 / d as i32).max(140),
    }
}

/// As many marks as have room beneath a panel.
fn ticks((low, high): (f64, f64), side: i32) -> Ticks {
    let most = if side > 250 { 6 } else { 5 };
    let all = (2..=most).rev().map(|count| Ticks::new(low, high, count));
    let room = |t: &Ticks| {
        let widths = t.marks.iter().map(|(_, s)| text_width(s, MARK) + 14);
        t.marks.len() > 1 && widths.sum::<i32>() <= side
    };
    let mut all = all.collect::<Vec<_>>().into_iter();
    all.find(room).unwrap_or_else(|| Ticks::new(low, high, 2))
}

impl Axis {
    /// Where a value is between the ends of the axis, 0 to 1.
    fn share(&self, v: f64) -> f64 {
        (v - self.window.0) / (self.window.1 - self.window.0)
    }

    /// The kernel's standard deviation for n draws: Silverman's rule, `0.9 s n^(-1/power)`.
    fn smoothing(&self, n: usize, power: f64) -> f64 {
        use numerics::math::{exp, ln};
        0.9 * self.scale * exp(-ln(n as f64) / power)
    }
}

/// The model's colour under its own lines.
fn light() -> RGBColor {
    RGBColor(130, 175, 215)
}

/// Rows that stand for all: evenly spaced, or where the weights have it.
fn evenly(rows: usize, weights: Option<&[f64]>, most: usize) -> Vec<usize> {
    let count = rows.min(most);
    let total = weights.map_or(rows as f64, |w| w.iter().sum());
    let (mut shown, mut before) = (Vec::new(), 0.0);
    for i in 0..rows {
        // A row stands for the middles of as many of `count` equal shares as its weight spans, and is shown once.
        let after = before + weights.map_or(1.0, |w| w[i]) * count as f64 / total;
        if (after + 0.5).floor() > (before + 0.5_f64).floor() {
            shown.push(i);
        }
        before = after;
    }
    shown
}

/// What an axis shows: all but the ends of the tails, and some room.
fn window(model: &[f64], data: &[f64]) -> (f64, f64) {
    let quantile =
        |sorted: &[f64], p: f64| sorted[(p * (sorted.len() - 1) as f64).round() as usize];
    let low = quantile(model, TAILS.0).min(quantile(data, TAILS.1));
    let high = quantile(model, 1.0 - TAILS.0).max(quantile(data, 1.0 - TAILS.1));
    let room = 0.07 * (high - low);
    if room > 0.0 && room.is_finite() {
        (low - room, high + room)
    } else {
        // One value alone.
        let room = 0.5 * low.abs().max(1e-300);
        (low - room, low + room)
    }
}

/// The histogram of a column of the data, per unit of x.
fn bars(data: Draws<'_>, j: usize, window: (f64, f64)) -> Vec<f64> {
    let column: Vec<f64> = data.values.col(j).iter().copied().collect();
    let mut sorted = column.clone();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let width = 2.5 * smooth::scale(&sorted) / numerics::math::exp(numerics::math::ln(n) / 3.0);
    let count = ((window.1 - window.0) / width).clamp(12.0, 60.0) as usize;
    let weight = |i: usize| data.weights.map_or(1.0, |w| w[i]);
    let total: f64 = (0..column.len()).map(weight).sum();
    let cell = (window.1 - window.0) / count as f64;
    let mut out = vec![0.0; count];
    for (i, v) in column.iter().enumerate() {
        if let Some(k) = smooth::cell_of(*v, window, count) {
            out[k] += weight(i) / (total * cell);
        }
    }
    out
}

/// As much of a text as fits.
fn cut(text: &str, size: i32, width: i32) -> String {
    let mut shown = text.to_owned();
    let mut kept: Vec<char> = text.chars().collect();
    while text_width(&shown, size) > width && kept.pop().is_some() {
        shown = kept.iter().collect::<String>() + "..";
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_shown_evenly_and_by_weight() {
        assert_eq!(evenly(5, None, 10), [0, 1, 2, 3, 4]);
        assert_eq!(evenly(1000, None, 4), [124, 374, 624, 874]);
        assert_eq!(evenly(5, Some(&[0.0, 1.0, 0.0, 3.0, 1e-9]), 4), [1, 3]);
    }

    #[test]
    fn long_names_are_cut() {
        assert_eq!(cut("mu", 20, 100), "mu");
        let shown = cut("a_name_that_is_much_too_long_for_its_panel", 20, 150);
        assert!(
            shown.ends_with("..") && text_width(&shown, 20) <= 150,
            "{shown}"
        );
    }
}
