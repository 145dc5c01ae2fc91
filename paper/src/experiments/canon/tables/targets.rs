//! Bounds set in advance, each with its measured value.

use super::{Arm, median};
use crate::engine::table::{Cell, Table, header};

/// The most evaluations, as a median over seeds.
const BARS: [(&str, f64); 11] = [
    ("normal_5", 13_000.0),
    ("normal_10", 17_000.0),
    ("normal_20", 30_000.0),
    ("normal_30", 50_000.0),
    ("rosenbrock_2", 14_000.0),
    ("log_gamma_2", 12_500.0),
    ("log_gamma_10", 40_000.0),
    ("shells_2", 14_000.0),
    ("eggbox_2", 17_000.0),
    ("funnel_10", 80_000.0),
    ("signs_6", 80_000.0),
];

/// The most that ln Z errs by, nats.
const ERROR: f64 = 0.02;

/// The least effective sample size.
const ESS: f64 = 10_000.0;

/// A row for each problem that has a bound.
pub fn targets(protocol: &str, arms: &[Arm<'_>]) -> Table {
    let row = |arm: &Arm<'_>| {
        let problem = arm.run().problem.as_str();
        let &(_, most) = BARS.iter().find(|bar| bar.0 == problem)?;
        let evaluations = arm.median("evaluations")?;
        let ess = arm.median("ess")?;
        let errors = arm.values("annealed", "log_z_error");
        let error = median(errors.iter().map(|e| e.abs()).collect())?;
        let missed = [
            ("evaluations", evaluations > most),
            ("error", error >= ERROR),
            ("ESS", ess < ESS),
        ];
        let missed: Vec<&str> = missed.iter().filter(|m| m.1).map(|m| m.0).collect();
        Some(vec![
            problem.into(),
            Cell::plain(evaluations, 0),
            Cell::plain(most, 0),
            Cell::plain(error, 4),
            Cell::plain(ess, 0),
            if missed.is_empty() {
                "all met".into()
            } else {
                Cell::Text(format!("missed: {}", missed.join(", ")))
            },
        ])
    };
    Table {
        stem: format!("canon_targets_{protocol}"),
        title: "Targets".into(),
        caption: format!(
            "Medians over seeds against bounds that were set before: evaluations, size of the error of ln Z (below {ERROR} nats), \
             effective sample size (at least {ESS})."
        ),
        header: header([
            "problem",
            "evaluations",
            "at most",
            "size of the error",
            "ESS",
            "targets",
        ]),
        rows: arms.iter().filter_map(row).collect(),
    }
}
