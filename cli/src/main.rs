//! The `amf` command: flags in, one-line errors, exit code out.

/// A line on standard error; one that is closed or full is no reason to fail.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($text)*);
    }};
}

mod cli;
mod data;
mod evaluate;
mod fit;
mod infer;
mod info;
mod log_prob;
mod output;
mod plot;
mod progress;
mod sample;
mod summary;

use anyhow::Result;
use clap::Parser;
use clap::error::ErrorKind;
use cli::{Cli, Command};
use std::process::ExitCode;

/// A fit ended by Ctrl-C, with the exit code; its message is already printed.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
struct Interrupted(ExitCode);

/// Goes on until Ctrl-C.
fn unless_stopped(signals: &store::Signals) -> std::ops::ControlFlow<()> {
    if signals.stop().load(std::sync::atomic::Ordering::Relaxed) {
        std::ops::ControlFlow::Break(())
    } else {
        std::ops::ControlFlow::Continue(())
    }
}

/// The exit code is 0 when all is well, 2 for a misuse or input that cannot be used, 130 after
/// Ctrl-C.
fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return misuse(&e),
    };
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => match e.downcast_ref::<Interrupted>() {
            Some(Interrupted(code)) => *code,
            // The reader of the output has closed the pipe.
            None if is_broken_pipe(&e) => ExitCode::SUCCESS,
            None => {
                say!("amf: {}", one_line(&format!("{e:#}")));
                ExitCode::from(2)
            }
        },
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Fit(args) => fit::run(&args),
        Command::Infer(args) => infer::run(&args),
        Command::LogProb(args) => log_prob::run(&args),
        Command::Sample(args) => sample::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Plot(args) => plot::run(&args),
        Command::Info(args) => info::run(&args),
    }
}

fn is_broken_pipe(e: &anyhow::Error) -> bool {
    e.chain().any(|c| {
        let io = c.downcast_ref::<std::io::Error>();
        io.is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Help goes to standard output, mistakes on one line to standard error.
fn misuse(e: &clap::Error) -> ExitCode {
    match e.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let _ = e.print();
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = e.print();
            ExitCode::from(2)
        }
        _ => {
            let text = e.render().to_string();
            let mut parts = text.split("\n\n");
            let said = parts.next().unwrap_or_default();
            let said = one_line(said.strip_prefix("error:").unwrap_or(said));
            let tips = parts.filter(|p| p.trim_start().starts_with("tip:"));
            let tips: Vec<String> = tips
                .map(|t| one_line(t.trim_start().trim_start_matches("tip:")))
                .collect();
            let tips = if tips.is_empty() {
                String::new()
            } else {
                format!("; {}", tips.join("; "))
            };
            say!("amf: {said}{tips}; see --help");
            ExitCode::from(2)
        }
    }
}
