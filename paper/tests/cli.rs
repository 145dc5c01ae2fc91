//! The built binary: exit codes, one-line errors with their place, nothing left behind.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn paper(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_paper"))
        .args(args)
        .output()
        .unwrap()
}

fn stderr(o: &Output) -> String {
    String::from_utf8(o.stderr.clone()).unwrap()
}

/// The smoke config with one change, in a folder of its own.
fn changed(dir: &Path, from: &str, to: &str) -> PathBuf {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(home.join("configs/smoke/held_out.ron")).unwrap();
    assert!(text.contains(from), "{from}");
    let path = dir.join("bad.ron");
    std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    path
}

/// Line and column of a text in the smoke config.
fn place(needle: &str) -> (usize, usize) {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(home.join("configs/smoke/held_out.ron")).unwrap();
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
            "two experts are called",
            "experts",
        ),
    ];
    for (from, to, message, at) in cases {
        let dir = tempfile::tempdir().unwrap();
        let path = changed(dir.path(), from, to);
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
        let start = format!("error: {}:{}:", path.display(), place(at).0);
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
        (vec!["reproduce", "--protocol", "nothing"], "as_published"),
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
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["configs", "configs/smoke"] {
        for name in ["as_published.ron", "held_out.ron"] {
            let path = home.join(folder).join(name);
            let o = paper(&["check", path.to_str().unwrap()]);
            assert!(o.status.success(), "{}", stderr(&o));
        }
    }
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
    let stdout = String::from_utf8(o.stdout.clone()).unwrap();
    assert!(o.status.success(), "{stdout}{}", stderr(&o));
    assert!(stdout.contains(" metrics reproduced"), "{stdout}");
    assert!(stdout.contains("REPORT.md"), "{stdout}");
    assert_eq!(stderr(&o), "", "quiet when standard error is no terminal");
}
