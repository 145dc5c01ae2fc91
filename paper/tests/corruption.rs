//! Corrupted configs, records and tables of metrics: refused in one line, or sound; within bounds of memory and time.

use crate::home;
use paper::engine::Protocol;
use paper::engine::config::{ConfigError, dialect};
use paper::engine::metrics_csv;
use paper::engine::protocol_file::parse;
use paper::engine::verdict::Comparison;
use paper::experiments::amortised::{AmortisedRecord, AmortisedStudy};
use paper::experiments::canon::CanonStudy;
use paper::experiments::mixture::{MixtureFigure, MixtureRecord, MixtureStudy};
use paper::experiments::posterior::{PosteriorRecord, PosteriorStudy};
use serde::{Serialize, de::DeserializeOwned};
use std::fs;
use std::path::PathBuf;
use testing::{Trial, accepted, loads};

const CASES: usize = 100_000;

fn folder(below: &str) -> PathBuf {
    home().join(below)
}

/// The files of a folder, by name.
fn files(below: &str) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder(below)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    paths.retain(|p| {
        p.to_string_lossy().ends_with(".ron") && !p.to_string_lossy().ends_with(".figure.ron")
    });
    paths.sort();
    paths.iter().map(|p| fs::read(p).unwrap()).collect()
}

/// Whether a text is a config; one that holds a NaN is not equal to itself after it was written and read again.
fn load_config<P: Protocol + Serialize + PartialEq>(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    accepted(parse::<P>(text, "config.ron"), |config| {
        let again = parse::<P>(&dialect().to_string(&config).unwrap(), "again.ron");
        assert!(again.unwrap() == config, "{text}");
    })
}

fn load_record<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let Ok(record) = dialect().from_str::<T>(text) else {
        return false;
    };
    let again = dialect().to_string(&record).unwrap();
    assert!(dialect().from_str::<T>(&again).is_ok(), "{again}");
    true
}

fn damaged(label: &str, sound: &[Vec<u8>], load: impl Fn(&[u8]) -> bool) {
    let trial = Trial {
        sound,
        mutation: testing::text,
        cases: CASES,
    };
    trial.run(label, load);
}

#[test]
fn damaged_protocols() {
    damaged("protocols", &files("configs/smoke"), |b| {
        load_config::<MixtureStudy>(b)
    });
}

#[test]
fn damaged_studies() {
    damaged("studies", &files("configs/smoke/posterior"), |b| {
        load_config::<PosteriorStudy>(b)
    });
}

#[test]
fn damaged_amortised_studies() {
    let load = |b: &[u8]| load_config::<AmortisedStudy>(b);
    damaged("amortised studies", &files("configs/smoke/amortised"), load);
}

#[test]
fn damaged_studies_of_the_canon() {
    let load = |b: &[u8]| load_config::<CanonStudy>(b);
    damaged("studies of the canon", &files("configs/smoke/canon"), load);
}

#[test]
fn damaged_records() {
    // Without most of the learning curves, so that mutations hit something else.
    let text = String::from_utf8(files("results/records/held_out").swap_remove(0)).unwrap();
    let mut record: MixtureRecord = dialect().from_str(&text).unwrap();
    record
        .experts
        .iter_mut()
        .for_each(|e| e.history.truncate(2));
    record.metrics.truncate(5);
    let figure = MixtureFigure {
        hash: record.hash.clone(),
        draws: vec![("mixture".into(), vec![(0.5, -1.0), (1e-3, 2.0)])],
        grid: vec![0.0, -1.5, -2.0, f32::NEG_INFINITY],
        side: 2,
    };
    let record = dialect().to_string(&record).unwrap().into_bytes();
    damaged("records", &[record], load_record::<MixtureRecord>);
    let figure = dialect().to_string(&figure).unwrap().into_bytes();
    damaged("figure data", &[figure], load_record::<MixtureFigure>);
}

#[test]
fn damaged_posterior_records() {
    let text =
        String::from_utf8(files("results/records/posterior/annealed").swap_remove(0)).unwrap();
    let mut record: PosteriorRecord = dialect().from_str(&text).unwrap();
    record.metrics.truncate(5);
    let record = dialect().to_string(&record).unwrap().into_bytes();
    damaged(
        "posterior records",
        &[record],
        load_record::<PosteriorRecord>,
    );
}

#[test]
fn damaged_amortised_records() {
    let text =
        String::from_utf8(files("results/records/amortised/amortised").swap_remove(0)).unwrap();
    let mut record: AmortisedRecord = dialect().from_str(&text).unwrap();
    record.metrics.truncate(5);
    let record = dialect().to_string(&record).unwrap().into_bytes();
    damaged(
        "amortised records",
        &[record],
        load_record::<AmortisedRecord>,
    );
}

#[test]
fn damaged_tables_of_metrics() {
    let all = fs::read_to_string(folder("results/metrics.csv")).unwrap();
    let rows: Vec<&str> = all.lines().take(8).collect();
    let committed = metrics_csv::parse(rows.join("\n").as_bytes(), "metrics.csv").unwrap();
    damaged("metrics", &[rows.join("\n").into_bytes()], |bytes| {
        accepted(metrics_csv::parse(bytes, "metrics.csv"), |rows| {
            let verdict = Comparison::new(&rows, &committed).verdict();
            assert!(
                verdict.contains("reproduced to the last digit"),
                "{verdict}"
            );
        })
    });
}

/// A sound config with something in the place of a part of it.
fn with(config: &str, from: &str, to: &str) -> Vec<u8> {
    let text = fs::read_to_string(folder("configs/smoke").join(config)).unwrap();
    assert!(text.contains(from), "{text}");
    text.replacen(from, to, 1).into_bytes()
}

#[test]
fn long_lists_are_checked_in_bounded_time() {
    let seeds = |n: usize| {
        let seeds: Vec<String> = (0..n).map(|s| s.to_string()).collect();
        format!("seeds: [{}],\n//", seeds.join(","))
    };
    let says = |file: &[u8]| {
        assert!(!loads(file, load_config::<PosteriorStudy>));
        parse::<PosteriorStudy>(std::str::from_utf8(file).unwrap(), "config.ron")
            .err()
            .map_or_else(String::new, |e: ConfigError| e.to_string())
    };
    let many = with("posterior/evaluations.ron", "seeds:", &seeds(130_000));
    assert!(
        says(&many).contains("more than 1000000 fits"),
        "{}",
        says(&many)
    );
    let plans = "(name: \"one_shot\", draws: Count(4000)),".repeat(20_000);
    let many = with(
        "posterior/evaluations.ron",
        "plans: [",
        &format!("plans: [{plans}"),
    );
    assert!(
        says(&many).contains("two have the same name"),
        "{}",
        says(&many)
    );
    let load = |b: &[u8]| load_config::<MixtureStudy>(b);
    assert!(!loads(
        &with("held_out.ron", "seeds:", &seeds(130_000)),
        load
    ));
    assert!(loads(&with("held_out.ron", "seeds:", &seeds(2000)), load));
}

#[test]
fn sums_of_huge_numbers_do_not_overflow() {
    let huge = usize::MAX.to_string();
    let evaluations = with(
        "posterior/evaluations.ron",
        "Annealed(4000)",
        &format!("Annealed({huge})"),
    );
    // A huge computation may be asked for.
    assert!(loads(&evaluations, load_config::<PosteriorStudy>));
    let text = fs::read_to_string(folder("configs/smoke/amortised/amortised.ron")).unwrap();
    let study: AmortisedStudy = parse(&text, "config.ron").unwrap();
    let mut calibrate = study.calibration.settings;
    calibrate.draws = usize::MAX;
    assert!(calibrate.check().unwrap_err().contains("divide draws + 1"));
}

#[test]
fn long_names_and_deep_lists_are_refused_in_one_line() {
    let name = "a b".repeat(200_000);
    let long = with(
        "posterior/evaluations.ron",
        "name: \"matched\"",
        &format!("name: \"{name}\""),
    );
    assert!(!loads(&long, load_config::<PosteriorStudy>));
    let long = with(
        "held_out.ron",
        "protocol:",
        &format!("{}:", "a".repeat(900_000)),
    );
    assert!(!loads(&long, load_config::<MixtureStudy>));
    let deep = with(
        "held_out.ron",
        "seeds: [",
        &format!("seeds: {}", "[".repeat(900_000)),
    );
    assert!(!loads(&deep, load_config::<MixtureStudy>));
    assert!(!loads(&deep, load_record::<MixtureRecord>));
}
