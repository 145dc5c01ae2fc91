//! Points out, values in: for likelihoods that are evaluated elsewhere.

use super::super::cli::Infer;
use super::super::output::Output;
use super::outputs::Outputs;
use super::report::line;
use anyhow::{Context, Result, bail};
use faer::prelude::*;
use posterior::anneal::AnnealSettings;
use posterior::{Deliver, Likelihood, Posterior, Prior, Value, Wanted};
use std::ops::ControlFlow;
use std::path::Path;
use store::Signals;

/// The likelihood is elsewhere.
struct Elsewhere {
    derived: Vec<String>,
}

impl Likelihood for Elsewhere {
    fn derived(&self) -> &[String] {
        &self.derived
    }

    fn evaluate(&self, _: MatRef<'_, f64>, _: &Deliver<'_>) -> Result<(), String> {
        Err("values are told, not computed".into())
    }
}

pub fn run(
    args: &Infer,
    prior: &Prior,
    settings: &AnnealSettings,
    data: Vec<String>,
    outputs: &Outputs,
) -> Result<()> {
    let folder = args
        .state
        .as_ref()
        .context("--ask and --tell need --state DIR")?;
    let likelihood = Elsewhere {
        derived: args.derived.clone(),
    };
    let mut run = Posterior::new(prior.clone(), likelihood)
        .settings(settings.clone())
        .seed(args.seed.seed)
        .kept_in(folder);
    for line in data {
        run = run.depends_on(line);
    }
    let go_on = |_: &_| ControlFlow::Continue(());
    let pool = super::super::fit::pool(args.threads.threads)?;
    pool.install(|| {
        let mut session = run.session()?;
        session.advance(&go_on)?;
        for path in &args.tell {
            let values = read(path, &args.derived, &session.pending(), session.names())?;
            let told = session.tell(&values);
            told.map_err(|e| anyhow::anyhow!("{}: {e}", path.display()))?;
        }
        if !args.tell.is_empty() {
            session.advance(&go_on)?;
        }
        let wanted = session.pending();
        if let Some(n) = args.ask {
            let n = n.min(wanted.ids.len());
            Output::check(None, &[])?.write(|w| {
                writeln!(w, "id,{}", session.names().join(","))?;
                for (i, id) in wanted.ids.iter().take(n).enumerate() {
                    write!(w, "{id}")?;
                    for j in 0..wanted.theta.ncols() {
                        write!(w, ",{:?}", wanted.theta[(i, j)])?;
                    }
                    writeln!(w)?;
                }
                Ok(())
            })?;
        }
        if !wanted.ids.is_empty() {
            say!(
                "{}; {} points are wanted",
                line(session.status()),
                wanted.ids.len()
            );
            return Ok(());
        }
        let signals = Signals::listen("amf: interrupted: --tell again writes the results");
        outputs.write(args, prior, &session.finish(), &signals)
    })
}

/// Columns `id`, `log_likelihood` and the derived quantities of a table. Parameters, where the table
/// has them, must be those that were asked for; other columns are ignored.
fn read(
    path: &Path,
    derived: &[String],
    wanted: &Wanted,
    names: &[String],
) -> Result<Vec<(usize, Value)>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{}: cannot be read", path.display()))?;
    let mut lines = text.lines();
    let heading: Vec<&str> = lines
        .next()
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .collect();
    let place = |name: &str| {
        let found = heading.iter().position(|h| *h == name);
        found.with_context(|| format!("{}: line 1: there is no column \"{name}\"", path.display()))
    };
    let (id, log_likelihood) = (place("id")?, place("log_likelihood")?);
    let derived: Vec<usize> = derived
        .iter()
        .map(|name| place(name))
        .collect::<Result<_>>()?;
    let parameters: Vec<(usize, usize)> = names
        .iter()
        .enumerate()
        .filter_map(|(j, name)| Some((j, heading.iter().position(|h| h == name)?)))
        .collect();
    let mut values = Vec::new();
    for (k, line) in lines.enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let number = |j: usize| -> Result<f64> {
            let field = fields.get(j).copied().unwrap_or_default();
            field.parse().map_err(|_| {
                let name = heading[j];
                anyhow::anyhow!(
                    "{}: line {}: \"{field}\" in column \"{name}\" is not a number",
                    path.display(),
                    k + 2
                )
            })
        };
        let own = number(id)?;
        if own < 0.0 || own.fract() != 0.0 || own > 1e15 {
            bail!(
                "{}: line {}: {own} is not the id of a point",
                path.display(),
                k + 2
            );
        }
        let own = own as usize;
        if let Ok(row) = wanted.ids.binary_search(&own) {
            for &(j, column) in &parameters {
                let (asked, told) = (wanted.theta[(row, j)], number(column)?);
                // Other programs may print fewer digits.
                if (asked - told).abs() > 1e-6 * asked.abs() {
                    bail!(
                        "{}: line {}: {} = {told:?}, where point {own} has {asked:?}: these points are of another run, or of other settings of it",
                        path.display(),
                        k + 2,
                        names[j]
                    );
                }
            }
        }
        values.push((
            own,
            Value {
                log_likelihood: number(log_likelihood)?,
                derived: derived.iter().map(|j| number(*j)).collect::<Result<_>>()?,
            },
        ));
    }
    Ok(values)
}
