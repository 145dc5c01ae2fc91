//! Tables for the terminal.

use amf::{Column, Comparison, FittedDensity, Report, RowDependence, Score, Trust};
use density::Support;
use numerics::ChainDiagnostics;
use std::fmt::Write;

/// Everything about a model, line by line.
pub fn of(density: &FittedDensity) -> String {
    text(density, true)
}

/// The same without the evidence, where a better estimate is known: the model sees fewer draws.
pub fn without_evidence(density: &FittedDensity) -> String {
    text(density, false)
}

fn text(density: &FittedDensity, evidence: bool) -> String {
    let report = density.report();
    let mut out = String::new();
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    line(format!("columns      {}", columns(density.columns())));
    let source = report.source.as_deref().unwrap_or("not recorded");
    line(format!(
        "draws        {source}: {} rows, {} used, {} held out in turn; seed {}; amf {}",
        report.rows, report.rows_used, report.rows_held_out, report.seed, report.version
    ));
    if let Some(w) = &report.weights {
        let k = w.pareto_k.map_or("unknown".into(), |k| format!("{k:.2}"));
        let evidence = if evidence {
            let (z, error) = (w.log_evidence, w.standard_error);
            format!(", log-evidence {z:.3} ± {error:.3} (of draws of the prior)")
        } else {
            String::new()
        };
        line(format!(
            "weights      effective sample size {:.1} of {}, Pareto k {k}{evidence}",
            w.ess, w.draws
        ));
    }
    if let Some(d) = &report.dependence {
        line(dependence(d));
    }
    line(String::new());
    let all = out
        + &table(report, density.expert_names())
        + "\n"
        + &calibration(report)
        + "\n"
        + &verdict(report);
    printable(&all)
}

/// The chains of the rows: their effective number, and the columns that are worst.
fn dependence(d: &RowDependence) -> String {
    let worst = |badness: &dyn Fn(&ChainDiagnostics) -> f64| {
        let columns = d.columns.iter();
        columns.max_by(|a, b| badness(&a.1).total_cmp(&badness(&b.1)))
    };
    let seen = match (d.named, d.chains) {
        (true, 1) => "1 chain".into(),
        (true, n) => format!("{n} chains"),
        _ => String::from("1 chain (by the order of the rows)"),
    };
    let mut out = format!("chains       {seen}");
    if let Some((name, c)) = worst(&|c| -c.ess_bulk) {
        let _ = write!(
            out,
            ": bulk effective sample size {:.0} of {} (\"{name}\")",
            c.ess_bulk, d.rows
        );
    }
    if let Some((name, c)) = worst(&|c| -c.ess_tail) {
        let _ = write!(out, ", tail {:.0} (\"{name}\")", c.ess_tail);
    }
    if let Some((name, c)) = worst(&|c| c.r_hat) {
        let _ = write!(out, ", R-hat {:.3} (\"{name}\")", c.r_hat);
    }
    out
}

/// Names from files may hold control characters, which a terminal would obey: they are escaped.
pub fn printable(text: &str) -> String {
    let escape = |c: char| -> String {
        if c.is_control() && c != '\n' {
            c.escape_default().collect()
        } else {
            c.into()
        }
    };
    text.chars().map(escape).collect()
}

/// Experts, mixture and baselines.
fn table(report: &Report, in_model: &[String]) -> String {
    let mut out = String::new();
    let names = report.experts.iter().map(|e| e.name.len());
    let names = names.chain(report.baselines.iter().map(|b| b.name.len()));
    let width = names.max().unwrap_or(0).max(10);
    let _ = writeln!(
        out,
        "{:width$}  {:>22}  {:>7}  mixture's gain",
        "", "held-out NLL (nats)", "weight"
    );
    for e in &report.experts {
        let nll = score(&e.nll);
        // Experts that add nothing are not in the model.
        let weight = if in_model.contains(&e.name) {
            format!("{:.4}", e.weight)
        } else {
            "-".into()
        };
        let _ = writeln!(out, "{:width$}  {nll:>22}  {weight:>7}", e.name);
    }
    let own = score(&report.mixture);
    let _ = writeln!(
        out,
        "{:width$}  {own:>22}  {:>7}  N_eff {:.2}, optimality gap {:.1e}",
        "mixture", "", report.n_eff, report.optimality_gap
    );
    for b in &report.baselines {
        let word = match b.comparison() {
            Comparison::Better => "better",
            Comparison::Level => "level",
            Comparison::Worse => "worse",
        };
        let (nll, gain) = (score(&b.nll), score(&b.gain));
        let _ = writeln!(
            out,
            "{:width$}  {nll:>22}  {:>7}  {gain} ({word})",
            b.name, ""
        );
    }
    for l in &report.left_out {
        let _ = writeln!(out, "{:width$}  left out: {}", l.name, l.reason);
    }
    for n in &report.notes {
        let _ = writeln!(out, "note: {n}");
    }
    out
}

fn calibration(report: &Report) -> String {
    let c = &report.calibration;
    let regions: Vec<String> = c
        .regions
        .iter()
        .map(|r| {
            format!(
                "{:.1} % {:.1} ± {:.1}",
                100.0 * r.nominal,
                100.0 * r.share,
                100.0 * r.standard_error
            )
        })
        .collect();
    format!(
        "held-out rows in the model's regions of highest density: {}; p = {:.3} that the distance {:.3} from uniform is chance\n",
        regions.join(", "),
        c.p_value,
        c.distance
    )
}

fn verdict(report: &Report) -> String {
    let v = &report.verdict;
    let mut out = format!("best by held-out likelihood: {}\n", v.best);
    out.push_str(match v.trust {
        Trust::Yes => "verdict: nothing speaks against this fit\n",
        Trust::WithCare => "verdict: good enough for most uses, but\n",
        Trust::No => "verdict: do not trust this fit as it is\n",
    });
    for r in &v.reasons {
        let _ = writeln!(out, "  - {r}");
    }
    out
}

fn columns(columns: &[Column]) -> String {
    let each = columns.iter().map(|c| match c.support {
        Support::Real => c.name.clone(),
        Support::Positive => format!("{} > 0", c.name),
        Support::Above { low } => format!("{} > {low}", c.name),
        Support::Below { high } => format!("{} < {high}", c.name),
        Support::Interval { low, high } => format!("{low} < {} < {high}", c.name),
    });
    each.collect::<Vec<_>>().join(", ")
}

/// Value and standard error.
pub fn score(s: &Score) -> String {
    if s.value.is_finite() {
        format!("{:.4} ± {:.4}", s.value, s.standard_error)
    } else {
        "infinite".into()
    }
}
