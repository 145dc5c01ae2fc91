//! The command line: flags in, exit code out.

use crate::reproduce::{Options, reproduce};
use crate::results::Results;
use crate::run::Interrupted;
use crate::target::Target;
use crate::{configs, render};
use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    /// Write tables, figures and the report from the records of a results folder.
    Report {
        /// The results folder.
        results: PathBuf,
    },
    /// Read a config and say whether it is sound.
    Check {
        /// The config.
        config: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct Reproduce {
    /// The small-scale configs: everything in under two minutes, into target/smoke.
    #[arg(long)]
    smoke: bool,
    /// Only this family or benchmark; can be given several times.
    #[arg(long, value_name = "TARGET")]
    only: Vec<Target>,
    /// Only this protocol; can be given several times.
    #[arg(long, value_name = "NAME")]
    protocol: Vec<String>,
    /// Threads [default: all cores].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Compute again what is done already.
    #[arg(long)]
    force: bool,
    /// Folder of the new results [default: target/reproduce, or target/smoke].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Put the new results in the place of the committed ones.
    #[arg(long)]
    update: bool,
    /// Folder of configs [default: paper/configs, or paper/configs/smoke].
    #[arg(long, value_name = "DIR")]
    configs: Option<PathBuf>,
}

/// Runs the command; the exit code is 0 when all is well, 1 when results differ, 2 for a misuse, 130 after Ctrl-C.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let stop = Arc::new(AtomicBool::new(false));
    let signal = Arc::clone(&stop);
    // Without a handler Ctrl-C still ends the process; nothing half-written is left either way.
    let _ = ctrlc::set_handler(move || signal.store(true, Ordering::Relaxed));
    match execute(cli.command, &stop) {
        Ok(code) => code,
        Err(e) if e.is::<Interrupted>() || e.chain().any(|c| c.is::<Interrupted>()) => {
            eprintln!("interrupted: finished runs are kept; the same command goes on from there");
            ExitCode::from(130)
        }
        Err(e) => {
            eprintln!("error: {e:#}");
            ExitCode::from(2)
        }
    }
}

fn execute(command: Command, stop: &AtomicBool) -> Result<ExitCode> {
    match command {
        Command::Reproduce(args) => {
            let outcome = reproduce(&args.options(), stop)?;
            println!("{}", outcome.verdict);
            println!("report: {}", outcome.report.display());
            Ok(if outcome.reproduced {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(1)
            })
        }
        Command::Report { results } => {
            let records = Results::read(&results)?;
            render::write_results(&results, &records)
                .with_context(|| format!("results in {}", results.display()))?;
            println!("{}", results.join("REPORT.md").display());
            Ok(ExitCode::SUCCESS)
        }
        Command::Check { config } => {
            let runs = configs::check(&config)?;
            println!("{}: sound, {runs} runs", config.display());
            Ok(ExitCode::SUCCESS)
        }
    }
}

impl Reproduce {
    fn options(self) -> Options {
        let home = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = home.parent().unwrap_or(home).join("target");
        let (configs, committed, out) = if self.smoke {
            ("configs/smoke", "results/smoke", "smoke")
        } else {
            ("configs", "results", "reproduce")
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Options {
            configs: self.configs.unwrap_or_else(|| home.join(configs)),
            committed: home.join(committed),
            out: self.out.unwrap_or_else(|| target.join(out)),
            only: self.only,
            protocols: self.protocol,
            threads: self.threads.map_or(cores, usize::from),
            force: self.force,
            update: self.update,
            metrics_only: self.smoke,
        }
    }
}
