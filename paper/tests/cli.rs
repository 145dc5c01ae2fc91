//! The built binary: exit codes, one-line errors with their place, nothing left behind.

use crate::{home, paper, stderr, stdout};
use std::path::{Path, PathBuf};

const MIXTURE: &str = "held_out.ron";
const STUDY: &str = "posterior/annealed.ron";
const AMORTISED: &str = "amortised/amortised.ron";

/// The text of a smoke config.
fn smoke(config: &str) -> String {
    std::fs::read_to_string(home().join("configs/smoke").join(config)).unwrap()
}

/// A smoke config with one change, in a folder of its own.
fn changed(dir: &Path, config: &str, from: &str, to: &str) -> PathBuf {
    let text = smoke(config);
    assert!(text.contains(from), "{from}");
    let path = dir.join(config);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    path
}

/// Line and column of a text in a smoke config.
fn place(config: &str, needle: &str) -> (usize, usize) {
    let text = smoke(config);
    let (i, line) = text
        .lines()
        .enumerate()
        .find(|(_, l)| l.contains(needle))
        .unwrap();
    (i + 1, line.find(needle).unwrap() + 1)
}

#[test]
fn a_bad_config_is_one_line_with_file_line_and_column_and_exit_code_2() {
    let cases = [
        (
            "learning_rate: 1e-3",
            "learning_rat: 1e-3",
            "learning_rat",
            "learning_rate",
        ),
        (
            "learning_rate: 1e-3",
            "learning_rate: -1e-3",
            "must be positive, not -0.001",
            "learning_rate",
        ),
        ("[banana,", "[bananas,", "bananas", "[banana,"),
        ("steps: 400", "steps: 0", "must be at least 1", "steps: 400"),
        ("activation: Relu", "activation: Gelu", "Gelu", "activation"),
        ("patience: 10", "patience: ten", "Expected", "patience"),
        (
            "oversmooth: 1.3",
            "oversmooth: -1.3",
            "oversmooth",
            "oversmooth",
        ),
        ("weights: 30", "weights: 0", "draws.weights", "weights: 30"),
        (
            "name: \"rbig\"",
            "name: \"maf\"",
            "two are called \"maf\"",
            "name: \"rbig\"",
        ),
    ];
    refused(MIXTURE, &cases);
}

#[test]
fn so_is_a_bad_study() {
    let cases = [
        (
            "draws: Annealed(3000)",
            "draw: Annealed(3000)",
            "draw",
            "draws",
        ),
        (
            "draws: Annealed(3000)",
            "draws: Annealed(0)",
            "draws: must be at least 1, not 0",
            "Annealed",
        ),
        (
            "[unequal_modes]",
            "[uneven_modes]",
            "uneven_modes",
            "[unequal_modes]",
        ),
        (
            "[five_unequal]",
            "[unequal_modes]",
            "unequal_modes is listed twice",
            "benchmarks: [five_unequal]",
        ),
        (
            "components: Matched",
            "components: Fixed(0)",
            "base: components must be at least 1, not 0",
            "components: Matched",
        ),
        (
            "components: Matched",
            "components: Many",
            "Many",
            "components: Matched",
        ),
        (
            "share: 0.05, scale: 1.5",
            "share: 0.05, scale: 0.5",
            "tails: share must be",
            "tails",
        ),
        (
            "shown: [\"normal\"",
            "shown: [\"normla\"",
            "no base is called \"normla\"",
            "shown",
        ),
        (
            "name: \"bic\"",
            "name: \"matched\"",
            "two are called \"matched\"",
            "name: \"bic\"",
        ),
        (
            // The flows of the problems, which stand further in than those of a base.
            "                    (\"realnvp\"",
            "                    (\"maf\"",
            "two are called \"maf\"",
            "                    (\"realnvp\"",
        ),
        (
            "                    (\"realnvp\"",
            "                    (\"mixture\"",
            "not \"mixture\"",
            "                    (\"realnvp\"",
        ),
        ("steps: 60", "steps: 0", "must be at least 1", "steps: 60"),
        ("folds: 5", "folds: 1", "folds must be at least 2", "folds"),
        ("models: 1", "models: 9", "models must be from 1", "models"),
        (
            "w2_draws: 100",
            "w2_draws: 0",
            "must be at least 1",
            "w2_draws",
        ),
        (
            "evidence: (draws",
            "evidences: (draws",
            "evidences",
            "evidence: (draws",
        ),
        (
            "seeds: [1, 2]",
            "seeds: [2, 2]",
            "2 is listed twice",
            "seeds",
        ),
        (
            "seeds: [1, 2]",
            "seeds: []",
            "seeds must not be empty",
            "seeds",
        ),
    ];
    refused(STUDY, &cases);
}

#[test]
fn so_is_a_bad_study_of_amortised_posteriors() {
    let cases = [
        ("pairs: 2000", "pairs: 0", "must be at least 1", "pairs"),
        (
            "bins: 10",
            "bins: 7",
            "calibration.settings.bins: bins must",
            "bins",
        ),
        ("sigma: 0.25", "sigma: -0.25", "positive sigma", "sigma"),
        (
            "validation: 0.1",
            "validation: 1.5",
            "validation must be",
            "validation",
        ),
        ("neighbours", "neighbors", "neighbors", "neighbours"),
        (
            "components: Fixed(4)",
            "components: Fixed(0)",
            "components must",
            "components",
        ),
    ];
    refused(AMORTISED, &cases);
}

/// Each change to a config ends in one line about the place.
fn refused(config: &str, cases: &[(&str, &str, &str, &str)]) {
    for (from, to, message, at) in cases {
        let dir = tempfile::tempdir().unwrap();
        let path = changed(dir.path(), config, from, to);
        let out = dir.path().join("out");
        let args = [
            "reproduce",
            "--configs",
            dir.path().to_str().unwrap(),
            "--out",
            out.to_str().unwrap(),
        ];
        let o = paper(&args);
        let error = stderr(&o);
        assert_eq!(o.status.code(), Some(2), "{to}: {error}");
        assert_eq!(error.lines().count(), 1, "{to}: {error}");
        assert!(error.contains(message), "{to}: {error}");
        let start = format!("error: {}:{}:", path.display(), place(config, at).0);
        assert!(
            error.starts_with(&start),
            "{to}: {error} does not start with {start}"
        );
        assert!(!out.exists(), "{to}: something was written");
    }
}

#[test]
fn unknown_names_and_missing_files_are_misuse() {
    let dir = tempfile::tempdir().unwrap();
    let none = dir.path().join("none.ron");
    for (args, message) in [
        (vec!["reproduce", "--only", "bannana"], "banana"),
        (vec!["reproduce", "--only", "cresents"], "crescents"),
        (vec!["reproduce", "--protocol", "nothing"], "as_published"),
        (vec!["reproduce", "--protocol", "nothing"], "one_shot"),
        (vec!["reproduce", "--threads", "0"], "0"),
        (vec!["check", none.to_str().unwrap()], "none.ron"),
        (vec!["report", dir.path().to_str().unwrap()], "records"),
        (vec!["reproduce", "--flag"], "--flag"),
    ] {
        let o = paper(&args);
        assert_eq!(o.status.code(), Some(2), "{args:?}");
        assert!(stderr(&o).contains(message), "{args:?}: {}", stderr(&o));
    }
}

#[test]
fn shipped_configs_are_sound() {
    let mut count = 0;
    for folder in ["configs", "configs/smoke"] {
        for below in ["", "posterior", "amortised", "canon"] {
            let folder = home().join(folder).join(below);
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|e| e == "ron") {
                    let o = paper(&["check", path.to_str().unwrap()]);
                    assert!(o.status.success(), "{}", stderr(&o));
                    count += 1;
                }
            }
        }
    }
    assert!(count > 10, "{count} configs");
}

#[test]
fn a_single_run_computes_compares_and_reports() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("results");
    let args = [
        "reproduce",
        "--smoke",
        "--only",
        "x_shape",
        "--protocol",
        "as_published",
        "--out",
        out.to_str().unwrap(),
    ];
    let o = paper(&args);
    let shown = stdout(&o);
    assert!(o.status.success(), "{shown}{}", stderr(&o));
    assert!(shown.contains(" metrics reproduced"), "{shown}");
    assert!(shown.contains("REPORT.md"), "{shown}");
    assert_eq!(stderr(&o), "", "quiet when standard error is no terminal");
}
