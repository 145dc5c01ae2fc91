//! Errors of files, one line each.

use std::io;

/// Why a file was not read. Each message names the file and says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// There is no such file.
    #[error("{file}: no such file; check the path")]
    Missing {
        /// The path.
        file: String,
    },
    /// The operating system refused to open or read it.
    #[error("{file}: cannot be read ({cause})")]
    Unreadable {
        /// The path or other source.
        file: String,
        /// The error of the system.
        cause: io::Error,
    },
    /// A damaged gzip stream.
    #[error("{file}: the gzip stream is damaged or cut off ({cause}); copy or compress it again")]
    Gzip {
        /// The path or other source.
        file: String,
        /// The error of the decoder.
        cause: io::Error,
    },
    /// Only blanks and comments.
    #[error("{file}: there is no data in it")]
    Empty {
        /// The path or other source.
        file: String,
    },
    /// A header, and no row below it.
    #[error("{file}: there is a header but no row of data below it")]
    NoRows {
        /// The path or other source.
        file: String,
    },
    /// Another kind of file.
    #[error("{file}: {found}; give text in columns (CSV) or a two-dimensional .npy array")]
    Foreign {
        /// The path or other source.
        file: String,
        /// The kind that was found.
        found: &'static str,
    },
    /// More than the limit.
    #[error("{file}: more than {limit}; keep every tenth row, say, or fewer columns")]
    TooLarge {
        /// The path or other source.
        file: String,
        /// The limit.
        limit: &'static str,
    },
    /// A small compressed file that expands to far more than is plausible.
    #[error(
        "{file}: unfolds to far more than compressed tables do; if it is sound, decompress it first (gunzip)"
    )]
    Unfolds {
        /// The path or other source.
        file: String,
    },
    /// A line without an end.
    #[error("{file}: line {line} is longer than {limit} bytes; is this text in columns?")]
    LongLine {
        /// The path or other source.
        file: String,
        /// The line, from 1.
        line: u64,
        /// The limit.
        limit: usize,
    },
    /// A quote that is not closed on its line.
    #[error("{file}: line {line}: a quote is opened and not closed; close it or take it out")]
    OpenQuote {
        /// The path or other source.
        file: String,
        /// The line, from 1.
        line: u64,
    },
    /// A column that was asked for and is not there.
    #[error("{file}: no column \"{column}\"; {advice}")]
    NoSuchColumn {
        /// The path or other source.
        file: String,
        /// The name that was asked for.
        column: String,
        /// The nearest name, or all of them.
        advice: String,
    },
    /// Two columns of one name, one of which is used.
    #[error("{file}: two columns are called \"{column}\"; rename one")]
    NamedTwice {
        /// The path or other source.
        file: String,
        /// The name.
        column: String,
    },
    /// A column that was asked for twice.
    #[error("column \"{column}\" is asked for twice; name it once")]
    AskedTwice {
        /// The name.
        column: String,
    },
    /// Every column is left out.
    #[error(
        "{file}: no column is left to read (those without a name, with one that ends in \"__\", or called chain, draw or iteration are left out \
         unless asked for); name those to read by --columns"
    )]
    NoColumns {
        /// The path or other source.
        file: String,
    },
    /// A first row that is neither names nor numbers.
    #[error(
        "{file}: line {line} is neither a header nor data: \"{name}\" is not a number but \"{number}\" is; \
         add a header of names or mend the row"
    )]
    MixedHeader {
        /// The path or other source.
        file: String,
        /// The line, from 1.
        line: u64,
        /// A field that is not a number.
        name: String,
        /// A field that is a number.
        number: String,
    },
    /// Text where a number is wanted.
    #[error("{file}: line {line}, column \"{column}\": {found}; mend it, or leave the column out")]
    NotANumber {
        /// The path or other source.
        file: String,
        /// The line, from 1.
        line: u64,
        /// The name of the column.
        column: String,
        /// The text found, cut to 40 characters.
        found: String,
    },
    /// Not-a-number or infinity.
    #[error(
        "{file}: {count} of the numbers used {} not finite, first in column \"{column}\", {place}; take those rows out",
        if *count == 1 { "is" } else { "are" }
    )]
    NonFinite {
        /// The path or other source.
        file: String,
        /// How many.
        count: u64,
        /// The column of the first.
        column: String,
        /// The line or row of the first, as "line 7".
        place: String,
    },
    /// Log-weights that are all minus infinity.
    #[error(
        "{file}: every log-weight in column \"{column}\" is -inf, so no row counts; is it the right column?"
    )]
    AllWeightsZero {
        /// The path or other source.
        file: String,
        /// The column of log-weights.
        column: String,
    },
    /// A column called `chain` that does not number chains.
    #[error(
        "{file}: {place}: {value} in the column \"chain\" is not the number of a chain; if the column is a parameter, give it another name"
    )]
    NotAChain {
        /// The path or other source.
        file: String,
        /// The line or row, as "line 7".
        place: String,
        /// What was found.
        value: f64,
    },
    /// A row with more or fewer fields than the first.
    #[error(
        "{file}: line {line} has {found} fields where {expected} are expected; mend or remove it"
    )]
    Ragged {
        /// The path or other source.
        file: String,
        /// The line, from 1.
        line: u64,
        /// Fields on the line.
        found: usize,
        /// Fields of the header or of the first row.
        expected: usize,
    },
    /// A `.npy` file that cannot be used.
    #[error("{file}: .npy array {problem}")]
    Npy {
        /// The path or other source.
        file: String,
        /// What is wrong and what to do.
        problem: String,
    },
}

impl ReadError {
    /// The error of a file with more than [`super::MOST_FIELDS`] columns.
    pub(super) fn too_many_columns(file: String) -> Self {
        let limit = "262,144 columns";
        Self::TooLarge { file, limit }
    }

    /// The error of a file that does not open.
    pub(super) fn opening(file: &str, cause: io::Error) -> Self {
        let file = file.to_owned();
        match cause.kind() {
            io::ErrorKind::NotFound => Self::Missing { file },
            _ => Self::Unreadable { file, cause },
        }
    }
}

/// Text from a file as it is shown in a message: at most 40 characters, control characters escaped.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    // No character has more than four bytes: text further on is never shown.
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(41 * 4)]);
    let mut shown: String = text.chars().take(40).flat_map(char::escape_debug).collect();
    if text.chars().count() > 40 {
        shown.push('…');
    }
    shown
}
