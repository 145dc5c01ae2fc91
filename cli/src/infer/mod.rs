//! `amf infer`.

mod answers;
mod ask_tell;
mod changes;
mod interrupts;
mod model;
mod outputs;
mod program;
mod report;
mod settings;
mod statistics;
mod stray;
mod told;
mod watch;
mod workers;

use super::cli::{Failures, Infer};
use super::{Interrupted, unless_stopped};
use anyhow::{Result, bail};
use interrupts::Interrupts;
use outputs::Outputs;
use posterior::anneal::Status;
use posterior::{InferError, Posterior, PriorMap};
use program::Program;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use store::RunLock;
use stray::Pace;
use watch::Watch;

pub fn run(args: &Infer) -> Result<()> {
    let given = settings::prior(&args.prior)?;
    let prior = given.prior.clone();
    let annealing = settings::annealing(args)?;
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
    if let Some(state) = args.state.as_ref().filter(|s| s.is_file()) {
        bail!("--state {}: this is a file; give a folder", state.display());
    }
    let _lock = match &args.state {
        Some(folder) => match RunLock::take(&folder.join("lock"))? {
            Some(lock) => Some(lock),
            None => bail!("{}: another process works in this folder", folder.display()),
        },
        None => None,
    };
    if let Some(folder) = &args.state {
        changes::check(folder, &given, &data)?;
    }
    if elsewhere {
        return ask_tell::run(args, &prior, &annealing, data, &outputs);
    }
    let interrupts = Interrupts::listen(
        match args.state {
            Some(_) => "amf: interrupted: the same command goes on from there",
            None => {
                "amf: interrupted: nothing was written; with --state DIR a run can go on where it was"
            }
        },
        grace(args),
    );
    let signals = interrupts.signals();
    let watch = Watch::new(args.progress);
    let program = Program {
        command: args.command.clone().unwrap_or_default(),
        workers: args.workers.map_or_else(cores, usize::from),
        timeout: args.timeout,
        reject: args.failures == Failures::Reject,
        names: prior.names().to_vec(),
        derived: args.derived.clone(),
        interrupts: &interrupts,
        state: args.state.clone(),
        left: Mutex::default(),
        watch: &watch,
        running: Mutex::default(),
        pace: Pace::default(),
        rejected: Mutex::default(),
        answered: AtomicBool::new(false),
    };
    program.recover()?;
    let observer = |s: &Status| {
        watch.status(s);
        unless_stopped(signals)
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
    // A line that is left over makes all else doubtful.
    program.end().map_err(anyhow::Error::msg)?;
    match found {
        Ok(found) => {
            if let Some(text) = program.rejected() {
                say!("warning: {text}");
            }
            pool.install(|| outputs.write(args, &prior, &found, signals))
        }
        Err(InferError::Interrupted) => Err(Interrupted(signals.interrupted()).into()),
        Err(_) if interrupts.stop() => Err(Interrupted(signals.interrupted()).into()),
        Err(e) => Err(e.into()),
    }
}

/// How long the points at work may take after a signal. Without --state their answers serve nobody.
fn grace(args: &Infer) -> Duration {
    match (&args.state, args.timeout) {
        (None, _) => Duration::ZERO,
        (Some(_), timeout) => timeout.unwrap_or(GRACE),
    }
}

/// Without --timeout.
const GRACE: Duration = Duration::from_secs(10);

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
