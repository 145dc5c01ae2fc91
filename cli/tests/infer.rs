//! `amf infer`: external programs from start to verdict, asked and told, killed, failing, and what
//! users of such samplers report.

use crate::bench::Bench;
use numerics::random::{stream, uniform};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

/// Two parameters, the ridge of the example `likelihood`, no more than a second.
const RIDGE: &str = "infer --prior a=normal(0,1) --prior b=uniform(-2,4) --derived distance --evaluations 4000 --ess 1500";

/// The example `likelihood`, compiled once: `cargo test NAME` builds no examples.
fn likelihood() -> String {
    static BUILT: OnceLock<(TempDir, String)> = OnceLock::new();
    let build = || {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("likelihood");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/likelihood.rs");
        let rustc = std::env::var("RUSTC").unwrap_or("rustc".into());
        let mut rustc = Command::new(rustc);
        rustc.args(["--edition", "2024", "-o"]).arg(&program);
        assert!(rustc.arg(source).status().unwrap().success());
        let path = program.display().to_string();
        (folder, path)
    };
    BUILT.get_or_init(build).1.clone()
}

/// Runs `amf` with a command of several words.
fn run(bench: &Bench, args: &str, command: &str) -> std::process::Output {
    amf(bench, args, command).output().unwrap()
}

fn amf(bench: &Bench, args: &str, command: &str) -> Command {
    let mut amf = Command::new(env!("CARGO_BIN_EXE_amf"));
    amf.current_dir(bench.folder.path());
    amf.args(args.split_whitespace());
    amf.args(["--command", command]);
    amf
}

/// What a run that goes well says.
fn said(bench: &Bench, args: &str, command: &str) -> String {
    let run = run(bench, args, command);
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.success(), "amf {args}: {said}");
    said
}

#[test]
fn start_to_verdict_and_asked_and_told_in_four_pieces_are_the_same_to_the_bit() {
    let bench = Bench::new();
    let outputs = "--weighted w.csv --draws d.csv --plot corner.png";
    let report = said(
        &bench,
        &format!("{RIDGE} {outputs} --workers 2"),
        &likelihood(),
    );
    for part in ["ln Z = ", "distance", "verdict: nothing speaks against"] {
        assert!(report.contains(part), "{report}");
    }
    let weighted = bench.text("w.csv");
    assert!(weighted.starts_with("a,b,distance,log_weight,log_likelihood\n"));
    // The derived quantity beside its parameters.
    for line in bench.text("d.csv").lines().skip(1) {
        let v: Vec<f64> = line.split(',').map(|f| f.parse().unwrap()).collect();
        assert_eq!(v[2], (v[0] * v[0] + v[1] * v[1]).sqrt());
    }
    let whole = ["w.csv", "d.csv", "corner.png"].map(|f| std::fs::read(bench.path(f)).unwrap());
    assert!(whole[2].starts_with(b"\x89PNG"));

    let run = format!("{RIDGE} {outputs} --state asked");
    let mut rounds = 0;
    loop {
        let points = bench.out(&format!("{run} --ask 99999"));
        let lines: Vec<&str> = points.lines().skip(1).collect();
        if lines.is_empty() {
            break;
        }
        rounds += 1;
        let piece = lines.len().div_ceil(4);
        // The last piece first.
        for piece in lines.chunks(piece).rev() {
            let mut table = String::from("distance,id,a,log_likelihood\n");
            for line in piece {
                let [id, a, b] = line.split(',').collect::<Vec<_>>()[..] else {
                    panic!("{line}");
                };
                let (x, y): (f64, f64) = (a.parse().unwrap(), b.parse().unwrap());
                let (along, across) = ((x - 1.0) / 0.5, (y - x * x) / 0.2);
                let log_likelihood = -0.5 * (along * along + across * across);
                let distance = (x * x + y * y).sqrt();
                table += &format!("{distance:?},{id},{a},{log_likelihood:?}\n");
            }
            bench.write("evaluated.csv", table.as_bytes());
            bench.out(&format!("{run} --tell evaluated.csv"));
        }
    }
    assert!(rounds > 3);
    let told = ["w.csv", "d.csv", "corner.png"].map(|f| std::fs::read(bench.path(f)).unwrap());
    assert!(told == whole);
    // Values of other points are refused.
    bench.out(&format!("{RIDGE} --seed 2 --state other --ask 1"));
    bench.write(
        "other.csv",
        b"id,a,b,log_likelihood,distance\n0,7.5,0,-1,2\n",
    );
    let said = bench.refused(&format!("{RIDGE} --seed 2 --state other --tell other.csv"));
    assert!(
        said.contains("other.csv: line 2: a = 7.5, where point 0 has"),
        "{said}"
    );
}

/// No point is evaluated twice, not even those that were at work when the command was killed: their
/// programs finish them, and the next command takes the answers over.
#[test]
fn killed_twenty_times_at_random_it_evaluates_nothing_twice() {
    const WORKERS: usize = 2;
    let bench = Bench::new();
    let program = likelihood();
    said(
        &bench,
        &format!("{RIDGE} --weighted whole.csv"),
        &format!("{program} --log whole.log"),
    );
    let logged = format!("{program} --log kept.log --milliseconds 1");
    let args = format!("{RIDGE} --weighted kept.csv --state kept --workers {WORKERS}");
    let (mut rng, mut kills) = (stream(1, "kills"), 0);
    for life in 0..20 {
        let mut child = amf(&bench, &args, &logged)
            .stderr(std::fs::File::create(bench.path("life.txt")).unwrap())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(
            20 + (130.0 * uniform(&mut rng)) as u64,
        ));
        // A fast machine may be done before the last of them.
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "life {life}: {}", bench.text("life.txt"));
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    assert!(kills >= 5, "{kills} kills");
    said(&bench, &args, &logged);
    let count = |log: &str| {
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        let text = bench.text(log);
        text.lines()
            .for_each(|l| *times.entry(l.to_owned()).or_default() += 1);
        times
    };
    let (whole, kept) = (count("whole.log"), count("kept.log"));
    assert!(whole.values().all(|n| *n == 1));
    assert!(whole.keys().eq(kept.keys()), "other points");
    let again: usize = kept.values().map(|n| n - 1).sum();
    println!(
        "{} points, {kills} kills, {again} evaluated again",
        kept.len()
    );
    assert_eq!(again, 0, "evaluated again");
    assert!(bench.text("whole.csv") == bench.text("kept.csv"));
    assert!(!bench.path("kept/programs").exists());
    // With everything known, nothing is evaluated; a larger goal goes on from there.
    said(&bench, &args, "false");
    let more = args.replace(
        "--evaluations 4000 --ess 1500",
        "--evaluations 6000 --ess 2500",
    );
    said(&bench, &more, &logged);
    let now = count("kept.log");
    let new = now.len() - kept.len();
    assert!(new > 100, "{new} new points");
    assert_eq!(now.values().map(|n| n - 1).sum::<usize>(), again);
}

#[test]
fn programs_that_fail_are_errors_with_the_point_or_count_as_impossible() {
    let bench = Bench::new();
    let infer = "infer --prior a=normal(0,1) --draws x.csv";
    let says = |args: &str, parts: &[&str]| {
        let said = bench.refused(args);
        for p in parts {
            assert!(said.contains(p), "amf {args}: {said}");
        }
    };
    bench.script("dies.sh", "read -r line; echo -1; read -r line; exit 3");
    says(
        &format!("{infer} --command ./dies.sh --workers 1"),
        &["ended", "3", "a = ", "--failures"],
    );
    bench.script("talks.sh", "while read -r line; do echo hello; done");
    says(
        &format!("{infer} --command ./talks.sh"),
        &["\"hello\"", "one number", "a = "],
    );
    bench.script("chatty.sh", "while read -r line; do echo -1; echo -2; done");
    says(
        &format!("{infer} --command ./chatty.sh --workers 1"),
        &["more lines than points", "one line for each point"],
    );
    bench.script("sleeps.sh", "read -r line; exec sleep 60");
    says(
        &format!("{infer} --command ./sleeps.sh --timeout 1"),
        &["no answer within 1 s", "flush", "a = "],
    );
    bench.script("infinite.sh", "while read -r line; do echo inf; done");
    says(
        &format!("{infer} --command ./infinite.sh"),
        &["+infinity at a = "],
    );
    // The shell says so too.
    let missing = run(&bench, infer, "./not_there");
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("status: 127) at a = "));
    // Half of the points, by sign: ln Z = ln 1/2 - 1.5.
    let fails = |how: &str| {
        format!("while read -r line; do case $line in -*) {how};; *) echo -1.5;; esac; done")
    };
    for how in ["exit 1", "echo what", "echo -inf"] {
        bench.script("half.sh", &fails(how));
        let args = "infer --prior a=normal(0,1) --evaluations 1500 --ess 700 --failures reject --workers 2 --draws half.csv";
        let said = said(&bench, args, "./half.sh");
        assert!(
            bench
                .text("half.csv")
                .lines()
                .skip(1)
                .all(|l| !l.starts_with('-'))
        );
        let z: f64 = said
            .split("ln Z = ")
            .nth(1)
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        assert!((z + 1.5 + std::f64::consts::LN_2).abs() < 0.1, "{said}");
        let warned = said.contains("the program failed at ") && said.contains("the first: ");
        assert_eq!(warned, how != "echo -inf", "{said}");
    }
    // NaN is impossible too, and the point is named.
    bench.script("nan.sh", &fails("echo nan"));
    let said = said(
        &bench,
        "infer --prior a=normal(0,1) --evaluations 1500 --ess 700",
        "./nan.sh",
    );
    assert!(
        said.contains("NaN at ") && said.contains("the first is a = -"),
        "{said}"
    );
}

#[test]
fn a_run_whose_prior_data_or_settings_have_changed_is_refused_and_says_what_changed() {
    let bench = Bench::new();
    bench.script("flat.sh", "while read -r line; do echo -1; done");
    bench.write("observed.csv", b"1,2\n");
    let base = "infer --prior a=normal(0,1) --evaluations 600 --ess 100 --state run";
    let with_data = format!("{base} --data observed.csv");
    said(&bench, &with_data, "./flat.sh");
    // Another program, other workers, a larger budget: the same problem.
    said(
        &bench,
        &format!("{with_data} --evaluations 700 --workers 3").replace("--evaluations 600 ", ""),
        "sh ./flat.sh",
    );
    let says = |args: &str, parts: &[&str]| {
        let said = bench.refused(&format!("{args} --command ./flat.sh"));
        for p in parts {
            assert!(said.contains(p), "amf {args}: {said}");
        }
    };
    says(
        &with_data.replace("(0,1)", "(0,2)"),
        &[
            "run: ",
            "\"a=normal(0,1)\" then",
            "\"a=normal(0,2)\" now",
            "another folder",
        ],
    );
    says(
        &with_data.replace("a=", "b="),
        &["\"parameters a\" then", "\"parameters b\" now"],
    );
    says(
        &format!("{with_data} --seed 2"),
        &["\"seed 1\" then", "\"seed 2\" now"],
    );
    says(
        &format!("{with_data} --derived c"),
        &["derived quantities c"],
    );
    says(base, &["--data observed.csv", "not given now"]);
    bench.write("observed.csv", b"1,3\n");
    says(&with_data, &["--data observed.csv has changed"]);
    says(
        &with_data.replace("observed", "gone"),
        &["--data gone.csv", "cannot be read"],
    );
    says(
        "infer --prior a=normal(0,1) --data observed.csv",
        &["--state"],
    );
}

#[test]
fn a_slow_program_is_no_reason_for_silence() {
    let bench = Bench::new();
    bench.script(
        "slow.sh",
        "read -r line; sleep 2; echo -1; while read -r line; do echo -1; done",
    );
    let args = "infer --prior a=normal(0,1) --evaluations 600 --ess 100 --workers 1 --progress 1";
    let said = said(&bench, args, "./slow.sh");
    assert!(
        said.contains("after round 0: 0 evaluations, the last answer "),
        "{said}"
    );
    assert!(said.contains("round 1: "), "{said}");
}

#[test]
fn outputs_are_written_from_what_is_known_and_misuses_are_refused() {
    let bench = Bench::new();
    bench.script("ok.sh", "while read -r line; do echo -1.5,7; done");
    let run = "infer --prior a=truncated_normal(0,1,2,inf) --evaluations 1000 --ess 300 --state run --derived seven";
    bench.out(&format!(
        "{run} --command ./ok.sh --workers 2 --draws d.csv -n 50"
    ));
    let draws = bench.text("d.csv");
    assert!(draws.starts_with("a,seven\n") && draws.lines().count() == 51);
    // Everything is known: the program is not asked again. The model knows the end of the prior.
    bench.out(&format!(
        "{run} --command false --draws again.csv -n 50 --out posterior.safetensors --config run.ron"
    ));
    assert_eq!(bench.text("again.csv"), draws);
    let draws = bench.out("sample posterior.safetensors -n 500");
    assert!(
        draws
            .lines()
            .skip(1)
            .all(|l| l.parse::<f64>().unwrap() > 2.0)
    );
    assert!(bench.out("info posterior.safetensors").contains("a > 2"));
    let says = |args: &str, parts: &[&str]| {
        let said = bench.refused(args);
        for p in parts {
            assert!(said.contains(p), "amf {args}: {said}");
        }
    };
    let infer = "infer --prior a=normal(0,1) --command true";
    says(
        "infer --prior a=nromal(0,1) --command true",
        &["\"nromal\""],
    );
    says("infer --prior a=normal(0,1)", &["--command", "--ask"]);
    says(
        &format!("{infer} --plot corner.pdf"),
        &["corner.pdf", ".png or .svg"],
    );
    says(&format!("{infer} --config run.ron"), &["--out"]);
    says(
        &format!("{infer} --out x.safetensors --config gone.ron"),
        &["gone.ron"],
    );
    says(
        &format!("{infer} --draws no/where.csv"),
        &["cannot be written", "--draws"],
    );
    let points = bench.out("infer --prior a=normal(0,1) --state asked --ask 5");
    let id = points.lines().nth(1).unwrap().split(',').next().unwrap();
    bench.write("bad.csv", format!("id,log_likelihood\n{id},x\n").as_bytes());
    says(
        "infer --prior a=normal(0,1) --state asked --tell bad.csv",
        &["bad.csv", "line 2", "\"x\""],
    );
}
