//! Deserialisation of numbers with a range, for `#[serde(deserialize_with = "...")]`: a value
//! outside is an error at its place in the file.

use serde::de::{Deserialize, Deserializer, Error};

/// A message that may contain text from a file, as one line of at most 300 characters: runs of
/// blanks are one, control characters are escaped.
#[must_use]
pub fn one_line(message: &str) -> String {
    const MOST: usize = 300;
    // Long messages are long because of a file's content: only as much is processed as is shown.
    let beginning: String = message.chars().take(2 * MOST).collect();
    let words: Vec<&str> = beginning.split_whitespace().collect();
    let line = words.join(" ");
    let escape = |c: char| -> String {
        if c.is_control() {
            c.escape_default().collect()
        } else {
            c.into()
        }
    };
    let mut shown: String = line.chars().take(MOST).map(escape).collect();
    if line.chars().count() > MOST {
        shown.push('…');
    }
    shown
}

fn refuse<'de, D: Deserializer<'de>>(what: &str, got: impl std::fmt::Display) -> D::Error {
    D::Error::custom(format!("must be {what}, not {got}"))
}

/// A finite number above 0.
///
/// # Errors
/// When the number is outside (likewise below).
pub fn positive<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
    let v = f64::deserialize(d)?;
    if v > 0.0 && v.is_finite() {
        Ok(v)
    } else {
        Err(refuse::<D>("positive", v))
    }
}

/// A finite number, 0 or above.
///
/// # Errors
/// When the number is outside.
pub fn not_negative<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
    let v = f64::deserialize(d)?;
    if v >= 0.0 && v.is_finite() {
        Ok(v)
    } else {
        Err(refuse::<D>("0 or above", v))
    }
}

/// A number at least 0 and below 1.
///
/// # Errors
/// When the number is outside.
pub fn share<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
    let v = f64::deserialize(d)?;
    if (0.0..1.0).contains(&v) {
        Ok(v)
    } else {
        Err(refuse::<D>("at least 0 and below 1", v))
    }
}

/// An integer at least 1.
///
/// # Errors
/// When it is 0.
pub fn at_least_one<'de, D: Deserializer<'de>>(d: D) -> Result<usize, D::Error> {
    let v = usize::deserialize(d)?;
    if v > 0 {
        Ok(v)
    } else {
        Err(refuse::<D>("at least 1", v))
    }
}

/// [`positive`] or nothing.
///
/// # Errors
/// When the number is outside.
pub fn positive_or_none<'de, D: Deserializer<'de>>(d: D) -> Result<Option<f64>, D::Error> {
    match Option::<f64>::deserialize(d)? {
        Some(v) if !(v > 0.0 && v.is_finite()) => Err(refuse::<D>("None or positive", v)),
        v => Ok(v),
    }
}

/// [`at_least_one`] or nothing.
///
/// # Errors
/// When it is 0.
pub fn at_least_one_or_none<'de, D: Deserializer<'de>>(d: D) -> Result<Option<usize>, D::Error> {
    match Option::<usize>::deserialize(d)? {
        Some(0) => Err(refuse::<D>("None or at least 1", 0)),
        v => Ok(v),
    }
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn messages_are_lines_of_bounded_length() {
        assert_eq!(one_line(" a\n  b\t\u{1b}[1mc"), "a b \\u{1b}[1mc");
        let long = one_line(&"ä".repeat(1_000_000));
        assert_eq!(long.chars().count(), 301);
        assert!(long.ends_with('…'));
    }
}
