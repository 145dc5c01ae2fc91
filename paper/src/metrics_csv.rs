//! All measures as one tidy table, and the comparison of two such tables.

use crate::record::{self, Record};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Relative difference up to which a metric counts as reproduced when its digits differ.
pub const TOLERANCE: f64 = 1e-6;

/// One row. No times: the file is the same from run to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Name of the protocol.
    pub protocol: String,
    /// Name of the target.
    pub family: String,
    /// Draws that the fit used in all.
    pub n: usize,
    /// `mixture` or an expert.
    pub model: String,
    /// Seed.
    pub seed: u64,
    /// Name of the measure.
    pub metric: String,
    /// Its value.
    pub value: f64,
}

type Key = (String, String, usize, String, u64, String);

impl Row {
    fn key(&self) -> Key {
        (
            self.protocol.clone(),
            self.family.clone(),
            self.n,
            self.model.clone(),
            self.seed,
            self.metric.clone(),
        )
    }
}

/// The rows of some records, in their order.
#[must_use]
pub fn rows(records: &[Record]) -> Vec<Row> {
    let row = |r: &Record, m: &record::Metric| Row {
        protocol: r.run.protocol.clone(),
        family: r.run.target.name().to_owned(),
        n: r.run.draws.budget(),
        model: m.model.clone(),
        seed: r.run.seed,
        metric: m.metric.clone(),
        value: m.value,
    };
    records
        .iter()
        .flat_map(|r| r.metrics.iter().map(move |m| row(r, m)))
        .collect()
}

/// Writes rows with shortest round-trip floats.
///
/// # Errors
/// Names the file.
pub fn write(path: &Path, rows: &[Row]) -> Result<()> {
    let mut out = csv::Writer::from_writer(Vec::new());
    for row in rows {
        out.serialize(row)?;
    }
    Ok(store::write(path, &out.into_inner()?)?)
}

/// Reads rows.
///
/// # Errors
/// Names the file and line.
pub fn read(path: &Path) -> Result<Vec<Row>> {
    let source = path.display().to_string();
    let bytes = std::fs::read(path).with_context(|| format!("{source}: cannot be read"))?;
    parse(&bytes, &source)
}

/// Rows from the bytes of a file; `source` is what errors call it.
///
/// # Errors
/// As [`read`].
pub fn parse(bytes: &[u8], source: &str) -> Result<Vec<Row>> {
    let mut reader = csv::Reader::from_reader(bytes);
    let rows = reader.deserialize().collect::<Result<_, csv::Error>>();
    rows.with_context(|| format!("{source}: not a table of metrics"))
}

/// How two tables compare, over the rows of the first.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Rows compared.
    pub total: usize,
    /// Rows whose values have the same digits.
    pub identical: usize,
    /// Rows that differ, the largest relative difference first: new, committed and the difference.
    pub different: Vec<(Row, f64, f64)>,
    /// Rows that the committed table lacks.
    pub missing: Vec<Row>,
}

impl Comparison {
    /// Compares new rows with the committed ones of the same keys.
    #[must_use]
    pub fn new(new: &[Row], committed: &[Row]) -> Self {
        let committed: BTreeMap<Key, f64> = committed.iter().map(|r| (r.key(), r.value)).collect();
        let mut this = Self {
            total: new.len(),
            identical: 0,
            different: Vec::new(),
            missing: Vec::new(),
        };
        for row in new {
            match committed.get(&row.key()) {
                None => this.missing.push(row.clone()),
                Some(old) if old.to_bits() == row.value.to_bits() => this.identical += 1,
                Some(&old) => {
                    let size = old.abs().max(row.value.abs());
                    let difference = (row.value - old).abs() / size;
                    this.different.push((row.clone(), old, difference));
                }
            }
        }
        this.different.sort_by(|a, b| b.2.total_cmp(&a.2));
        this
    }

    /// Whether every row is there and within the tolerance.
    #[must_use]
    pub fn reproduced(&self) -> bool {
        self.missing.is_empty() && self.different.iter().all(|d| d.2 <= TOLERANCE)
    }

    /// The verdict in words.
    #[must_use]
    pub fn verdict(&self) -> String {
        use std::fmt::Write;
        let Self {
            total,
            identical,
            different,
            missing,
        } = self;
        if identical == total {
            return format!("{total} of {total} metrics reproduced to the last digit");
        }
        let beyond = different.iter().filter(|d| d.2 > TOLERANCE).count();
        let mut text = format!("{identical} of {total} metrics reproduced to the last digit");
        if !different.is_empty() {
            let _ = write!(
                text,
                "; {} differ by up to {:.1e} relative, {beyond} of them beyond the tolerance of {TOLERANCE:e}",
                different.len(),
                different[0].2
            );
        }
        if !missing.is_empty() {
            let _ = write!(text, "; {} not among the committed results", missing.len());
        }
        for (row, old, difference) in different.iter().take(20) {
            let Row {
                protocol,
                family,
                n,
                model,
                seed,
                metric,
                value,
            } = row;
            let _ = write!(
                text,
                "\n  {protocol} {family} n {n} seed {seed} {model} {metric}: {value} now, {old} committed ({difference:.1e})"
            );
        }
        if different.len() > 20 {
            let _ = write!(text, "\n  and {} more", different.len() - 20);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(metric: &str, value: f64) -> Row {
        Row {
            protocol: "p".into(),
            family: "banana".into(),
            n: 10,
            model: "maf".into(),
            seed: 1,
            metric: metric.into(),
            value,
        }
    }

    #[test]
    fn comparison_tells_identical_close_different_and_missing_apart() {
        let old = [
            row("a", 1.0),
            row("b", 2.0),
            row("c", 3.0),
            row("unused", 0.0),
        ];
        let same = Comparison::new(&old[..2], &old);
        assert_eq!(
            same.verdict(),
            "2 of 2 metrics reproduced to the last digit"
        );
        assert!(same.reproduced());
        let close = Comparison::new(&[row("a", 1.0 + 1e-9)], &old);
        assert!(close.reproduced() && close.identical == 0);
        let off = Comparison::new(&[row("a", 1.0), row("b", 2.1)], &old);
        assert!(!off.reproduced());
        assert!(
            off.verdict().contains("b: 2.1 now, 2 committed"),
            "{}",
            off.verdict()
        );
        let missing = Comparison::new(&[row("d", 1.0)], &old);
        assert!(!missing.reproduced() && missing.verdict().contains("1 not among"));
        let nan = Comparison::new(&[row("a", f64::NAN)], &old);
        assert!(!nan.reproduced());
    }

    #[test]
    fn written_rows_are_read_back_with_the_same_bits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.csv");
        let rows = [row("a", 0.1 + 0.2), row("b", 1e-300), row("c", -12345.678)];
        write(&path, &rows).unwrap();
        assert_eq!(read(&path).unwrap(), rows);
        let header = std::fs::read_to_string(&path).unwrap();
        assert!(header.starts_with("protocol,family,n,model,seed,metric,value\n"));
    }
}
