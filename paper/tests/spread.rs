//! Runs spread over processes: `list`, `run` and `collect`.

use crate::job::{RUNS, command, config, records, undisturbed};
use crate::{files, paper, stderr, stdout};
use paper::engine::record::{record_path, write};
use std::path::Path;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn every_line_of_list_is_a_run_and_collect_joins_them() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, _) = undisturbed(dir.path());
    let configs = dir.path().join("configs");
    std::fs::create_dir(&configs).unwrap();
    config(&configs);
    let listed = paper(&["list", "--configs", text(&configs)]);
    let listed = stdout(&listed);
    let lines: Vec<Vec<&str>> = listed.lines().map(|l| l.split(' ').collect()).collect();
    assert_eq!(lines.iter().map(|l| l[1]).collect::<Vec<_>>(), RUNS);
    // Each line on a machine of its own.
    let mut folders = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let out = dir.path().join(format!("machine-{i}"));
        let o = paper(&["run", line[0], line[1], "--out", text(&out)]);
        assert!(o.status.success(), "{}", stderr(&o));
        let record = out.join(format!("records/{}.ron", line[1]));
        assert_eq!(stdout(&o).trim(), text(&record));
        // The record, and figure data of the first seed.
        assert_eq!(files(&out).len(), 2 - i);
        folders.push(out);
    }
    let all = dir.path().join("all");
    let collect = |more: &[&str]| {
        let mut args = vec![
            "collect",
            text(&folders[0]),
            text(&folders[1]),
            "--out",
            text(&all),
        ];
        args.extend(more);
        paper(&args)
    };
    let o = collect(&[]);
    assert!(o.status.success(), "{}", stderr(&o));
    assert!(stdout(&o).starts_with("2 records in "), "{}", stdout(&o));
    assert_eq!(records(&all), whole);
    assert!(all.join("REPORT.md").exists() && all.join("tables/metrics_held_out.md").exists());
    // Once more changes nothing, and the job finds all of it done.
    assert!(collect(&[]).status.success());
    let log = dir.path().join("events");
    // The old name of `--event-log`.
    let more = ["--journal", text(&log)];
    let o = command(Path::new(lines[0][0]), &[], &all, &more)
        .output()
        .unwrap();
    assert!(o.status.success(), "{}", stderr(&o));
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "");

    // Records of one run that differ are not joined.
    let other = records(&all).remove(0);
    let path = record_path(&folders[0], RUNS[0]);
    for change in [0, 1] {
        let mut other = other.clone();
        if change == 0 {
            other.metrics[0].value += 1e-9;
        } else {
            other.hash = "0".into();
        }
        write(&path, &other).unwrap();
        let o = collect(&[]);
        assert_eq!(o.status.code(), Some(2));
        let error = stderr(&o);
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(
            error.contains(text(&path)) && error.contains("all/records"),
            "{error}"
        );
    }
    assert_eq!(records(&all), whole);
}

#[test]
fn misuse_is_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path());
    let (config, here) = (text(&config), text(dir.path()));
    for (args, message) in [
        (
            vec!["run", config, "held_out/nothing", "--out", here],
            "held_out/banana-n300-seed1",
        ),
        (vec!["run", "nothing.ron", "--out", here], "nothing.ron"),
        (vec!["run", config, "--checkpoint=-1"], "--checkpoint"),
        (
            vec!["run", config, "--event-log", "none/events", "--out", here],
            "none/events",
        ),
        (vec!["list", "--protocol", "nothing"], "as_published"),
        (vec!["list", "--configs", "nothing"], "nothing"),
        (vec!["collect", "nothing", "--out", here], "nothing"),
        (vec!["collect", "--out", here], "FROM"),
    ] {
        let o = paper(&args);
        assert_eq!(o.status.code(), Some(2), "{args:?}");
        assert!(stderr(&o).contains(message), "{args:?}: {}", stderr(&o));
    }
    assert_eq!(files(dir.path()), ["held_out.ron"]);
}

#[test]
fn list_selects_as_reproduce_does() {
    let lines = |args: &[&str]| {
        let mut all = vec!["list", "--smoke"];
        all.extend(args);
        let o = paper(&all);
        assert!(o.status.success(), "{}", stderr(&o));
        stdout(&o).lines().count()
    };
    let all = lines(&[]);
    let of = |protocol: &str| lines(&["--protocol", protocol]);
    let names = [
        "as_published",
        "held_out",
        "default",
        "one_shot",
        "annealed",
        "components",
        "evaluations",
        "amortised",
        "canon",
        "coverage",
    ];
    assert_eq!(names.iter().map(|n| of(n)).sum::<usize>(), all);
    assert_eq!(lines(&["--protocol", "held_out", "--only", "banana"]), 2);
}
