//! A job that trains all three experts, run by the real binary.

use crate::{files, home, stderr};
use paper::engine::record::{read, record_path};
use paper::experiments::mixture::MixtureRecord;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs of the job, in the order of their names.
pub const RUNS: [&str; 2] = ["held_out/banana-n300-seed1", "held_out/banana-n300-seed2"];

/// A config of two runs that take about a second together, in a folder.
pub fn config(folder: &Path) -> PathBuf {
    let text = std::fs::read_to_string(home().join("configs/smoke/held_out.ron")).unwrap();
    let families = text.find("targets: [").unwrap();
    let end = families + text[families..].find(']').unwrap();
    let text = format!("{}targets: [banana{}", &text[..families], &text[end..]);
    let path = folder.join("held_out.ron");
    std::fs::write(&path, text).unwrap();
    path
}

/// The command that computes runs of the job into a folder.
pub fn command(config: &Path, runs: &[&str], out: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paper"));
    command
        .arg("run")
        .arg(config)
        .args(runs)
        .arg("--out")
        .arg(out);
    command.args(["--threads", "1"]).args(more);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The records of the job without what may differ: time and place.
pub fn records(out: &Path) -> Vec<MixtureRecord> {
    let record = |run: &&str| {
        let mut r: MixtureRecord = read(&record_path(out, run)).unwrap();
        r.seconds.fit.clear();
        (r.seconds.weights, r.seconds.evaluation) = (0.0, 0.0);
        r.provenance.threads = 0;
        r.provenance.dirty = false;
        r.provenance.commit.clear();
        r
    };
    RUNS.iter().map(record).collect()
}

/// What the job gives when nothing disturbs it: records, and the files of its folder.
pub fn undisturbed(folder: &Path) -> (Vec<MixtureRecord>, Vec<String>) {
    let (config, out) = (config(folder), folder.join("undisturbed"));
    let o = command(&config, &[], &out, &[]).output().unwrap();
    assert!(o.status.success(), "{}", stderr(&o));
    assert_eq!(stderr(&o), "");
    (records(&out), files(&out))
}
