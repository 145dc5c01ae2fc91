//! Reading people's files: posterior draws, and points with log-weights.
//!
//! [`read`] takes comma- or semicolon-separated text with or without a header, text in columns
//! separated by blanks, and two-dimensional `.npy` arrays, each perhaps compressed by gzip. What a
//! file is follows from what is in it, not from its name, so that `-`, standard input, is read as
//! well. [`write_csv`] writes what `read` reads back to the same bits.
//!
//! - Lines that begin with `#` are skipped wherever they are, blank lines and a byte-order mark
//!   too.
//! - A first row of names is the header. Without one, the last comment above the data names the
//!   columns if it has as many names as there are columns (as `numpy.savetxt` writes it); otherwise
//!   they are called `x1`, `x2`, ...
//! - Columns whose names end in `__` (CmdStan's `lp__`, `accept_stat__`, ...) and columns without a
//!   name (a row index) are left out unless they are asked for.
//! - A column that is not used may hold anything.
//!
//! Memory grows with what is really read, never with what a file says of itself, and with no more
//! than a compressed table of its size may hold.

mod collect;
mod error;
mod input;
mod npy;
mod select;
mod text;
mod write;

pub use error::ReadError;
pub use write::write_csv;

use faer::Mat;
use std::io::Read;
use std::path::Path;

/// Fields of a line, or columns of an array, at most: a name for each is kept, whether it is used
/// or not.
const MOST_FIELDS: usize = 1 << 18;

/// Columns of numbers, all finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Names of the columns, each different.
    pub columns: Vec<String>,
    /// The numbers, rows x columns.
    pub values: Mat<f64>,
    /// The log-weight of each row, where a column of them was asked for: below positive infinity,
    /// not all negative infinity.
    pub log_weights: Option<Vec<f64>>,
    /// What was read: the path, or "standard input".
    pub source: String,
}

/// Which columns to take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// The columns, in this order; without it all that have a name which does not end in `__`.
    pub columns: Option<Vec<String>>,
    /// The column of log-weights, natural logarithms up to a constant, which is then none of the
    /// values.
    pub log_weight: Option<String>,
}

/// Reads a file, or standard input if the path is `-`.
///
/// # Errors
/// Says which file, line and column cannot be read and what to do about it, in one line.
pub fn read(path: &Path, options: &ReadOptions) -> Result<Table, ReadError> {
    if path.as_os_str() == "-" {
        return read_from(std::io::stdin().lock(), "standard input", options);
    }
    let file = path.display().to_string();
    let opened = std::fs::File::open(path).map_err(|cause| ReadError::opening(&file, cause))?;
    read_from(opened, &file, options)
}

/// Reads a table from bytes; `source` is what errors call it.
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
