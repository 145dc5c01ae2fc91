//! Points out, values in: for likelihoods that are evaluated elsewhere.

use super::super::cli::{Failures, Infer};
use super::super::output::Output;
use super::outputs::Outputs;
use super::report::line;
use super::told;
use anyhow::{Context, Result, bail};
use faer::prelude::*;
use posterior::anneal::AnnealSettings;
use posterior::{Deliver, Likelihood, Posterior, Prior};
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
    if !args.tell.is_empty() && !folder.join("problem.txt").exists() {
        bail!(
            "--tell: {}: no points were asked for from this folder yet; give the --state of the run that asked, or begin with --ask",
            folder.display()
        );
    }
    let likelihood = Elsewhere {
        derived: args.derived.clone(),
    };
    let mut run = Posterior::new(prior.clone(), likelihood)
        .settings(settings.clone())
        .seed(args.seed.seed)
        .failures_again(args.failures == Failures::Error)
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
            let values = told::read(path, &args.derived, &session)?;
            let done = session.tell(&values);
            done.map_err(|e| anyhow::anyhow!("{}: {e}", told::shown(path)))?;
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
                    write!(
                        w,
                        "{}",
                        told::name(*id, session.mark(*id).unwrap_or_default())
                    )?;
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
