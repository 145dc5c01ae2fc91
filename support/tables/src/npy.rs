//! Arrays as `numpy.save` writes them (format versions 1.0 to 3.0): floating-point numbers in one
//! or two dimensions.

use super::collect::Collector;
use super::input::Input;
use super::text::numbered;
use super::{MOST_FIELDS, ReadError, ReadOptions, Table};

/// How a file begins.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// Most bytes of a header: numpy pads to 64 or 128, and refuses more than 10,000.
const LONGEST_HEADER: usize = 10_000;

/// Reads to the end of the input.
pub(super) fn read(input: &mut Input<'_>, options: &ReadOptions) -> Result<Table, ReadError> {
    let file = input.file.clone();
    let refuse = |problem: String| {
        let file = file.clone();
        ReadError::Npy { file, problem }
    };
    let text = header_text(input)?.map_err(refuse)?;
    let header = Header::parse(&text).map_err(refuse)?;
    let mut numbers = Collector::new(&file, "row", &numbered(header.columns), options)?;
    // Read in pieces: memory is allocated only for bytes that are there, whatever the header
    // states.
    let width = header.scalar.width();
    let mut piece = vec![0; PIECE];
    let mut count = 0;
    loop {
        let filled = input.fill(&mut piece)?;
        if filled % width != 0 || count + (filled / width) as u64 > header.count {
            // Left over: fewer bytes than a number, or more numbers than there should be.
            let cut_off = count + ((filled / width) as u64) < header.count;
            return Err(refuse(if cut_off {
                header.cut_off(count + (filled / width) as u64)
            } else {
                "is followed by more bytes; save one array in one file".into()
            }));
        }
        for bytes in piece[..filled].chunks_exact(width) {
            let (row, column) = header.place(count);
            numbers.push(column, header.scalar.number(bytes), row + 1)?;
            count += 1;
        }
        input.check_numbers(numbers.kept())?;
        if filled < PIECE {
            break;
        }
    }
    if count < header.count {
        return Err(refuse(header.cut_off(count)));
    }
    numbers.finish()
}

/// A multiple of the width of any number.
const PIECE: usize = 1 << 16;

/// The description between the magic bytes and the numbers; the inner error says why there is none.
fn header_text(input: &mut Input<'_>) -> Result<Result<String, String>, ReadError> {
    let mut start = [0; 12];
    // Magic (6 bytes), version (2), length (2 or 4).
    let wide = {
        if input.fill(&mut start[..8])? < 8 {
            return Ok(Err(CUT_OFF.into()));
        }
        match start[6] {
            1 => false,
            2 | 3 => true,
            other => return Ok(Err(format!("has format version {other}, not 1 to 3"))),
        }
    };
    let size = if wide { 4 } else { 2 };
    if input.fill(&mut start[8..8 + size])? < size {
        return Ok(Err(CUT_OFF.into()));
    }
    let length = u32::from_le_bytes([start[8], start[9], start[10], start[11]]) as usize;
    if length > LONGEST_HEADER {
        return Ok(Err(format!(
            "has a header of {length} bytes, more than {LONGEST_HEADER}; save it as one array of numbers"
        )));
    }
    let mut bytes = vec![0; length];
    if input.fill(&mut bytes)? < length {
        return Ok(Err(CUT_OFF.into()));
    }
    Ok(String::from_utf8(bytes).map_err(|_| "has a header that is not text; save it again".into()))
}

const CUT_OFF: &str = "is cut off in its header; copy it again";

/// A kind of number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scalar {
    F4 { big: bool },
    F8 { big: bool },
}

impl Scalar {
    fn width(self) -> usize {
        match self {
            Self::F4 { .. } => 4,
            Self::F8 { .. } => 8,
        }
    }

    /// The number in that many bytes; an f4 is exact as an f8.
    fn number(self, bytes: &[u8]) -> f64 {
        let mut b = [0; 8];
        b[..self.width()].copy_from_slice(bytes);
        let [b0, b1, b2, b3, ..] = b;
        match self {
            Self::F4 { big: false } => f32::from_le_bytes([b0, b1, b2, b3]).into(),
            Self::F4 { big: true } => f32::from_be_bytes([b0, b1, b2, b3]).into(),
            Self::F8 { big: false } => f64::from_le_bytes(b),
            Self::F8 { big: true } => f64::from_be_bytes(b),
        }
    }
}

/// Type, order and shape of the array.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    scalar: Scalar,
    by_columns: bool,
    rows: u64,
    columns: usize,
    /// Rows times columns.
    count: u64,
}

impl Header {
    fn parse(text: &str) -> Result<Self, String> {
        let malformed =
            || "has a header that cannot be read; save it again with numpy.save".to_owned();
        let fields = Dict(text).read().ok_or_else(malformed)?;
        let descr = fields
            .descr
            .strip_prefix('\'')
            .and_then(|d| d.strip_suffix('\''));
        let descr = descr.ok_or("has named fields; save its columns as one array of floats")?;
        let scalar = match descr {
            "<f8" => Scalar::F8 { big: false },
            ">f8" => Scalar::F8 { big: true },
            "<f4" => Scalar::F4 { big: false },
            ">f4" => Scalar::F4 { big: true },
            other => {
                let other: String = other
                    .chars()
                    .take(40)
                    .flat_map(char::escape_debug)
                    .collect();
                return Err(format!(
                    "holds \"{other}\", not floats of 4 or 8 bytes; save array.astype(float)"
                ));
            }
        };
        let by_columns = match fields.fortran_order {
            "True" => true,
            "False" => false,
            _ => return Err(malformed()),
        };
        let shape: Option<Vec<u64>> = fields.shape.iter().map(|n| n.parse().ok()).collect();
        let (rows, columns) = match shape.ok_or_else(malformed)?[..] {
            [rows] => (rows, 1),
            [rows, columns] => (rows, columns),
            ref other => {
                return Err(format!(
                    "has {} dimensions; save it with two, draws x parameters",
                    other.len()
                ));
            }
        };
        let count = rows
            .checked_mul(columns)
            .filter(|c| c.checked_mul(8).is_some());
        let count =
            count.ok_or_else(|| format!("claims {rows} x {columns} numbers; it is damaged"))?;
        if count == 0 {
            return Err(format!("is empty ({rows} x {columns})"));
        }
        if columns > MOST_FIELDS as u64 {
            return Err(format!(
                "has {columns} columns, more than {MOST_FIELDS}; is it transposed?"
            ));
        }
        Ok(Self {
            scalar,
            by_columns,
            rows,
            columns: columns as usize,
            count,
        })
    }

    /// Row and column of a number by its place in the file.
    fn place(&self, at: u64) -> (u64, usize) {
        if self.by_columns {
            (at % self.rows, (at / self.rows) as usize)
        } else {
            let columns = self.columns as u64;
            (at / columns, (at % columns) as usize)
        }
    }

    fn cut_off(&self, found: u64) -> String {
        format!(
            "is cut off: {found} numbers where {} x {} are announced; copy it again",
            self.rows, self.columns
        )
    }
}

/// The three entries of a header, as they are written.
struct Entries<'a> {
    descr: &'a str,
    fortran_order: &'a str,
    shape: Vec<&'a str>,
}

/// A Python dictionary such as `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`.
struct Dict<'a>(&'a str);

impl<'a> Dict<'a> {
    fn read(mut self) -> Option<Entries<'a>> {
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        self.eat("{")?;
        while self.eat("}").is_none() {
            let key = self.until(":")?.trim();
            match key {
                "'descr'" if self.0.trim_start().starts_with('[') => {
                    // Named fields: which ones does not matter.
                    return Some(Entries {
                        descr: "[",
                        fortran_order: "",
                        shape: Vec::new(),
                    });
                }
                "'descr'" if descr.is_none() => descr = Some(self.value()?),
                "'fortran_order'" if fortran_order.is_none() => {
                    fortran_order = Some(self.value()?);
                }
                "'shape'" if shape.is_none() => {
                    self.eat("(")?;
                    let inside = self.until(")")?.trim();
                    let inside = inside.strip_suffix(',').unwrap_or(inside);
                    let numbers = inside.split(',').map(str::trim);
                    shape = Some(numbers.filter(|_| !inside.is_empty()).collect());
                    self.comma_or_end()?;
                }
                _ => return None,
            }
        }
        self.0.trim().is_empty().then_some(())?;
        Some(Entries {
            descr: descr?,
            fortran_order: fortran_order?,
            shape: shape?,
        })
    }

    /// Up to the next comma, or to the closing brace, which stays.
    fn value(&mut self) -> Option<&'a str> {
        let end = self.0.find([',', '}'])?;
        let value = self.0[..end].trim();
        self.0 = &self.0[end..];
        self.comma_or_end()?;
        Some(value)
    }

    fn comma_or_end(&mut self) -> Option<()> {
        if self.eat(",").is_some() || self.0.trim_start().starts_with('}') {
            Some(())
        } else {
            None
        }
    }

    fn until(&mut self, end: &str) -> Option<&'a str> {
        let (before, after) = self.0.split_once(end)?;
        self.0 = after;
        Some(before)
    }

    fn eat(&mut self, token: &str) -> Option<()> {
        self.0 = self.0.trim_start().strip_prefix(token)?;
        Some(())
    }
}
