//! Targets set in advance, each with its measured value.

use super::super::arms::{dim, find};
use super::super::record::PosteriorRecord;
use crate::engine::mean::Mean;
use crate::engine::section::Section;
use crate::engine::table::{Cell, Table, header};
use datasets::posterior::Benchmark;

/// Largest allowed excess of the base chosen by BIC over the matched base, nats.
const BIC: f64 = 0.02;

/// A row for each target, a column for each benchmark.
pub fn targets(sections: &[Section<'_, PosteriorRecord>]) -> Table {
    let mut rows = Vec::new();
    // The last protocol first: it has the narrowest bounds.
    for section in sections.iter().rev() {
        for bound in &section.presentation.bounds {
            let metric = bound.metric.as_str();
            let mean = |benchmark| {
                let arm = find(&section.arms, benchmark, "matched")?;
                // For errors, the absolute value.
                if metric == "k_hat" {
                    arm.mean("mixture", metric)
                } else {
                    arm.mean_size("mixture", metric)
                }
            };
            let limits = [bound.most.0, bound.most.1];
            rows.extend(row(section.protocol, &bound.what, limits, &mean));
        }
    }
    for section in sections {
        let arms = &section.arms;
        let difference = |benchmark| {
            let (bic, matched) = (
                find(arms, benchmark, "bic")?,
                find(arms, benchmark, "matched")?,
            );
            bic.difference(matched, "mixture", "kl_forward")
        };
        let what = "KL with BIC's components minus KL with the matched ones";
        rows.extend(row(section.protocol, what, [BIC; 2], &difference));
    }
    let mut names = header(["protocol", "target", "at most"]);
    names.extend(Benchmark::ALL.map(|b| b.name().to_owned()));
    names.push("met".into());
    Table {
        stem: "posterior_targets".into(),
        title: "Targets".into(),
        caption: "The mixture of experts on the matched base unless said, against bounds that were set before; where there are two, \
                  for two and for three dimensions. Met: on how many benchmarks the mean over the seeds is within the bound. Of \
                  errors, their sizes."
            .into(),
        header: names,
        rows,
    }
}

/// `None` if there is no number.
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
