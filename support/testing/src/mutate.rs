//! Mutations of bytes, of text, and of safetensors files.

use numerics::random::{Pcg64, uniform};

/// Words that are hard for parsers.
const WORDS: [&str; 24] = [
    "nan",
    "NaN",
    "inf",
    "-inf",
    "1e400",
    "-1e400",
    "1e-400",
    "-0.0",
    "0",
    "-1",
    "1",
    "1e308",
    "18446744073709551615",
    "9223372036854775808",
    "1e9",
    "0.5",
    "\"",
    "(",
    ")",
    "[",
    "{",
    ",",
    "\n",
    "None",
];
/// Numbers that are hard for arithmetic.
const NUMBERS: [f64; 12] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    1e-9,
    f64::MIN_POSITIVE,
    1e-310,
    1e150,
    f64::MAX,
    f64::INFINITY,
    f64::NAN,
    1e9,
];

/// An integer below `n`, or 0.
pub(crate) fn below(rng: &mut Pcg64, n: usize) -> usize {
    (uniform(rng) * n as f64) as usize
}

fn one_of<T: Copy>(rng: &mut Pcg64, items: &[T]) -> T {
    items[below(rng, items.len())]
}

/// A corrupted copy of a file of any kind.
#[must_use]
pub fn bytes(rng: &mut Pcg64, file: &[u8], other: &[u8]) -> Vec<u8> {
    let mut out = file.to_vec();
    for _ in 0..1 + below(rng, 3) {
        let at = below(rng, out.len() + 1);
        let end = (at + 1 + below(rng, 16)).min(out.len());
        match below(rng, 8) {
            0 | 1 if at < out.len() => out[at] ^= 1 << below(rng, 8),
            2 if at < out.len() => out[at] = below(rng, 256) as u8,
            3 => drop(out.drain(at.min(end)..end)),
            4 => {
                let again = out[at.min(end)..end].to_vec();
                out.splice(at..at, again);
            }
            5 => out.truncate(at),
            6 => {
                // A size in front, or a number.
                let word = if below(rng, 2) == 0 {
                    one_of(rng, &NUMBERS).to_le_bytes()
                } else {
                    one_of(rng, &[0, 1, u64::from(u32::MAX), 1 << 40, u64::MAX]).to_le_bytes()
                };
                let end = (at + 8).min(out.len());
                out.splice(at.min(end)..end, word);
            }
            _ => {
                let from = below(rng, other.len() + 1);
                out.truncate(at);
                out.extend(&other[from..]);
            }
        }
    }
    out
}

/// A corrupted copy of a text: numbers and words replaced as well.
#[must_use]
pub fn text(rng: &mut Pcg64, file: &[u8], other: &[u8]) -> Vec<u8> {
    if below(rng, 3) == 0 {
        return bytes(rng, file, other);
    }
    let mut out = file.to_vec();
    for _ in 0..1 + below(rng, 2) {
        replace_word(rng, &mut out);
    }
    out
}

/// Replaces a word, often a number, by another.
fn replace_word(rng: &mut Pcg64, text: &mut Vec<u8>) {
    let of_word = |b: &u8| b.is_ascii_alphanumeric() || b"+-._".contains(b);
    let at = below(rng, text.len() + 1);
    let Some(start) = text[at..].iter().position(of_word).map(|n| at + n) else {
        return;
    };
    let start = text[..start]
        .iter()
        .rposition(|b| !of_word(b))
        .map_or(0, |n| n + 1);
    let length = text[start..].iter().position(|b| !of_word(b));
    let end = length.map_or(text.len(), |n| start + n);
    let word = one_of(rng, &WORDS);
    text.splice(start..end, word.bytes());
}

/// A corrupted copy of a safetensors file: mostly of its header, with the size field corrected, or
/// of one of its numbers.
#[must_use]
pub fn tensors(rng: &mut Pcg64, file: &[u8], other: &[u8]) -> Vec<u8> {
    let open = |file: &[u8]| {
        let (size, rest) = file.split_first_chunk::<8>()?;
        let size = usize::try_from(u64::from_le_bytes(*size)).ok()?;
        let (header, numbers) = rest.split_at_checked(size)?;
        Some((header.to_vec(), numbers.to_vec()))
    };
    let (Some((mut header, mut numbers)), true) = (open(file), below(rng, 8) > 0) else {
        return bytes(rng, file, other);
    };
    if below(rng, 2) == 0 && numbers.len() >= 8 {
        for _ in 0..1 + below(rng, 2) {
            let at = 8 * below(rng, numbers.len() / 8);
            let number = one_of(rng, &NUMBERS);
            numbers[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
    } else {
        header = text(rng, &header, &[]);
    }
    let size = (header.len() as u64).to_le_bytes();
    [&size[..], &header, &numbers].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::random::stream;

    #[test]
    fn mutations_differ_from_the_file_and_from_each_other() {
        let file = b"(seeds: [1, 2, 3], rate: 1e-3, name: \"banana\")";
        for mutation in [bytes, text] {
            let mut rng = stream(1, "mutations");
            let all: std::collections::BTreeSet<Vec<u8>> = (0..1000)
                .map(|_| mutation(&mut rng, file, b"other"))
                .collect();
            assert!(all.len() > 500, "{}", all.len());
        }
    }

    #[test]
    fn the_size_in_front_of_a_header_is_mended() {
        let file = [&4u64.to_le_bytes()[..], b"{12}", &1.0f64.to_le_bytes()].concat();
        let mut rng = stream(1, "tensors");
        let sound = |f: &Vec<u8>| {
            f.len() >= 16 && u64::from_le_bytes(f[..8].try_into().unwrap()) == f.len() as u64 - 16
        };
        let count = (0..1000)
            .filter(|_| sound(&tensors(&mut rng, &file, &[])))
            .count();
        assert!((700..1000).contains(&count), "{count}");
    }
}
