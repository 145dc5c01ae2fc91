//! A checksum after the contents of a file.
//!
//! It is a comment of RON, `// sha256 <64 hex digits>` on a line of its own: a sealed record is
//! still valid RON.

use sha2::{Digest, Sha256};

const MARK: &[u8] = b"// sha256 ";
const DIGITS: usize = 64;
/// Bytes of a seal: the mark, the digits, the end of the line.
const LENGTH: usize = MARK.len() + DIGITS + 1;

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It does not end with a seal.
    #[error("it was cut short (there is no checksum at its end)")]
    CutShort,
    /// The seal does not match the contents.
    #[error("it was changed (its checksum is another one)")]
    Changed,
}

/// The contents followed by their checksum.
#[must_use]
pub fn seal(mut contents: Vec<u8>) -> Vec<u8> {
    let digits = hex(&Sha256::digest(&contents));
    contents.extend_from_slice(MARK);
    contents.extend_from_slice(digits.as_bytes());
    contents.push(b'\n');
    contents
}

/// The contents of what [`seal`] made.
///
/// # Errors
/// It was truncated or changed.
pub fn unseal(bytes: &[u8]) -> Result<&[u8], Damage> {
    let at = bytes.len().checked_sub(LENGTH).ok_or(Damage::CutShort)?;
    let (contents, end) = bytes.split_at(at);
    let digits = end
        .strip_prefix(MARK)
        .and_then(|rest| rest.strip_suffix(b"\n"))
        .ok_or(Damage::CutShort)?;
    if hex(&Sha256::digest(contents)).as_bytes() == digits {
        Ok(contents)
    } else {
        Err(Damage::Changed)
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_sealed_comes_back(contents: Vec<u8>) {
            let sealed = seal(contents.clone());
            prop_assert_eq!(unseal(&sealed), Ok(&contents[..]));
        }

        #[test]
        fn no_other_bytes_do(contents: Vec<u8>, at: prop::sample::Index, change in 1u8.., keep: prop::sample::Index) {
            let sealed = seal(contents);
            let mut changed = sealed.clone();
            changed[at.index(sealed.len())] ^= change;
            prop_assert!(unseal(&changed).is_err());
            prop_assert!(unseal(&sealed[..keep.index(sealed.len())]).is_err());
        }
    }
}
