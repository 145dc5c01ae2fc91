//! What is written at the end.

use super::super::cli::Infer;
use super::super::output::{Output, is_special};
use super::super::plot;
use super::model::Model;
use super::report::{nats, report};
use anyhow::{Result, bail};
use faer::prelude::*;
use numerics::math::ln;
use numerics::matrix::select_rows;
use numerics::random::stream;
use posterior::{Inference, Prior};
use std::path::{Path, PathBuf};
use store::Signals;
use tables::{write_csv, write_rows};

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
        // - is standard input.
        read.extend(files.map(|p| p.as_path()).filter(|p| p.as_os_str() != "-"));
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
            let n = args.n.map_or((found.ess() as usize).max(1), |n| n as usize);
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
        say!("{}", report(found, prior));
        for note in notes(args, found) {
            say!("note: {note}");
        }
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

/// What is worth knowing of the draws and the state, besides the verdict.
fn notes(args: &Infer, found: &Inference) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(n) = args.n.filter(|n| *n as f64 > found.ess().ceil()) {
        notes.push(format!(
            "-n {n} is more than the effective sample size {:.0}: draws repeat, and say no more than so many would",
            found.ess()
        ));
    }
    if let (Some(state), (kept, unused @ 1..)) = (&args.state, found.kept()) {
        notes.push(format!(
            "{unused} of {kept} evaluations kept in {} are not used: with another --evaluations, --ess or \
             --evidence-error the later rounds ask for other points",
            state.display()
        ));
    }
    notes
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
    let value = |i: usize, j: usize| {
        let (d, derived) = (theta.ncols(), &found.derived()[i]);
        match (j.checked_sub(d), j.checked_sub(d + derived.len())) {
            (_, Some(k)) => more[k].1(i),
            (Some(k), _) => derived[k],
            _ => theta[(i, j)],
        }
    };
    // Piece by piece: all of them may be more than the memory holds.
    let table = |rows: &[usize]| Mat::from_fn(rows.len(), names.len(), |i, j| value(rows[i], j));
    out.write(|w| {
        write_csv(&names, table(&[]).as_ref(), &mut *w)?;
        rows.chunks(PIECE)
            .try_for_each(|rows| write_rows(table(rows).as_ref(), &mut *w))
    })
}

/// Rows that are written at a time.
const PIECE: usize = 10_000;

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
    let (value, error) = (nats(value), nats(error));
    let title = format!("amf infer: {n} draws; ln Z = {value} ± {error}");
    let corner = plots::Corner {
        name: "posterior",
        title: &title,
        columns: found.names(),
        model: draws.as_ref(),
        data: None,
    };
    plot::draw(path, &corner)
}
