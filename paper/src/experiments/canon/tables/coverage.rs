//! Whether stated standard errors of ln Z are honest.

use super::Arm;
use crate::engine::mean::Mean;
use crate::engine::table::{Cell, Table, header};

/// The least share of runs whose two stated standard errors cover the truth.
const SHARE: f64 = 0.9;

/// A row for each problem with several seeds.
pub fn coverage(protocol: &str, arms: &[Arm<'_>]) -> Table {
    let row = |arm: &Arm<'_>| {
        let errors = arm.values("annealed", "log_z_error");
        let mean = Mean::of(&errors)?;
        let spread = mean.error? * (errors.len() as f64).sqrt();
        let share = arm.mean("annealed", "covered")?.value;
        let met = |met: bool| if met { "met" } else { "not met" };
        Some(vec![
            Cell::Text(arm.run().problem.clone()),
            Cell::Text(arm.covered()),
            met(share >= SHARE).into(),
            Cell::Number(mean, 4),
            met(mean.value.abs() <= 2.0 * mean.error?).into(),
            Cell::plain(spread, 4),
            Cell::mean(arm.mean("annealed", "log_z_se").map(Mean::without_error), 4),
        ])
    };
    Table {
        stem: format!("canon_coverage_{protocol}"),
        title: "Coverage of the stated errors".into(),
        caption: format!(
            "Runs whose error of ln Z is below two of its stated standard errors (at least {} % of them are asked for); the mean error \
             over {} seeds, nats, with its standard error (zero within two of it is asked for); the standard deviation of the errors \
             over seeds, and the mean of the stated ones.",
            100.0 * SHARE,
            arms[0].records.len()
        ),
        header: header([
            "problem",
            "covered",
            "share?",
            "mean error",
            "mean?",
            "spread of errors",
            "mean stated s.e.",
        ]),
        rows: arms.iter().filter_map(row).collect(),
    }
}
