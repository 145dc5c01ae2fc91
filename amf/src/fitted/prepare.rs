//! Draws prepared for fitting: different rows on the whole line, with weights of sum one.

use super::Column;
use super::chains::RowDependence;
use super::draws::{Draws, LEAST};
use super::error::DrawsError;
use crate::preprocess::dequantise::{self, Ties};
use crate::preprocess::{QUARTILES_OF_A_NORMAL, quartiles};
use density::{Bijection, ColumnError, ColumnProblem};
use faer::prelude::*;
use metrics::{ImportanceWeights, Reliability};
use numerics::matrix::{col, select_rows};
use numerics::random::stream;

/// Weighted draws are thinned to this many rows for each effective one; more would add little.
const ROWS_FOR_EACH_EFFECTIVE: f64 = 4.0;

/// Different rows on the whole line, with weights of sum one if they are weighted.
pub(super) struct Prepared {
    pub points: Mat<f64>,
    pub shares: Option<Vec<f64>>,
    /// `ln |det du/dx|` of each row.
    pub log_det: Vec<f64>,
    pub reliability: Option<Reliability>,
    /// Dependence of the rows on each other, and the block of each row.
    pub dependence: Option<RowDependence>,
    pub blocks: Option<Vec<usize>>,
    pub notes: Vec<String>,
}

impl Prepared {
    /// Checks that floating-point arithmetic can tell the values of each column apart, on the whole
    /// line.
    pub fn check(&self, columns: &[Column]) -> Result<(), DrawsError> {
        let rows: Vec<usize> = (0..self.points.nrows()).collect();
        for (j, _) in columns.iter().enumerate() {
            let checked = ColumnError::check_spread(j, col(self.points.as_ref(), j), &rows);
            checked.map_err(|problem| DrawsError::of_columns(vec![problem], columns))?;
        }
        Ok(())
    }
}

impl Draws<'_> {
    /// Checks the rows, merges equal ones, drops those without weight, dequantises values on grids,
    /// and maps all to the whole line.
    pub(super) fn prepare(&self, seed: u64) -> Result<Prepared, DrawsError> {
        self.check()?;
        let n = self.points.nrows();
        let mut notes = Vec::new();
        let dependence = RowDependence::of(self);
        let blocks = dependence.as_ref().and_then(|d| d.blocks(self));
        let mut reliability = None;
        let mut rows: Vec<usize> = (0..n).collect();
        let mut shares = None;
        if let Some(log_weights) = self.log_weights {
            let weights = ImportanceWeights::new(log_weights)?;
            let found = *weights.reliability();
            if found.ess < LEAST as f64 {
                return Err(DrawsError::TooLittleWeight {
                    rows: n,
                    ess: found.ess,
                    least: LEAST,
                });
            }
            let most = (ROWS_FOR_EACH_EFFECTIVE * found.ess).ceil() as usize;
            let kept = weights.thin(most.max(10 * LEAST), &mut stream(seed, "density/thin"));
            if kept.0.len() < n {
                notes.push(format!(
                    "{} of {n} rows carry the weight of all (an effective sample size of {:.0})",
                    kept.0.len(),
                    found.ess
                ));
            }
            rows = kept.0;
            let total: f64 = kept.1.iter().sum();
            shares = Some(kept.1.iter().map(|w| w / total).collect());
            reliability = Some(found);
        }
        // Rows that agree in all columns because all are counts are not copies.
        let counts = self.columns.iter().enumerate().all(|(j, _)| {
            let ties = Ties::of(rows.iter().map(|&i| self.points[(i, j)]));
            ties.on_coarse_grid(rows.len())
        });
        let before = (rows.clone(), shares.clone(), notes.len());
        let (mut rows, mut shares) = merged(self.points, rows, shares, &mut notes);
        let least = LEAST.max(self.columns.len() + 1);
        if rows.len() < least {
            return Err(DrawsError::TooFew {
                rows: rows.len(),
                least,
            });
        }
        if counts {
            (rows, shares) = (before.0, before.1);
            notes.truncate(before.2);
        }
        let mut own = select_rows(self.points, &rows);
        dequantise_all(own.as_mut(), &self.columns, seed, &mut notes)?;
        let supports = self.columns.iter().map(|c| c.support).collect();
        let supports = Bijection::Supports(supports);
        let (points, log_det) = supports.transform_and_log_det(own.as_ref());
        note_far_rows(points.as_ref(), &self.columns, &rows, &mut notes);
        Ok(Prepared {
            points,
            shares,
            log_det,
            reliability,
            blocks: blocks.map(|b| rows.iter().map(|&i| b[i]).collect()),
            dependence,
            notes,
        })
    }
}

/// Each different row once, in the order of first occurrence, with the weight of all its copies.
/// Samplers that reject proposals repeat rows; copies in several folds would let a model be scored
/// on rows that it saw.
fn merged(
    x: MatRef<'_, f64>,
    rows: Vec<usize>,
    shares: Option<Vec<f64>>,
    notes: &mut Vec<String>,
) -> (Vec<usize>, Option<Vec<f64>>) {
    let order = |a: usize, b: usize| {
        (0..x.ncols())
            .map(|j| x[(a, j)].total_cmp(&x[(b, j)]))
            .find(|o| o.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    };
    let mut sorted: Vec<usize> = (0..rows.len()).collect();
    sorted.sort_by(|&a, &b| order(rows[a], rows[b]).then(a.cmp(&b)));
    let mut weights: Vec<f64> = match &shares {
        Some(s) => s.clone(),
        None => vec![1.0; rows.len()],
    };
    let mut first = 0;
    let mut copies = 0;
    let mut is_copy = vec![false; rows.len()];
    for k in 1..sorted.len() {
        let (a, b) = (sorted[first], sorted[k]);
        if order(rows[a], rows[b]).is_eq() {
            weights[a] += weights[b];
            is_copy[b] = true;
            copies += 1;
        } else {
            first = k;
        }
    }
    if copies == 0 {
        return (rows, shares);
    }
    notes.push(format!(
        "{copies} rows repeat others: each different row is used once, with the weight of its copies"
    ));
    let keep = |k: &usize| !is_copy[*k];
    let total: f64 = (0..rows.len()).filter(keep).map(|k| weights[k]).sum();
    (
        (0..rows.len()).filter(keep).map(|k| rows[k]).collect(),
        Some(
            (0..rows.len())
                .filter(keep)
                .map(|k| weights[k] / total)
                .collect(),
        ),
    )
}

/// Notes which row of a column is so far out that it may be a mistake.
fn note_far_rows(x: MatRef<'_, f64>, columns: &[Column], rows: &[usize], notes: &mut Vec<String>) {
    const FAR: f64 = 1e4;
    for (j, c) in columns.iter().enumerate() {
        let x = col(x, j);
        let [low, middle, high] = quartiles(x, None);
        let scale = (high - low) / QUARTILES_OF_A_NORMAL;
        let reach = |k: &usize| (x[*k] - middle).abs();
        let farthest = (0..x.len()).max_by(|a, b| reach(a).total_cmp(&reach(b)));
        if let Some(k) = farthest.filter(|k| scale > 0.0 && reach(k) > FAR * scale) {
            notes.push(format!(
                "column \"{}\", row {}: so far out that the quartiles lie {:.0e} times nearer to the median; if it is a mistake, take it out",
                c.name,
                rows[k] + 1,
                reach(&k) / scale
            ));
        }
    }
}

/// Dequantises the columns on coarse grids; notes this, and repeated values in other columns.
pub(super) fn dequantise_all(
    mut x: MatMut<'_, f64>,
    columns: &[Column],
    seed: u64,
    notes: &mut Vec<String>,
) -> Result<(), DrawsError> {
    let rows = x.nrows();
    for (j, c) in columns.iter().enumerate() {
        let ties = Ties::of((0..rows).map(|i| x[(i, j)]));
        let name = &c.name;
        if ties.is_atom(rows) && ties.different > 1 {
            let (value, count) = ties.most;
            let problem = ColumnProblem::Atom { value, count, rows };
            let problem = ColumnError { column: j, problem };
            return Err(DrawsError::of_columns(vec![problem], columns));
        }
        if let Some(step) = ties.step.filter(|_| ties.on_coarse_grid(rows)) {
            let rng = &mut stream(seed, &format!("density/grid/{name}"));
            dequantise::column(x.rb_mut(), j, c.support, step, rng);
            let different = ties.different;
            notes.push(format!(
                "column \"{name}\": {different} values on a grid of step {step}; each row was spread evenly over its cell, so that the density's integral over a \
                 cell is the probability of the value"
            ));
        }
        notes.extend(ties.note(name, rows));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> [Column; 2] {
        [Column::real("a"), Column::positive("b")]
    }

    #[test]
    fn copies_are_merged_and_weightless_rows_left_out() {
        let row = |i: usize| (i % 30) as f64;
        let x = Mat::from_fn(
            60,
            2,
            |i, j| if j == 0 { row(i) } else { 1.0 + row(i).sqrt() },
        );
        let columns = columns();
        let draws = Draws::new(&columns, x.as_ref());
        let p = draws.prepare(1).unwrap();
        assert_eq!(p.points.nrows(), 30);
        assert!(
            p.shares
                .unwrap()
                .iter()
                .all(|w| (w - 1.0 / 30.0).abs() < 1e-15)
        );
        assert!(p.notes[0].contains("30 rows repeat"));
        let mut logs = vec![-1000.0; 60];
        logs[..25].fill(f64::NEG_INFINITY);
        let p = draws.weighted(&logs).prepare(1).unwrap();
        assert_eq!(p.points.nrows(), 30);
        // Rows 0 to 24 count once, through their copies; the others twice.
        let shares = p.shares.unwrap();
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let largest = shares.iter().copied().fold(0.0, f64::max);
        assert!((largest - 2.0 / 35.0).abs() < 1e-12);
        assert!((p.reliability.unwrap().ess - 35.0).abs() < 1e-9);
    }

    #[test]
    fn counts_are_spread_and_their_rows_are_no_copies() {
        let columns = columns();
        let x = Mat::from_fn(400, 2, |i, j| {
            if j == 0 {
                (i % 7) as f64
            } else {
                1.0 + (i % 11) as f64
            }
        });
        let p = Draws::new(&columns, x.as_ref()).prepare(1).unwrap();
        assert_eq!((p.points.nrows(), p.shares), (400, None));
        let gap = |i: usize| (p.points[(i, 0)] - x[(i, 0)]).abs();
        assert!((0..400).all(|i| gap(i) <= 0.5) && (0..400).any(|i| gap(i) > 0.4));
        assert!(p.notes[0].contains("7 values on a grid of step 1") && p.notes.len() == 2);
    }

    #[test]
    fn what_cannot_be_fitted_is_named() {
        let columns = columns();
        let error = |change: &dyn Fn(&mut Mat<f64>)| {
            let mut x = Mat::from_fn(40, 2, |i, j| 1.0 + (i as f64).powi(1 + j as i32));
            change(&mut x);
            let found = Draws::new(&columns, x.as_ref()).prepare(1);
            found.err().unwrap().to_string()
        };
        let at_bound = error(&|x| x[(3, 1)] = 0.0);
        assert!(at_bound.contains("\"b\", row 4: 0 is not inside of the positive numbers"));
        assert!(at_bound.contains("take such rows out"));
        assert!(error(&|x| x[(5, 0)] = f64::NAN).contains("row 6: NaN"));
        assert!(error(&|x| x.truncate(19, 2)).contains("19 rows are too few"));
        let zeros = error(&|x| {
            (0..40).for_each(|i| x[(i, 0)] = if i < 30 { 0.0 } else { (i as f64).sqrt() });
        });
        assert!(
            zeros.contains("\"a\" is exactly 0 in 30 of 40 rows"),
            "{zeros}"
        );
        let x = Mat::from_fn(40, 2, |i, j| 1.0 + (i as f64).powi(2 + j as i32));
        let logs: Vec<f64> = (0..40).map(|i| -100.0 * i as f64).collect();
        let weighted = Draws::new(&columns, x.as_ref()).weighted(&logs).prepare(1);
        let weighted = weighted.err().unwrap().to_string();
        assert!(
            weighted.contains("effective sample size is 1.0"),
            "{weighted}"
        );
        let x = Mat::<f64>::zeros(40, 3);
        let e = Draws::new(&columns, x.as_ref()).check().unwrap_err();
        assert!(e.to_string().contains("3 columns of numbers and 2 names"));
    }
}
