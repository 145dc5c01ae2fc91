//! A column-major block of rows that can be rotated in place.

use faer::{Mat, MatRef};

/// `rows x dim`, one contiguous column for each feature.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    rows: usize,
    dim: usize,
    data: Vec<f64>,
}

impl Columns {
    pub fn from_mat(x: MatRef<'_, f64>) -> Self {
        Self::from_rows(x, 0, x.nrows())
    }

    /// The rows `first..first + count` of x.
    pub fn from_rows(x: MatRef<'_, f64>, first: usize, count: usize) -> Self {
        let mut data = Vec::with_capacity(count * x.ncols());
        for j in 0..x.ncols() {
            data.extend((first..first + count).map(|i| x[(i, j)]));
        }
        Self {
            rows: count,
            dim: x.ncols(),
            data,
        }
    }

    /// Rows 0, skip, 2 skip, ...
    pub fn every(&self, skip: usize) -> Self {
        let mut data = Vec::with_capacity(self.data.len().div_ceil(skip) + self.dim);
        for j in 0..self.dim {
            data.extend(self.column(j).iter().step_by(skip));
        }
        Self {
            rows: self.rows.div_ceil(skip),
            dim: self.dim,
            data,
        }
    }

    /// Writes the rows into `out`, from its row `first`.
    pub fn write(&self, out: &mut Mat<f64>, first: usize) {
        for j in 0..self.dim {
            for (i, v) in self.column(j).iter().enumerate() {
                out[(first + i, j)] = *v;
            }
        }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn dim(&self) -> usize {
        self.dim
    }

    pub fn as_slice(&self) -> &[f64] {
        &self.data
    }

    pub fn column(&self, j: usize) -> &[f64] {
        &self.data[j * self.rows..(j + 1) * self.rows]
    }

    pub fn column_mut(&mut self, j: usize) -> &mut [f64] {
        &mut self.data[j * self.rows..(j + 1) * self.rows]
    }

    /// Replaces the block by `f(block)`: `f(old, new, rows)` fills a second buffer.
    pub fn replace(&mut self, spare: &mut Vec<f64>, f: impl FnOnce(&[f64], &mut [f64], usize)) {
        spare.resize(self.data.len(), 0.0);
        f(&self.data, spare, self.rows);
        std::mem::swap(&mut self.data, spare);
    }
}
