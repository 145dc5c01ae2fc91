//! Names of units of work.

use crate::seal::hex;
use sha2::{Digest, Sha256};

/// A stable hash of everything that a result depends on. Each input is hashed with its length, so
/// that inputs cannot run together.
#[derive(Debug, Clone)]
pub struct Fingerprint(Sha256);

impl Fingerprint {
    /// Begins with the kind of work and its version: results of other versions are not used.
    #[must_use]
    pub fn new(kind: &str, version: u32) -> Self {
        Self(Sha256::new()).text(kind).count(version as usize)
    }

    /// A text, such as a setting.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    /// The content of a file.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self = self.count(bytes.len());
        self.0.update(bytes);
        self
    }

    /// A count.
    #[must_use]
    pub fn count(mut self, n: usize) -> Self {
        self.0.update((n as u64).to_le_bytes());
        self
    }

    /// The bits of numbers.
    #[must_use]
    pub fn numbers(mut self, numbers: &[f64]) -> Self {
        self = self.count(numbers.len());
        // In pieces: hashing value by value takes several times as long.
        let mut buffer = Vec::with_capacity(8 * numbers.len().min(4096));
        for piece in numbers.chunks(4096) {
            buffer.clear();
            buffer.extend(piece.iter().flat_map(|v| v.to_bits().to_le_bytes()));
            self.0.update(&buffer);
        }
        self
    }

    /// The hash as 32 hexadecimal digits.
    #[must_use]
    pub fn finish(self) -> String {
        hex(&self.0.finalize()[..16])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts_and_none_runs_into_the_next() {
        let print = |f: &dyn Fn(Fingerprint) -> Fingerprint| f(Fingerprint::new("fit", 1)).finish();
        let all = [
            print(&|f| f),
            Fingerprint::new("fit", 2).finish(),
            Fingerprint::new("fi", 1).finish(),
            print(&|f| f.text("a").text("bc")),
            print(&|f| f.text("ab").text("c")),
            print(&|f| f.numbers(&[0.0])),
            print(&|f| f.numbers(&[-0.0])),
            print(&|f| f.numbers(&[0.0, 0.0])),
            print(&|f| f.numbers(&[0.0]).numbers(&[0.0])),
        ];
        for (i, a) in all.iter().enumerate() {
            assert_eq!(a.len(), 32);
            assert!(!all[..i].contains(a), "{i}");
        }
        assert_eq!(
            print(&|f| f.numbers(&vec![1.0; 10_000])),
            print(&|f| f.numbers(&vec![1.0; 10_000]))
        );
    }

    #[test]
    fn the_hash_is_the_same_in_every_version_of_the_code() {
        let f = Fingerprint::new("fit", 1).text("banana").count(3);
        assert_eq!(f.numbers(&[1.5, -2.0]).finish(), GOLDEN);
    }

    /// The first half of the SHA-256 of the lengths, texts and bits, as Python's hashlib gives it.
    const GOLDEN: &str = "382c1140ebc66bffe06c0018cad4834f";
}
