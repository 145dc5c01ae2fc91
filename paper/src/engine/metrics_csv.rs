//! All measures as one tidy table.

use super::experiment::{Experiment, Record, RunName};
use super::metric::Metric;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

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

/// The key of a row.
pub(super) type Key = (String, String, usize, String, u64, String);

impl Row {
    pub(super) fn key(&self) -> Key {
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

/// The rows of a record: a model is named after its arm, where there is one.
pub fn rows<R: Record>(record: &R) -> Vec<Row> {
    let RunName {
        protocol,
        target,
        arm,
        n,
        seed,
    } = record.run().name();
    let row = |m: &Metric| Row {
        protocol: protocol.to_owned(),
        family: target.clone(),
        n,
        model: if arm.is_empty() {
            m.model.clone()
        } else {
            format!("{arm}/{}", m.model)
        },
        seed,
        metric: m.metric.clone(),
        value: m.value,
    };
    record.metrics().iter().map(row).collect()
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

/// Rows from the bytes of a file; `source` is its name in errors.
///
/// # Errors
/// As [`read`].
pub fn parse(bytes: &[u8], source: &str) -> Result<Vec<Row>> {
    let mut reader = csv::Reader::from_reader(bytes);
    let rows = reader.deserialize().collect::<Result<_, csv::Error>>();
    rows.with_context(|| format!("{source}: not a table of metrics"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A row of one run.
    pub(in crate::engine) fn row(metric: &str, value: f64) -> Row {
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
