//! A protocol is one RON file: a new one touches no Rust.

use crate::{home, paper, stderr, stdout};
use std::path::Path;

/// A smoke config under another name, with prose of its own, for one target and seed.
fn renamed(dir: &Path, file: &str, changes: &[(&str, &str)]) {
    let mut text = std::fs::read_to_string(home().join("configs/smoke").join(file)).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    let path = dir.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

const PROSE: &str = "prose: \"The protocol of the same name at a small scale.\"";

#[test]
fn a_new_file_is_a_section_with_its_prose_tables_and_figures() {
    let dir = tempfile::tempdir().unwrap();
    let (configs, out) = (dir.path().join("configs"), dir.path().join("out"));
    renamed(
        &configs,
        "as_published.ron",
        &[
            ("protocol: \"as_published\"", "protocol: \"mine\""),
            (
                "title: \"Protocol as_published\"",
                "title: \"A protocol of mine\"",
            ),
            (
                PROSE,
                "prose: \"What it is about,\n            in two lines.\"",
            ),
            (
                "tables: [\"metrics\", \"weights\", \"published\"]",
                "tables: [\"weights\", \"published\"]",
            ),
            (
                "figures: [\"gap\", \"weights\", \"curves\", \"densities\"]",
                "figures: [\"curves\"]",
            ),
            (
                "[banana, x_shape, bimodal, five_mode, two_moons, rings]",
                "[banana]",
            ),
        ],
    );
    renamed(
        &configs,
        "posterior/one_shot.ron",
        &[
            ("protocol: \"one_shot\"", "protocol: \"later\""),
            ("title: \"Protocol one_shot\"", "title: \"Later\""),
            (PROSE, "prose: \"A second study.\""),
            ("order: 1", "order: 9"),
        ],
    );
    renamed(
        &configs,
        "posterior/annealed.ron",
        &[
            ("protocol: \"annealed\"", "protocol: \"zeroth\""),
            ("title: \"Protocol annealed\"", "title: \"Zeroth\""),
            (PROSE, "prose: \"A first study.\""),
            ("figures: [\"densities\"]", "figures: []"),
        ],
    );
    let configs = configs.to_str().unwrap();
    let only = ["--only=banana", "--only=crescents", "--only=unequal_modes"];
    let args = [
        "reproduce",
        "--smoke",
        "--configs",
        configs,
        "--out",
        out.to_str().unwrap(),
    ];
    let o = paper(&[&args[..], &only[..]].concat());
    // There are no committed numbers of these protocols.
    assert_eq!(o.status.code(), Some(1), "{}", stderr(&o));
    assert!(stdout(&o).contains("not among the committed results"));
    let report = std::fs::read_to_string(out.join("REPORT.md")).unwrap();
    assert!(
        report
            .contains("\n## A protocol of mine\n\nWhat it is about, in two lines. 300 draws train"),
        "{report}"
    );
    let at = |text: &str| {
        let found = report.find(text);
        found.unwrap_or_else(|| panic!("no \"{text}\" in {report}"))
    };
    // Its tables and figures, and no others.
    assert!(at("### Mixture weights, protocol mine") < at("figures/curves_mine.png"));
    assert!(at("### Published against regenerated") > at("## Against the paper"));
    assert!(!report.contains("### Metrics, protocol mine") && !report.contains("gap_mine.png"));
    assert!(
        out.join("figures/curves_mine.png").exists() && !out.join("figures/gap_mine.png").exists()
    );
    // In the order that the files ask for.
    assert!(at("### Zeroth\n\nA first study.") < at("### Later\n\nA second study."));
    // Bounds are rows of the table of targets.
    assert!(
        report.contains("| zeroth | KL(posterior \\|\\| q) | 0.01 or 0.03 |"),
        "{report}"
    );
    assert!(report.contains("figures/posterior_crescents_later.png"));
    assert!(!report.contains("figures/posterior_unequal_modes_zeroth.png"));
}

#[test]
fn prose_changes_no_run() {
    let dir = tempfile::tempdir().unwrap();
    let (configs, out) = (dir.path().join("configs"), dir.path().join("out"));
    let change = |prose: &str| {
        let targets = (
            "[banana, x_shape, bimodal, five_mode, two_moons, rings]",
            "[banana]",
        );
        renamed(&configs, "as_published.ron", &[(PROSE, prose), targets]);
    };
    let reproduce = || {
        let log = dir.path().join("events");
        let (configs, out) = (configs.to_str().unwrap(), out.to_str().unwrap());
        let args = ["reproduce", "--smoke", "--configs", configs, "--out", out];
        let o = paper(&[&args[..], &["--event-log", log.to_str().unwrap()]].concat());
        assert!(o.status.success(), "{}", stderr(&o));
        std::fs::read_to_string(log).unwrap()
    };
    change("prose: \"Before.\"");
    let begun = reproduce();
    assert!(begun.contains("begun"));
    change("prose: \"After.\"");
    assert_eq!(reproduce(), begun, "something was computed again");
    let report = std::fs::read_to_string(out.join("REPORT.md")).unwrap();
    assert!(report.contains("After.") && !report.contains("Before."));
}

#[test]
fn what_a_report_cannot_show_is_refused_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    renamed(
        dir.path(),
        "as_published.ron",
        &[("\"weights\", \"published\"", "\"weigths\", \"published\"")],
    );
    let path = dir.path().join("as_published.ron");
    let text = std::fs::read_to_string(&path).unwrap();
    let line = 1 + text.lines().position(|l| l.contains("weigths")).unwrap();
    let o = paper(&["check", path.to_str().unwrap()]);
    assert_eq!(o.status.code(), Some(2));
    let error = stderr(&o);
    let start = format!("error: {}:{line}:", path.display());
    assert!(error.starts_with(&start), "{error}");
    assert!(
        error.contains("report.tables[1]: tables: there is no \"weigths\""),
        "{error}"
    );
}
