//! Batches of points for one step of a rule.

use super::data::{WeightData, WeightError};
use super::points::Points;
use numerics::matrix::select_rows;
use numerics::random::{Pcg64, permutation, stream};

/// Batches, fresh or from a table.
pub(super) struct Batches<'a> {
    source: &'a WeightData<'a>,
    rng: Pcg64,
    order: Vec<usize>,
    next: usize,
}

impl<'a> Batches<'a> {
    pub(super) fn new(source: &'a WeightData<'a>, seed: u64) -> Self {
        Self {
            source,
            rng: stream(seed, "weights/batches"),
            order: Vec::new(),
            next: 0,
        }
    }

    /// The whole table, or one fresh batch.
    pub(super) fn all(&mut self, size: usize) -> Result<Points, WeightError> {
        match self.source {
            WeightData::HeldOut { table, weights } => Points::new(table.to_owned(), *weights),
            WeightData::Fresh { .. } => self.take(0, size),
        }
    }

    pub(super) fn take(&mut self, step: usize, size: usize) -> Result<Points, WeightError> {
        match self.source {
            WeightData::Fresh { draw, .. } => Points::new(draw(step, size), None),
            WeightData::HeldOut { table, weights } => {
                let n = table.nrows();
                let size = size.min(n);
                if self.order.is_empty() || self.next + size > n {
                    self.order = permutation(&mut self.rng, n);
                    self.next = 0;
                }
                let ids = &self.order[self.next..self.next + size];
                self.next += size;
                let weights: Option<Vec<f64>> =
                    weights.map(|w| ids.iter().map(|&i| w[i]).collect());
                Points::new(select_rows(*table, ids), weights.as_deref())
            }
        }
    }
}
