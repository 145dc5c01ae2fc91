//! What is written at the end.

use super::super::cli::Infer;
use super::super::output::{Output, is_special};
use super::super::plot;
use super::model::Model;
use super::report::report;
use anyhow::{Result, bail};
use faer::prelude::*;
use numerics::math::ln;
use numerics::matrix::select_rows;
use numerics::random::stream;
use posterior::{Inference, Prior};
use std::path::{Path, PathBuf};
use store::Signals;
use tables::write_csv;

/// What is written at the end, as far as it is asked for.
pub struct Outputs {
    draws: Option<Output>,
    weighted: Option<Output>,
    model: Option<Model>,
}

impl Outputs {
    /// Fails at once for what could not be written at the end.
    pub fn check(args: &Infer) -> Result<Self> {
        let mut read: Vec<&Path> = args.prior.iter().map(Path::new).collect();
        let files = args.data.iter().chain(&args.tell).chain(&args.config);
        read.extend(files.map(|p| p.as_path()));
        // The program itself is a file that is read.
        let words = args.command.iter().flat_map(|c| c.split_whitespace());
        read.extend(words.map(Path::new));
        apart(args, &read)?;
        let optional = |option: &str, path: &Option<PathBuf>| {
            path.as_deref()
                .map(|p| Output::check_as(option, Some(p), &read))
                .transpose()
        };
        if let Some(path) = &args.plot {
            plot::check("--plot", path, &read)?;
        }
        Ok(Self {
            draws: optional("--draws", &args.draws)?,
            weighted: optional("--weighted", &args.weighted)?,
            model: Model::check(args, &read)?,
        })
    }

    pub fn write(
        &self,
        args: &Infer,
        prior: &Prior,
        found: &Inference,
        signals: &Signals,
    ) -> Result<()> {
        let z = found.log_evidence();
        if found.status().beta < 1.0 || !z.value.is_finite() {
            bail!(
                "there is no posterior to write: {}",
                found.warnings().join("; ")
            );
        }
        if let Some(out) = &self.draws {
            let n = args.n.unwrap_or_else(|| (found.ess() as usize).max(1));
            let rows = found.resampled(n, &mut stream(args.seed.seed, "draws"));
            write(out, found, &rows, &[])?;
        }
        if let Some(out) = &self.weighted {
            let weights = found.weights();
            let rows: Vec<usize> = (0..weights.len()).filter(|i| weights[*i] > 0.0).collect();
            let log_weight = |i: usize| ln(weights[i]);
            let log_likelihood = |i: usize| found.log_likelihood()[i];
            write(
                out,
                found,
                &rows,
                &[
                    ("log_weight", &log_weight),
                    ("log_likelihood", &log_likelihood),
                ],
            )?;
        }
        say!("{}", report(found));
        if let Some(path) = &args.plot {
            corner(path, found, args.seed.seed)?;
            say!("corner plot: {}", path.display());
        }
        match &self.model {
            Some(model) => {
                signals.say_instead(interrupted(args));
                model.write(args, prior, found, signals)
            }
            None => Ok(()),
        }
    }
}

/// What is said when the fit of the model is interrupted.
fn interrupted(args: &Infer) -> String {
    let written = [&args.draws, &args.weighted, &args.plot];
    let written = written
        .into_iter()
        .flatten()
        .filter(|p| p.as_os_str() != "-");
    let written: Vec<String> = written.map(|p| p.display().to_string()).collect();
    let before = if written.is_empty() {
        String::new()
    } else {
        format!("{} written, ", written.join(", "))
    };
    let resume = match args.state {
        Some(_) => "the same command evaluates nothing again",
        None => "with --state DIR nothing would be evaluated again",
    };
    format!("amf: interrupted: {before}the model of --out not written; {resume}")
}

/// Fails where an output would overwrite another one, what is read, or the state.
fn apart(args: &Infer, read: &[&Path]) -> Result<()> {
    let outputs = [
        ("--draws", &args.draws),
        ("--weighted", &args.weighted),
        ("--plot", &args.plot),
        ("--out", &args.out),
    ];
    let read: Vec<PathBuf> = read.iter().map(|p| place(p)).collect();
    let mut before: Vec<(&str, PathBuf)> = Vec::new();
    for (option, path) in outputs {
        let Some(path) = path.as_deref().filter(|p| !is_special(p)) else {
            continue;
        };
        let (own, shown) = (place(path), path.display());
        if let Some((other, _)) = before.iter().find(|(_, p)| *p == own) {
            bail!("{option} {shown}: {other} is written there; give another name");
        }
        if read.contains(&own) {
            bail!(
                "{option} {shown}: this file is read and would be overwritten; give another name"
            );
        }
        if let Some(state) = &args.state
            && own.starts_with(place(state))
            && path.as_os_str() != "-"
        {
            bail!(
                "{option} {shown}: this is inside of the folder of --state; choose another place"
            );
        }
        before.push((option, own));
    }
    Ok(())
}

/// Where a path leads, by links as well; it need not exist.
fn place(path: &Path) -> PathBuf {
    if let Ok(place) = std::fs::canonicalize(path) {
        return place;
    }
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (whole.parent(), whole.file_name()) {
        (Some(parent), Some(name)) => place(parent).join(name),
        _ => whole,
    }
}

/// A column by name, its value a function of the evaluation.
type Column<'a> = (&'a str, &'a dyn Fn(usize) -> f64);

/// Some evaluations as CSV: parameters, derived quantities, and further columns.
fn write(out: &Output, found: &Inference, rows: &[usize], more: &[Column<'_>]) -> Result<()> {
    let theta = found.theta();
    let mut names = [found.names(), found.derived_names()].concat();
    names.extend(more.iter().map(|(name, _)| String::from(*name)));
    let lines: Vec<Vec<f64>> = rows
        .iter()
        .map(|&i| {
            let parameters = (0..theta.ncols()).map(|j| theta[(i, j)]);
            let derived = found.derived()[i].iter().copied();
            let more = more.iter().map(|(_, value)| value(i));
            parameters.chain(derived).chain(more).collect()
        })
        .collect();
    let table = Mat::from_fn(lines.len(), names.len(), |i, j| lines[i][j]);
    out.write(|w| write_csv(&names, table.as_ref(), w))
}

/// Draws of the corner plot at most.
const SHOWN: f64 = 20_000.0;

/// As many equally weighted draws as there are effective ones: repetitions would make the smoothed
/// lines too sharp.
fn corner(path: &Path, found: &Inference, seed: u64) -> Result<()> {
    let n = found.ess().clamp(2.0, SHOWN) as usize;
    let rows = found.resampled(n, &mut stream(seed, "corner"));
    let draws = select_rows(found.theta(), &rows);
    let z = found.log_evidence();
    let (value, error) = (z.value, z.standard_error);
    let title = format!("amf infer: {n} draws; ln Z = {value:.3} ± {error:.3}");
    let corner = plots::Corner {
        name: "posterior",
        title: &title,
        columns: found.names(),
        model: draws.as_ref(),
        data: None,
    };
    plot::draw(path, &corner)
}
