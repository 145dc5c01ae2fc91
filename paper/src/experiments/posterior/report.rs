//! The report's text about posteriors.

use super::arms::Arm;
use crate::engine::Record;
use crate::engine::figure::Figure;
use crate::engine::section::Section;
use crate::engine::table::{Table, capital};
use posterior::Draws;
use std::fmt::Write;

/// Heading and introduction of the chapter.
pub const CHAPTER: &str = "
## Posteriors from likelihood evaluations

Likelihood-weighted flows (arXiv:2512.04954): draws of the prior with their likelihoods as weights stand for a posterior of which no \
draw exists, and flows are fitted to them by weighted maximum likelihood. MAF, RealNVP and their mixture (with the base itself as an \
expert where it is a mixture), on a standard normal base, on a Gaussian mixture with one component for each mode, and on one whose \
number of components BIC chooses. The benchmarks and their exact answers are this project's own (`datasets::posterior`). Settings \
were chosen with other seeds (101 to 106) than those shown here; the larger flows of the tuned normal base among four sizes and \
lengths of training, on four_signs alone (seed 101, three of them on 102 as well; twice as many steps lower its KL there by 10 to 16 %).
";

/// The section of a protocol: its subject `what`, figures, tables.
pub fn section<R: Record>(
    section: &Section<'_, R>,
    what: &str,
    tables: &[Table],
    figures: &[Figure],
) -> String {
    let title = section.presentation.title(section.protocol);
    let mut text = String::new();
    let _ = write!(text, "\n### {title}\n\n{what}\n\n");
    for f in figures {
        f.show(&mut text);
    }
    for t in tables {
        t.show(&mut text);
        text.push('\n');
    }
    text
}

/// Tables about several protocols, each after a blank line.
pub fn overall(tables: &[&Table]) -> String {
    let mut text = String::new();
    for t in tables {
        text.push('\n');
        t.show(&mut text);
    }
    text
}

/// How many evaluations the fits get.
pub fn budgets(arms: &[Arm<'_>]) -> String {
    let mut budgets: Vec<String> = Vec::new();
    for arm in arms {
        let fit = &arm.run().fit;
        let budget = match fit.draws {
            Draws::UntilEss { ess, .. } => {
                format!("draws until an effective sample size of {ess:.0}")
            }
            _ => format!("{} likelihood evaluations in all", fit.budget()),
        };
        if !budgets.contains(&budget) {
            budgets.push(budget);
        }
    }
    format!("{}.", capital(&budgets.join(", ")))
}

/// The warnings of the fits.
pub fn warnings(arms: &[&Arm<'_>]) -> String {
    let mut found: Vec<String> = Vec::new();
    for arm in arms {
        let reports = arm.records.iter().map(|r| &r.report);
        let count = reports.filter(|r| r.warning.is_some()).count();
        if count > 0 {
            let run = arm.run();
            found.push(format!(
                "{} {} {} (N at most {}; {count} of {})",
                arm.protocol,
                arm.benchmark(),
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
