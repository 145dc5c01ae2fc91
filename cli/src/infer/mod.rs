//! `amf infer`.

mod answers;
mod ask_tell;
mod model;
mod outputs;
mod program;
mod report;
mod settings;
mod told;
mod watch;
mod workers;

use super::cli::{Failures, Infer};
use super::{Interrupted, unless_stopped};
use anyhow::{Context, Result, bail};
use outputs::Outputs;
use posterior::anneal::{AnnealSettings, Status};
use posterior::{InferError, Posterior, PriorMap};
use program::Program;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::{RunLock, Signals};
use watch::Watch;

pub fn run(args: &Infer) -> Result<()> {
    let prior = settings::prior(&args.prior)?;
    let annealing = AnnealSettings {
        evaluations: args.evaluations,
        ess: args.ess,
        log_evidence_error: args.evidence_error,
        ..AnnealSettings::default()
    };
    let data: Vec<String> = args
        .data
        .iter()
        .map(|path| settings::data(path))
        .collect::<Result<_>>()?;
    settings::names(&prior, &args.derived)?;
    let outputs = Outputs::check(args)?;
    let elsewhere = args.ask.is_some() || !args.tell.is_empty();
    if args.command.is_none() && !elsewhere {
        bail!(
            "give --command 'PROGRAM', or --ask and --tell to evaluate elsewhere; see amf infer --help"
        );
    }
    if args.command.as_ref().is_some_and(|c| c.trim().is_empty()) {
        bail!("--command is empty; give the program, as a shell would start it");
    }
    let _lock = match &args.state {
        Some(folder) => match RunLock::take(&folder.join("lock"))? {
            Some(lock) => Some(lock),
            None => bail!("{}: another process works in this folder", folder.display()),
        },
        None => None,
    };
    if elsewhere {
        return ask_tell::run(args, &prior, &annealing, data, &outputs);
    }
    let signals = Signals::listen(match args.state {
        Some(_) => "amf: interrupted: the same command goes on from there",
        None => {
            "amf: interrupted: nothing was written; with --state DIR a run can go on where it was"
        }
    });
    let watch = Watch::new(args.progress);
    let program = Program {
        command: args.command.clone().unwrap_or_default(),
        workers: args.workers.map_or_else(cores, usize::from),
        timeout: args.timeout.map(Duration::from_secs),
        reject: args.failures == Failures::Reject,
        names: prior.names().to_vec(),
        derived: args.derived.clone(),
        signals: &signals,
        folder: args.state.as_ref().map(|folder| folder.join("programs")),
        left: Mutex::default(),
        watch: &watch,
        running: Mutex::default(),
        rejected: Mutex::default(),
        answered: AtomicBool::new(false),
    };
    program
        .recover()
        .context("--state: answers of earlier programs cannot be read")?;
    let observer = |s: &Status| {
        watch.status(s);
        unless_stopped(&signals)
    };
    let mut run = Posterior::new(prior.clone(), &program)
        .settings(annealing)
        .seed(args.seed.seed)
        .failures_again(args.failures == Failures::Error)
        .observed_by(&observer);
    if let Some(folder) = &args.state {
        run = run.kept_in(folder);
    }
    for line in data {
        run = run.depends_on(line);
    }
    let pool = super::fit::pool(args.threads.threads)?;
    let found = watch.during(|| pool.install(|| run.fit()));
    program.end();
    match found {
        Ok(found) => {
            if let Some(text) = program.rejected() {
                say!("warning: {text}");
            }
            pool.install(|| outputs.write(args, &prior, &found, &signals))
        }
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
