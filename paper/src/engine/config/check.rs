//! Checks that protocols of every kind need.

use super::error::FieldError;
use std::collections::BTreeSet;
use std::fmt::Display;

/// Whether a name can be part of a file name.
#[must_use]
pub fn is_name(s: &str) -> bool {
    let sound = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !s.is_empty() && s.chars().all(sound)
}

/// Whether a protocol can be called so.
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

/// Whether lists have items.
///
/// # Errors
/// The first that has none.
pub fn not_empty<const N: usize>(lists: [(&'static str, usize); N]) -> Result<(), FieldError> {
    match lists.into_iter().find(|(_, len)| *len == 0) {
        None => Ok(()),
        Some((field, _)) => {
            let reason = format!("{field} must not be empty");
            Err(FieldError::new(reason).at(field))
        }
    }
}

/// Whether no item of a list is there twice.
///
/// # Errors
/// The first that is.
pub fn distinct<T: Ord + Display>(field: &'static str, items: &[T]) -> Result<(), FieldError> {
    match first_repeated(items) {
        None => Ok(()),
        Some(i) => {
            let reason = format!("{} is listed twice", items[i]);
            Err(FieldError::new(reason).at(i).at(field))
        }
    }
}

/// Whether names are different, can be part of file names, and are none of those that have another meaning.
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

/// The index of the first item that stood there before.
pub(super) fn first_repeated<T: Ord>(items: &[T]) -> Option<usize> {
    let mut seen = BTreeSet::new();
    items.iter().position(|x| !seen.insert(x))
}

/// Fits that a config may ask for: all runs are listed before the first is done.
const MAX_FITS: usize = 1_000_000;

/// Whether a product of numbers of things that are all combined with each other is no more fits than can be listed.
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
