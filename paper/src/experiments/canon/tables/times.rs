//! Seconds.

use super::{Arm, median};
use crate::engine::table::{Cell, Table, header};

/// A row for each problem.
pub fn times(protocol: &str, arms: &[Arm<'_>]) -> Table {
    let row = |arm: &Arm<'_>| {
        let of = |f: &dyn Fn(&super::CanonRecord) -> f64| {
            let values = arm.records.iter().map(|r| f(r)).collect();
            median(values).map_or(Cell::Empty, |v| Cell::plain(v, 2))
        };
        vec![
            Cell::Text(arm.run().problem.clone()),
            of(&|r| r.seconds.fit),
            of(&|r| r.seconds.evaluation),
        ]
    };
    let p = &arms[0].records[0].provenance;
    Table {
        stem: format!("canon_times_{protocol}"),
        title: "Time of each run".into(),
        caption: format!(
            "Wall-clock seconds, median over seeds, on an {} with {} thread(s) for each run while other runs kept the other cores busy. \
             They differ from machine to machine. Annealing includes its likelihoods; one-shot has as many evaluations.",
            p.cpu, p.threads
        ),
        header: header(["problem", "annealing", "one-shot and measures"]),
        rows: arms.iter().map(row).collect(),
    }
}
