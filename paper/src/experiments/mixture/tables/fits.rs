//! Every measure of every model, and the weights.

use super::super::arms::Group;
use super::super::published::Published;
use crate::engine::arm::seeds;
use crate::engine::table::{Cell, Table, header};

/// Measures of the main table: name in the records, heading, decimals.
const MEASURES: [(&str, &str, usize); 7] = [
    ("nll", "NLL", 3),
    ("kl", "KL", 3),
    ("kl_kde", "KL(KDE)", 3),
    ("w2", "W2", 3),
    ("sliced_w2", "sliced W2", 3),
    ("mmd_unbiased", "MMD", 3),
    ("mmd_biased", "MMD biased", 3),
];

/// Every measure of every model, with the entropy floor beside the NLL.
pub fn metrics(protocol: &str, groups: &[Group<'_>]) -> Table {
    let mut header = header(["family", "model", "entropy H"]);
    header.extend(MEASURES.iter().map(|m| m.1.to_owned()));
    header.insert(4, "NLL − H".into());
    let mut rows = Vec::new();
    for g in groups {
        for model in g.models() {
            let mut row = vec![
                g.family().name().into(),
                model.into(),
                Cell::plain(g.entropy(), 3),
            ];
            row.extend(
                MEASURES
                    .iter()
                    .map(|(name, _, d)| Cell::mean(g.mean(model, name), *d)),
            );
            row.insert(4, Cell::mean(g.gap(model), 3));
            rows.push(row);
        }
    }
    let run = groups[0].run();
    Table {
        stem: format!("metrics_{protocol}"),
        title: format!("Metrics, protocol {protocol}"),
        caption: format!(
            "{} draws a fit, {}; {} test points for NLL and KL, {} points against {} sets of model draws for the sampled metrics. H \
             is the entropy of the target in nats, the floor of the NLL; KL is the mean of log p − log q over the test points.",
            run.draws.budget(),
            seeds(groups),
            run.draws.test,
            run.evaluation.samples,
            run.evaluation.sets
        ),
        header,
        rows,
    }
}

/// Mixture weights and N_eff.
pub fn weights(protocol: &str, groups: &[Group<'_>]) -> Table {
    let experts: Vec<&str> = groups[0].experts().collect();
    let mut header = vec!["family".to_owned()];
    header.extend(experts.iter().map(|e| format!("weight {e}")));
    header.push("N_eff".into());
    let row = |g: &Group<'_>| {
        let mut row = vec![g.family().name().into()];
        row.extend(experts.iter().map(|e| Cell::mean(g.mean(e, "weight"), 3)));
        row.push(Cell::mean(g.mean("mixture", "n_eff"), 2));
        row
    };
    Table {
        stem: format!("weights_{protocol}"),
        title: format!("Mixture weights, protocol {protocol}"),
        caption: format!(
            "Global weights after stage 2 and N_eff = exp(H(weights)); {}.",
            seeds(groups)
        ),
        header,
        rows: groups.iter().map(row).collect(),
    }
}

/// The authors' numbers and this run's, side by side.
pub fn against_published(protocol: &str, groups: &[Group<'_>]) -> Table {
    let published = Published::load();
    let measures = &[
        ("nll", "NLL"),
        ("kl_kde", "KL(KDE)"),
        ("w2", "W2"),
        ("mmd_unbiased", "MMD"),
    ];
    let mut header: Vec<String> = vec!["family".into(), "model".into()];
    for (_, title) in measures {
        header.push(format!("{title} published"));
        header.push(format!("{title} here"));
    }
    header.extend([
        "weight or N_eff published".into(),
        "weight or N_eff here".into(),
    ]);
    let mut rows = Vec::new();
    for g in groups {
        let Some(family) = published.family(g.family()) else {
            continue;
        };
        for model in g.models() {
            let numbers = family.models.get(model);
            let mut row = vec![g.family().name().into(), model.into()];
            for (metric, _) in measures {
                let theirs = numbers.and_then(|n| n.get(metric));
                row.push(theirs.map_or(Cell::Empty, |v| Cell::plain(v, 3)));
                row.push(Cell::mean(g.mean(model, metric), 3));
            }
            let (theirs, ours) = if model == "mixture" {
                (Some(family.n_eff), g.mean(model, "n_eff"))
            } else {
                (family.weights.get(model).copied(), g.mean(model, "weight"))
            };
            row.push(theirs.map_or(Cell::Empty, |v| Cell::plain(v, 3)));
            row.push(Cell::mean(ours, 3));
            rows.push(row);
        }
    }
    Table {
        stem: format!("published_{protocol}"),
        title: "Published against regenerated".into(),
        caption: format!(
            "The results file of the authors' code (arXiv:2510.02056) and the protocol {protocol} here. No numbers are published for \
             five_mode."
        ),
        header,
        rows,
    }
}
