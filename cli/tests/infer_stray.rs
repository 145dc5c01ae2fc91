//! `amf infer`: programs that print a line too many, and signals while points are at work.

use crate::bench::Bench;
use std::collections::BTreeMap;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const NORMAL: &str =
    "infer --prior a=normal(0,1) --evaluations 1500 --ess 500 --state run --workers 1";

/// Starts a run with a command of several words.
fn start(bench: &Bench, args: &str, command: &str) -> Child {
    let mut amf = Command::new(env!("CARGO_BIN_EXE_amf"));
    amf.current_dir(bench.folder.path());
    amf.args(args.split_whitespace());
    amf.args(["--command", command]);
    amf.stderr(Stdio::piped()).spawn().unwrap()
}

fn run(bench: &Bench, args: &str, command: &str) -> (Option<i32>, String) {
    ended(start(bench, args, command))
}

fn ended(child: Child) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

fn signal(child: &Child, name: &str) {
    let mut kill = Command::new("kill");
    kill.args([name, &child.id().to_string()]);
    assert!(kill.status().unwrap().success());
}

fn until(what: impl Fn() -> bool) {
    let begin = Instant::now();
    while !what() {
        assert!(begin.elapsed().as_secs() < 60, "it does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Evaluations that are kept, by their log-likelihoods.
fn kept(bench: &Bench) -> Vec<String> {
    let text = bench.text("run/evaluations.csv");
    let values = text.lines().skip(1);
    values
        .map(|l| l.split(',').nth(1).unwrap().into())
        .collect()
}

/// Answers -1, -2, -3, ..., and a stray line of its own while a point is at work: without a pause
/// before the answer it would be seen before the next point is sent.
fn strays(at: usize) -> String {
    format!(
        "n=0; while read -r line; do n=$((n+1)); if [ $n = {at} ]; then echo -0.5; sleep 0.3; fi; echo -$n; done"
    )
}

#[test]
fn a_stray_line_after_a_point_was_sent_is_an_error_and_its_answers_are_not_kept() {
    let bench = Bench::new();
    for args in [NORMAL.into(), format!("{NORMAL} --failures reject")] {
        let (code, said) = run(&bench, &args, &strays(40));
        assert_eq!(code, Some(2), "{said}");
        for part in [
            "more lines than points",
            "one line for each point",
            "removed from run",
        ] {
            assert!(said.contains(part), "{said}");
        }
        assert_eq!(kept(&bench), [""; 0]);
        assert!(!bench.path("run/programs").exists());
    }
    // Without a state as well, and on the last point of all.
    let stateless = "infer --prior a=normal(0,1) --evaluations 300 --ess 100 --workers 1";
    for at in [1, 300] {
        let (code, said) = run(&bench, stateless, &strays(at));
        assert_eq!(code, Some(2), "{at}: {said}");
        assert!(said.contains("more lines than points"), "{at}: {said}");
        assert!(!said.contains("removed"), "{at}: {said}");
    }
}

#[test]
fn a_line_before_the_first_point_is_an_error_at_once() {
    let bench = Bench::new();
    let (code, said) = run(
        &bench,
        NORMAL,
        "echo 7; while read -r line; do echo -1; done",
    );
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("more lines than points"), "{said}");
    assert!(kept(&bench).len() < 50);
}

#[test]
fn a_farewell_and_a_last_answer_once_more_are_no_stray_lines() {
    let bench = Bench::new();
    for bye in ["echo 3 calls", "echo -1", "while true; do echo -1; done"] {
        let args = "infer --prior a=normal(0,1) --evaluations 600 --ess 100 --workers 2";
        let command = format!("while read -r line; do echo -1; done; {bye}");
        let (code, said) = run(&bench, args, &command);
        assert_eq!(code, Some(0), "{bye}: {said}");
    }
}

/// The process that had read the wrong answers is gone; the files of its programs tell the next.
#[test]
fn a_stray_line_is_found_after_a_kill_too() {
    let bench = Bench::new();
    let slow = "n=0; while read -r line; do n=$((n+1)); [ $n = 5 ] && echo -0.5; sleep 0.05; echo -$n; done";
    let mut child = start(&bench, NORMAL, slow);
    until(|| bench.path("run/evaluations.csv").exists() && kept(&bench).len() > 10);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(kept(&bench).len() > 10);
    let good = "while read -r line; do echo -1; done";
    let (code, said) = run(&bench, NORMAL, good);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("more lines than points"), "{said}");
    assert_eq!(kept(&bench), [""; 0]);
    let (code, said) = run(&bench, NORMAL, good);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("ln Z = -1.000"), "{said}");
}

#[test]
fn a_signal_waits_for_the_points_at_work_and_nothing_is_evaluated_twice() {
    let bench = Bench::new();
    let slow = "while read -r line; do echo $line >> log; sleep 0.4; echo -1; done";
    for name in ["-INT", "-TERM"] {
        let before = bench
            .path("log")
            .exists()
            .then(|| bench.text("log").lines().count());
        let child = start(&bench, &NORMAL.replace("--workers 1", "--workers 2"), slow);
        until(|| {
            let now = bench
                .path("log")
                .exists()
                .then(|| bench.text("log").lines().count());
            now.unwrap_or(0) >= before.unwrap_or(0) + 3
        });
        signal(&child, name);
        let (code, said) = ended(child);
        assert_eq!(code, Some(130), "{said}");
        assert!(said.contains("the same command goes on"), "{said}");
        assert_eq!(kept(&bench).len(), bench.text("log").lines().count());
    }
    let fast = "while read -r line; do echo $line >> log; echo -1; done";
    let (code, said) = run(&bench, NORMAL, fast);
    assert_eq!(code, Some(0), "{said}");
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for line in bench.text("log").lines() {
        *times.entry(line.into()).or_default() += 1;
    }
    assert!(times.values().all(|n| *n == 1));
}

#[test]
fn a_second_signal_ends_at_once() {
    let bench = Bench::new();
    let slow = "while read -r line; do echo $line >> log; sleep 50; echo -1; done";
    let child = start(&bench, &format!("{NORMAL} --timeout 100"), slow);
    until(|| bench.path("log").exists());
    signal(&child, "-INT");
    std::thread::sleep(Duration::from_millis(1000));
    let begin = Instant::now();
    signal(&child, "-INT");
    let (code, said) = ended(child);
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("another signal ends at once"), "{said}");
    assert!(begin.elapsed().as_secs() < 20);
}
