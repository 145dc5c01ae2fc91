//! Whatever was read as a table must be one.

use crate::must_be_one_line;
use tables::{ReadOptions, read_from};

/// Reads bytes as a table, in the three ways in which columns are chosen.
///
/// # Panics
/// If what was read is no table of finite numbers, or an error is not one line.
pub fn must_read_table(data: &[u8]) {
    let chosen = |columns: &[&str], log_weight: Option<&str>| ReadOptions {
        columns: (!columns.is_empty()).then(|| columns.iter().map(|c| (*c).to_owned()).collect()),
        log_weight: log_weight.map(str::to_owned),
    };
    for options in [
        chosen(&[], None),
        chosen(&["tau", "mu"], None),
        chosen(&[], Some("x1")),
    ] {
        match read_from(data, "draws.csv", &options) {
            Ok(table) => {
                let (n, d) = table.values.shape();
                assert!(n > 0 && d > 0 && table.columns.len() == d);
                for j in 0..d {
                    assert!(table.values.col(j).iter().all(|v| v.is_finite()));
                }
                if let Some(w) = &table.log_weights {
                    assert!(w.len() == n && w.iter().all(|w| *w < f64::INFINITY));
                }
            }
            Err(e) => must_be_one_line(&e),
        }
    }
}
