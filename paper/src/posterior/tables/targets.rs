//! Targets that were set beforehand, each with its number.

use super::header;
use crate::posterior::summary::{Arm, dim, find};
use crate::summary::Mean;
use crate::table::{Cell, Table};
use datasets::posterior::Benchmark;

/// A bound on a measure of the mixture of experts.
struct Target {
    protocol: &'static str,
    base: &'static str,
    metric: &'static str,
    what: &'static str,
    /// In two and in three dimensions.
    limits: [f64; 2],
}

const TARGETS: [Target; 9] = [
    target("refined", "kl_forward", "KL(posterior || q)", [0.01, 0.03]),
    target(
        "refined",
        "mode_error",
        "error of every mode's mass",
        [0.01; 2],
    ),
    target("refined", "bridge_mass", "bridge mass", [0.003; 2]),
    target("refined", "log_z_error", "error of log Z", [0.01; 2]),
    target("refined", "k_hat", "k-hat", [0.7; 2]),
    target("one_shot", "kl_forward", "KL(posterior || q)", [0.03, 0.06]),
    target("one_shot", "bridge_mass", "bridge mass", [0.01; 2]),
    target("one_shot", "log_z_error", "error of log Z", [0.01; 2]),
    target("one_shot", "k_hat", "k-hat", [0.7; 2]),
];

/// How much worse than the matched base that of BIC may be, nats.
const BIC: f64 = 0.02;

const fn target(
    protocol: &'static str,
    metric: &'static str,
    what: &'static str,
    limits: [f64; 2],
) -> Target {
    Target {
        protocol,
        base: "matched",
        metric,
        what,
        limits,
    }
}

/// A row for each target, a column for each benchmark.
pub fn targets(protocols: &[(&str, Vec<Arm<'_>>)]) -> Table {
    let mut rows = Vec::new();
    for t in &TARGETS {
        let Some((_, arms)) = protocols.iter().find(|p| p.0 == t.protocol) else {
            continue;
        };
        let mean = |benchmark| {
            let arm = find(arms, benchmark, t.base)?;
            // Of errors, their sizes.
            if t.metric == "k_hat" {
                arm.mean("mixture", t.metric)
            } else {
                arm.mean_size("mixture", t.metric)
            }
        };
        rows.extend(row(t.protocol, t.what, t.limits, &mean));
    }
    for (protocol, arms) in protocols {
        let difference = |benchmark| {
            let (bic, matched) = (
                find(arms, benchmark, "bic")?,
                find(arms, benchmark, "matched")?,
            );
            bic.difference(matched, "mixture", "kl_forward")
        };
        let what = "KL with BIC's components minus KL with the matched ones";
        rows.extend(row(protocol, what, [BIC; 2], &difference));
    }
    let mut names = header(["protocol", "target", "at most"]);
    names.extend(Benchmark::ALL.map(|b| b.name().to_owned()));
    names.push("met".into());
    Table {
        stem: "posterior_targets".into(),
        title: "Targets".into(),
        caption: "The mixture of experts on the matched base unless said, against bounds that were set before; where there are two, for two and for three \
                  dimensions. Met: on how many benchmarks the mean over the seeds is within the bound. Of errors, their sizes."
            .into(),
        header: names,
        rows,
    }
}

/// `None` without any number.
fn row(
    protocol: &str,
    what: &str,
    limits: [f64; 2],
    mean: &dyn Fn(Benchmark) -> Option<Mean>,
) -> Option<Vec<Cell>> {
    let [plane, space] = limits;
    let bound = if plane == space {
        plane.to_string()
    } else {
        format!("{plane} or {space}")
    };
    let (mut cells, mut met, mut count) = (Vec::new(), 0, 0);
    for benchmark in Benchmark::ALL {
        let mean = mean(benchmark);
        if let Some(m) = mean {
            count += 1;
            met += usize::from(m.value <= limits[dim(benchmark) - 2]);
        }
        cells.push(Cell::mean(mean, 4));
    }
    let mut row = vec![protocol.into(), what.into(), Cell::Text(bound)];
    row.extend(cells);
    row.push(Cell::Text(format!("{met} of {count}")));
    (count > 0).then_some(row)
}
