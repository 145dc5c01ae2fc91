//! Columns of counts or of rounded values: atoms, which have no density until they are dequantised.

use density::Support;
use faer::prelude::*;
use numerics::matrix::col_mut;
use numerics::random::{Pcg64, uniform};

/// Values count as repeated when each occurs in this many rows on average.
const ROWS_FOR_EACH: usize = 2;
/// A value on a grid is within this of a multiple of the step, in steps.
const NEAR: f64 = 1e-3;
/// The largest number of steps of a grid: beyond it, rounding makes every value a multiple.
const MOST_STEPS: f64 = 1e9;
/// A single value that holds this share of the rows is worth a note.
const NOTABLE: f64 = 0.05;

/// Repeated values of a column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ties {
    /// Number of different values.
    pub different: usize,
    /// The step of the grid, if all differences are multiples of one.
    pub step: Option<f64>,
    /// The most frequent value and how many rows have it.
    pub most: (f64, usize),
}

impl Ties {
    /// From a column of at least one row.
    pub fn of(column: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = column.collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let mut values: Vec<f64> = Vec::new();
        let (mut run, mut most) = (0, (sorted[0], 0));
        for v in sorted {
            if values.last() == Some(&v) {
                run += 1;
            } else {
                values.push(v);
                run = 1;
            }
            if run > most.1 {
                most = (v, run);
            }
        }
        Self {
            different: values.len(),
            step: step(&values),
            most,
        }
    }

    /// Whether the values are on a grid that is coarse for this number of rows.
    pub fn on_coarse_grid(&self, rows: usize) -> bool {
        self.step.is_some() && self.repeats(rows)
    }

    /// Whether values repeat throughout.
    pub fn repeats(&self, rows: usize) -> bool {
        rows >= ROWS_FOR_EACH * self.different
    }

    /// Whether more than half of the rows have one value, in a column that is not on a grid.
    pub fn is_atom(&self, rows: usize) -> bool {
        !self.on_coarse_grid(rows) && 2 * self.most.1 > rows
    }

    /// A note about ties that are not dequantised.
    pub fn note(&self, name: &str, rows: usize) -> Option<String> {
        let (value, count) = self.most;
        let advice = "repeated values have a probability and no density, and flatter the likelihoods: model such rows apart";
        if self.on_coarse_grid(rows) {
            None
        } else if count > 1 && count as f64 > NOTABLE * rows as f64 {
            Some(format!(
                "column \"{name}\": {count} of {rows} rows are exactly {value}; {advice}"
            ))
        } else if self.repeats(rows) {
            let different = self.different;
            Some(format!(
                "column \"{name}\": only {different} values in {rows} rows; {advice}"
            ))
        } else {
            None
        }
    }
}

/// The step of the grid that sorted different values lie on.
fn step(values: &[f64]) -> Option<f64> {
    let gaps = values.windows(2).map(|w| w[1] - w[0]);
    let smallest = gaps.fold(f64::INFINITY, f64::min);
    let range = values[values.len() - 1] - values[0];
    let steps = (range / smallest).round();
    if !(1.0..MOST_STEPS).contains(&steps) {
        return None;
    }
    let step = range / steps;
    let on_grid = |v: &f64| {
        let k = (v - values[0]) / step;
        (k - k.round()).abs() < NEAR
    };
    values.iter().all(on_grid).then_some(step)
}

/// Moves each value of a column evenly over its cell of width `step`, as far as it lies in the
/// support: the density's integral over a cell is then the value's probability (uniform
/// dequantisation: Theis, van den Oord and Bethge, arXiv:1511.01844).
pub(crate) fn column(
    mut x: MatMut<'_, f64>,
    j: usize,
    support: Support,
    step: f64,
    rng: &mut Pcg64,
) {
    for v in col_mut(x.rb_mut(), j) {
        let (low, high) = match support {
            Support::Real => (f64::NEG_INFINITY, f64::INFINITY),
            Support::Positive => (0.0, f64::INFINITY),
            Support::Above { low } => (low, f64::INFINITY),
            Support::Below { high } => (f64::NEG_INFINITY, high),
            Support::Interval { low, high } => (low, high),
        };
        let (low, high) = ((*v - 0.5 * step).max(low), (*v + 0.5 * step).min(high));
        let moved = low + (high - low) * uniform(rng);
        if support.contains(moved) {
            *v = moved;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::random::{standard_normal, stream};

    #[test]
    fn grids_are_found_and_chains_that_stand_still_are_none() {
        let mut rng = stream(1, "grid");
        let x: Vec<f64> = (0..400).map(|_| standard_normal(&mut rng)).collect();
        let of = |f: &dyn Fn(usize) -> f64| Ties::of((0..400).map(f));
        let tenths = of(&|i| (10.0 * x[i]).round() / 10.0);
        assert!((tenths.step.unwrap() - 0.1).abs() < 1e-12 && tenths.on_coarse_grid(400));
        let shifted = of(&|i| 1e9 + 0.5 * x[i].round());
        assert_eq!(shifted.step, Some(0.5));
        // A chain that rejects two of three proposals.
        let still = of(&|i| x[i / 3]);
        assert!(still.step.is_none() && still.repeats(400) && !still.on_coarse_grid(400));
        assert!(still.note("a", 400).unwrap().contains("only 134 values"));
        let plain = of(&|i| x[i]);
        assert_eq!((plain.step, plain.note("a", 400)), (None, None));
        let zeros = of(&|i| if i % 4 == 0 { x[i] } else { 0.0 });
        assert!(
            zeros.is_atom(400)
                && zeros
                    .note("a", 400)
                    .unwrap()
                    .contains("300 of 400 rows are exactly 0")
        );
        assert_eq!(of(&|_| 3.0).step, None);
    }

    #[test]
    fn dequantised_values_stay_in_their_cells_and_in_the_support() {
        let x = Mat::from_fn(300, 1, |i, _| [0.5, 1.0, 3.0][i % 3]);
        for (support, least) in [
            (Support::Real, 0.25),
            (Support::Positive, 0.25),
            (
                Support::Interval {
                    low: 0.4,
                    high: 3.1,
                },
                0.4,
            ),
        ] {
            let mut y = x.clone();
            super::column(y.as_mut(), 0, support, 0.5, &mut stream(1, "spread"));
            assert!(
                (0..300)
                    .all(|i| (y[(i, 0)] - x[(i, 0)]).abs() <= 0.25 && support.contains(y[(i, 0)]))
            );
            let smallest = (0..300).map(|i| y[(i, 0)]).fold(9.0, f64::min);
            assert!(smallest >= least && smallest < least + 0.05, "{smallest}");
        }
    }
}
