//! The result for the terminal.

use posterior::Inference;
use posterior::anneal::Status;
use std::fmt::Write;

/// Where a run stands, in a line.
pub fn line(s: &Status) -> String {
    let temperature = if s.beta == 0.0 || s.beta == 1.0 {
        format!("{}", s.beta)
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
    let k = pareto(found.pareto_k(), found.dominated());
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
            Some(k) => found.derived()[i].get(k).copied().unwrap_or(f64::NAN),
        };
        let pairs = found.weights().iter().enumerate();
        let pairs = pairs
            .filter(|(_, w)| **w > 0.0)
            .map(|(i, w)| (value(i), *w))
            .filter(|(v, _)| v.is_finite());
        let numbers = numbers(pairs.collect()).map(|v| format!("{:>12}", digits(v)));
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

/// Mean, standard deviation and quantiles of values with weights.
fn numbers(mut pairs: Vec<(f64, f64)>) -> [f64; 5] {
    let total: f64 = pairs.iter().map(|(_, w)| w).sum();
    if pairs.is_empty() {
        return [f64::NAN; 5];
    }
    pairs.iter_mut().for_each(|(_, w)| *w /= total);
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
        let [mean, _, low, median, high] = numbers(vec![(3.0, 0.1), (1.0, 0.1), (2.0, 0.2)]);
        assert_eq!((mean, low, median, high), (2.0, 1.0, 2.0, 3.0));
    }
}
