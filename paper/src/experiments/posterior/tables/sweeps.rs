//! KL against the number of components, and against the number of evaluations.

use super::super::arms::{Arm, benchmarks};
use crate::engine::arm::seeds;
use crate::engine::table::{Cell, Table, header};

/// A row for each benchmark and number of components.
pub fn components(protocol: &str, arms: &[Arm<'_>]) -> Table {
    let models = arms[0].models();
    let mut rows = Vec::new();
    for benchmark in benchmarks(arms) {
        for arm in arms.iter().filter(|a| a.benchmark() == benchmark) {
            let matched = benchmark.matched_components();
            let Some(k) = arm.components() else { continue };
            let fit = match k.cmp(&matched) {
                std::cmp::Ordering::Less => "too few",
                std::cmp::Ordering::Equal => "matched",
                std::cmp::Ordering::Greater => "too many",
            };
            let mut row = vec![
                benchmark.name().into(),
                Cell::Text(k.to_string()),
                fit.into(),
            ];
            row.extend(
                models
                    .iter()
                    .map(|m| Cell::mean(arm.mean(m, "kl_forward"), 4)),
            );
            row.push(Cell::mean(arm.mean("mixture", "bridge_mass"), 4));
            row.push(Cell::mean(arm.mean("mixture", "mode_error"), 4));
            rows.push(row);
        }
    }
    let mut names = header(["benchmark", "components", "against the modes"]);
    names.extend(models.iter().map(|m| format!("KL {m}")));
    names.extend(header(["bridges mixture", "mode error mixture"]));
    Table {
        stem: format!("posterior_{protocol}"),
        title: "KL against the number of base components".into(),
        caption: format!("KL(posterior || q) in nats; {}.", seeds(arms)),
        header: names,
        rows,
    }
}

/// A row for each benchmark, plan, base and number of evaluations.
pub fn evaluations(protocol: &str, arms: &[Arm<'_>]) -> Table {
    let models = arms[0].models();
    let row = |arm: &Arm<'_>| {
        let mut row = vec![
            arm.benchmark().name().into(),
            Cell::Text(arm.plan().replace('_', "-")),
            arm.base().into(),
            Cell::Text(arm.n.to_string()),
            Cell::mean(arm.mean("mixture", "ess"), 0),
        ];
        row.extend(
            models
                .iter()
                .map(|m| Cell::mean(arm.mean(m, "kl_forward"), 4)),
        );
        row.push(Cell::mean(arm.mean("mixture", "bridge_mass"), 4));
        row.push(Cell::mean(arm.mean_size("mixture", "log_z_error"), 4));
        row
    };
    let mut names = header(["benchmark", "plan", "base", "N", "ESS"]);
    names.extend(models.iter().map(|m| format!("KL {m}")));
    names.extend(header(["bridges mixture", "size of the error of ln Z"]));
    Table {
        stem: format!("posterior_{protocol}"),
        title: "KL against likelihood evaluations".into(),
        caption: format!(
            "KL(posterior || q) in nats with N likelihood evaluations in all, drawn once from the prior or annealed; ESS of \
             all of them; {}.",
            seeds(arms)
        ),
        header: names,
        rows: arms.iter().map(row).collect(),
    }
}
