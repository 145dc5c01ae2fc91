//! Tables as CSV.

use faer::MatRef;
use std::io::{self, Write};

/// Writes a header and one line for each row; every number has the fewest digits that restore its
/// bits.
///
/// `values` is n x columns.
///
/// # Errors
/// The error of the writer.
///
/// # Panics
/// If the number of names is not that of the columns.
pub fn write_csv(columns: &[String], values: MatRef<'_, f64>, out: impl Write) -> io::Result<()> {
    assert_eq!(columns.len(), values.ncols(), "one name for each column");
    let mut out = io::BufWriter::new(out);
    let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
    writeln!(out, "{}", names.join(","))?;
    write_rows(values, &mut out)?;
    out.flush()
}

/// Writes the rows alone, behind the heading or other rows.
///
/// # Errors
/// The error of the writer.
pub fn write_rows(values: MatRef<'_, f64>, out: impl Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    for i in 0..values.nrows() {
        for j in 0..values.ncols() {
            let comma = if j == 0 { "" } else { "," };
            // Unlike `{}`, `{:?}` writes very large and small numbers with an exponent.
            write!(out, "{comma}{:?}", values[(i, j)])?;
        }
        writeln!(out)?;
    }
    out.flush()
}

/// A name, quoted if it would be ambiguous otherwise.
fn quoted(name: &str) -> String {
    let risky = |c: char| c.is_whitespace() || ",;\"#".contains(c);
    if name.contains(risky) {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        name.to_owned()
    }
}
