//! Reading tables: posterior draws, and points with log-weights.
//!
//! [`read`] takes comma- or semicolon-separated text with or without a header, text in columns
//! separated by blanks, and two-dimensional `.npy` arrays, each optionally compressed with gzip.
//! The format follows from the content, not from the name, so that `-`, standard input, is read as
//! well. Tables written by [`write_csv`] are read back with the same bits.
//!
//! - Lines that begin with `#` are skipped wherever they are, blank lines and a byte-order mark
//!   too.
//! - A first row of names is the header. Without one, the last comment above the data names the
//!   columns if it has as many names as there are columns (as `numpy.savetxt` writes it); otherwise
//!   they are called `x1`, `x2`, ...
//! - Columns whose names end in `__` (CmdStan's `lp__`, `accept_stat__`, ...) and columns without a
//!   name (a row index) are left out unless they are asked for.
//! - A column of the numbers of Markov chains (`chain`, `.chain`, `chain_id`) says which rows are steps of one
//!   chain. Beside it, and beside a column of iterations or draws, columns that samplers write for
//!   themselves (`lp`, `n_steps`, ...) are left out as well.
//! - A column that is not used may hold anything.
//!
//! Memory grows with the data actually read, not with the sizes that a header states, and is
//! bounded by the largest plausible content of a compressed file of that size.

mod collect;
mod error;
mod input;
mod npy;
mod select;
mod text;
mod write;

pub use error::ReadError;
pub use write::{write_csv, write_rows};

use faer::Mat;
use std::io::Read;
use std::path::Path;

/// Most fields of a line or columns of an array: each has a name in memory, used or not.
const MOST_FIELDS: usize = 1 << 18;

/// Columns of numbers, all finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Names of the columns, each different.
    pub columns: Vec<String>,
    /// The numbers, rows x columns.
    pub values: Mat<f64>,
    /// The log-weight of each row, if a column of them was asked for: below positive infinity, not
    /// all negative infinity.
    pub log_weights: Option<Vec<f64>>,
    /// The number of the chain of each row, if a column has them.
    pub chains: Option<Vec<usize>>,
    /// Columns with names that are no parameters: chains, iterations, what samplers write for themselves.
    pub left_out: Vec<String>,
    /// The origin: the path, or "standard input".
    pub source: String,
}

/// Which columns to take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// The columns, in this order; without it all named columns that are parameters by their names.
    pub columns: Option<Vec<String>>,
    /// The column of log-weights, natural logarithms up to a constant, which is then not among the
    /// values.
    pub log_weight: Option<String>,
}

/// Reads a file, or standard input if the path is `-`.
///
/// # Errors
/// One line with the file, line and column that cannot be read and what to do about it.
pub fn read(path: &Path, options: &ReadOptions) -> Result<Table, ReadError> {
    if path.as_os_str() == "-" {
        return read_from(std::io::stdin().lock(), "standard input", options);
    }
    let file = path.display().to_string();
    let opened = std::fs::File::open(path).map_err(|cause| ReadError::opening(&file, cause))?;
    read_from(opened, &file, options)
}

/// Reads a table from bytes; `source` is its name in errors.
///
/// # Errors
/// As [`read`].
pub fn read_from(
    bytes: impl Read,
    source: &str,
    options: &ReadOptions,
) -> Result<Table, ReadError> {
    let mut input = input::Input::new(bytes, source)?;
    if input.starts_with(npy::MAGIC)? {
        npy::read(&mut input, options)
    } else {
        text::read(&mut input, options)
    }
}
