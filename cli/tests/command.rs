//! Files of all kinds through fit, sample, log-prob, evaluate and info, and every misuse refused on
//! one line.

use crate::bench::{Bench, CONFIG, csv, draws, numbers, plain};
use amf::FittedDensity;
use density::Density;
use faer::Mat;
use numerics::math::exp;
use numerics::random::stream;
use std::process::Command;

#[test]
fn files_of_cmdstan_go_round() {
    let bench = Bench::new();
    let mut text = String::from("# stan_version_major = 2\n# model = eight_schools\n");
    text += "lp__,accept_stat__,mu,tau\n# Adaptation terminated\n# Step size = 0.5\n";
    for [a, b] in draws(150) {
        text += &format!("-7.5,0.9,{a},{b}\n");
    }
    text += "# Elapsed Time: 0.1 seconds\n";
    bench.write("chain.csv", text.as_bytes());
    let density = bench.round_trip("chain.csv --positive tau --seed 4", "chain.csv");
    assert_eq!(density.columns().len(), 2);
    assert!(bench.out("info model.safetensors").contains("tau > 0"));
    // Outside of the support the density is zero.
    bench.write("outside.csv", b"mu,tau\n0,-1\n0,0\n0,1\n");
    let scores = bench.out("log-prob model.safetensors outside.csv");
    let scores: Vec<&str> = scores.lines().collect();
    assert_eq!(scores[1..3], ["-inf", "-inf"]);
    assert!(scores[3].parse::<f64>().unwrap().is_finite());
}

#[test]
fn arrays_of_numpy_go_round() {
    let bench = Bench::new();
    // As numpy writes it: the header is padded with blanks to a multiple of 64 bytes.
    let mut header = String::from("{'descr': '<f8', 'fortran_order': False, 'shape': (150, 2), }");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    for row in draws(150) {
        row.iter().for_each(|v| bytes.extend(v.to_le_bytes()));
    }
    bench.write("draws.npy", &bytes);
    let density = bench.round_trip("draws.npy", "draws.npy");
    let x = Mat::from_fn(150, 2, |i, j| draws(150)[i][j]);
    let scores = numbers(&bench.out("log-prob model.safetensors draws.npy"));
    for (i, l) in density.log_prob(x.as_ref()).iter().enumerate() {
        assert_eq!(l.to_bits(), scores[(i, 0)].to_bits());
    }
    // Columns of other names, in the model's order.
    bench.write("named.csv", &plain());
    assert!(
        bench
            .refused("log-prob model.safetensors named.csv")
            .contains("no column \"x1\"")
    );
    let renamed = numbers(&bench.out("log-prob model.safetensors named.csv --columns mu,tau"));
    assert_eq!(renamed, scores);
}

#[test]
fn weighted_draws_go_round() {
    let bench = Bench::new();
    let rows = draws(400);
    let rows = rows.iter().map(|[a, b]| {
        let log_weight = -0.5 * (a - 0.5) * (a - 0.5) - 1000.0;
        format!("{a},{b},{log_weight}")
    });
    bench.write("nested.csv", &csv("mu,tau,log_weight", rows));
    let density = bench.round_trip(
        "nested.csv --log-weight log_weight --positive tau",
        "nested.csv",
    );
    assert_eq!(density.columns().len(), 2);
    let info = bench.out("info model.safetensors");
    assert!(info.contains("effective sample size") && info.contains("Pareto k"));
    let weighted = bench.out("evaluate model.safetensors nested.csv --log-weight log_weight");
    assert!(weighted.contains("effective sample size"));
    // N(0, 1) times the weights is N(1/4, 1/2).
    let y = density.sample(4000, &mut stream(1, "mean"));
    let mean = y.col(0).iter().sum::<f64>() / 4000.0;
    assert!((mean - 0.25).abs() < 0.15, "{mean}");
}

#[test]
fn one_bounded_column_from_standard_input() {
    let bench = Bench::new();
    let rows = draws(120);
    let text = csv(
        "share",
        rows.iter()
            .map(|[a, _]| format!("{}", 1.0 / (1.0 + exp(-2.0 * a)))),
    );
    bench.write("share.csv", &text);
    let mut fit = Command::new(env!("CARGO_BIN_EXE_amf"));
    fit.current_dir(bench.folder.path()).args([
        "fit",
        "-",
        "--interval",
        "share=0,1",
        "--config",
        "run.ron",
    ]);
    fit.stdin(std::fs::File::open(bench.path("share.csv")).unwrap());
    let run = fit.output().unwrap();
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    assert!(String::from_utf8_lossy(&run.stderr).contains("verdict: "));
    let density = FittedDensity::load(bench.path("model.safetensors")).unwrap();
    let y = density.sample(1000, &mut stream(1, "inside"));
    assert!(y.col(0).iter().all(|v| 0.0 < *v && *v < 1.0));
}

#[test]
fn the_printed_settings_can_be_read() {
    let bench = Bench::new();
    let text = bench.out("fit --print-config");
    let settings: amf::Recipe = ron::from_str(&text).unwrap();
    assert_eq!(settings, amf::Recipe::default());
    for command in ["", "fit", "log-prob", "sample", "evaluate", "plot", "info"] {
        let help = bench.out(&format!("{command} --help"));
        assert!(
            help.contains("Examples:") && help.contains("amf "),
            "{command}"
        );
    }
}

#[test]
fn a_misuse_gets_one_line_and_leaves_no_file() {
    let bench = Bench::new();
    bench.write("good.csv", &plain());
    bench.out("fit good.csv --config run.ron --out good.safetensors");
    let says = |args: &str, parts: &[&str]| {
        let said = bench.refused(args);
        for p in parts {
            assert!(said.contains(p), "amf {args}: {said}");
        }
    };
    // Files.
    says("fit missing.csv", &["missing.csv", "no such file"]);
    says(
        "log-prob missing.safetensors good.csv",
        &["missing.safetensors", "no such file"],
    );
    says(
        "fit good.csv --columns mu,taau",
        &["no column \"taau\"", "tau"],
    );
    says(
        "fit good.csv --positive taau",
        &["no column \"taau\"", "did you mean \"tau\"?"],
    );
    says(
        "fit good.csv --log-weight weight",
        &["no column \"weight\""],
    );
    let text = |name: &str, body: &str| bench.write(name, body.as_bytes());
    text("text.csv", &format!("a,b\n{}1,x\n", "1,2\n".repeat(3)));
    says("fit text.csv", &["text.csv", "line 5", "\"b\"", "\"x\""]);
    text(
        "nan.csv",
        &format!("a,b\n{}nan,2\n3,inf\n", "1,2\n".repeat(3)),
    );
    says("fit nan.csv", &["nan.csv", "2", "not finite", "\"a\""]);
    text("ragged.csv", "a,b\n1,2\n3\n");
    says("fit ragged.csv", &["line 3", "1 field"]);
    text(
        "few.csv",
        &format!(
            "a,b\n{}",
            (0..10)
                .map(|i| format!("{i},{}\n", i * i))
                .collect::<String>()
        ),
    );
    says("fit few.csv", &["10 rows", "too few"]);
    let wide: Vec<String> = (0..30)
        .map(|i| {
            (0..40)
                .map(|j| format!("{}", (i * j * j + i * i) % 17))
                .collect::<Vec<_>>()
                .join(",")
        })
        .collect();
    let names: Vec<String> = (0..40).map(|j| format!("c{j}")).collect();
    bench.write("wide.csv", &csv(&names.join(","), wide));
    says("fit wide.csv", &["30 rows", "40 columns"]);
    let constant = draws(50)
        .iter()
        .map(|[a, _]| format!("{a},7,{a}"))
        .collect::<Vec<_>>();
    bench.write("constant.csv", &csv("a,b,c", constant.clone()));
    says("fit constant.csv", &["constant", "b"]);
    says(
        "fit constant.csv --columns a,c",
        &["\"c\"", "leave one out"],
    );
    // Bounds.
    says("fit good.csv --positive mu", &["\"mu\"", "positive"]);
    says(
        "fit good.csv --interval tau=0,1",
        &["\"tau\"", "interval from 0 to 1"],
    );
    says("fit good.csv --interval tau", &["NAME=LOW,HIGH"]);
    says(
        "fit good.csv --interval tau=0,9 --positive tau",
        &["two bounds"],
    );
    text(
        "at_bound.csv",
        &format!(
            "a\n{}0\n",
            (1..30).map(|i| format!("{i}\n")).collect::<String>()
        ),
    );
    says(
        "fit at_bound.csv --positive a",
        &["\"a\"", "row 30", "take such rows out"],
    );
    // Flags and settings.
    says("fit good.csv --colums mu", &["--colums", "--columns"]);
    says("fit", &["DATA"]);
    says("fits good.csv", &["fits", "fit"]);
    says("sample good.safetensors", &["-n"]);
    says("sample good.safetensors -n 0", &["0"]);
    says("fit good.csv --threads 0", &["--threads"]);
    text("typo.ron", &CONFIG.replace("repeats: 1", "repeat: 1"));
    says(
        "fit good.csv --config typo.ron",
        &["typo.ron", "2:", "repeat"],
    );
    text("bad.ron", &CONFIG.replace("folds: 2", "folds: 1"));
    says("fit good.csv --config bad.ron", &["bad.ron", "folds"]);
    says("fit good.csv --config missing.ron", &["missing.ron"]);
    text("named.ron", &CONFIG.replace("\"gmm\"", "\"mixture\""));
    says("fit good.csv --config named.ron", &["named.ron", "mixture"]);
    text("twice.ron", &CONFIG.replace("\"gmm\"", "\"rbig\""));
    says(
        "fit good.csv --config twice.ron",
        &["two are called", "rbig"],
    );
    says("sample good.safetensors -n 5 --seed -1", &["--seed", "-1"]);
    says(
        "plot good.safetensors --columns mu,tau --out a.png",
        &["--data"],
    );
    says(
        "fit good.csv --interval tau=-1e308,1e308",
        &["\"tau\"", "finite width", "1e308"],
    );
    // What is read is never overwritten.
    let over = &["would be overwritten"];
    says("fit good.csv --config run.ron --out good.csv", over);
    says("fit good.csv --config run.ron --out run.ron", over);
    says("log-prob good.safetensors good.csv --out good.csv", over);
    says("sample good.safetensors -n 5 --out good.safetensors", over);
    says(
        "fit good.csv --config run.ron --checkpoint-dir run.ron",
        &["--checkpoint-dir", "run.ron"],
    );
    // Outputs.
    says(
        "fit good.csv --config run.ron --out no/where.safetensors",
        &["no/where.safetensors", "cannot be written"],
    );
    says("fit good.csv --config run.ron --out .", &["folder"]);
    says(
        "sample good.safetensors -n 5 --out no/where.csv",
        &["cannot be written"],
    );
    says(
        "plot good.safetensors --out figure.pdf",
        &["figure.pdf", ".png or .svg"],
    );
    says(
        "plot good.safetensors --out no/figure.png",
        &["cannot be written"],
    );
    // Models.
    let bytes = std::fs::read(bench.path("good.safetensors")).unwrap();
    bench.write("short.safetensors", &bytes[..bytes.len() - 9]);
    says(
        "info short.safetensors",
        &["short.safetensors", "truncated"],
    );
    says("info good.csv", &["good.csv", "not a model file"]);
    let key = b"format\\\":";
    let at = bytes.windows(key.len()).position(|w| w == key).unwrap() + key.len();
    let mut newer = bytes.clone();
    newer[at] = b'9';
    bench.write("newer.safetensors", &newer);
    says(
        "sample newer.safetensors -n 3",
        &["format 9", "fit it again"],
    );
    says("log-prob good.safetensors few.csv", &["no column \"mu\""]);
    says(
        "evaluate good.safetensors good.csv --columns mu",
        &["--columns names 1 columns"],
    );
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_fit_without_a_file() {
    let bench = Bench::new();
    bench.write("good.csv", &plain());
    let endless = CONFIG
        .replace("steps: 60", "steps: 100000000")
        .replace("patience: Some(3)", "patience: Some(10000000)");
    bench.write("endless.ron", endless.as_bytes());
    let before = bench.files();
    let mut fit = Command::new(env!("CARGO_BIN_EXE_amf"))
        .current_dir(bench.folder.path())
        .args(["fit", "good.csv", "--config", "endless.ron"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(
        fit.try_wait().unwrap().is_none(),
        "the fit ended on its own"
    );
    let sent = Command::new("kill")
        .args(["-INT", &fit.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    assert_eq!(fit.wait().unwrap().code(), Some(130));
    assert_eq!(bench.files(), before);
}

/// The model of a fit that was killed again and again is, byte for byte, that of one that was not.
#[test]
fn a_killed_fit_goes_on_where_its_finished_fits_are_kept() {
    let bench = Bench::new();
    bench.write("good.csv", &plain());
    let longer = CONFIG
        .replace("steps: 60", "steps: 3000")
        .replace("patience: Some(3)", "patience: None");
    bench.write("longer.ron", longer.as_bytes());
    bench.out("fit good.csv --config longer.ron --out whole.safetensors");
    let args =
        "fit good.csv --config longer.ron --out kept.safetensors --checkpoint-dir fits --threads 1";
    let mut kept = 0;
    for life in 0..20 {
        let mut fit = Command::new(env!("CARGO_BIN_EXE_amf"))
            .current_dir(bench.folder.path())
            .args(args.split_whitespace())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Until another fit is finished, and some time into the next.
        let fits = || std::fs::read_dir(bench.path("fits")).map_or(0, Iterator::count);
        while fits() <= kept && fit.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        std::thread::sleep(std::time::Duration::from_millis(20 * life));
        fit.kill().unwrap();
        if fit.wait().unwrap().success() {
            break;
        }
        kept = fits();
    }
    assert!(kept > 0);
    bench.out(args);
    let bytes = |name: &str| std::fs::read(bench.path(name)).unwrap();
    assert!(bytes("kept.safetensors") == bytes("whole.safetensors"));
    let files = bench.files();
    assert_eq!(
        files,
        [
            "good.csv",
            "kept.safetensors",
            "longer.ron",
            "run.ron",
            "whole.safetensors"
        ]
    );
}

#[test]
fn outputs_to_standard_output_to_links_and_in_pieces() {
    let bench = Bench::new();
    bench.write("good.csv", &plain());
    bench.out("fit good.csv --config run.ron --out good.safetensors");
    let printed = bench.out("sample good.safetensors -n 5 --out -");
    assert_eq!(printed, bench.out("sample good.safetensors -n 5"));
    assert_eq!(printed.lines().count(), 6);
    // A link stays a link.
    bench.write("old.csv", b"old");
    std::os::unix::fs::symlink(bench.path("old.csv"), bench.path("link.csv")).unwrap();
    bench.out("sample good.safetensors -n 5 --out link.csv");
    assert!(bench.path("link.csv").is_symlink());
    assert_eq!(
        std::fs::read_to_string(bench.path("old.csv")).unwrap(),
        printed
    );
}

#[test]
fn columns_that_cannot_be_scaled_are_not_called_constant() {
    let bench = Bench::new();
    bench.write("good.csv", &plain());
    bench.out("fit good.csv --config run.ron --out good.safetensors");
    bench.write("far.csv", b"mu,tau\n1e300,1\n-1e300,2\n0,3\n");
    let said = bench.refused("evaluate good.safetensors far.csv");
    assert!(
        said.contains("\"mu\"") && said.contains("too large"),
        "{said}"
    );
    bench.write("heavy.csv", b"mu,tau,w\n1,1,0\n2,2,900\n3,3,0\n");
    let said = bench.refused("evaluate good.safetensors heavy.csv --log-weight w");
    assert!(said.contains("nearly all of the weight"), "{said}");
}
