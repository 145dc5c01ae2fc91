//! The report's text about mixtures.

use super::arms::{Group, main_size, sizes};
use super::record::MixtureRecord;
use crate::engine::figure::Figure;
use crate::engine::section::Section;
use crate::engine::table::Table;
use amf::WeightRule;
use std::fmt::Write;

/// The section of a protocol.
pub fn section(
    section: &Section<'_, MixtureRecord>,
    tables: &[Table],
    figures: &[Figure],
) -> String {
    let title = section.presentation.title(section.protocol);
    let prose = section.presentation.prose();
    let mut text = format!("\n## {title}\n\n{prose} {}\n\n", draws(&section.arms));
    for t in tables {
        t.show(&mut text);
    }
    for f in figures {
        f.show(&mut text);
    }
    text
}

/// The text after the sections: the paper's numbers and claims, and times.
pub fn closing(protocols: &[(&str, &[Group<'_>])], against: &[Table], times: &Table) -> String {
    let mut text = String::from("\n## Against the paper\n\n");
    for t in against {
        t.show(&mut text);
    }
    text += &remarks(protocols);
    text += "\n## Time\n\n";
    times.show(&mut text);
    text
}

/// How the draws are divided.
fn draws(groups: &[Group<'_>]) -> String {
    let run = groups[0].run();
    let d = &run.draws;
    let Some(folds) = &run.cross_fit else {
        return format!(
            "{} draws train, {} validate, {} give weights; {} test points are used for nothing else.",
            d.train, d.validation, d.weights, d.test
        );
    };
    let sizes: Vec<String> = sizes(groups)
        .iter()
        .map(|&n| format!("{n} ({} models of each expert)", folds.models(n)))
        .collect();
    format!(
        "{} folds; draws a fit in all: {}; of each fold's complement {} % stop the training; {} test draws are used for nothing else.",
        folds.folds,
        sizes.join(", "),
        100.0 * folds.validation,
        d.test
    )
}

/// Models whose mean NLL over seeds is far above the median: single test points dominate it.
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
                    g.family(),
                    mean.value
                ));
            }
        }
    }
    out
}

/// Sentences that follow from the numbers.
fn remarks(protocols: &[(&str, &[Group<'_>])]) -> String {
    let mut text = String::new();
    for (protocol, groups) in protocols {
        let groups = main_size(groups);
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
                        g.family(),
                        expert.value,
                        mixture.value
                    ));
                }
            }
        }
        let dominated = dominated(&groups);
        if !dominated.is_empty() {
            let _ = writeln!(
                text,
                "In {protocol} the mean NLL over seeds is decided by single test points of very low density for: {}. Far outside the \
                 training draws a rectified network extrapolates linearly, and log-scales of up to its bound add up over the layers.\n",
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
                match groups[0].run().weights.rule {
                    WeightRule::MovingAverage { .. } =>
                        "The published rule averages log-likelihoods before the softmax, so it does not maximise the mixture's \
                         likelihood and leaves weight on weaker experts.",
                    _ =>
                        "Stacking maximises the likelihood of the points held out for the weights; on other points a mixture can be \
                         behind its best expert by the noise of those weights.",
                }
            );
        }
    }
    text
}
