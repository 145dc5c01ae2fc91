//! Mutations of what is inside a container: a checksum or a length in front would otherwise refuse
//! nearly all of them.

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use libfuzzer_sys::fuzzer_mutate;
use std::io::{Read, Write};

/// A way to take a file apart, and to put it together again.
pub struct Container {
    open: fn(&[u8]) -> Option<Vec<Vec<u8>>>,
    close: fn(&[Vec<u8>]) -> Vec<u8>,
}

/// A gzip stream: its contents.
pub const GZIP: Container = Container {
    open: |bytes| {
        let mut inside = Vec::new();
        let mut limited = GzDecoder::new(bytes).take(1 << 20);
        limited.read_to_end(&mut inside).ok()?;
        Some(vec![inside])
    },
    close: |parts| {
        let mut out = GzEncoder::new(Vec::new(), Compression::fast());
        out.write_all(&parts[0]).expect("memory is there");
        out.finish().expect("memory is there")
    },
};

/// A safetensors file: its header and its numbers.
pub const SAFETENSORS: Container = Container {
    open: |bytes| {
        let (size, rest) = bytes.split_first_chunk::<8>()?;
        let size = usize::try_from(u64::from_le_bytes(*size)).ok()?;
        let (header, numbers) = rest.split_at_checked(size)?;
        Some(vec![header.to_vec(), numbers.to_vec()])
    },
    close: |parts| {
        let size = (parts[0].len() as u64).to_le_bytes();
        [&size[..], &parts[0], &parts[1]].concat()
    },
};

/// Numbers on which code stumbles.
const NUMBERS: [f64; 10] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    1e-9,
    5e-324,
    1e-300,
    1e150,
    -1e150,
    f64::MAX,
];

impl Container {
    /// A mutation of the first `size` of the bytes, for `fuzz_mutator!`: mostly inside, now and
    /// then of the container itself. Gives the new size.
    pub fn mutate(&self, data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
        let opened = (self.open)(&data[..size]).filter(|_| seed % 16 != 0);
        let Some(mut parts) = opened else {
            return fuzzer_mutate(data, size, max_size);
        };
        let k = seed as usize / 16 % parts.len();
        let part = &mut parts[k];
        let before = part.len();
        if k == 1 && seed & 1 == 0 && before >= 8 {
            // One of the numbers.
            let at = (seed as usize / 64) % (before / 8) * 8;
            let number = NUMBERS[(seed >> 8) as usize % NUMBERS.len()];
            part[at..at + 8].copy_from_slice(&number.to_le_bytes());
        } else {
            // Numbers keep their count: a length that does not fit is refused at once.
            let most = if k == 1 { before } else { before + 64 };
            part.resize(most.max(1), 0);
            let now = fuzzer_mutate(part, before, most.max(1));
            part.truncate(now);
            if k == 1 {
                part.resize(before, 0);
            }
        }
        let closed = (self.close)(&parts);
        if closed.len() > max_size {
            return size;
        }
        data[..closed.len()].copy_from_slice(&closed);
        closed.len()
    }
}
