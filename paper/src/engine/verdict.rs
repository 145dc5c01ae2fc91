//! The comparison of new measures with the committed ones.

use super::metrics_csv::{Key, Row};
use std::collections::BTreeMap;

/// Relative difference up to which a metric counts as reproduced when its digits differ.
pub const TOLERANCE: f64 = 1e-6;

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
    use crate::engine::metrics_csv::tests::row;

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
}
