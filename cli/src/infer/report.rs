//! The result for the terminal.

use posterior::Inference;
use posterior::anneal::Status;
use std::fmt::Write;

/// Where a run stands, in a line.
pub fn line(s: &Status) -> String {
    let temperature = if s.beta == 1.0 {
        "1".into()
    } else {
        format!("{:.2e}", s.beta)
    };
    format!(
        "round {}: {} evaluations, temperature {temperature}, effective sample size {:.0}, ln Z {:.3} ± {:.3}",
        s.rounds, s.evaluations, s.ess, s.log_evidence, s.standard_error
    )
}

/// The result: ln Z, a line for each parameter and derived quantity, and warnings.
pub fn report(found: &Inference) -> String {
    let (s, z) = (found.status(), found.log_evidence());
    let k = found
        .pareto_k()
        .map_or("unknown".into(), |k| format!("{k:.2}"));
    let mut out = format!(
        "ln Z = {:.3} ± {:.3}; effective sample size {:.0} of {} evaluations in {} rounds, Pareto k {k}\n",
        z.value,
        z.standard_error,
        found.ess(),
        s.evaluations,
        s.rounds
    );
    let theta = found.theta();
    let names = [found.names(), found.derived_names()].concat();
    let width = names.iter().map(String::len).max().unwrap_or(0).max(9);
    let _ = writeln!(
        out,
        "{:width$}  {:>12}  {:>12}  {:>12}  {:>12}  {:>12}",
        "parameter", "mean", "sd", "5 %", "median", "95 %"
    );
    for (j, name) in names.iter().enumerate() {
        let value = |i: usize| match j.checked_sub(theta.ncols()) {
            None => theta[(i, j)],
            Some(k) => found.derived()[i][k],
        };
        let pairs = found.weights().iter().enumerate();
        let pairs = pairs
            .filter(|(_, w)| **w > 0.0)
            .map(|(i, w)| (value(i), *w));
        let numbers = numbers(pairs.collect()).map(|v| format!("{v:>12.5}"));
        let _ = writeln!(out, "{name:width$}  {}", numbers.join("  "));
    }
    out += match found.warnings() {
        [] => "verdict: nothing speaks against these draws",
        _ => "verdict: read this before you use these draws",
    };
    for w in found.warnings() {
        let _ = write!(out, "\n  - {w}");
    }
    out
}

/// Mean, standard deviation and quantiles of values with weights of sum one.
fn numbers(mut pairs: Vec<(f64, f64)>) -> [f64; 5] {
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mean: f64 = pairs.iter().map(|(v, w)| v * w).sum();
    let variance: f64 = pairs.iter().map(|(v, w)| w * (v - mean) * (v - mean)).sum();
    let quantile = |p: f64| {
        let mut sum = 0.0;
        let found = pairs.iter().find(|(_, w)| {
            sum += w;
            sum >= p
        });
        found.or(pairs.last()).map_or(f64::NAN, |p| p.0)
    };
    let (low, median, high) = (quantile(0.05), quantile(0.5), quantile(0.95));
    [mean, variance.sqrt(), low, median, high]
}
