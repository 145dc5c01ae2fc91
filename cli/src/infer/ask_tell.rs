//! Points out, values in: for likelihoods that are evaluated elsewhere.

use super::super::cli::Infer;
use super::super::output::Output;
use super::{Outputs, line};
use anyhow::{Context, Result, bail};
use faer::prelude::*;
use posterior::anneal::AnnealSettings;
use posterior::{Deliver, Likelihood, Posterior, Prior, Value};
use std::ops::ControlFlow;
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

pub fn run(args: &Infer, prior: &Prior, settings: &AnnealSettings) -> Result<()> {
    let folder = args
        .state
        .as_ref()
        .context("--ask and --tell need --state DIR")?;
    let likelihood = Elsewhere {
        derived: args.derived.clone(),
    };
    let run = Posterior::new(prior.clone(), likelihood)
        .settings(settings.clone())
        .seed(args.seed)
        .kept_in(folder);
    let go_on = |_: &_| ControlFlow::Continue(());
    let pool = super::super::fit::pool(args.threads)?;
    pool.install(|| {
        let mut session = run.session()?;
        session.advance(&go_on)?;
        if let Some(path) = &args.tell {
            let values = read(path, &args.derived)?;
            let told = session.tell(&values);
            told.map_err(|e| anyhow::anyhow!("{}: {e}", path.display()))?;
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
        let outputs = Outputs::check(args)?;
        let signals = Signals::listen("amf: interrupted: --tell again writes the results");
        outputs.write(args, prior, &session.finish(), &signals)
    })
}

/// Columns `id`, `log_likelihood` and the derived quantities of a table; others are ignored.
fn read(path: &std::path::Path, derived: &[String]) -> Result<Vec<(usize, Value)>> {
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
        values.push((
            own as usize,
            Value {
                log_likelihood: number(log_likelihood)?,
                derived: derived.iter().map(|j| number(*j)).collect::<Result<_>>()?,
            },
        ));
    }
    Ok(values)
}
