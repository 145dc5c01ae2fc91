//! Evidence and effective sample size of test problems with known answers, with one set of defaults.
//!
//! `cargo run --release -p posterior --example canon -- [SEEDS] [NAMES] [EVALUATIONS]`

use datasets::posterior::Canon;
use posterior::anneal::{AnnealSettings, Annealer};
use std::time::Instant;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |i: usize, otherwise: &str| args.get(i).map_or(otherwise, |s| s).to_owned();
    let seeds: Vec<u64> = arg(0, "101")
        .split(',')
        .filter_map(|s| s.parse().ok())
        .collect();
    let names = arg(1, "all");
    let evaluations = arg(2, "").parse().unwrap_or(60_000);
    let trace = args.len() > 3;
    for problem in Canon::all() {
        if names != "all" && !names.split(',').any(|n| n == problem.name) {
            continue;
        }
        for &seed in &seeds {
            let start = Instant::now();
            let settings = AnnealSettings {
                evaluations,
                ..AnnealSettings::default()
            };
            let mut annealer = Annealer::new(problem.dim(), &settings, seed);
            while let Some(z) = annealer.ask() {
                let theta = problem.at(z);
                let row = |i: usize| {
                    (0..theta.ncols())
                        .map(|j| theta[(i, j)])
                        .collect::<Vec<f64>>()
                };
                let values: Vec<f64> = (0..theta.nrows())
                    .map(|i| problem.log_likelihood(&row(i)))
                    .collect();
                annealer.tell(&values);
                if trace {
                    println!("  {:?}", annealer.status());
                }
            }
            let s = annealer.status();
            println!(
                "{:18} seed {seed} n {:6} beta {:.2e} K {:2} lnZ error {:+.4} +- {:.4} ESS {:6.0} k {:.2} {:.1} s",
                problem.name,
                s.evaluations,
                s.beta,
                s.components,
                s.log_evidence - problem.log_evidence,
                s.standard_error,
                s.ess,
                annealer.estimates().pareto_k.unwrap_or(f64::NAN),
                start.elapsed().as_secs_f64(),
            );
        }
    }
}
