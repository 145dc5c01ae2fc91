//! What the crate and its command do from end to end, in one binary.

mod cli;
mod committed;
mod corruption;
mod interruption;
mod job;
mod numbers;
mod papers;
mod protocol;
mod smoke;
mod spread;
mod threads;

use paper::engine::reproduce::Options;
use paper::engine::schedule::Schedule;
use paper::experiments::KINDS;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The folder of the crate.
fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The whole smoke job into a folder.
fn smoke_options(out: PathBuf, threads: usize) -> Options {
    Options {
        kinds: KINDS,
        configs: home().join("configs/smoke"),
        committed: home().join("results/smoke"),
        schedule: Schedule::new(out, threads),
        only: Vec::new(),
        protocols: Vec::new(),
        update: false,
        metrics_only: true,
    }
}

/// The built command.
fn paper(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paper"));
    command.args(args).output().unwrap()
}

fn stdout(o: &Output) -> String {
    String::from_utf8(o.stdout.clone()).unwrap()
}

fn stderr(o: &Output) -> String {
    String::from_utf8(o.stderr.clone()).unwrap()
}

/// All files below a folder, relative to it; also while another process writes there.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&next) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap();
                found.push(name.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}
