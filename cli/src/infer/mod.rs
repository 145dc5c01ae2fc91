//! `amf infer`.

mod ask_tell;
mod workers;

use super::cli::{Failures, Infer};
use super::output::Output;
use super::{Interrupted, summary, unless_stopped};
use amf::{Column, Draws, Recipe};
use anyhow::{Context, Result, bail};
use density::{FitContext, Progress, Support};
use faer::prelude::*;
use metrics::ImportanceWeights;
use numerics::math::ln;
use numerics::matrix::select_rows;
use numerics::random::stream;
use posterior::anneal::{AnnealSettings, Status};
use posterior::{InferError, Inference, Posterior, Prior, PriorMap};
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;
use store::{RunLock, Signals};
use tables::write_csv;
use workers::Program;

/// Draws that the model is fitted to.
const MODEL_DRAWS: usize = 4000;

pub fn run(args: &Infer) -> Result<()> {
    let prior = prior(&args.prior)?;
    let settings = AnnealSettings {
        evaluations: args.evaluations,
        ess: args.ess,
        log_evidence_error: args.evidence_error,
        ..AnnealSettings::default()
    };
    let _lock = match &args.state {
        Some(folder) => match RunLock::take(&folder.join("lock"))? {
            Some(lock) => Some(lock),
            None => bail!("{}: another process works in this folder", folder.display()),
        },
        None => None,
    };
    if args.ask.is_some() || args.tell.is_some() {
        return ask_tell::run(args, &prior, &settings);
    }
    let Some(command) = &args.command else {
        bail!(
            "give --command 'PROGRAM', or --ask and --tell to evaluate elsewhere; see amf infer --help"
        );
    };
    let outputs = Outputs::check(args)?;
    let signals = Signals::listen(match args.state {
        Some(_) => "amf: interrupted: the same command goes on from there",
        None => {
            "amf: interrupted: nothing was written; with --state DIR a run can go on where it was"
        }
    });
    let program = Program {
        command: command.clone(),
        workers: args.workers.map_or_else(cores, usize::from),
        timeout: args.timeout.map(Duration::from_secs),
        reject: args.failures == Failures::Reject,
        names: prior.names().to_vec(),
        derived: args.derived.clone(),
        signals: signals.clone(),
        running: Mutex::default(),
    };
    let shown = Mutex::new(0);
    let observer = |s: &Status| {
        show(s, &shown);
        unless_stopped(&signals)
    };
    let mut run = Posterior::new(prior.clone(), program)
        .settings(settings)
        .seed(args.seed)
        .observed_by(&observer);
    if let Some(folder) = &args.state {
        run = run.kept_in(folder);
    }
    let pool = super::fit::pool(args.threads)?;
    match pool.install(|| run.fit()) {
        Ok(found) => pool.install(|| outputs.write(args, &prior, &found, &signals)),
        Err(InferError::Interrupted) => Err(Interrupted(signals.interrupted()).into()),
        Err(_) if signals.stop().load(Ordering::Relaxed) => {
            Err(Interrupted(signals.interrupted()).into())
        }
        Err(e) => Err(e.into()),
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// From `name = distribution(...)` texts, or a file of such lines.
fn prior(given: &[String]) -> Result<Prior> {
    let mut lines = Vec::new();
    for text in given {
        if text.contains('=') {
            lines.push(text.clone());
            continue;
        }
        let file = std::fs::read_to_string(text).with_context(|| {
            format!(
                "--prior {text}: neither 'name = distribution(...)' nor a file that can be read"
            )
        })?;
        let list: Vec<String> = ron::from_str(&file).map_err(|e| {
            anyhow::anyhow!("{text}: {e}; write a list such as [\"mu = normal(0, 1)\", \"tau = half_normal(5)\"]")
        })?;
        lines.extend(list);
    }
    Prior::parse(lines.iter().map(String::as_str)).map_err(anyhow::Error::msg)
}

/// A line of progress after each round, on a terminal.
fn show(s: &Status, shown: &Mutex<usize>) {
    let mut last = shown.lock().unwrap_or_else(|e| e.into_inner());
    if s.rounds == *last || !std::io::stderr().is_terminal() {
        return;
    }
    *last = s.rounds;
    say!("{}", line(s));
}

fn line(s: &Status) -> String {
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

/// What is written at the end.
struct Outputs {
    model: Output,
    draws: Option<Output>,
    weighted: Option<Output>,
}

impl Outputs {
    fn check(args: &Infer) -> Result<Self> {
        let read: Vec<&Path> = args.prior.iter().map(Path::new).collect();
        let optional = |path: &Option<std::path::PathBuf>| {
            path.as_deref()
                .map(|p| Output::check(Some(p), &read))
                .transpose()
        };
        Ok(Self {
            model: Output::check(Some(&args.out), &read)?,
            draws: optional(&args.draws)?,
            weighted: optional(&args.weighted)?,
        })
    }

    fn write(
        &self,
        args: &Infer,
        prior: &Prior,
        found: &Inference,
        signals: &Signals,
    ) -> Result<()> {
        let z = found.log_evidence();
        if found.status().beta < 1.0 || !z.value.is_finite() {
            bail!("{}", found.warnings().last().map_or("no posterior", |w| w));
        }
        let mut names = found.names().to_vec();
        names.extend(found.derived_names().iter().cloned());
        let d = found.names().len();
        let value = |i: usize, j: usize| {
            if j < d {
                found.theta()[(i, j)]
            } else {
                found.derived()[i][j - d]
            }
        };
        if let Some(out) = &self.draws {
            let n = args.n.unwrap_or_else(|| (found.ess() as usize).max(1));
            let rows = found.resampled(n, &mut stream(args.seed, "draws"));
            let table = Mat::from_fn(n, names.len(), |i, j| value(rows[i], j));
            out.write(|w| write_csv(&names, table.as_ref(), w))?;
        }
        if let Some(out) = &self.weighted {
            let own: Vec<usize> = (0..found.weights().len())
                .filter(|i| found.weights()[*i] > 0.0)
                .collect();
            let extra = ["log_weight", "log_likelihood"];
            let mut all = names.clone();
            all.extend(extra.map(String::from));
            let table = Mat::from_fn(own.len(), all.len(), |i, j| match j - j.min(names.len()) {
                0 if j < names.len() => value(own[i], j),
                0 => ln(found.weights()[own[i]]),
                _ => found.log_likelihood()[own[i]],
            });
            out.write(|w| write_csv(&all, table.as_ref(), w))?;
        }
        say!("{}", report(found));
        self.model(args, prior, found, signals)
    }

    /// A density fitted to the draws, in a model file.
    fn model(
        &self,
        args: &Infer,
        prior: &Prior,
        found: &Inference,
        signals: &Signals,
    ) -> Result<()> {
        let logs: Vec<f64> = found.weights().iter().map(|w| ln(*w)).collect();
        let (rows, weights) =
            ImportanceWeights::new(&logs)?.thin(MODEL_DRAWS, &mut stream(args.seed, "model"));
        let points = select_rows(found.theta(), &rows);
        // In the scale in which their mean is Z.
        let scale = found.log_evidence().value + ln(weights.len() as f64);
        let log_weights: Vec<f64> = weights.iter().map(|w| ln(*w) + scale).collect();
        let columns: Vec<Column> = prior
            .names()
            .iter()
            .zip(prior.distributions())
            .map(|(name, d)| Column {
                support: match d.support() {
                    (low, high) if low.is_finite() && high.is_finite() => {
                        Support::Interval { low, high }
                    }
                    (0.0, _) => Support::Positive,
                    _ => Support::Real,
                },
                ..Column::real(name)
            })
            .collect();
        let draws = Draws {
            columns: (&columns).into(),
            points: points.as_ref(),
            log_weights: Some(&log_weights),
            source: Some("amf infer"),
        };
        let display = super::progress::Display::new();
        let observer = |p: &Progress<'_>| {
            display.show(p);
            unless_stopped(signals)
        };
        let context = FitContext::default().observed_by(&observer);
        let fitted = Recipe::default().fit(&draws, args.seed, &context);
        display.clear();
        let density = match fitted {
            Err(amf::DensityError::Interrupted) => {
                return Err(Interrupted(signals.interrupted()).into());
            }
            fitted => fitted.context("the model of the draws")?,
        };
        let bytes = density.to_bytes()?;
        self.model.write(|w| w.write_all(&bytes))?;
        say!("{}", summary::of(&density).trim_end());
        say!("model: {}", args.out.display());
        Ok(())
    }
}

/// The result for the terminal.
fn report(found: &Inference) -> String {
    let mut out = line(found.status()) + "\n";
    let shares = found.weights();
    let width = found
        .names()
        .iter()
        .map(String::len)
        .max()
        .unwrap_or(0)
        .max(9);
    let _ = writeln!(
        out,
        "{:width$}  {:>12}  {:>12}  {:>12}  {:>12}  {:>12}",
        "parameter", "mean", "sd", "5 %", "median", "95 %"
    );
    for (j, name) in found.names().iter().enumerate() {
        let mut pairs: Vec<(f64, f64)> = shares
            .iter()
            .enumerate()
            .filter(|(_, w)| **w > 0.0)
            .map(|(i, w)| (found.theta()[(i, j)], *w))
            .collect();
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
        let numbers = [
            mean,
            variance.sqrt(),
            quantile(0.05),
            quantile(0.5),
            quantile(0.95),
        ];
        let numbers = numbers.map(|v| format!("{v:>12.5}")).join("  ");
        let _ = writeln!(out, "{name:width$}  {numbers}");
    }
    for w in found.warnings() {
        let _ = writeln!(out, "warning: {w}");
    }
    out
}
