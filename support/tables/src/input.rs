//! Bytes of a file: decompressed, limited, and inspected before they are parsed.

use super::ReadError;
use flate2::read::MultiGzDecoder;
use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

/// Most bytes read, after decompression.
const MOST_BYTES: u64 = 16 << 30;
/// Most bytes of a line: 64 columns take about 1,600.
const LONGEST_LINE: usize = 16 << 20;
/// Limits on the size of a compressed file's content. Draws compress to a half or a third, and a
/// column of zeros and ones to an eighth of a byte for each number; a malicious stream expands a
/// thousandfold.
const UNFOLDED_BYTES: Unfolded = Unfolded {
    always: 16 << 20,
    for_each_byte: 64,
};
const UNFOLDED_NUMBERS: Unfolded = Unfolded {
    always: 1 << 20,
    for_each_byte: 8,
};
/// The mark at the beginning of some UTF-8 files.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const GZIP: &[u8] = b"\x1f\x8b";

/// How other kinds of files begin.
const FOREIGN: [(&[u8], &str); 10] = [
    (b"PK\x03\x04", "it is a zip or .npz archive, not one table"),
    (b"\x89HDF", "it is an HDF5 or netCDF file"),
    (b"CDF\x01", "it is a netCDF file"),
    (b"SIMPLE  =", "it is a FITS file"),
    (b"PAR1", "it is a Parquet file"),
    (b"BZh", "it is compressed by bzip2, not gzip"),
    (b"\xfd7zXZ", "it is compressed by xz, not gzip"),
    (b"\x28\xb5\x2f\xfd", "it is compressed by zstd, not gzip"),
    (b"\xff\xfe", "it is UTF-16 text, not UTF-8"),
    (b"\xfe\xff", "it is UTF-16 text, not UTF-8"),
];

/// How much a compressed file may expand to.
struct Unfolded {
    /// For any file.
    always: u64,
    /// And for each of its bytes.
    for_each_byte: u64,
}

impl Unfolded {
    fn allowed(&self, bytes: &Cell<u64>) -> u64 {
        self.always + self.for_each_byte.saturating_mul(bytes.get())
    }
}

/// A file as it is read.
pub(super) struct Input<'a> {
    /// Its name in errors.
    pub file: String,
    bytes: Box<dyn BufRead + 'a>,
    /// Bytes that were taken so far, before decompression.
    taken: Rc<Cell<u64>>,
    compressed: bool,
    line: u64,
}

impl<'a> Input<'a> {
    /// Decompresses if the first bytes are gzip's, and refuses files that are neither text nor an
    /// array.
    pub fn new(bytes: impl Read + 'a, file: &str) -> Result<Self, ReadError> {
        let limited = Limited {
            bytes,
            count: Rc::default(),
            most: MOST_BYTES,
            folded: None,
        };
        let mut input = Self {
            file: file.to_owned(),
            taken: Rc::clone(&limited.count),
            bytes: buffered(limited),
            compressed: false,
            line: 0,
        };
        if input.starts_with(GZIP)? {
            input.bytes = buffered(Limited {
                bytes: MultiGzDecoder::new(input.bytes),
                count: Rc::default(),
                most: MOST_BYTES,
                folded: Some(Rc::clone(&input.taken)),
            });
            input.compressed = true;
        }
        let mut found = None;
        for (beginning, what) in FOREIGN {
            if input.starts_with(beginning)? {
                found = Some(what);
            }
        }
        if input.compressed && input.starts_with(GZIP)? {
            found = Some("it is compressed twice");
        }
        if let Some(found) = found {
            let file = input.file;
            return Err(ReadError::Foreign { file, found });
        }
        if input.starts_with(BYTE_ORDER_MARK)? {
            input.bytes.consume(BYTE_ORDER_MARK.len());
        }
        Ok(input)
    }

    /// Whether the next bytes are these; none is consumed.
    pub fn starts_with(&mut self, beginning: &[u8]) -> Result<bool, ReadError> {
        let (file, compressed) = (&self.file, self.compressed);
        let ahead = self.bytes.fill_buf().map_err(|e| told(file, compressed, e));
        Ok(ahead?.starts_with(beginning))
    }

    /// Fills as much of `buffer` as there are bytes left, and returns how much.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.bytes.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(told(&self.file, self.compressed, e)),
            }
        }
        Ok(filled)
    }

    /// Puts the next line into `line`, without its end; false after the last.
    pub fn next_line(&mut self, line: &mut Vec<u8>) -> Result<bool, ReadError> {
        line.clear();
        self.line += 1;
        let mut limited = (&mut self.bytes).take(LONGEST_LINE as u64 + 1);
        let read = limited.read_until(b'\n', line);
        let count = read.map_err(|e| told(&self.file, self.compressed, e))?;
        if count > LONGEST_LINE {
            return Err(ReadError::LongLine {
                file: self.file.clone(),
                line: self.line,
                limit: LONGEST_LINE,
            });
        }
        if line.contains(&0) {
            return Err(ReadError::Foreign {
                file: self.file.clone(),
                found: "it is a binary file of another kind",
            });
        }
        Ok(count > 0)
    }

    /// Checks that a compressed file of this size may hold `count` numbers.
    pub fn check_numbers(&self, count: u64) -> Result<(), ReadError> {
        if self.compressed && count > UNFOLDED_NUMBERS.allowed(&self.taken) {
            let file = self.file.clone();
            return Err(ReadError::Unfolds { file });
        }
        Ok(())
    }

    /// The number of the line that was read last, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }
}

/// The error for an error of the underlying reader.
fn told(file: &str, compressed: bool, cause: io::Error) -> ReadError {
    use io::ErrorKind::{FileTooLarge, InvalidData, InvalidInput, UnexpectedEof};
    let file = file.to_owned();
    if cause.get_ref().is_some_and(|e| e.is::<TooMuch>()) {
        return ReadError::Unfolds { file };
    }
    match cause.kind() {
        FileTooLarge => ReadError::TooLarge {
            file,
            limit: "16 GiB of data",
        },
        InvalidData | InvalidInput | UnexpectedEof if compressed => ReadError::Gzip { file, cause },
        _ => ReadError::Unreadable { file, cause },
    }
}

fn buffered<'a>(bytes: impl Read + 'a) -> Box<dyn BufRead + 'a> {
    // Filled before it is inspected: a pipe may return one byte at a time.
    Box::new(BufReader::with_capacity(1 << 16, bytes))
}

/// Counts bytes, and fails once they are too many, which bounds the expansion of compressed files.
struct Limited<R> {
    bytes: R,
    count: Rc<Cell<u64>>,
    most: u64,
    /// Compressed bytes read so far, which limit the bytes after decompression.
    folded: Option<Rc<Cell<u64>>>,
}

/// Marks the error of a stream that expands too much.
#[derive(Debug, thiserror::Error)]
#[error("unfolds to too much")]
struct TooMuch;

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.bytes.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.count.set(self.count.get() + filled as u64);
        if self.count.get() > self.most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        match &self.folded {
            Some(folded) if self.count.get() > UNFOLDED_BYTES.allowed(folded) => {
                Err(io::Error::other(TooMuch))
            }
            _ => Ok(filled),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_limit_is_read() {
        let read = |left| {
            let mut limited = Limited {
                bytes: io::repeat(1).take(100),
                count: Rc::default(),
                most: left,
                folded: None,
            };
            io::copy(&mut limited, &mut io::sink())
        };
        assert_eq!(read(100).unwrap(), 100);
        assert_eq!(read(99).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
