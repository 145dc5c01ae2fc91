//! Where in the text of a RON file a field is.

use super::path::Segment;
use std::fmt;

/// Line and column, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl Place {
    /// The place of the field at the end of a path in a valid text; if it is left out, of the value
    /// around it.
    pub fn of(text: &str, path: &[Segment]) -> Self {
        let mut scanner = Scanner {
            text: text.as_bytes(),
            at: 0,
        };
        scanner.skip_attributes();
        let mut found = scanner.at;
        for segment in path {
            let Some(at) = scanner.enter(*segment) else {
                break;
            };
            found = at;
        }
        let before = &text[..found];
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |n| n + 1);
        let column = before[start..].chars().count() + 1;
        Self { line, column }
    }
}

/// Parses just enough of RON to follow a path.
struct Scanner<'a> {
    text: &'a [u8],
    /// At the beginning of a value.
    at: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn starts_with(&self, prefix: &[u8]) -> bool {
        self.text[self.at.min(self.text.len())..].starts_with(prefix)
    }

    /// Moves to a value inside; returns where it, or the name of its field, begins.
    fn enter(&mut self, segment: Segment) -> Option<usize> {
        self.open()?;
        match segment {
            Segment::Item(k) => {
                for _ in 0..k {
                    self.skip_value();
                    self.skip_comma()?;
                }
                self.skip_blank();
                self.is_inside().then_some(self.at)
            }
            Segment::Field(name) => loop {
                self.skip_blank();
                if !self.is_inside() {
                    return None;
                }
                let start = self.at;
                let word = self.word();
                self.skip_blank();
                if self.peek() != b':' {
                    // A newtype around the struct, such as `Some((...))`.
                    self.at = start;
                    self.open()?;
                    continue;
                }
                self.at += 1;
                self.skip_blank();
                if word == name.as_bytes() {
                    return Some(start);
                }
                self.skip_value();
                self.skip_comma()?;
            },
        }
    }

    /// Behind the bracket that a value begins with, and the name before it.
    fn open(&mut self) -> Option<()> {
        self.skip_blank();
        self.word();
        self.skip_blank();
        let opens = matches!(self.peek(), b'(' | b'[' | b'{');
        self.at += usize::from(opens);
        opens.then_some(())
    }

    fn is_inside(&self) -> bool {
        !matches!(self.peek(), 0 | b')' | b']' | b'}')
    }

    /// A name; may be empty.
    fn word(&mut self) -> &'a [u8] {
        let start = self.at;
        while self.peek().is_ascii_alphanumeric() || matches!(self.peek(), b'_' | 128..) {
            self.at += 1;
        }
        let text = self.text;
        &text[start..self.at]
    }

    fn skip_comma(&mut self) -> Option<()> {
        self.skip_blank();
        let comma = self.peek() == b',';
        self.at += usize::from(comma);
        comma.then_some(())
    }

    /// To the comma or bracket behind a value.
    fn skip_value(&mut self) {
        let mut depth = 0;
        loop {
            self.skip_blank();
            match self.peek() {
                0 => return,
                b',' if depth == 0 => return,
                b')' | b']' | b'}' if depth == 0 => return,
                b')' | b']' | b'}' => depth -= 1,
                b'(' | b'[' | b'{' => depth += 1,
                b'"' => {
                    self.skip_quoted(b'"');
                    continue;
                }
                b'\'' => {
                    self.skip_quoted(b'\'');
                    continue;
                }
                b'r' if self.starts_with(b"r\"") || self.starts_with(b"r#") => {
                    self.skip_raw();
                    continue;
                }
                c if c.is_ascii_alphanumeric() || c == b'_' || c > 127 => {
                    self.word();
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    fn skip_quoted(&mut self, quote: u8) {
        self.at += 1;
        while self.peek() != quote && self.at < self.text.len() {
            self.at += if self.peek() == b'\\' { 2 } else { 1 };
        }
        self.at = self.text.len().min(self.at + 1);
    }

    /// `r#"..."#` with any number of signs, or a name `r#...`.
    fn skip_raw(&mut self) {
        self.at += 1;
        let start = self.at;
        while self.peek() == b'#' {
            self.at += 1;
        }
        if self.peek() != b'"' {
            return;
        }
        let mut end = vec![b'"'];
        end.extend_from_slice(&self.text[start..self.at]);
        self.at += 1;
        while self.at < self.text.len() && !self.starts_with(&end) {
            self.at += 1;
        }
        self.at = self.text.len().min(self.at + end.len());
    }

    /// Blanks and comments.
    fn skip_blank(&mut self) {
        loop {
            if self.peek().is_ascii_whitespace() {
                self.at += 1;
            } else if self.starts_with(b"//") {
                while !matches!(self.peek(), 0 | b'\n') {
                    self.at += 1;
                }
            } else if self.starts_with(b"/*") {
                self.skip_block_comment();
            } else {
                return;
            }
        }
    }

    fn skip_block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.text.len() {
            if self.starts_with(b"/*") {
                depth += 1;
                self.at += 2;
            } else if self.starts_with(b"*/") {
                depth -= 1;
                self.at += 2;
            } else {
                self.at += 1;
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// `#![enable(...)]` at the beginning.
    fn skip_attributes(&mut self) {
        self.skip_blank();
        while self.starts_with(b"#!") {
            while !matches!(self.peek(), 0 | b']') {
                self.at += 1;
            }
            self.at = self.text.len().min(self.at + 1);
            self.skip_blank();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r##"#![enable(implicit_some)]
// fit: (steps: 1) is a comment.
(
    name: "a, (fit: (steps: 2",
    raw: r#"fit: "( "#, /* fit: /* nested */ */
    experts: [
        ("maf", Flow(sizes: [1, 2], fit: (
            steps: 3,
        ))),
        ("rbig", Some((layers: 4, text: 'x'))),
    ],
)
"##;

    fn place(path: &[Segment]) -> (usize, usize) {
        let Place { line, column } = Place::of(TEXT, path);
        (line, column)
    }

    #[test]
    fn fields_are_found_behind_strings_comments_and_other_fields() {
        use Segment::{Field, Item};
        assert_eq!(place(&[]), (3, 1));
        assert_eq!(place(&[Field("raw")]), (5, 5));
        let maf = [Field("experts"), Item(0), Item(1)];
        assert_eq!(place(&maf), (7, 17));
        assert_eq!(
            place(&[&maf[..], &[Field("fit"), Field("steps")]].concat()),
            (8, 13)
        );
        let rbig = [Field("experts"), Item(1), Item(1)];
        assert_eq!(place(&[&rbig[..], &[Field("layers")]].concat()), (10, 24));
    }

    #[test]
    fn what_is_left_out_is_placed_where_it_would_be() {
        use Segment::{Field, Item};
        let maf = [Field("experts"), Item(0), Item(1), Field("fit")];
        let fit = place(&maf);
        assert_eq!(fit, (7, 37));
        assert_eq!(place(&[&maf[..], &[Field("patience")]].concat()), fit);
        assert_eq!(place(&[Field("experts"), Item(7)]), (6, 5));
        assert_eq!(place(&[Field("none"), Field("steps")]), (3, 1));
    }

    #[test]
    fn no_text_ends_the_scanner_badly() {
        let path = [
            Segment::Field("experts"),
            Segment::Item(1),
            Segment::Item(1),
        ];
        for end in (0..TEXT.len()).filter(|e| TEXT.is_char_boundary(*e)) {
            let found = Place::of(&TEXT[..end], &path);
            assert!(found.line <= 10, "{end}: {found}");
        }
    }
}
