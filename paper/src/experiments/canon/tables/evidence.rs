//! A row for each problem: evidence, draws, and what draws of the prior alone give.

use super::{Arm, median};
use crate::engine::table::{Cell, Table, header};

fn cell(value: Option<f64>, decimals: usize) -> Cell {
    value.map_or(Cell::Empty, |v| Cell::plain(v, decimals))
}

/// Annealing.
pub fn evidence(protocol: &str, arms: &[Arm<'_>]) -> Table {
    let row = |arm: &Arm<'_>| {
        let first = arm.records[0];
        let reached = arm.values("annealed", "beta");
        let reached = reached.iter().filter(|b| **b == 1.0).count();
        let n = arm.records.len();
        vec![
            Cell::Text(first.run.problem.clone()),
            Cell::plain(first.log_evidence, 4),
            if first.log_evidence_error == 0.0 {
                "exact".into()
            } else {
                Cell::Text(format!("± {:.4}", first.log_evidence_error))
            },
            cell(arm.median("evaluations"), 0),
            cell(arm.median("ess"), 0),
            cell(arm.median("ess_per_evaluation"), 3),
            cell(arm.median("log_z_error"), 4),
            Cell::mean(arm.mean("annealed", "log_z_error"), 4),
            cell(arm.median("log_z_se"), 4),
            Cell::Text(arm.covered()),
            cell(arm.median("k_hat"), 2),
            cell(arm.median("mode_error"), 4),
            Cell::Text(format!("{reached} of {n}")),
            cell(Some(arm.values("annealed", "warnings").iter().sum()), 0),
        ]
    };
    Table {
        stem: format!("canon_evidence_{protocol}"),
        title: "Evidence".into(),
        caption: format!(
            "Until an effective sample size (ESS) of {}, or the budget; medians over seeds unless said. Error: ln Z minus the reference, \
             nats; own s.e.: the standard error that a run states; covered: runs whose error is below two of it (and of the reference's, \
             in quadrature); mode error: the largest difference of a mode's mass from the truth, where it is known; reached: runs that \
             got to the posterior; warnings: their number over all seeds.",
            arms[0].run().fit.ess
        ),
        header: header([
            "problem",
            "ln Z",
            "reference",
            "evaluations",
            "ESS",
            "ESS per evaluation",
            "error",
            "mean error",
            "own s.e.",
            "covered",
            "k-hat",
            "mode error",
            "reached",
            "warnings",
        ]),
        rows: arms.iter().map(row).collect(),
    }
}

/// As many draws of the prior.
pub fn one_shot(protocol: &str, arms: &[Arm<'_>]) -> Table {
    let row = |arm: &Arm<'_>| {
        let of = |metric| median(arm.values("one_shot", metric));
        let sizes = |model| {
            let errors = arm.values(model, "log_z_error");
            median(errors.iter().map(|e| e.abs()).collect())
        };
        vec![
            Cell::Text(arm.run().problem.clone()),
            cell(arm.median("evaluations"), 0),
            cell(arm.median("ess"), 0),
            cell(of("ess"), 1),
            cell(sizes("annealed"), 4),
            cell(sizes("one_shot"), 4),
            cell(of("log_z_se"), 4),
        ]
    };
    Table {
        stem: format!("canon_one_shot_{protocol}"),
        title: "Against the one-shot method".into(),
        caption: "Annealing and the one-shot method, which weights draws of the prior alone, with as many evaluations: effective sample \
                  sizes, sizes of the error of ln Z, and the standard error that the one-shot method states; medians over seeds. A \
                  one-shot sample of one or two draws knows nothing of its error."
            .into(),
        header: header([
            "problem",
            "evaluations",
            "ESS",
            "ESS one-shot",
            "size of the error",
            "size of the error one-shot",
            "own s.e. one-shot",
        ]),
        rows: arms.iter().map(row).collect(),
    }
}
