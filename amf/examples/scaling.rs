//! Time and peak memory against the number of points and the dimension, as Markdown tables.
//!
//! `cargo run --release -p amf --example scaling`, on Linux (peak memory is read from /proc). Every case runs in a process of its own on one
//! thread; its memory is all that the process ever held, data included.

#![allow(missing_docs, reason = "a program: what it prints is described above")]

#[path = "../benches/common/mod.rs"]
mod common;

use amf::WeightData;
use common::{
    STACKING, curved, fit_config, flow, log_density_table, median, seconds, smooth_rbig, train,
    with_threads,
};
use density::{Data, Density};
use faer::Mat;
use flows::Batch;
use numerics::math::ln;
use numerics::random::stream;
use rbig::{Rbig, RbigConfig};
use std::hint::black_box;
use std::process::Command;

const TASKS: [(&str, &str); 11] = [
    ("maf-epoch", "MAF, one epoch"),
    ("maf-log-prob", "MAF, log_prob"),
    ("maf-sample", "MAF, sample"),
    ("realnvp-epoch", "RealNVP, one epoch"),
    ("realnvp-log-prob", "RealNVP, log_prob"),
    ("realnvp-sample", "RealNVP, sample"),
    ("rbig-fit", "RBIG as published, fit"),
    ("rbig-log-prob", "RBIG as published, log_prob"),
    ("smooth-fit", "RBIG smooth, 5 layers, fit"),
    ("smooth-log-prob", "RBIG smooth, 5 layers, log_prob"),
    ("stacking", "stacking, 10 experts"),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => tables(),
        [task, n, d] => {
            let (n, d) = (n.parse().unwrap(), d.parse().unwrap());
            let time = with_threads(1, || case(task, n, d));
            println!("{time} {}", peak_memory());
        }
        _ => panic!("usage: scaling"),
    }
}

fn tables() {
    let sizes = [1_000, 10_000, 100_000, 1_000_000];
    println!(
        "Seconds (and peak memory, MB) for n points in two dimensions; time grows like n to the last column.\n"
    );
    println!("| | 10^3 | 10^4 | 10^5 | 10^6 | exponent |\n|---|---|---|---|---|---|");
    for (task, title) in TASKS {
        let results: Vec<(f64, f64)> = sizes.iter().map(|&n| in_process(task, n, 2)).collect();
        // Below 10^4 points fixed costs count.
        let exponent = slope(&sizes[1..], &results[1..]);
        println!("| {title} | {} | {exponent:.2} |", cells(&results));
    }
    let dims = [2, 4, 8, 16, 32, 64];
    println!("\nThe same for 10^4 points in d dimensions.\n");
    println!("| | 2 | 4 | 8 | 16 | 32 | 64 |\n|---|---|---|---|---|---|---|");
    for (task, title) in TASKS {
        if task != "stacking" {
            let results: Vec<(f64, f64)> =
                dims.iter().map(|&d| in_process(task, 10_000, d)).collect();
            println!("| {title} | {} |", cells(&results));
        }
    }
}

fn cells(results: &[(f64, f64)]) -> String {
    let cell = |&(time, memory): &(f64, f64)| {
        // Three digits.
        let digits = (2 - (ln(time) / ln(10.0)).floor() as i32).max(0) as usize;
        format!("{time:.digits$} ({memory:.0})")
    };
    let cells: Vec<String> = results.iter().map(cell).collect();
    cells.join(" | ")
}

/// Least squares of ln time against ln n.
fn slope(sizes: &[usize], results: &[(f64, f64)]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let x: Vec<f64> = sizes.iter().map(|&n| ln(n as f64)).collect();
    let y: Vec<f64> = results.iter().map(|r| ln(r.0)).collect();
    let (mx, my) = (mean(&x), mean(&y));
    let products: f64 = x.iter().zip(&y).map(|(x, y)| (x - mx) * (y - my)).sum();
    products / x.iter().map(|x| (x - mx) * (x - mx)).sum::<f64>()
}

/// Seconds and megabytes of a case in a process of its own.
fn in_process(task: &str, n: usize, d: usize) -> (f64, f64) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([task, &n.to_string(), &d.to_string()])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{task} {n} {d}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let (time, memory) = text.trim().split_once(' ').unwrap();
    (time.parse().unwrap(), memory.parse().unwrap())
}

/// The most memory that this process ever held, in MB.
fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    kilobytes.unwrap_or(f64::NAN) / 1000.0
}

/// The median of a few runs, fewer where one takes long.
fn repeated(mut f: impl FnMut()) -> f64 {
    let mut times = vec![seconds(&mut f)];
    while times.len() < 7 && times.iter().sum::<f64>() < 2.0 {
        times.push(seconds(&mut f));
    }
    median(times)
}

fn case(task: &str, n: usize, d: usize) -> f64 {
    if task == "stacking" {
        let table = log_density_table(n, 10);
        let source = Source::HeldOut {
            table: table.as_ref(),
            weights: None,
        };
        return repeated(|| assert!(STACKING.learn(&source, 1).unwrap().optimality_gap <= 1e-8));
    }
    let x = curved(n, d);
    let (model, action) = task.split_once('-').unwrap();
    if let "rbig" | "smooth" = model {
        let fit = |x: &Mat<f64>| {
            let config = match model {
                "rbig" => RbigConfig::published(),
                _ => smooth_rbig(5),
            };
            Rbig::fit(Data::new(x.as_ref()), None, &config, &mut stream(1, "rbig")).unwrap()
        };
        if action == "fit" {
            return repeated(|| drop(black_box(fit(&x))));
        }
        // The fit's own memory stays out of the way: a thousand points are enough.
        let fitted = fit(&x.subrows(0, 1000).to_owned());
        return repeated(|| drop(black_box(fitted.log_prob(x.as_ref()))));
    }
    let mut flow = flow(model, d);
    match action {
        "epoch" => {
            let config = fit_config(n / 1000, Batch::Size(1000));
            repeated(|| train(&mut flow, x.as_ref(), &config))
        }
        "sample" => repeated(|| drop(black_box(flow.sample(n, &mut stream(1, "sample"))))),
        _ => repeated(|| drop(black_box(flow.log_prob(x.as_ref())))),
    }
}
