//! The result for the terminal.

use super::statistics::{Circle, numbers};
use posterior::anneal::Status;
use posterior::{Inference, Prior, PriorMap};
use std::fmt::Write;

/// Where a run stands, in a line.
pub fn line(s: &Status) -> String {
    if s.rounds == 0 {
        return "no round is done yet".into();
    }
    let temperature = if s.beta == 0.0 || s.beta == 1.0 {
        format!("{}", s.beta)
    } else {
        format!("{:.2e}", s.beta)
    };
    format!(
        "round {}: {} evaluations, temperature {temperature}, effective sample size {:.0}, ln Z {} ± {}",
        s.rounds,
        s.evaluations,
        s.ess,
        nats(s.log_evidence),
        nats(s.standard_error)
    )
}

/// A logarithm or its error: three digits behind the point, where it has them.
pub fn nats(v: f64) -> String {
    if v.is_finite() && v.abs() >= 1e13 {
        format!("{v:.6e}")
    } else {
        format!("{v:.3}")
    }
}

/// The result: ln Z, a line for each parameter and derived quantity, and warnings.
pub fn report(found: &Inference, prior: &Prior) -> String {
    let (s, z) = (found.status(), found.log_evidence());
    let k = pareto(found.pareto_k(), found.dominated());
    let rounds = if s.rounds == 1 { "round" } else { "rounds" };
    let mut out = format!(
        "ln Z = {} ± {}; effective sample size {:.0} of {} evaluations in {} {rounds}, Pareto k {k}\n",
        nats(z.value),
        nats(z.standard_error),
        found.ess(),
        s.evaluations,
        s.rounds
    );
    out += &table(found, &circles(prior));
    out += match found.warnings() {
        [] => "verdict: nothing speaks against these draws",
        _ => "verdict: read this before you use these draws",
    };
    for w in found.warnings() {
        let _ = write!(out, "\n  - {w}");
    }
    out
}

/// The parameters that are periodic.
fn circles(prior: &Prior) -> Vec<Option<Circle>> {
    let each = prior.periodic().into_iter().zip(prior.distributions());
    each.map(|(periodic, d)| {
        let (low, high) = d.support();
        periodic.then_some(Circle { low, high })
    })
    .collect()
}

/// A line for each parameter and derived quantity.
fn table(found: &Inference, circles: &[Option<Circle>]) -> String {
    let mut out = String::new();
    let theta = found.theta();
    let names = [found.names(), found.derived_names()].concat();
    let width = names.iter().map(String::len).max().unwrap_or(0).max(9);
    let _ = writeln!(
        out,
        "{:width$}  {:>12}  {:>12}  {:>12}  {:>12}  {:>12}",
        "parameter", "mean", "sd", "5 %", "median", "95 %"
    );
    let mut round = Vec::new();
    for (j, name) in names.iter().enumerate() {
        let value = |i: usize| match j.checked_sub(theta.ncols()) {
            None => theta[(i, j)],
            Some(k) => found.derived()[i].get(k).copied().unwrap_or(f64::NAN),
        };
        let pairs = found.weights().iter().enumerate();
        let pairs = pairs
            .filter(|(_, w)| **w > 0.0)
            .map(|(i, w)| (value(i), *w))
            .filter(|(v, _)| v.is_finite())
            .collect();
        let numbers = match circles.get(j).copied().flatten() {
            None => numbers(pairs),
            Some(circle) => {
                round.push(name.as_str());
                circle.numbers(pairs)
            }
        };
        let numbers = numbers.map(|v| format!("{:>12}", digits(v)));
        let _ = writeln!(out, "{name:width$}  {}", numbers.join("  "));
    }
    if !round.is_empty() {
        let _ = writeln!(
            out,
            "on the circle: {} (circular mean; sd and quantiles of the difference to it, wrapped to half a period)",
            round.join(", ")
        );
    }
    out
}

/// Pareto k of the weights, and why one above 0.7 does no harm where it does none.
fn pareto(k: Option<f64>, dominated: bool) -> String {
    match k {
        None => "unknown".into(),
        Some(k) if k > 0.7 && !dominated => {
            format!("{k:.2} (above 0.7, but harmless here: no single draw has much of the weight)")
        }
        Some(k) => format!("{k:.2}"),
    }
}

/// Five significant digits; "-" for no number.
fn digits(v: f64) -> String {
    if !v.is_finite() {
        return "-".into();
    }
    let scientific = format!("{v:.4e}");
    let exponent = scientific.split('e').nth(1).and_then(|e| e.parse().ok());
    match exponent.unwrap_or(0_i32) {
        e @ -4..=5 => format!("{v:.*}", usize::try_from(4 - e).unwrap_or(0)),
        _ => scientific,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_words() {
        assert_eq!(digits(0.0), "0.0000");
        assert_eq!(digits(-1.234_567e-9), "-1.2346e-9");
        assert_eq!(digits(12_345.678), "12346");
        assert_eq!(digits(9.999_999), "10.000");
        assert_eq!(digits(f64::NAN), "-");
        assert_eq!(pareto(Some(0.8), true), "0.80");
        assert!(pareto(Some(0.8), false).contains("harmless"));
        assert_eq!(pareto(Some(0.5), false), "0.50");
        assert_eq!(nats(-1234.5678), "-1234.568");
        assert_eq!(nats(-1e300), "-1.000000e300");
        assert_eq!(nats(f64::INFINITY), "inf");
    }
}
