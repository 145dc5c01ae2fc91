//! Compressed tables: what is inside the stream is mutated.
#![no_main]

use amf_fuzz::must_read_table;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    amf_fuzz::GZIP.mutate(data, size, max_size, seed)
});
fuzz_target!(|data: &[u8]| must_read_table(data));
