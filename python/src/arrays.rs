//! Between numpy and faer.

use faer::prelude::*;
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use rayon::prelude::*;

/// Rows of a large array that are handled together: neither the array nor its transpose is copied whole.
const CHUNK: usize = 4096;

/// A copy, column by column, as the library wants it.
pub fn matrix(x: &PyReadonlyArray2<'_, f64>) -> Mat<f64> {
    let (n, d) = (x.shape()[0], x.shape()[1]);
    let x = x.as_array();
    Mat::from_fn(n, d, |i, j| x[[i, j]])
}

/// `f` of the rows in chunks, on all threads.
pub fn by_chunks(
    py: Python<'_>,
    x: &PyReadonlyArray2<'_, f64>,
    f: &(dyn Fn(MatRef<'_, f64>) -> Vec<f64> + Sync),
) -> Vec<f64> {
    let x = x.as_array();
    py.detach(|| {
        let (n, d) = x.dim();
        if n <= CHUNK {
            return f(Mat::from_fn(n, d, |i, j| x[[i, j]]).as_ref());
        }
        let firsts: Vec<usize> = (0..n).step_by(CHUNK).collect();
        let parts: Vec<Vec<f64>> = firsts
            .par_iter()
            .map(|&first| {
                let rows = CHUNK.min(n - first);
                f(Mat::from_fn(rows, d, |i, j| x[[first + i, j]]).as_ref())
            })
            .collect();
        parts.concat()
    })
}

/// A new array (C order).
pub fn array2<'py>(py: Python<'py>, x: MatRef<'_, f64>) -> Bound<'py, PyArray2<f64>> {
    let (n, d) = x.shape();
    let mut rows = Vec::with_capacity(n * d);
    for i in 0..n {
        rows.extend((0..d).map(|j| x[(i, j)]));
    }
    let flat = PyArray1::from_vec(py, rows);
    flat.reshape([n, d]).expect("as many numbers as there are")
}
