//! The cost of bridges: normal bases compared with the matched one, on the same evaluations.

use super::super::arms::{Arm, benchmarks, find};
use crate::engine::arm::seeds;
use crate::engine::mean::Mean;
use crate::engine::table::{Cell, Table, header};

/// The ratio of two means, with its error to first order.
pub fn ratio(a: Option<Mean>, b: Option<Mean>) -> Option<Mean> {
    let (a, b) = (a?, b?);
    let value = a.value / b.value;
    let error = a.error.zip(b.error).map(|(ea, eb)| {
        let (ra, rb) = (ea / a.value, eb / b.value);
        value.abs() * (ra * ra + rb * rb).sqrt()
    });
    value.is_finite().then_some(Mean { value, error })
}

/// The normal bases: with the architecture of the others, and with one that was tuned for it.
const NORMAL: [&str; 2] = ["normal", "tuned"];

/// Ratios of KL, bridge mass and W2; `None` unless a normal and the matched base are there.
pub fn bridges(protocol: &str, arms: &[Arm<'_>]) -> Option<Table> {
    let mut rows = Vec::new();
    for benchmark in benchmarks(arms) {
        let Some(matched) = find(arms, benchmark, "matched") else {
            continue;
        };
        let normal = NORMAL
            .iter()
            .filter_map(|base| find(arms, benchmark, base))
            .flat_map(|arm| arm.flows().into_iter().map(move |model| (arm, model)));
        for (normal, model) in normal {
            let mut row = vec![benchmark.name().into(), normal.base().into(), model.into()];
            for (metric, decimals) in [("kl_forward", 4), ("bridge_mass", 4), ("sliced_w2", 4)] {
                let (a, b) = (normal.mean(model, metric), matched.mean(model, metric));
                row.extend([
                    Cell::mean(a, decimals),
                    Cell::mean(b, decimals),
                    Cell::mean(ratio(a, b), 1),
                ]);
            }
            rows.push(row);
        }
    }
    (!rows.is_empty()).then(|| Table {
        stem: format!("bridges_{protocol}"),
        title: format!("What bridges cost, protocol {protocol}"),
        caption: format!(
            "A standard normal base, with the flows of the mixture base (normal) or with larger ones that were tuned for it (tuned), \
             against a mixture base with one component for each mode, on the same evaluations; {}. The ratio is that of the means, its standard error of the first order. Bridges: q's mass outside the posterior's 99.9 % region; sliced W2 \
             has a floor that finite samples leave.",
            seeds(arms)
        ),
        header: header([
            "benchmark",
            "normal base",
            "model",
            "KL normal",
            "KL matched",
            "KL ratio",
            "bridges normal",
            "bridges matched",
            "bridges ratio",
            "sliced W2 normal",
            "sliced W2 matched",
            "sliced W2 ratio",
        ]),
        rows,
    })
}
