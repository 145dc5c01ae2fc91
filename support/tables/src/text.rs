//! Numbers in text: separated by commas, by semicolons, or by blanks.

use super::collect::Collector;
use super::error::excerpt;
use super::input::Input;
use super::{MOST_FIELDS, ReadError, ReadOptions, Table};
use std::str::from_utf8;

/// Reads to the end of the input.
pub(super) fn read(input: &mut Input<'_>, options: &ReadOptions) -> Result<Table, ReadError> {
    let mut line = Vec::new();
    // The separator follows from the first line that is not a comment; the comments above it may
    // hold the names.
    let mut comments: Vec<Vec<u8>> = Vec::new();
    loop {
        if !input.next_line(&mut line)? {
            let file = input.file.clone();
            return Err(ReadError::Empty { file });
        }
        match content(&line) {
            Content::Nothing => {}
            Content::Comment(text) => {
                // Only a few are examined, and none that is too long for names.
                if text.len() <= LONGEST_COMMENT {
                    if comments.len() == MOST_COMMENTS {
                        comments.remove(0);
                    }
                    comments.push(text.to_vec());
                }
            }
            Content::Row => break,
        }
    }
    let mut fields = Fields::new(Separator::of(&line));
    split(&mut fields, &line, input)?;
    let count = fields.named();
    let (names, first_is_data) = match header(&fields, count, input)? {
        Some(names) => (names, false),
        None => (names_above(&comments, fields.separator, count), true),
    };
    let mut rows = Collector::new(&input.file, "line", &names, options)?;
    if first_is_data {
        push(&mut rows, &fields, count, input)?;
    }
    while input.next_line(&mut line)? {
        if let Content::Row = content(&line) {
            split(&mut fields, &line, input)?;
            push(&mut rows, &fields, count, input)?;
            input.check_numbers(rows.kept())?;
        }
    }
    rows.finish()
}

const MOST_COMMENTS: usize = 16;
const LONGEST_COMMENT: usize = 1 << 20;

/// The kind of a line.
enum Content<'a> {
    Nothing,
    Comment(&'a [u8]),
    Row,
}

fn content(line: &[u8]) -> Content<'_> {
    match line.trim_ascii() {
        [] => Content::Nothing,
        [b'#', comment @ ..] => Content::Comment(comment),
        _ => Content::Row,
    }
}

/// The separator of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Separator {
    Blanks,
    Byte(u8),
}

impl Separator {
    /// A semicolon outside of quotes takes precedence over commas, which may then be decimal;
    /// without either the separator is blanks.
    fn of(line: &[u8]) -> Self {
        let (mut comma, mut quoted) = (false, false);
        for byte in line {
            match byte {
                b'"' => quoted = !quoted,
                b';' if !quoted => return Self::Byte(b';'),
                b',' if !quoted => comma = true,
                _ => {}
            }
        }
        if comma {
            Self::Byte(b',')
        } else {
            Self::Blanks
        }
    }

    fn is(self, byte: u8) -> bool {
        match self {
            Self::Blanks => byte.is_ascii_whitespace(),
            Self::Byte(separator) => byte == separator,
        }
    }
}

/// Why a line cannot be split.
enum Unsplit {
    OpenQuote,
    TooManyFields,
}

/// The fields of one line, without the blanks and quotes around them; their memory is reused for
/// the next.
struct Fields {
    separator: Separator,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Fields {
    fn new(separator: Separator) -> Self {
        Self {
            separator,
            bytes: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Splits a line.
    fn split(&mut self, row: &[u8]) -> Result<(), Unsplit> {
        self.bytes.clear();
        self.ends.clear();
        let mut rest = row.trim_ascii();
        loop {
            if let [b'"', inside @ ..] = rest {
                rest = self.unquote(inside).ok_or(Unsplit::OpenQuote)?;
            }
            if self.ends.len() == MOST_FIELDS {
                return Err(Unsplit::TooManyFields);
            }
            let end = rest.iter().position(|b| self.separator.is(*b));
            let (field, after) = rest.split_at(end.unwrap_or(rest.len()));
            self.bytes.extend(field.trim_ascii_end());
            self.ends.push(self.bytes.len());
            let [_, after @ ..] = after else {
                return Ok(());
            };
            rest = after.trim_ascii_start();
        }
    }

    /// Takes a quoted field, in which a doubled quote is one quote, and returns the rest; `None` if
    /// it is not closed.
    fn unquote<'a>(&mut self, mut inside: &'a [u8]) -> Option<&'a [u8]> {
        loop {
            let end = inside.iter().position(|b| *b == b'"')?;
            self.bytes.extend(&inside[..end]);
            inside = &inside[end + 1..];
            if inside.first() != Some(&b'"') {
                return Some(inside);
            }
            self.bytes.push(b'"');
            inside = &inside[1..];
        }
    }

    fn count(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, k: usize) -> &[u8] {
        let start = if k == 0 { 0 } else { self.ends[k - 1] };
        &self.bytes[start..self.ends[k]]
    }

    /// Number of fields, less one if the line ends with a separator.
    fn named(&self) -> usize {
        let trailing = self.count() > 1 && self.get(self.count() - 1).is_empty();
        self.count() - usize::from(trailing)
    }
}

fn split(fields: &mut Fields, line: &[u8], input: &Input<'_>) -> Result<(), ReadError> {
    let file = || input.file.clone();
    fields.split(line).map_err(|why| match why {
        Unsplit::OpenQuote => ReadError::OpenQuote {
            file: file(),
            line: input.line(),
        },
        Unsplit::TooManyFields => ReadError::too_many_columns(file()),
    })
}

/// A number in any common notation; NaN and infinities count as numbers here.
fn number(field: &[u8]) -> Option<f64> {
    from_utf8(field).ok()?.parse().ok()
}

/// The names in the first row, unless it holds numbers alone.
fn header(
    fields: &Fields,
    count: usize,
    input: &Input<'_>,
) -> Result<Option<Vec<String>>, ReadError> {
    let all = || (0..count).map(|k| fields.get(k));
    let name = all().find(|f| number(f).is_none());
    let a_number = all().find(|f| number(f).is_some());
    match (name, a_number) {
        (None, _) => Ok(None),
        // A first row with a typo must not be mistaken for a header: it would be lost silently.
        (Some(name), Some(number)) => Err(ReadError::MixedHeader {
            file: input.file.clone(),
            line: input.line(),
            name: excerpt(name),
            number: excerpt(number),
        }),
        (Some(_), None) => Ok(Some(
            all()
                .map(|f| String::from_utf8_lossy(f).into_owned())
                .collect(),
        )),
    }
}

/// Names from the last comment that has as many as there are columns, otherwise `x1`, `x2`, ...
fn names_above(comments: &[Vec<u8>], separator: Separator, count: usize) -> Vec<String> {
    let mut fields = Fields::new(separator);
    for comment in comments.iter().rev() {
        if fields.split(comment).is_ok() && fields.named() == count {
            let names = (0..count).map(|k| fields.get(k));
            if names.clone().all(|n| !n.is_empty() && number(n).is_none()) {
                return names
                    .map(|n| String::from_utf8_lossy(n).into_owned())
                    .collect();
            }
        }
    }
    numbered(count)
}

/// `x1`, `x2`, ...
pub(super) fn numbered(count: usize) -> Vec<String> {
    (1..=count).map(|k| format!("x{k}")).collect()
}

/// Takes the numbers of a row.
fn push(
    rows: &mut Collector,
    fields: &Fields,
    count: usize,
    input: &Input<'_>,
) -> Result<(), ReadError> {
    let one_more = fields.count() == count + 1 && fields.get(count).is_empty();
    if fields.count() != count && !one_more {
        return Err(ReadError::Ragged {
            file: input.file.clone(),
            line: input.line(),
            found: fields.count(),
            expected: count,
        });
    }
    for k in 0..count {
        if !rows.uses(k) {
            continue;
        }
        let field = fields.get(k);
        let Some(number) = number(field) else {
            return Err(ReadError::NotANumber {
                file: input.file.clone(),
                line: input.line(),
                column: rows.name(k),
                found: what_is(field),
            });
        };
        rows.push(k, number, input.line())?;
    }
    Ok(())
}

/// Describes the text found instead of a number.
fn what_is(field: &[u8]) -> String {
    let shown = excerpt(field);
    let with_point: Vec<u8> = field
        .iter()
        .map(|b| if *b == b',' { b'.' } else { *b })
        .collect();
    if field.is_empty() {
        "the field is empty".into()
    } else if field.contains(&b',') && number(&with_point).is_some() {
        format!("\"{shown}\" has a decimal comma where a point is wanted")
    } else {
        format!("\"{shown}\" is not a number")
    }
}
