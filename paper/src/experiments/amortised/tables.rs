//! Every table, from records.

use super::record::AmortisedRecord;
use crate::engine::arm::seeds;
use crate::engine::mean::Mean;
use crate::engine::table::{Cell, Table, header};

/// The records of one protocol, problem and variant: one for each seed.
pub type Arm<'a> = crate::engine::arm::Arm<'a, AmortisedRecord>;

impl crate::engine::arm::Arm<'_, AmortisedRecord> {
    /// Measures of the mixture whose names begin with this prefix.
    fn beginning_with(&self, prefix: &str) -> Vec<f64> {
        let metrics = self.records.iter().flat_map(|r| &r.metrics);
        let own = metrics.filter(|m| m.metric.starts_with(prefix));
        own.map(|m| m.value).collect()
    }

    /// The regions of highest density: name of the measure and nominal share.
    fn regions(&self) -> Vec<(String, f64)> {
        let coverage = self.records[0].calibration.coverage.iter();
        let name = |s: f64| format!("coverage_{}", 100.0 * s);
        coverage.map(|c| (name(c.nominal), c.nominal)).collect()
    }
}

/// Tables that a protocol can ask for.
pub const NAMES: &[&str] = &["targets", "divergences", "calibration"];

/// The table of this name.
#[must_use]
pub fn named(name: &str, protocol: &str, arms: &[Arm<'_>]) -> Option<Table> {
    match name {
        "targets" => Some(targets(protocol, arms)),
        "divergences" => Some(divergences(protocol, arms)),
        "calibration" => Some(calibration(protocol, arms)),
        _ => None,
    }
}

fn start(arm: &Arm<'_>) -> Vec<Cell> {
    vec![
        Cell::Text(arm.run().problem()),
        arm.run().variant.as_str().into(),
    ]
}

/// KL of every model.
fn divergences(protocol: &str, arms: &[Arm<'_>]) -> Table {
    let mut rows = Vec::new();
    for arm in arms {
        let experts = arm.run().fit.experts.iter().map(|e| e.0.as_str());
        for model in std::iter::once("mixture").chain(experts) {
            let mut row = start(arm);
            row.push(model.into());
            for (metric, decimals) in [
                ("kl_forward", 4),
                ("kl_forward_worst", 3),
                ("held_out_nll", 4),
                ("weight", 3),
            ] {
                row.push(Cell::mean(arm.mean(model, metric), decimals));
            }
            rows.push(row);
        }
    }
    let run = arms[0].run();
    Table {
        stem: format!("amortised_{protocol}"),
        title: "Amortised posteriors: divergences".into(),
        caption: format!(
            "{} simulated pairs of parameters and data, no likelihood evaluation; KL(posterior || q) averaged over {} observations \
             that the model has not seen, with {} exact draws for each, and the largest of them; {}.",
            run.pairs,
            run.unseen.observations,
            run.unseen.draws,
            seeds(arms)
        ),
        header: header([
            "problem",
            "experts",
            "model",
            "mean KL",
            "worst KL",
            "held-out NLL",
            "weight",
        ]),
        rows,
    }
}

/// Ranks and coverage.
fn calibration(protocol: &str, arms: &[Arm<'_>]) -> Table {
    let mut rows = Vec::new();
    for arm in arms {
        let mut row = start(arm);
        let p = arm.beginning_with("rank_p_");
        let smallest = p.iter().copied().fold(f64::INFINITY, f64::min);
        row.push(Cell::plain(smallest, 4));
        let uniform = p.iter().filter(|p| **p > 0.01).count();
        row.push(Cell::Text(format!("{uniform} of {}", p.len())));
        for (region, _) in arm.regions() {
            row.push(Cell::mean(arm.mean("mixture", &region), 4));
        }
        rows.push(row);
    }
    let run = arms[0].run();
    let settings = &run.calibration.settings;
    let mut names = header(["problem", "experts", "smallest p", "ranks uniform at 1 %"]);
    for (_, nominal) in arms[0].regions() {
        names.push(format!("coverage of {} %", 100.0 * nominal));
    }
    Table {
        stem: format!("calibration_{protocol}"),
        title: "Amortised posteriors: calibration".into(),
        caption: format!(
            "Simulation-based calibration with {} observations a seed: ranks of the truth among {} draws in {} bins, a chi-squared \
             test for each coordinate and seed; shares of truths in the regions of highest density of q; {}.",
            run.calibration.observations,
            settings.draws,
            settings.bins,
            seeds(arms)
        ),
        header: names,
        rows,
    }
}

/// Each target with its measured value.
fn targets(protocol: &str, arms: &[Arm<'_>]) -> Table {
    let mut rows = Vec::new();
    for arm in arms {
        let mut add = |what: &str, value: Cell, worst: f64, met: usize, count: usize| {
            let mut row = start(arm);
            row.extend([
                what.into(),
                value,
                Cell::plain(worst, 4),
                Cell::Text(format!("{met} of {count}")),
            ]);
            rows.push(row);
        };
        let kl = arm.values("mixture", "kl_forward");
        add(
            "mean KL at most 0.05 nats",
            Cell::mean(Mean::of(&kl), 4),
            kl.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            kl.iter().filter(|v| **v <= 0.05).count(),
            kl.len(),
        );
        for (region, nominal) in arm.regions() {
            let z = arm.values("mixture", &format!("{region}_z"));
            add(
                &format!(
                    "coverage of {} %: at most 2 standard errors from nominal",
                    100.0 * nominal
                ),
                Cell::mean(Mean::of(&z), 4),
                z.iter().map(|v| v.abs()).fold(0.0, f64::max),
                z.iter().filter(|v| v.abs() <= 2.0).count(),
                z.len(),
            );
        }
        let p = arm.beginning_with("rank_p_");
        add(
            "ranks uniform: p of chi-squared above 0.01",
            Cell::mean(Mean::of(&p), 4),
            p.iter().copied().fold(f64::INFINITY, f64::min),
            p.iter().filter(|v| **v > 0.01).count(),
            p.len(),
        );
    }
    Table {
        stem: format!("amortised_targets_{protocol}"),
        title: "Amortised posteriors: targets".into(),
        caption: "Of the mixture of experts: KL, standard errors of coverage from nominal, and p-values, mean over seeds (and \
                  coordinates), the worst of them, and how many meet the bound. Of right posteriors about one coverage in 20 is \
                  beyond two standard errors, and one p-value in 100 is below 0.01."
            .into(),
        header: header(["problem", "experts", "target", "mean", "worst", "met"]),
        rows,
    }
}
