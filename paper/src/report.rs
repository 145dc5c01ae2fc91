//! REPORT.md: every table and figure with a sentence each.

use crate::figures::Figure;
use crate::record::Provenance;
use crate::results::Results;
use crate::summary::{Group, by_protocol, groups, main_size, sizes};
use crate::table::Table;
use crate::work::Recorded;
use std::fmt::Write;

/// The report.
#[must_use]
pub fn markdown(results: &Results, tables: &[Table], figures: &[Figure]) -> String {
    let groups = groups(&results.mixtures);
    let mut text = String::from("# Adaptive mixtures of normalizing flows: results\n\n");
    text += "Every number and figure here is computed from the records in `records/`, which `./reproduce.sh` computes from the \
             configs in `paper/configs/`. Log-densities and divergences are in nats.\n\n";
    text += &provenance(results);
    text += &diverged(results);
    for (protocol, groups) in by_protocol(&groups) {
        let _ = write!(
            text,
            "\n## Protocol {protocol}\n\n{}\n",
            describe(protocol, &groups)
        );
        for t in tables.iter().filter(|t| t.stem.ends_with(protocol)) {
            table(&mut text, t);
        }
        for f in figures.iter().filter(|f| f.protocol == protocol) {
            figure(&mut text, f);
        }
    }
    if groups.is_empty() {
        return text;
    }
    text += "\n## Against the paper\n\n";
    for t in tables {
        if ["claims", "published_against_regenerated"].contains(&t.stem.as_str()) {
            table(&mut text, t);
        }
    }
    text += &remarks(&groups);
    text += "\n## Time\n\n";
    for t in tables.iter().filter(|t| t.stem == "times") {
        table(&mut text, t);
    }
    text
}

pub(crate) fn table(text: &mut String, t: &Table) {
    let _ = write!(
        text,
        "### {}\n\n{}\n\n{}\n",
        t.title,
        t.caption,
        t.markdown()
    );
}

pub(crate) fn figure(text: &mut String, f: &Figure) {
    let _ = write!(
        text,
        "![{}](figures/{})\n\n*{}*\n\n",
        f.title, f.file, f.caption
    );
}

/// Which code computed the records. The processor and times stay in the records and the table of times.
fn provenance(results: &Results) -> String {
    let mixtures = results.mixtures.iter().map(|r| &r.provenance);
    let posteriors = results.posteriors.iter().map(|r| &r.provenance);
    let amortised = results.amortised.iter().map(|r| &r.provenance);
    let all: Vec<&Provenance> = mixtures.chain(posteriors).chain(amortised).collect();
    let mut commits: Vec<String> = all
        .iter()
        .map(|p| {
            let dirty = if p.dirty { " with local changes" } else { "" };
            format!("{}{dirty}", p.commit)
        })
        .collect();
    commits.sort();
    commits.dedup();
    let mut toolchains: Vec<&str> = all.iter().map(|p| p.toolchain.as_str()).collect();
    toolchains.sort_unstable();
    toolchains.dedup();
    format!(
        "{} runs; code {}; {}.\n",
        all.len(),
        commits.join(", "),
        toolchains.join(", ")
    )
}

/// Which runs had fits that diverged on the way, if any had.
fn diverged(results: &Results) -> String {
    let mixtures = results.mixtures.iter();
    let mixtures = mixtures.filter(|r| r.experts.iter().any(|e| !e.backoffs.is_empty()));
    let posteriors = results.posteriors.iter().filter(|r| {
        let mut experts = r.rounds.iter().flat_map(|round| &round.experts);
        experts.any(|e| e.backoffs > 0)
    });
    let stems: Vec<String> = mixtures
        .map(Recorded::stem)
        .chain(posteriors.map(Recorded::stem))
        .collect();
    if stems.is_empty() {
        return String::new();
    }
    format!(
        "\nFits that diverged went on from their best parameters at a lower learning rate in {} runs: {}.\n",
        stems.len(),
        stems.join(", ")
    )
}

fn describe(protocol: &str, groups: &[Group<'_>]) -> String {
    let run = &groups[0].records[0].run;
    let d = &run.draws;
    let what = match protocol {
        "as_published" => {
            "The published hyper-parameters: no standardisation, no validation set, full-batch steps to the end, weights by the moving \
             average of softmaxed mean log-likelihoods on fresh draws. MADE is autoregressive in every dimension here (the authors' leaves \
             its first coordinate unchanged), and log-scales are bounded smoothly."
        }
        "held_out" => {
            "The same experts, standardised, in mini-batches, with early stopping on held-out points (RBIG: smooth \
             marginals, number of layers by held-out likelihood; MAF: order of the coordinates reversed from layer to layer) and weights by stacking on further held-out points, all out of the same budget."
        }
        "default" => {
            "The default recipe of the library (`amf::Recipe::default()`). Experts: MAF and RealNVP that start as the identity on a Gaussian mixture chosen by BIC, \
             the same on a standard normal, RBIG with smooth marginals, a Gaussian mixture by BIC, and Gaussian mixtures of fixed sizes whose components share a shape. \
             Each is fitted on the complement of every fold; points held out from a model give the weights, by stacking among the experts that are not clearly worse than the best; the final expert is the average of its models. \
             The choices (experts, their settings, folds, repeats) were made on the same families with data seeds 101 to 104. \
             The screening of experts before stacking was added after a first run with seeds 1 to 10 had shown what noisy weights cost (its threshold was chosen \
             on 101 to 104); the seeds reported here were used for nothing before."
        }
        "mixture_aware" => {
            "Mixture-aware training, which arXiv:2510.02056 names as future work: after stage 2 every expert is fitted again on points weighted by its \
             responsibilities, and the weights are learned again. One knob, the specialisation s below 1, rewards (s above 0: aware_sharp, s = 0.5) or penalises (below 0: \
             aware_soft, s = -1) the mutual information between point and expert; aware is s = 0, aware_twice two such rounds."
        }
        _ => "See its config.",
    };
    let Some(partition) = &run.cross_fit else {
        return format!(
            "{what} {} draws train, {} validate, {} give weights; {} test points are used for nothing else.\n",
            d.train, d.validation, d.weights, d.test
        );
    };
    let sizes: Vec<String> = sizes(groups)
        .iter()
        .map(|&n| format!("{n} ({} models of each expert)", partition.models(n)))
        .collect();
    format!(
        "{what} {} folds; draws a fit in all: {}; of each fold's complement {} % stop the training; {} test draws are used for nothing else.\n",
        partition.folds,
        sizes.join(", "),
        100.0 * partition.validation,
        d.test
    )
}

/// Models whose mean NLL over seeds is far above the median: single test points decide it.
fn dominated(groups: &[Group<'_>]) -> Vec<String> {
    let mut out = Vec::new();
    for g in groups {
        for model in g.models() {
            let mut values = g.values(model, "nll");
            values.sort_by(f64::total_cmp);
            let (Some(mean), Some(&median)) = (g.mean(model, "nll"), values.get(values.len() / 2))
            else {
                continue;
            };
            if values.len() > 2 && mean.value - median > 1.0 {
                out.push(format!(
                    "{model} on {} (mean {:.2}, median {median:.2})",
                    g.family, mean.value
                ));
            }
        }
    }
    out
}

/// Sentences that follow from the numbers.
fn remarks(groups: &[Group<'_>]) -> String {
    let mut text = String::new();
    for (protocol, groups) in by_protocol(groups) {
        let groups = main_size(&groups);
        if groups[0].is_variant() {
            continue;
        }
        let mut behind = Vec::new();
        for g in &groups {
            let Some(mixture) = g.mean("mixture", "nll") else {
                continue;
            };
            for e in g.experts() {
                if let Some(expert) = g.mean(e, "nll").filter(|m| m.value <= mixture.value) {
                    behind.push(format!(
                        "{} ({e} {:.3} against {:.3})",
                        g.family, expert.value, mixture.value
                    ));
                }
            }
        }
        let dominated = dominated(&groups);
        if !dominated.is_empty() {
            let _ = writeln!(
                text,
                "In {protocol} the mean NLL over seeds is decided by single test points of very low density for: {}. Far outside the training \
                 draws a rectified network extrapolates linearly, and log-scales of up to its bound add up over the layers.\n",
                dominated.join(", ")
            );
        }
        if behind.is_empty() {
            let _ = writeln!(
                text,
                "In {protocol} the mixture's NLL is below each expert's on every family.\n"
            );
        } else {
            let _ = writeln!(
                text,
                "In {protocol} the mixture's NLL is not below each expert's on: {}. {}\n",
                behind.join(", "),
                match protocol {
                    "as_published" =>
                        "The published rule averages log-likelihoods before the softmax, so it does not maximise the mixture's likelihood and leaves \
                         weight on weaker experts.",
                    _ =>
                        "Stacking maximises the likelihood of the points held out for the weights; on other points a mixture can be behind its best \
                         expert by the noise of those weights.",
                }
            );
        }
    }
    text
}
