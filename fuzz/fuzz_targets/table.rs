//! Text in columns: comma-, semicolon- or blank-separated, as CmdStan and others write it.
#![no_main]

use amf_fuzz::must_read_table;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| must_read_table(data));
