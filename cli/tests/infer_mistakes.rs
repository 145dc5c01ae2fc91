//! `amf infer`: mistakes of users that must not pass silently.

use crate::bench::Bench;

const NORMAL: &str = "infer --prior a=normal(0,1) --evaluations 1500 --ess 500";

fn says(bench: &Bench, args: &str, parts: &[&str]) {
    let run = bench.amf(args);
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(2), "amf {args}: {said}");
    for p in parts {
        assert!(said.contains(p), "amf {args}: {said}");
    }
}

/// What a run that goes well says.
fn said(bench: &Bench, args: &str) -> String {
    let run = bench.amf(args);
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(0), "amf {args}: {said}");
    said
}

/// The points of a run, as a table with the log-likelihood -1.
fn told(points: &str) -> String {
    let ids = points.lines().skip(1).map(|l| l.split(',').next().unwrap());
    let lines = ids.map(|id| format!("{id},-1\n"));
    format!("id,log_likelihood\n{}", lines.collect::<String>())
}

#[test]
fn points_of_other_runs_cannot_be_told() {
    let bench = Bench::new();
    let one = format!("{NORMAL} --state one");
    let points = bench.out(&format!("{one} --ask 99999"));
    bench.write("one.csv", told(&points).as_bytes());
    // Of another seed, another prior, and a folder from which nothing was asked.
    let parts = ["one.csv: line 2: point 0-", "of another run", "here"];
    for other in [
        format!("{NORMAL} --seed 2 --state seed"),
        NORMAL.replace("(0,1)", "(0,2) --state prior"),
    ] {
        bench.out(&format!("{other} --ask 1"));
        says(&bench, &format!("{other} --tell one.csv"), &parts);
    }
    says(
        &bench,
        &format!("{NORMAL} --state new --tell one.csv"),
        &["new: no points were asked for", "--ask"],
    );
    // A number alone says nothing; with the parameters it does.
    bench.write("bare.csv", b"id,log_likelihood\n0,-1\n");
    says(
        &bench,
        &format!("{one} --tell bare.csv"),
        &["bare.csv: line 2", "the whole id", "0-"],
    );
    let first = points.lines().nth(1).unwrap();
    let a = first.split(',').nth(1).unwrap();
    bench.write(
        "bare.csv",
        format!("id,a,log_likelihood\n0,{a},-1\n").as_bytes(),
    );
    bench.out(&format!("{one} --tell bare.csv"));
    bench.write("bare.csv", b"id,a,log_likelihood\n0,77,-1\n");
    says(&bench, &format!("{one} --tell bare.csv"), &["a = 77.0"]);
    // Rows told before are looked at too, in this round and after it.
    bench.out(&format!("{one} --tell one.csv"));
    let wrong = format!("id,log_likelihood\n0-{:016x},-1\n", 7);
    bench.write("wrong.csv", wrong.as_bytes());
    says(&bench, &format!("{one} --tell wrong.csv"), &["another run"]);
    let id = first.split(',').next().unwrap();
    bench.write(
        "wrong.csv",
        format!("id,log_likelihood\n{id},-2\n").as_bytes(),
    );
    let mark = id.split('-').nth(1).unwrap();
    let line = format!("delete the line that begins with {mark} from evaluations.csv");
    says(&bench, &format!("{one} --tell wrong.csv"), &[&line]);
    // Cut short: "-1" may have been "-1.5".
    bench.write("cut.csv", told(&points).trim_end().as_bytes());
    says(
        &bench,
        &format!("{one} --tell cut.csv"),
        &["cut.csv", "cut short"],
    );
    std::fs::remove_file(bench.path("one/problem.txt")).unwrap();
    says(
        &bench,
        &format!("{one} --ask 1"),
        &["problem.txt", "another folder"],
    );
}

#[test]
fn failed_points_are_known_as_such_and_evaluated_again() {
    let bench = Bench::new();
    bench.script(
        "half.sh",
        "while read -r line; do case $line in -*) exit 1;; *) echo -1.5;; esac; done",
    );
    bench.script("whole.sh", "while read -r line; do echo -1.5; done");
    let run = format!("{NORMAL} --state run --workers 2 --failures");
    let warning = "could not be evaluated at ";
    let first = said(&bench, &format!("{run} reject --command ./half.sh"));
    assert!(first.contains(warning) && first.contains("the program failed at "));
    assert!(bench.text("run/evaluations.csv").contains(",failed\n"));
    // The next run knows of them without asking.
    let again = said(&bench, &format!("{run} reject --command false"));
    assert!(again.contains(warning) && !again.contains("nothing speaks against"));
    let mended = said(&bench, &format!("{run} error --command ./whole.sh"));
    assert!(mended.contains("ln Z = -1.500"), "{mended}");
    assert!(mended.contains("nothing speaks against"), "{mended}");
    says(
        &bench,
        &format!("{NORMAL} --failures reject --workers 2 --command false"),
        &["all of the first 20 answers failed", "status: 1"],
    );
}

#[test]
fn commands_are_those_of_a_shell_and_end_with_the_run() {
    let bench = Bench::new();
    let infer = |command: &str, more: &str| {
        let mut amf = std::process::Command::new(env!("CARGO_BIN_EXE_amf"));
        amf.current_dir(bench.folder.path());
        amf.args(NORMAL.split_whitespace());
        amf.args(more.split_whitespace());
        amf.args(["--command", command]).output().unwrap()
    };
    std::fs::create_dir(bench.path("below")).unwrap();
    bench.script("below/m.sh", "while read -r line; do echo $FOO; done");
    for command in [
        "cd below && FOO=-1 ./m.sh",
        "FOO=-1 below/m.sh",
        "export FOO=-1; below/m.sh",
    ] {
        let run = infer(command, "");
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(said.contains("ln Z = -1.000"), "{command}: {said}");
    }
    let run = infer(" ", "");
    assert!(String::from_utf8_lossy(&run.stderr).contains("--command is empty"));
    // What the shell started ends with it.
    bench.script(
        "below/slow.sh",
        "echo $$ > pid; read -r line; exec sleep 50",
    );
    let run = infer("cd below && ./slow.sh && true", "--timeout 1 --workers 1");
    assert!(String::from_utf8_lossy(&run.stderr).contains("no answer within 1 s"));
    assert_gone(&bench.text("below/pid"));
}

/// A process that was killed takes a moment to end.
fn assert_gone(pid: &str) {
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    let gone = || state().map_or(true, |s| s.contains(") Z "));
    for _ in 0..100 {
        if gone() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("{:?}", state());
}

/// Starts a run, interrupts it soon after a file is there, and gives what it said.
fn interrupted(bench: &Bench, command: &str, args: &str, file: &str) -> String {
    let mut amf = std::process::Command::new(env!("CARGO_BIN_EXE_amf"));
    amf.current_dir(bench.folder.path());
    amf.args(NORMAL.split_whitespace());
    amf.args(args.split_whitespace());
    amf.args(["--command", command]);
    let child = amf.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let begin = std::time::Instant::now();
    while !bench.path(file).exists() {
        assert!(begin.elapsed().as_secs() < 60, "{file} does not come");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    std::thread::sleep(std::time::Duration::from_millis(200));
    let mut kill = std::process::Command::new("kill");
    kill.args(["-INT", &child.id().to_string()]);
    assert!(kill.status().unwrap().success());
    let run = child.wait_with_output().unwrap();
    assert_eq!(run.status.code(), Some(130));
    String::from_utf8(run.stderr).unwrap()
}

#[test]
fn interruptions_say_what_was_written_and_leave_no_program() {
    let bench = Bench::new();
    bench.script("ok.sh", "while read -r line; do echo -1; done");
    let args = "--draws d.csv --out m.safetensors --state run";
    let said = interrupted(&bench, "./ok.sh", args, "d.csv");
    assert!(
        said.contains("interrupted: d.csv written, the model of --out not written"),
        "{said}"
    );
    assert!(!bench.path("m.safetensors").exists());
    bench.script("slow.sh", "echo $$ > pid; read -r line; exec sleep 50");
    let said = interrupted(&bench, "cd . && ./slow.sh && true", "--workers 1", "pid");
    assert!(said.contains("nothing was written"), "{said}");
    assert_gone(&bench.text("pid"));
}

#[test]
fn names_and_outputs_that_collide_are_refused() {
    let bench = Bench::new();
    let run = format!("{NORMAL} --command true");
    for (derived, part) in [
        ("b,b", "\"b\" is given twice"),
        ("b,", "empty"),
        ("a", "\"a\" is a parameter"),
        ("log_weight", "\"log_weight\" is the name of a column"),
    ] {
        let said = bench.refused(&format!("{run} --derived {derived}"));
        assert!(said.contains("--derived") && said.contains(part), "{said}");
    }
    let said = bench.refused("infer --prior id=normal(0,1) --command true");
    assert!(said.contains("--prior: \"id\""), "{said}");
    bench.write("observed.csv", b"1\n");
    for (more, parts) in [
        (
            "--draws x.csv --weighted ./x.csv",
            ["--weighted", "--draws is written there"],
        ),
        ("--state s --draws s/x.csv", ["--draws s/x.csv", "--state"]),
        (
            "--state s --data observed.csv --weighted observed.csv",
            ["--weighted", "is read"],
        ),
        (
            "--weighted no/where.csv",
            ["cannot be written", "--weighted"],
        ),
        ("--plot no/where.png", ["cannot be written", "--plot"]),
    ] {
        let said = bench.refused(&format!("{run} {more}"));
        assert!(parts.iter().all(|p| said.contains(p)), "{more}: {said}");
    }
    // The program is read as well.
    bench.write("program", b"#!/bin/sh\n");
    let said = bench.refused(&format!("{NORMAL} --command ./program --draws program"));
    assert!(
        said.contains("--draws program") && said.contains("is read"),
        "{said}"
    );
}

#[test]
fn numbers_are_printed_with_digits_and_bad_ones_are_counted() {
    let bench = Bench::new();
    bench.script(
        "nan.sh",
        "while read -r line; do case $line in 0.0009*) echo -3,nan,nan;; *) echo -1,1e-9,nan;; esac; done",
    );
    let report = said(
        &bench,
        "infer --prior a=uniform(1e-7,1e-3) --evaluations 1500 --ess 500 --derived tiny,none --evidence-error 1e-9 --command ./nan.sh",
    );
    for part in [
        "\"none\" is NaN or infinite at ",
        "the first is a = ",
        "1.0000e-9",
        "the standard error of ln Z is ",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
    let line = |name: &str| {
        let line = report.lines().find(|l| l.starts_with(name)).unwrap();
        line.split_whitespace()
            .map(String::from)
            .collect::<Vec<_>>()
    };
    assert!(report.contains("\"tiny\" is NaN or infinite at "));
    assert_eq!(line("none  ")[1..], ["-"; 5]);
    assert!(line("a  ")[1].contains("e-4") || line("a  ")[1].starts_with("0.000"));
    bench.script("large.sh", "while read -r line; do echo -1e17; done");
    let large = said(&bench, &format!("{NORMAL} --command ./large.sh"));
    assert!(large.contains("subtract a constant"), "{large}");
}
