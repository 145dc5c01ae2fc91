//! The flat parameter vector in named blocks of known shapes, for files that other programs read.

use std::ops::Range;

/// A block of the parameter vector: a matrix or a vector with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamBlock {
    /// Levels of the name are separated by `/`.
    pub name: String,
    /// Its shape; entries lie row by row.
    pub shape: Vec<usize>,
    /// Its place in the vector.
    pub range: Range<usize>,
}

impl ParamBlock {
    pub(crate) fn new(name: String, shape: &[usize], start: usize) -> Self {
        let len: usize = shape.iter().product();
        Self {
            name,
            shape: shape.to_vec(),
            range: start..start + len,
        }
    }

    pub(crate) fn within(mut self, folder: &str) -> Self {
        self.name = format!("{folder}/{}", self.name);
        self
    }
}
