//! Writes arrays to a file.

use super::{Description, NotSavable};
use crate::Density;
use faer::prelude::*;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::HashMap;

/// Collects named arrays; names are relative to its current folder.
#[derive(Debug, Default)]
pub struct Writer {
    folder: String,
    arrays: Vec<(String, Vec<usize>, Vec<f64>)>,
}

impl Writer {
    /// Adds an array whose entries lie row by row.
    ///
    /// # Panics
    /// If the number of entries is not that of the shape.
    pub fn array(&mut self, name: &str, shape: &[usize], values: &[f64]) {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "{name}");
        let name = format!("{}{name}", self.folder);
        self.arrays.push((name, shape.to_vec(), values.to_vec()));
    }

    /// The current folder, without the last `/`.
    #[must_use]
    pub fn folder(&self) -> &str {
        self.folder.trim_end_matches('/')
    }

    /// Runs `f` with this folder as the current one.
    pub fn within<T>(&mut self, folder: &str, f: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.folder.len();
        self.folder.push_str(folder);
        self.folder.push('/');
        let out = f(self);
        self.folder.truncate(before);
        out
    }

    /// Adds a vector.
    pub fn vector(&mut self, name: &str, values: &[f64]) {
        self.array(name, &[values.len()], values);
    }

    /// Adds a matrix.
    pub fn matrix(&mut self, name: &str, m: MatRef<'_, f64>) {
        let (rows, columns) = m.shape();
        let row = |i: usize| (0..columns).map(move |j| m[(i, j)]);
        let values: Vec<f64> = (0..rows).flat_map(row).collect();
        self.array(name, &[rows, columns], &values);
    }

    /// Writes a density into a folder.
    ///
    /// # Errors
    /// [`NotSavable`].
    pub fn density(&mut self, folder: &str, d: &dyn Density) -> Result<Description, NotSavable> {
        self.within(folder, |w| d.describe(w))
    }

    /// The bytes of a safetensors file with one entry of metadata; the same arrays and text give
    /// the same bytes.
    ///
    /// # Panics
    /// If two arrays have one name.
    #[must_use]
    pub fn finish(self, key: &str, text: String) -> Vec<u8> {
        let bytes: Vec<Vec<u8>> = self
            .arrays
            .iter()
            .map(|(_, _, a)| a.iter().flat_map(|v| v.to_le_bytes()).collect())
            .collect();
        let views = self.arrays.iter().zip(&bytes).map(|((name, shape, _), b)| {
            let view =
                TensorView::new(Dtype::F64, shape.clone(), b).expect("eight bytes for each value");
            (name.as_str(), view)
        });
        // One key: a map of several would be written in random order.
        let metadata = HashMap::from([(key.to_owned(), text)]);
        safetensors::serialize(views, Some(metadata)).expect("sound tensors are serialisable")
    }
}
