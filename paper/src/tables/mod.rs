//! Every table, from records.

mod cross_fitted;

pub use cross_fitted::over_families;

use crate::published::Published;
use crate::record::Record;
use crate::summary::{Group, Mean, by_protocol, groups, main_size};
use crate::table::{Cell, Table};

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

/// All tables that the records allow.
#[must_use]
pub fn all(records: &[Record]) -> Vec<Table> {
    let groups = groups(records);
    let mut tables = Vec::new();
    for (protocol, groups) in by_protocol(&groups) {
        if groups[0].is_cross_fitted() {
            tables.extend(cross_fitted::all(protocol, &groups));
            continue;
        }
        tables.push(metrics(protocol, &groups));
        tables.push(weights(protocol, &groups));
        tables.extend((protocol == "as_published").then(|| against_published(&groups)));
    }
    if !groups.is_empty() {
        tables.push(claims(&groups));
        tables.push(times(&groups));
    }
    tables
}

fn seeds(groups: &[Group<'_>]) -> String {
    match groups[0].records.len() {
        1 => format!("seed {}", groups[0].records[0].run.seed),
        n => format!("mean ± standard error over {n} seeds"),
    }
}

/// Every measure of every model, with the entropy floor beside the NLL.
fn metrics(protocol: &str, groups: &[Group<'_>]) -> Table {
    let mut header: Vec<String> = ["family", "model", "entropy H"].map(String::from).to_vec();
    header.extend(MEASURES.iter().map(|m| m.1.to_owned()));
    header.insert(4, "NLL − H".into());
    let mut rows = Vec::new();
    for g in groups {
        for model in g.models() {
            let mut row = vec![
                g.family.name().into(),
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
    let run = &groups[0].records[0].run;
    Table {
        stem: format!("metrics_{protocol}"),
        title: format!("Metrics, protocol {protocol}"),
        caption: format!(
            "{} draws a fit, {}; {} test points for NLL and KL, {} points against {} sets of model draws for the sampled metrics. \
             H is the entropy of the target in nats, the floor of the NLL; KL is the mean of log p − log q over the test points.",
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
fn weights(protocol: &str, groups: &[Group<'_>]) -> Table {
    let experts: Vec<&str> = groups[0].experts().collect();
    let mut header = vec!["family".to_owned()];
    header.extend(experts.iter().map(|e| format!("weight {e}")));
    header.push("N_eff".into());
    let row = |g: &Group<'_>| {
        let mut row = vec![g.family.name().into()];
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
fn against_published(groups: &[Group<'_>]) -> Table {
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
        let Some(family) = published.family(g.family) else {
            continue;
        };
        for model in g.models() {
            let numbers = family.models.get(model);
            let mut row = vec![g.family.name().into(), model.into()];
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
        stem: "published_against_regenerated".into(),
        title: "Published against regenerated".into(),
        caption: "The results file of the authors' code (arXiv:2510.02056) and the protocol as_published here. No numbers \
                  are published for five_mode."
            .into(),
        header,
        rows,
    }
}

/// One of the paper's claims, judged on the records of one protocol.
struct Verdict {
    claim: &'static str,
    holds: bool,
    numbers: String,
}

/// The four claims of the paper.
fn claims(groups: &[Group<'_>]) -> Table {
    let mut rows = Vec::new();
    for (protocol, groups) in by_protocol(groups) {
        let groups = main_size(&groups);
        if groups[0].is_variant() {
            continue;
        }
        // Claim (2) needs samples of every expert.
        let sampled = groups[0].mean(groups[0].models()[1], "w2").is_some();
        let verdicts = [
            Some(best_likelihood(&groups)),
            sampled.then(|| competitive(&groups)),
            Some(no_collapse(&groups)),
            Some(overhead(&groups)),
        ];
        for v in verdicts.into_iter().flatten() {
            rows.push(vec![
                v.claim.into(),
                protocol.into(),
                if v.holds { "holds" } else { "does not hold" }.into(),
                Cell::Text(v.numbers),
            ]);
        }
    }
    Table {
        stem: "claims".into(),
        title: "The paper's claims".into(),
        caption: "Each claim of arXiv:2510.02056 judged on the means over seeds; of protocols with several sizes, at n = 1,000.".into(),
        header: ["claim", "protocol", "verdict", "numbers"]
            .map(String::from)
            .to_vec(),
        rows,
    }
}

/// The expert with the smallest mean of a measure.
fn best_expert<'a>(g: &Group<'a>, metric: &str) -> Option<(&'a str, Mean)> {
    let all = g.experts().filter_map(|e| Some((e, g.mean(e, metric)?)));
    all.min_by(|a, b| a.1.value.total_cmp(&b.1.value))
}

/// The flow (RBIG among them) with the smallest mean NLL.
fn best_flow<'a>(g: &Group<'a>) -> Option<(&'a str, Mean)> {
    let all = g.flows().filter_map(|e| Some((e, g.mean(e, "nll")?)));
    all.min_by(|a, b| a.1.value.total_cmp(&b.1.value))
}

fn best_likelihood(groups: &[Group<'_>]) -> Verdict {
    let mut parts = Vec::new();
    let mut wins = 0;
    for g in groups {
        let (Some(m), Some((name, e))) = (g.mean("mixture", "nll"), best_flow(g)) else {
            continue;
        };
        wins += usize::from(m.value < e.value);
        parts.push(format!(
            "{} {:.3} against {:.3} ({name})",
            g.family, m.value, e.value
        ));
    }
    Verdict {
        claim: "(1) lower NLL than every single flow on every family",
        holds: wins == groups.len(),
        numbers: format!("{wins} of {}: {}", groups.len(), parts.join("; ")),
    }
}

fn competitive(groups: &[Group<'_>]) -> Verdict {
    let mut parts = Vec::new();
    let mut worst = 0.0f64;
    let mut count = [0usize; 2];
    for g in groups {
        for (k, metric) in ["w2", "mmd_unbiased"].into_iter().enumerate() {
            let (Some(m), Some((name, e))) = (g.mean("mixture", metric), best_expert(g, metric))
            else {
                continue;
            };
            count[k] += usize::from(m.value <= e.value);
            // An MMD of zero is below what 2,000 points resolve: 0.01 is used as the unit there.
            let floor = if metric == "w2" { 0.0 } else { 0.01 };
            worst = worst.max(m.value.max(floor) / e.value.max(floor));
            if k == 0 {
                parts.push(format!(
                    "{} W2 {:.3} against {:.3} ({name})",
                    g.family, m.value, e.value
                ));
            }
        }
    }
    Verdict {
        claim: "(2) competitive or better W2 and MMD (at most 1.25 times the best expert's)",
        holds: worst <= 1.25,
        numbers: format!(
            "best on W2 {} and on MMD {} of {} families, at worst {worst:.2} times the best expert; {}",
            count[0],
            count[1],
            groups.len(),
            parts.join("; ")
        ),
    }
}

fn no_collapse(groups: &[Group<'_>]) -> Verdict {
    let mut smallest = f64::INFINITY;
    let mut parts = Vec::new();
    for g in groups {
        let lowest = g
            .values("mixture", "n_eff")
            .into_iter()
            .fold(f64::INFINITY, f64::min);
        smallest = smallest.min(lowest);
        if let Some(m) = g.mean("mixture", "n_eff") {
            parts.push(format!("{} {:.2}", g.family, m.value));
        }
    }
    Verdict {
        claim: "(3) no component collapse (N_eff above 2 in every run)",
        holds: smallest > 2.0,
        numbers: format!(
            "N_eff {}; smallest of all runs {smallest:.2}",
            parts.join(", ")
        ),
    }
}

/// Seconds of stage 1 and of stage 2, summed over the records of some groups.
fn stage_seconds(groups: &[Group<'_>]) -> (f64, f64) {
    let records = groups.iter().flat_map(|g| &g.records);
    records.fold((0.0, 0.0), |(fit, weights), r| {
        (
            fit + r.seconds.fit.iter().sum::<f64>(),
            weights + r.seconds.weights,
        )
    })
}

fn overhead(groups: &[Group<'_>]) -> Verdict {
    let (fit, weights) = stage_seconds(groups);
    let share = weights / fit;
    Verdict {
        claim: "(4) minimal overhead over training the flows (stage 2 below 5 % of stage 1)",
        holds: share < 0.05,
        numbers: format!(
            "stage 2 takes {:.2} % of the time of stage 1",
            100.0 * share
        ),
    }
}

/// Seconds of each stage.
fn times(groups: &[Group<'_>]) -> Table {
    let mut experts: Vec<&str> = Vec::new();
    for e in groups.iter().flat_map(Group::experts) {
        if !experts.contains(&e) {
            experts.push(e);
        }
    }
    let mut header = ["protocol", "family", "n"].map(String::from).to_vec();
    header.extend(experts.iter().map(|e| format!("fit {e}")));
    header.extend(["weights", "evaluation", "in all"].map(String::from));
    let mut rows = Vec::new();
    for g in groups {
        let mean = |f: &dyn Fn(&Record) -> Option<f64>| {
            let values: Vec<f64> = g.records.iter().filter_map(|r| f(r)).collect();
            Cell::mean(Mean::of(&values).map(|m| Mean { error: None, ..m }), 2)
        };
        let mut row = vec![
            g.protocol.into(),
            g.family.name().into(),
            Cell::Text(g.n.to_string()),
        ];
        for e in &experts {
            row.push(mean(&|r| {
                let k = r.run.experts.iter().position(|x| x.name == *e)?;
                r.seconds.fit.get(k).copied()
            }));
        }
        row.push(mean(&|r| Some(r.seconds.weights)));
        row.push(mean(&|r| Some(r.seconds.evaluation)));
        row.push(mean(&|r| {
            Some(r.seconds.fit.iter().sum::<f64>() + r.seconds.weights + r.seconds.evaluation)
        }));
        rows.push(row);
    }
    let p = &groups[0].records[0].provenance;
    Table {
        stem: "times".into(),
        title: "Time of each stage".into(),
        caption: format!(
            "Wall-clock seconds of one run, mean over its seeds, on an {} with {} thread(s) for each run while other runs \
             kept the other cores busy; for cross-fitted experts the sum over their models. They differ from machine to machine.",
            p.cpu, p.threads
        ),
        header,
        rows,
    }
}
