//! Layout: the draws that are shown, and where.

use super::{Corner, Draws, MOST_SHOWN};
use crate::canvas::{self, text_width};
use crate::smooth;
use crate::ticks::Ticks;
use faer::MatRef;

/// Most points of a panel, and of all panels.
const MOST_POINTS: (usize, usize) = (2_000, 30_000);
/// Share of each tail that an axis leaves out: of the model's draws, and of the data.
const TAILS: (f64, f64) = (0.001, 0.003);

/// Margins around and between the panels.
const BOTTOM: i32 = 84;
const TOP: i32 = 92;
const RIGHT: i32 = 30;
const GAP: i32 = 14;
/// Height of marks.
pub(super) const MARK: i32 = canvas::SMALL - 3;

/// Everything that is drawn.
pub(super) struct Figure {
    /// Factor on all sizes.
    pub fine: i32,
    /// Room at the left for marks and names.
    pub left: i32,
    pub title: String,
    /// Legend of the lines and of the points.
    pub legend: [String; 2],
    pub axes: Vec<Axis>,
    /// The model's draws, a column each.
    pub model: Vec<Vec<f64>>,
    /// Points that are shown, a column each.
    pub points: Vec<Vec<f64>>,
    /// Histogram of each column of the data, if there are any.
    pub bars: Option<Vec<Vec<f64>>>,
}

/// One coordinate.
pub(super) struct Axis {
    pub name: String,
    pub window: (f64, f64),
    /// Standard deviation of the model's bulk.
    pub scale: f64,
    pub ticks: Ticks,
}

/// A square of pixels: left, top, side.
#[derive(Clone, Copy)]
pub(super) struct Panel(pub i32, pub i32, pub i32);

impl Figure {
    pub(super) fn new(corner: &Corner<'_>, fine: i32) -> Self {
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
        let name = corner.name;
        let beneath = if corner.data.is_some() {
            String::from("data")
        } else {
            format!("draws of the {name}")
        };
        let model_is = if d == 1 {
            name.to_owned()
        } else {
            format!("{name}: density; regions of 50, 90 and 99 %")
        };
        let legend = [model_is, beneath];
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

    pub(super) fn panel(&self, row: usize, column: usize) -> Panel {
        let side = side(self.axes.len());
        let at = |start: i32, k: usize| self.fine * (start + k as i32 * (side + GAP));
        Panel(at(self.left, column), at(TOP, row), self.fine * side)
    }

    pub(super) fn size(&self) -> (u32, u32) {
        let d = self.axes.len() as i32;
        let inner = d * side(self.axes.len()) + (d - 1) * GAP;
        let sum = |before: i32, after: i32| (self.fine * (before + inner + after)) as u32;
        (sum(self.left, RIGHT), sum(TOP, BOTTOM))
    }
}

impl Axis {
    /// Where a value is between the ends of the axis, 0 to 1.
    pub(super) fn share(&self, v: f64) -> f64 {
        (v - self.window.0) / (self.window.1 - self.window.0)
    }

    /// The kernel's standard deviation for n draws: Silverman's rule, `0.9 s n^(-1/power)`.
    pub(super) fn smoothing(&self, n: usize, power: f64) -> f64 {
        use numerics::math::{exp, ln};
        0.9 * self.scale * exp(-ln(n as f64) / power)
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

/// A subsample of the rows: evenly spaced, or by weight.
fn evenly(rows: usize, weights: Option<&[f64]>, most: usize) -> Vec<usize> {
    let count = rows.min(most);
    let total = weights.map_or(rows as f64, |w| w.iter().sum());
    let (mut shown, mut before) = (Vec::new(), 0.0);
    for i in 0..rows {
        // A row stands for the middles of as many of `count` equal shares as its weight spans, and
        // is shown once.
        let after = before + weights.map_or(1.0, |w| w[i]) * count as f64 / total;
        if (after + 0.5).floor() > (before + 0.5_f64).floor() {
            shown.push(i);
        }
        before = after;
    }
    shown
}

/// The range of an axis: all but the ends of the tails, and a margin.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_shown_evenly_and_by_weight() {
        assert_eq!(evenly(5, None, 10), [0, 1, 2, 3, 4]);
        assert_eq!(evenly(1000, None, 4), [124, 374, 624, 874]);
        assert_eq!(evenly(5, Some(&[0.0, 1.0, 0.0, 3.0, 1e-9]), 4), [1, 3]);
    }
}
