//! The command line: flags in, exit code out.

use crate::engine::Interrupted;
use crate::engine::catalogue::Catalogue;
use crate::engine::collect::collect;
use crate::engine::record::record_path;
use crate::engine::reproduce::{Options, estimate, reproduce};
use crate::engine::results::Results;
use crate::engine::schedule::Schedule;
use crate::experiments::KINDS;
use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use store::Signals;

/// Regenerates the tables and figures of adaptive mixtures of normalizing flows.
#[derive(Debug, Parser)]
#[command(name = "paper", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compute every run that is not done, write all results, compare them with the committed ones.
    Reproduce(Reproduce),
    /// Print all runs, one a line: config and name, as `run` takes them.
    List(List),
    /// Compute runs of one config alone, and write their records.
    Run(Run),
    /// Join the records of several results folders in one, and write its tables, figures and report.
    Collect {
        /// The results folders.
        #[arg(required = true)]
        from: Vec<PathBuf>,
        /// The folder to write; records already there stay.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Folder of configs, with the report's text and choice of tables [default: paper/configs].
        #[arg(long, value_name = "DIR")]
        configs: Option<PathBuf>,
    },
    /// Write tables, figures and the report from the records of a results folder.
    Report {
        /// The results folder.
        results: PathBuf,
        /// Folder of configs, with the report's text and choice of tables [default: paper/configs].
        #[arg(long, value_name = "DIR")]
        configs: Option<PathBuf>,
    },
    /// Read a config and check it.
    Check {
        /// The config.
        config: PathBuf,
    },
}

/// The runs to compute.
#[derive(Debug, clap::Args)]
struct Selection {
    /// The small-scale configs: everything in under two minutes, into target/smoke.
    #[arg(long)]
    smoke: bool,
    /// Only this family or benchmark; can be given several times.
    #[arg(long, value_name = "TARGET")]
    only: Vec<String>,
    /// Only this protocol; can be given several times.
    #[arg(long, value_name = "NAME")]
    protocol: Vec<String>,
    /// Only the protocols that the two papers report (`papers` in their configs).
    #[arg(long, conflicts_with = "protocol")]
    papers: bool,
    /// Folder of configs [default: paper/configs, or paper/configs/smoke].
    #[arg(long, value_name = "DIR")]
    configs: Option<PathBuf>,
}

/// How they are computed.
#[derive(Debug, clap::Args)]
struct Computing {
    /// Threads [default: all cores].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Compute finished runs again.
    #[arg(long)]
    force: bool,
    /// Results folder [default: target/reproduce, or target/smoke]. Several processes can share it.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Seconds between the checkpoints of a fit.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    checkpoint: Duration,
    /// Append a line to this file for every fit and evaluation that begins, ends or is found done.
    #[arg(long, value_name = "FILE", alias = "journal")]
    event_log: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Reproduce {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    computing: Computing,
    /// Replace the committed results by the new ones.
    #[arg(long)]
    update: bool,
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    selection: Selection,
}

#[derive(Debug, clap::Args)]
struct Run {
    /// The config.
    config: PathBuf,
    /// Names of runs, as `list` prints them [default: all of the config].
    runs: Vec<String>,
    #[command(flatten)]
    computing: Computing,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    Duration::try_from_secs_f64(value).map_err(|e| e.to_string())
}

/// Runs the command; the exit code is 0 when all is well, 1 when results differ, 2 for a misuse, 130 after Ctrl-C.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let signals = Signals::listen(
        "interrupted: what is finished is kept, and the same command goes on from there",
    );
    match execute(cli.command, signals.stop()) {
        Ok(code) => code,
        Err(e) if e.chain().any(|c| c.is::<Interrupted>()) => signals.interrupted(),
        Err(e) if is_broken_pipe(&e) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e:#}");
            ExitCode::from(2)
        }
    }
}

/// The reader of the output has closed the pipe.
fn is_broken_pipe(e: &anyhow::Error) -> bool {
    e.chain().any(|c| {
        let io = c.downcast_ref::<std::io::Error>();
        io.is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

fn execute(command: Command, stop: &AtomicBool) -> Result<ExitCode> {
    match command {
        Command::Reproduce(args) => {
            let options = args.options()?;
            println!("{}", estimate(&options)?);
            let outcome = reproduce(&options, stop)?;
            println!("{}", outcome.verdict);
            println!("report: {}", outcome.report.display());
            return Ok(if outcome.reproduced {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(1)
            });
        }
        Command::List(args) => list(&args.selection)?,
        Command::Run(args) => {
            let all = Catalogue::of_file(KINDS, &args.config)?;
            let chosen = if args.runs.is_empty() {
                all
            } else {
                all.named(&args.runs)?
            };
            let schedule = args.computing.schedule("reproduce");
            schedule.compute(&chosen.jobs(), stop)?;
            for job in chosen.jobs() {
                println!("{}", record_path(&schedule.out, &job.stem).display());
            }
        }
        Command::Collect { from, out, configs } => {
            let presentations = catalogue(configs)?.presentations();
            let count = collect(KINDS, &presentations, &from, &out)?;
            println!("{count} records in {}", out.display());
            println!("report: {}", out.join("REPORT.md").display());
        }
        Command::Report { results, configs } => {
            let presentations = catalogue(configs)?.presentations();
            Results::read(KINDS, &results)?
                .write(&presentations, &results, &results)
                .with_context(|| format!("results in {}", results.display()))?;
            println!("{}", results.join("REPORT.md").display());
        }
        Command::Check { config } => {
            let runs = Catalogue::of_file(KINDS, &config)?.jobs().len();
            println!("{}: sound, {runs} runs", config.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints all selected runs.
fn list(selection: &Selection) -> Result<()> {
    let all = Catalogue::read(KINDS, &selection.configs())?;
    let chosen = all.select(&selection.protocols()?, &selection.only)?;
    let here = std::env::current_dir().unwrap_or_default();
    let mut out = std::io::stdout().lock();
    for (path, job) in chosen.files() {
        let path = path.strip_prefix(&here).unwrap_or(path);
        writeln!(out, "{} {}", path.display(), job.stem)?;
    }
    Ok(())
}

/// The protocols of a folder of configs, or of that of the project.
fn catalogue(configs: Option<PathBuf>) -> Result<Catalogue> {
    Catalogue::read(KINDS, &configs.unwrap_or_else(|| home().join("configs")))
}

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Selection {
    fn configs(&self) -> PathBuf {
        let own = if self.smoke {
            "configs/smoke"
        } else {
            "configs"
        };
        self.configs.clone().unwrap_or_else(|| home().join(own))
    }

    /// Names of the protocols, all of them when empty.
    fn protocols(&self) -> Result<Vec<String>> {
        if !self.papers {
            return Ok(self.protocol.clone());
        }
        let names = Catalogue::read(KINDS, &self.configs())?.of_papers();
        if names.is_empty() {
            let folder = self.configs();
            bail!(
                "{}: no config has papers: true in its report",
                folder.display()
            );
        }
        Ok(names)
    }
}

impl Computing {
    /// Results go to a folder of this name in `target`, unless another one is given.
    fn schedule(self, name: &str) -> Schedule {
        let target = home().parent().unwrap_or(home()).join("target");
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Schedule {
            out: self.out.unwrap_or_else(|| target.join(name)),
            threads: self.threads.map_or(cores, usize::from),
            force: self.force,
            pace: self.checkpoint,
            event_log: self.event_log,
        }
    }
}

impl Reproduce {
    fn options(self) -> Result<Options> {
        let (committed, out) = if self.selection.smoke {
            ("results/smoke", "smoke")
        } else {
            ("results", "reproduce")
        };
        let protocols = self.selection.protocols()?;
        Ok(Options {
            kinds: KINDS,
            configs: self.selection.configs(),
            committed: home().join(committed),
            schedule: self.computing.schedule(out),
            only: self.selection.only,
            protocols,
            update: self.update,
            metrics_only: self.selection.smoke,
        })
    }
}
