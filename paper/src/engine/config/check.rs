//! Checks that protocols of every kind need.

use super::error::FieldError;
use std::collections::BTreeSet;
use std::fmt::Display;

/// Whether a name can be used in a file name.
#[must_use]
pub fn is_name(s: &str) -> bool {
    let sound = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !s.is_empty() && s.chars().all(sound)
}

/// Whether a name is valid for a protocol.
///
/// # Errors
/// About the field `protocol`.
pub fn name_of_protocol(name: &str) -> Result<(), FieldError> {
    if is_name(name) {
        return Ok(());
    }
    let reason = "protocol must be a name of letters, digits, _ and -";
    Err(FieldError::new(reason).at("protocol"))
}

/// Checks that lists are not empty.
///
/// # Errors
/// The first empty list.
pub fn not_empty<const N: usize>(lists: [(&'static str, usize); N]) -> Result<(), FieldError> {
    match lists.into_iter().find(|(_, len)| *len == 0) {
        None => Ok(()),
        Some((field, _)) => {
            let reason = format!("{field} must not be empty");
            Err(FieldError::new(reason).at(field))
        }
    }
}

/// Checks that the items of a list are distinct.
///
/// # Errors
/// The first repeated item.
pub fn distinct<T: Ord + Display>(field: &'static str, items: &[T]) -> Result<(), FieldError> {
    match first_repeated(items) {
        None => Ok(()),
        Some(i) => {
            let reason = format!("{} is listed twice", items[i]);
            Err(FieldError::new(reason).at(i).at(field))
        }
    }
}

/// Checks that names are distinct, valid in file names and not reserved.
///
/// # Errors
/// The index of the first that is not, and what is wrong with it.
pub fn names(names: &[&str], reserved: &[&str]) -> Result<(), (usize, FieldError)> {
    let error = |i: usize, reason: String| (i, FieldError::new(reason));
    if let Some(i) = first_repeated(names) {
        return Err(error(i, format!("two are called \"{}\"", names[i])));
    }
    for (i, name) in names.iter().enumerate() {
        if !is_name(name) || reserved.contains(name) {
            let mut reason = format!("\"{name}\" must be a name of letters, digits, _ and -");
            for r in reserved {
                reason += &format!(", and not \"{r}\"");
            }
            return Err(error(i, reason));
        }
    }
    Ok(())
}

/// The index of the first item that repeats an earlier one.
pub(super) fn first_repeated<T: Ord>(items: &[T]) -> Option<usize> {
    let mut seen = BTreeSet::new();
    items.iter().position(|x| !seen.insert(x))
}

/// Most fits of a config: all runs are listed before the first starts.
const MAX_FITS: usize = 1_000_000;

/// Checks that the product of these numbers, the number of fits, is within the limit.
///
/// # Errors
/// About the field `seeds`.
pub fn fits(factors: &[usize]) -> Result<(), FieldError> {
    let mut factors = factors.iter();
    let fits = factors.try_fold(1usize, |all, n| all.checked_mul(*n));
    if fits.is_some_and(|n| n <= MAX_FITS) {
        return Ok(());
    }
    let reason = format!(
        "seeds ask, with all that they are combined with, for more than {MAX_FITS} fits; write several configs"
    );
    Err(FieldError::new(reason).at("seeds"))
}
