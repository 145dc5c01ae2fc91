//! The smoke runs of all families, recomputed and locked: every number within a relative tolerance of its snapshot, the file keeps all digits.

use datasets::posterior::Benchmark;
use insta::{Snapshot, internals::SnapshotContents};
use paper::metrics_csv::{self, Row};
use paper::record;
use paper::reproduce::{Options, reproduce};
use paper::results::Results;
use paper::schedule::Schedule;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Results of another CPU may differ in the last bits, which a few hundred optimiser steps amplify.
const TOLERANCE: f64 = 1e-6;

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn options(out: PathBuf, threads: usize) -> Options {
    Options {
        configs: home().join("configs/smoke"),
        committed: home().join("results/smoke"),
        schedule: Schedule::new(out, threads),
        only: Vec::new(),
        protocols: Vec::new(),
        update: false,
        metrics_only: true,
    }
}

/// Two texts are equal when their words are, numbers up to the tolerance.
#[derive(Clone)]
struct NumbersWithin(f64);

impl NumbersWithin {
    fn equal(&self, a: &str, b: &str) -> bool {
        let words = |s: &str| {
            s.split([',', '\n', ' '])
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let (a, b) = (words(a.trim()), words(b.trim()));
        let close = |(a, b): (&String, &String)| match (a.parse::<f64>(), b.parse::<f64>()) {
            (Ok(x), Ok(y)) => (x - y).abs() <= self.0 * x.abs().max(y.abs()),
            _ => a == b,
        };
        a.len() == b.len() && a.iter().zip(&b).all(close)
    }
}

impl insta::Comparator for NumbersWithin {
    fn matches(&self, reference: &Snapshot, test: &Snapshot) -> bool {
        match (reference.contents(), test.contents()) {
            (SnapshotContents::Text(a), SnapshotContents::Text(b)) => {
                self.equal(&a.to_string(), &b.to_string())
            }
            _ => false,
        }
    }

    fn dyn_clone(&self) -> Box<dyn insta::Comparator> {
        Box::new(self.clone())
    }
}

#[test]
fn the_comparator_tells_near_from_far() {
    let c = NumbersWithin(1e-6);
    assert!(c.equal("a 1.0000000001,x", "a 1,x"));
    assert!(!c.equal("a 1.00001,x", "a 1,x"));
    assert!(!c.equal("a 1 2", "a 1"));
    assert!(!c.equal("maf 1", "rbig 1"));
}

fn table(rows: &[Row]) -> String {
    let mut text = String::new();
    for r in rows {
        let Row {
            protocol,
            family,
            n,
            model,
            seed,
            metric,
            value,
        } = r;
        text += &format!("{protocol},{family},{n},{model},{seed},{metric},{value}\n");
    }
    text
}

#[test]
fn smoke_runs_give_the_locked_numbers_with_any_number_of_threads() {
    let dir = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let first = dir.path().join("first");
    let outcome = reproduce(&options(first.clone(), 2), &stop).unwrap();
    let rows = metrics_csv::read(&first.join("metrics.csv")).unwrap();
    assert!(outcome.reproduced, "{}", outcome.verdict);

    let mut settings = insta::Settings::clone_current();
    settings.set_comparator(Box::new(NumbersWithin(TOLERANCE)));
    settings.bind(|| insta::assert_snapshot!("smoke_metrics", table(&rows)));

    // Everything that a run should write is there.
    for file in [
        "REPORT.md",
        "tables/claims.md",
        "tables/metrics_held_out.tex",
        "figures/gap_held_out.png",
        "tables/bridges_one_shot.md",
        "tables/posterior_targets.csv",
        "tables/posterior_claims.tex",
        "figures/posterior_four_signs_one_shot.png",
        "figures/posterior_five_unequal_refined.png",
        "figures/posterior_components_components.png",
        "figures/posterior_evaluations_evaluations.png",
        "tables/amortised_amortised.md",
        "figures/ranks_amortised.png",
    ] {
        let size = std::fs::metadata(first.join(file)).unwrap().len();
        assert!(size > 100, "{file} has {size} bytes");
    }

    let report = std::fs::read_to_string(first.join("REPORT.md")).unwrap();
    assert!(report.contains("## Posteriors from likelihood evaluations"));

    // One run alone with three threads on it: the same bits.
    let second = dir.path().join("second");
    let one = Options {
        only: vec![datasets::Family::TwoMoons.into()],
        protocols: vec!["as_published".into()],
        ..options(second.clone(), 3)
    };
    reproduce(&one, &stop).unwrap();
    let again = metrics_csv::read(&second.join("metrics.csv")).unwrap();
    let same: Vec<&Row> = rows
        .iter()
        .filter(|r| r.protocol == "as_published" && r.family == "two_moons")
        .collect();
    assert_eq!(again.iter().collect::<Vec<_>>(), same);

    // A finished run is not computed again: its record keeps its time stamp.
    let records = record::read_all(&second).unwrap();
    let path = record::Record::path(&second, &records[0].run);
    let before = std::fs::metadata(&path).unwrap().modified().unwrap();
    reproduce(&one, &stop).unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().modified().unwrap(),
        before
    );
    // With --force it is; and a record of another config is not taken for this one.
    reproduce(
        &Options {
            schedule: Schedule {
                force: true,
                ..one.schedule.clone()
            },
            ..one.clone()
        },
        &stop,
    )
    .unwrap();
    assert_ne!(
        std::fs::metadata(&path).unwrap().modified().unwrap(),
        before
    );
    let mut other = records[0].clone();
    other.hash = "0".into();
    other.metrics[0].value = -1.0;
    record::write(&path, &other).unwrap();
    reproduce(&one, &stop).unwrap();
    assert_eq!(
        metrics_csv::read(&second.join("metrics.csv")).unwrap(),
        again
    );
    // Nothing half-written is left.
    let stray: Vec<_> = walk(&second)
        .into_iter()
        .filter(|p| p.to_string_lossy().contains("partial"))
        .collect();
    assert!(stray.is_empty(), "{stray:?}");
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(walk(&path))
        } else {
            files.push(path)
        }
    }
    files
}

#[test]
fn posteriors_are_done_alone_and_no_more_than_once() {
    let dir = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let only = Options {
        only: vec![Benchmark::UnequalModes.into()],
        ..options(dir.path().to_owned(), 2)
    };
    reproduce(&only, &stop).unwrap();
    let results = Results::read(dir.path()).unwrap();
    assert!(results.mixtures.is_empty());
    let records = &results.posteriors;
    assert_eq!(records.len(), 6);
    let report = std::fs::read_to_string(dir.path().join("REPORT.md")).unwrap();
    assert!(report.contains("### Protocol refined") && !report.contains("one_shot"));

    // A finished run keeps its record; one of another config is computed again.
    let path = |k: usize| record::record_path(dir.path(), &records[k].run.stem());
    let time = |k: usize| std::fs::metadata(path(k)).unwrap().modified().unwrap();
    let before = time(0);
    let mut other = records[1].clone();
    other.hash = "0".into();
    other.metrics[0].value = -1.0;
    record::write(&path(1), &other).unwrap();
    reproduce(&only, &stop).unwrap();
    assert_eq!(time(0), before);
    let again = Results::read(dir.path()).unwrap();
    assert_eq!(again.rows(), results.rows());

    // A record is a function of its run alone.
    for r in records {
        assert_eq!(r.hash, r.run.hash());
        let mut changed = r.run.clone();
        changed.fit.folds += 1;
        assert_ne!(r.hash, changed.hash());
    }
}

#[test]
fn a_stop_ends_the_run_and_leaves_no_record() {
    let dir = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(true);
    let error = reproduce(&options(dir.path().to_owned(), 1), &stop).unwrap_err();
    assert!(error.is::<paper::run::Interrupted>());
    assert!(walk(dir.path()).is_empty());
}
