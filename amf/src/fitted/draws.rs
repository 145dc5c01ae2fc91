//! Draws and their checks.

use super::Column;
use super::columns::{self, MOST_COLUMNS};
use super::error::{DrawsError, outside};
use faer::prelude::*;
use std::borrow::Cow;

/// Draws of a distribution: rows, each with a log-weight if they are weighted.
#[derive(Debug, Clone)]
pub struct Draws<'a> {
    /// One for each column of `points`.
    pub columns: Cow<'a, [Column]>,
    /// n x d.
    pub points: MatRef<'a, f64>,
    /// n natural logarithms of weights, up to a common constant: importance weights, those of
    /// nested sampling, or log-likelihoods at draws of the prior. Minus infinity for a row that
    /// does not count.
    pub log_weights: Option<&'a [f64]>,
    /// n numbers of the Markov chains that the rows are steps of, in their order. Without them, the order
    /// of rows without weights shows whether they depend on each other.
    pub chains: Option<&'a [usize]>,
    /// Where they come from, for the record.
    pub source: Option<&'a str>,
}

/// The least number of different rows.
pub(super) const LEAST: usize = 20;

impl<'a> Draws<'a> {
    /// Unweighted draws (n x d), in unbounded columns called `x1`, `x2`, ...
    #[must_use]
    pub fn of(points: MatRef<'a, f64>) -> Self {
        let columns = (1..=points.ncols()).map(|j| Column::real(format!("x{j}")));
        Self {
            columns: columns.collect(),
            points,
            log_weights: None,
            chains: None,
            source: None,
        }
    }

    /// Unweighted draws (n x d), in columns with names and supports.
    #[must_use]
    pub fn new(columns: &'a [Column], points: MatRef<'a, f64>) -> Self {
        Self {
            columns: columns.into(),
            points,
            log_weights: None,
            chains: None,
            source: None,
        }
    }

    /// The same draws with log-weights.
    #[must_use]
    pub fn weighted(self, log_weights: &'a [f64]) -> Self {
        Self {
            log_weights: Some(log_weights),
            ..self
        }
    }

    /// The same draws as steps of these chains: a number for each row.
    #[must_use]
    pub fn in_chains(self, chains: &'a [usize]) -> Self {
        Self {
            chains: Some(chains),
            ..self
        }
    }

    /// Checks the draws, before anything is computed from them.
    ///
    /// # Errors
    /// See [`DrawsError`].
    pub fn check(&self) -> Result<(), DrawsError> {
        let (n, d) = (self.points.nrows(), self.points.ncols());
        if d == 0 || self.columns.len() != d {
            let names = self.columns.len();
            return Err(DrawsError::Shape(format!(
                "{d} columns of numbers and {names} names for them"
            )));
        }
        if let Some(w) = self.log_weights.filter(|w| w.len() != n) {
            return Err(DrawsError::Shape(format!(
                "{} log-weights for {n} rows",
                w.len()
            )));
        }
        if let Some(found) = self.chains.map(<[usize]>::len).filter(|c| *c != n) {
            return Err(DrawsError::Shape(format!(
                "{found} numbers of chains for {n} rows"
            )));
        }
        for (j, c) in self.columns.iter().enumerate() {
            if self.columns[..j].iter().any(|other| other.name == c.name) {
                let name = &c.name;
                return Err(DrawsError::Shape(format!(
                    "two columns are called \"{name}\""
                )));
            }
            c.support.check().map_err(|reason| DrawsError::Support {
                column: c.name.clone(),
                reason,
            })?;
            for i in 0..n {
                let value = self.points[(i, j)];
                if c.support.contains(value) {
                    continue;
                }
                let (column, row) = (c.name.clone(), i + 1);
                return Err(if value.is_finite() {
                    outside(c.support, column, row, value)
                } else {
                    DrawsError::NotFinite { column, row, value }
                });
            }
        }
        self.check_columns()
    }

    /// Whether the columns have a density. Rows of weight zero do not count.
    fn check_columns(&self) -> Result<(), DrawsError> {
        let weight = |i: usize| self.log_weights.map(|w| w[i]);
        let rows = 0..self.points.nrows();
        let rows: Vec<usize> = rows
            .filter(|&i| weight(i) != Some(f64::NEG_INFINITY))
            .collect();
        let columns = self.columns.len();
        if columns > MOST_COLUMNS {
            return Err(DrawsError::TooManyColumns { columns });
        }
        // Fewer rows than columns always lie on a plane.
        let least = LEAST.max(columns + 1);
        if rows.len() < least {
            return Err(DrawsError::TooFewRows {
                rows: rows.len(),
                weighted: self.log_weights.is_some(),
                columns,
                least,
            });
        }
        let checked = columns::check(self.points, &rows);
        checked.map_err(|errors| DrawsError::of_columns(errors, &self.columns))
    }
}
