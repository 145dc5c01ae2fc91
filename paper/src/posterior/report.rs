//! The report's section on posteriors.

use super::amortised;
use super::summary::{Arm, arms, by_protocol};
use super::tables::{Titled, capital};
use crate::figures::Figure;
use crate::report::{figure, table};
use crate::results::Results;
use posterior::FirstDraws;
use std::fmt::Write;

/// The section; empty without records.
#[must_use]
pub fn markdown(results: &Results, tables: &[Titled], figures: &[Figure]) -> String {
    if results.posteriors.is_empty() && results.amortised.is_empty() {
        return String::new();
    }
    let mut text = String::from("\n## Posteriors from likelihood evaluations\n\n");
    text += "Likelihood-weighted flows (arXiv:2512.04954): draws of the prior with their likelihoods as weights stand for a posterior of which no draw exists, and \
             flows are fitted to them by weighted maximum likelihood. MAF, RealNVP and their mixture (with the base itself as an expert where it is a mixture), on a \
             standard normal base, on a Gaussian mixture with one component for each mode, and on one whose number of components BIC chooses. The benchmarks and their \
             exact answers are this project's own (`datasets::posterior`). Settings were chosen with other seeds (101 to 106) than those shown here.\n";
    let arms = arms(&results.posteriors);
    let whole = |stem: &str| tables.iter().find(|t| t.table.stem == stem);
    for t in ["posterior_claims", "posterior_targets"] {
        if let Some(t) = whole(t) {
            text.push('\n');
            table(&mut text, &t.table);
        }
    }
    for (protocol, arms) in by_protocol(&arms) {
        let what = describe(protocol, &arms);
        section(&mut text, protocol, &what, tables, figures);
    }
    let of_amortised = amortised::tables::arms(&results.amortised);
    for protocol in amortised::tables::protocols(&of_amortised) {
        let what = "Truly amortised: conditional flows q(theta | y), learnt once from simulated pairs and asked about data that they have not seen. The simulator hides \
                    signs, y_j = theta_j^2 + noise, and the number of modes depends on the data. Experts are single flows on a normal base (normal) or on a mixture base that \
                    is the same for all data (matched), or sums of flows, one for each mode (flows).";
        section(&mut text, protocol, what, tables, figures);
    }
    if !arms.is_empty() {
        text += &warnings(&arms);
    }
    if let Some(t) = whole("posterior_times") {
        text.push('\n');
        table(&mut text, &t.table);
    }
    text
}

fn section(text: &mut String, protocol: &str, what: &str, tables: &[Titled], figures: &[Figure]) {
    let _ = write!(text, "\n### Protocol {protocol}\n\n{what}\n\n");
    for f in figures.iter().filter(|f| f.protocol == protocol) {
        figure(text, f);
    }
    let own = |t: &&Titled| t.protocol.as_deref() == Some(protocol);
    for t in tables.iter().filter(own) {
        table(text, &t.table);
        text.push('\n');
    }
}

fn describe(protocol: &str, arms: &[Arm<'_>]) -> String {
    let what = match protocol {
        "one_shot" => {
            "The paper's method: draws of the prior, once, until their weights have the effective sample size that is asked for."
        }
        "refined" => {
            "Beyond the paper: rounds of refinement, each drawn from a mixture of the current model and the prior; all evaluations are used together, with \
             deterministic-mixture weights."
        }
        "components" => {
            "The same fits on bases with too few components, as many as modes, and too many."
        }
        "evaluations" => {
            "The same number of likelihood evaluations, drawn from the prior in one go or refined in rounds."
        }
        _ => "See its config.",
    };
    let mut budgets: Vec<String> = Vec::new();
    for arm in arms {
        let fit = &arm.records[0].run.fit;
        let budget = match (fit.first, &fit.refinement) {
            (FirstDraws::UntilEss { ess, .. }, None) => {
                format!("draws until an effective sample size of {ess:.0}")
            }
            _ => format!("{} likelihood evaluations in all", fit.budget()),
        };
        if !budgets.contains(&budget) {
            budgets.push(budget);
        }
    }
    format!("{what} {}.", capital(&budgets.join(", ")))
}

/// What the fits warned of.
fn warnings(arms: &[Arm<'_>]) -> String {
    let mut found: Vec<String> = Vec::new();
    for arm in arms {
        let last = arm.records.iter().filter_map(|r| r.rounds.last());
        let count = last.filter(|r| r.warning.is_some()).count();
        if count > 0 {
            let run = &arm.records[0].run;
            found.push(format!(
                "{} {} {} (N at most {}; {count} of {})",
                arm.protocol,
                arm.benchmark,
                run.arm(),
                arm.n,
                arm.records.len()
            ));
        }
    }
    if found.is_empty() {
        return "\nNo run warned of its weights.\n".into();
    }
    format!(
        "\nRuns that warned of their weights (effective sample size below 100 or 1 % of the draws, or Pareto k above 0.7): {}.\n",
        found.join("; ")
    )
}
