//! Columns of column-major matrices as slices.

use faer::prelude::*;

/// Column j as a contiguous slice.
///
/// # Panics
/// If the matrix is not column-major.
#[inline]
#[must_use]
pub fn col<'a>(m: MatRef<'a, f64>, j: usize) -> &'a [f64] {
    m.col(j)
        .try_as_col_major()
        .expect("columns are contiguous")
        .as_slice()
}

/// Column j as a contiguous mutable slice.
///
/// # Panics
/// If the matrix is not column-major.
#[inline]
#[must_use]
pub fn col_mut<'a>(m: MatMut<'a, f64>, j: usize) -> &'a mut [f64] {
    m.col_mut(j)
        .try_as_col_major_mut()
        .expect("columns are contiguous")
        .as_slice_mut()
}

/// The given rows, in that order.
#[must_use]
pub fn select_rows(m: MatRef<'_, f64>, rows: &[usize]) -> Mat<f64> {
    Mat::from_fn(rows.len(), m.ncols(), |i, j| m[(rows[i], j)])
}
