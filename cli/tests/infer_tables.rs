//! `amf infer`: tables and priors as other programs write them, and what is said of them.

use crate::bench::Bench;
use std::io::Write;
use std::process::{Command, Stdio};

const NORMAL: &str = "infer --prior a=normal(0,1) --evaluations 1500 --ess 500";

fn says(bench: &Bench, args: &str, parts: &[&str]) -> String {
    let said = bench.refused(args);
    for p in parts {
        assert!(said.contains(p), "amf {args}: {said}");
    }
    said
}

/// Runs with a command of several words; gives what it said.
fn said(bench: &Bench, args: &str, command: &str) -> String {
    let mut amf = Command::new(env!("CARGO_BIN_EXE_amf"));
    amf.current_dir(bench.folder.path());
    amf.args(args.split_whitespace());
    let run = amf.args(["--command", command]).output().unwrap();
    String::from_utf8(run.stderr).unwrap()
}

fn always(answer: &str) -> String {
    format!("while read -r line; do echo {answer}; done")
}

/// The ids of points.
fn ids(points: &str) -> Vec<String> {
    let lines = points.lines().skip(1);
    lines.map(|l| l.split(',').next().unwrap().into()).collect()
}

#[test]
fn quotes_a_byte_order_mark_and_standard_input_can_be_told() {
    let bench = Bench::new();
    let run = format!("{NORMAL} --state run");
    let points = ids(&bench.out(&format!("{run} --ask 3")));
    let table = format!(
        "\u{feff}\"id\",\"log_likelihood\"\r\n\"{}\",\"-1\"\r\n\r\n\"{}\",-1\r\n",
        points[0], points[1]
    );
    bench.write("excel.csv", table.as_bytes());
    bench.out(&format!("{run} --tell excel.csv"));
    let mut amf = Command::new(env!("CARGO_BIN_EXE_amf"));
    amf.current_dir(bench.folder.path());
    amf.args(format!("{run} --tell - --ask 1").split_whitespace());
    let mut child = amf
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let table = format!("id,log_likelihood\n{},-1\n", points[2]);
    let mut input = child.stdin.take().unwrap();
    input.write_all(table.as_bytes()).unwrap();
    drop(input);
    let next = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert!(!points.contains(&ids(&next)[0]));
    assert_eq!(bench.text("run/evaluations.csv").lines().count(), 4);
    bench.write("empty.csv", b"");
    says(
        &bench,
        &format!("{run} --tell empty.csv"),
        &["empty.csv: it is empty", "id"],
    );
    bench.write("other.csv", b"ident,x\n1,2\n");
    says(
        &bench,
        &format!("{run} --tell other.csv"),
        &["other.csv: line 1", "no column \"id\", only ident, x"],
    );
}

#[test]
fn a_derived_quantity_that_differs_is_named_and_impossible_points_need_none() {
    let bench = Bench::new();
    let run = format!("{NORMAL} --state run --derived b,c");
    let points = ids(&bench.out(&format!("{run} --ask 3")));
    let tell = |name: &str, lines: &str| {
        bench.write(name, format!("id,log_likelihood,b,c\n{lines}").as_bytes());
        format!("{run} --tell {name}")
    };
    let (one, two) = (&points[0], &points[1]);
    bench.out(&tell("a.csv", &format!("{one},-1,2,3\n{two},-inf,,\n")));
    let parts = ["the derived quantity \"c\" 3.0, not 4.5"];
    says(&bench, &tell("b.csv", &format!("{one},-1,2,4.5\n")), &parts);
    let twice = format!("{},-1,2,3\n{},-1,7,3\n", points[2], points[2]);
    let parts = ["told twice", "the derived quantity \"b\" 2.0 and 7.0"];
    says(&bench, &tell("c.csv", &twice), &parts);
    // Of a program.
    let half = "while read -r line; do case $line in -*) echo -inf;; *) echo -1,2,3;; esac; done";
    let found = said(&bench, &format!("{NORMAL} --derived b,c"), half);
    assert!(found.contains("verdict: nothing speaks against"), "{found}");
    let found = said(&bench, &format!("{NORMAL} --derived b,c"), &always("-1"));
    assert!(
        found.contains("instead of 3 numbers (log-likelihood,b,c; or -inf"),
        "{found}"
    );
    let help = bench.out("infer --help");
    assert!(help.contains("a bare -inf"), "{help}");
}

#[test]
fn priors_are_refused_with_their_file_and_the_word_that_is_wrong() {
    let bench = Bench::new();
    bench.write("mark.ron", "\u{feff}[\"a = normal(0, 1)\"]".as_bytes());
    let found = said(
        &bench,
        "infer --prior mark.ron --evaluations 600 --ess 100",
        &always("-1"),
    );
    assert!(found.contains("ln Z = -1.000"), "{found}");
    assert!(found.contains(" in 1 round,"), "{found}");
    bench.write("bad.ron", b"[\"a = uniform(0, 1) periodc\"]");
    says(
        &bench,
        "infer --prior bad.ron --command true",
        &["--prior bad.ron: ", "\"periodc\"", "did you mean periodic?"],
    );
    says(
        &bench,
        "infer --prior a=uniform(1,1.0000000000000002) --command true",
        &["parameter \"a\"", "narrower than numbers of its size"],
    );
}

#[test]
fn options_that_cannot_be_used_are_named() {
    let bench = Bench::new();
    let run = format!("{NORMAL} --command true");
    says(
        &bench,
        &format!("{run} --evidence-error 0"),
        &["--evidence-error must be above 0"],
    );
    says(
        &bench,
        "infer --prior a=normal(0,1) --command true --ess 0",
        &["--ess"],
    );
    says(&bench, &format!("{run} --draws d.csv -n 0"), &["'-n <N>'"]);
    says(
        &bench,
        &format!("{run} --draws d.csv -n 100000001"),
        &["'-n <N>'", "100000000"],
    );
    says(
        &bench,
        &format!("{run} --timeout 0"),
        &["--timeout", "seconds above 0"],
    );
    bench.write("file", b"");
    let text = says(
        &bench,
        &format!("{run} --state file"),
        &["--state file: this is a file"],
    );
    assert_eq!(text.matches("file: ").count(), 1, "{text}");
    let first = bench.amf(&format!("{NORMAL} --state asked --ask 1"));
    let text = String::from_utf8(first.stderr).unwrap();
    assert!(
        text.contains("no round is done yet; 1000 points are wanted"),
        "{text}"
    );
    // Fractions of a second; what came without a line feed is shown where it can be.
    let text = said(
        &bench,
        &format!("{NORMAL} --timeout 0.3 --state s"),
        "printf -- -1; sleep 9",
    );
    assert!(text.contains("within 0.3 s"), "{text}");
    assert!(text.contains("\"-1\" without the line feed"), "{text}");
}

#[test]
fn garbage_is_refused_and_large_numbers_are_short() {
    let bench = Bench::new();
    let text = said(&bench, NORMAL, &always("-1e308"));
    for part in ["-1e308 at a = ", "beyond 1e300", "-inf"] {
        assert!(text.contains(part), "{text}");
    }
    let text = said(&bench, NORMAL, &always("-1e299"));
    assert!(text.contains("ln Z = -1.000000e299 "), "{text}");
}

#[test]
fn a_periodic_parameter_has_a_circular_mean() {
    let bench = Bench::new();
    // Level from 0.95 by 1, which is 0, to 0.05.
    let program = "while read -r line; do case $line in 0.0[0-4]*|0.9[5-9]*) echo -1;; *) echo -inf;; esac; done";
    let mut amf = Command::new(env!("CARGO_BIN_EXE_amf"));
    amf.current_dir(bench.folder.path());
    let args = "infer --evaluations 4000 --ess 1000 --command";
    amf.args(args.split_whitespace()).arg(program);
    let run = amf
        .args(["--prior", "p=uniform(0,1) periodic"])
        .output()
        .unwrap();
    let text = String::from_utf8(run.stderr).unwrap();
    let line = text.lines().find(|l| l.starts_with("p  ")).unwrap();
    let v: Vec<f64> = line
        .split_whitespace()
        .skip(1)
        .map(|f| f.parse().unwrap())
        .collect();
    assert!(v[0] < 0.02 || v[0] > 0.98, "{line}");
    assert!((v[1] - 0.1 / 12_f64.sqrt()).abs() < 0.003, "{line}");
    assert!((v[2] - 0.955).abs() < 0.01, "{line}");
    assert!((v[4] - 0.045).abs() < 0.01, "{line}");
    assert!(text.contains("on the circle: p (circular mean"), "{text}");
}

#[test]
fn repeated_draws_and_unused_evaluations_are_said() {
    let bench = Bench::new();
    let program = "while read -r line; do case $line in -*) echo -4;; *) echo -1;; esac; done";
    let run = |ess: usize, more: &str| {
        let args = format!(
            "infer --prior a=normal(0,1) --evaluations 9000 --ess {ess} --state run {more}"
        );
        said(&bench, &args, program)
    };
    let first = run(500, "--draws d.csv -n 20000");
    assert!(
        first.contains("note: -n 20000 is more than the effective"),
        "{first}"
    );
    assert_eq!(bench.text("d.csv").lines().count(), 20_001);
    assert!(!first.contains("are not used"), "{first}");
    run(3000, "");
    let again = run(500, "");
    assert!(
        again.contains(" evaluations kept in run are not used"),
        "{again}"
    );
}
