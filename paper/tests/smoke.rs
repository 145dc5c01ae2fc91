//! The smoke runs of all studies, recomputed and compared with the committed numbers.

use crate::numbers::assert_near_snapshot;
use crate::{files, smoke_options as options};
use paper::engine::metrics_csv::{self, Row};
use paper::engine::record::{read_all, record_path, write};
use paper::engine::reproduce::{Options, reproduce};
use paper::engine::schedule::Schedule;
use paper::engine::{Experiment, Interrupted};
use paper::experiments::mixture::MixtureRun;
use paper::experiments::posterior::PosteriorRun;
use std::sync::atomic::AtomicBool;

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

    assert_near_snapshot("smoke_metrics", &table(&rows));

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
        "figures/posterior_five_unequal_annealed.png",
        "figures/posterior_components_components.png",
        "figures/posterior_evaluations_evaluations.png",
        "tables/amortised_amortised.md",
        "figures/ranks_amortised.png",
        "tables/canon_evidence_canon.md",
        "tables/canon_coverage_coverage.csv",
        "figures/canon_rounds_canon.png",
    ] {
        let size = std::fs::metadata(first.join(file)).unwrap().len();
        assert!(size > 100, "{file} has {size} bytes");
    }

    let report = std::fs::read_to_string(first.join("REPORT.md")).unwrap();
    assert!(report.contains("## Posteriors from likelihood evaluations"));

    // One run alone with three threads on it: the same bits.
    let second = dir.path().join("second");
    let one = Options {
        only: vec!["two_moons".into()],
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
    let records = read_all::<MixtureRun>(&second).unwrap();
    let path = record_path(&second, &records[0].run.stem());
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
    write(&path, &other).unwrap();
    reproduce(&one, &stop).unwrap();
    assert_eq!(
        metrics_csv::read(&second.join("metrics.csv")).unwrap(),
        again
    );
    // Nothing half-written is left.
    let left = files(&second);
    assert!(left.iter().all(|f| !f.contains("partial")), "{left:?}");
}

#[test]
fn posteriors_are_done_alone_and_no_more_than_once() {
    let dir = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let only = Options {
        only: vec!["unequal_modes".into()],
        ..options(dir.path().to_owned(), 2)
    };
    reproduce(&only, &stop).unwrap();
    assert!(read_all::<MixtureRun>(dir.path()).unwrap().is_empty());
    let records = read_all::<PosteriorRun>(dir.path()).unwrap();
    let metrics = || std::fs::read_to_string(dir.path().join("metrics.csv")).unwrap();
    let before_all = metrics();
    assert_eq!(records.len(), 8);
    let report = std::fs::read_to_string(dir.path().join("REPORT.md")).unwrap();
    assert!(report.contains("### Protocol annealed") && !report.contains("one_shot"));

    // A finished run keeps its record; one of another config is computed again.
    let path = |k: usize| record_path(dir.path(), &records[k].run.stem());
    let time = |k: usize| std::fs::metadata(path(k)).unwrap().modified().unwrap();
    let before = time(0);
    let mut other = records[1].clone();
    other.hash = "0".into();
    other.metrics[0].value = -1.0;
    write(&path(1), &other).unwrap();
    reproduce(&only, &stop).unwrap();
    assert_eq!(time(0), before);
    assert_eq!(metrics(), before_all);

    // A record is a function of its run alone.
    for r in &records {
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
    assert!(error.is::<Interrupted>());
    assert!(files(dir.path()).is_empty());
}
