//! Evidence and effective sample size of test problems with known answers, with one set of defaults.
//!
//! `cargo run --release -p posterior --example canon -- [SEEDS] [NAMES] [EVALUATIONS] [ESS] [trace]`

use datasets::posterior::Canon;
use posterior::Posterior;
use posterior::anneal::Status;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |i: usize, otherwise: &str| args.get(i).map_or(otherwise, |s| s).to_owned();
    let seeds: Result<Vec<u64>, _> = arg(0, "101").split(',').map(str::parse).collect();
    let seeds = seeds?;
    let names = arg(1, "all");
    let names: Vec<&str> = match names.as_str() {
        "all" => Canon::NAMES.to_vec(),
        some => some.split(',').collect(),
    };
    let evaluations = arg(2, "60000").parse()?;
    let ess = arg(3, "10000").parse()?;
    let trace = args.len() > 4;
    for name in names {
        let problem = Canon::named(name).ok_or_else(|| format!("no problem \"{name}\""))?;
        for &seed in &seeds {
            let start = Instant::now();
            let rounds = AtomicUsize::new(0);
            let show = |s: &Status| {
                if trace && rounds.swap(s.rounds, Ordering::Relaxed) != s.rounds {
                    println!("  {s:?}");
                }
                ControlFlow::Continue(())
            };
            let fit = Posterior::new(&problem, |t: &[f64]| problem.log_likelihood(t))
                .evaluations(evaluations)
                .ess(ess)
                .seed(seed)
                .observed_by(&show)
                .fit()?;
            let (s, z) = (fit.status(), fit.log_evidence());
            println!(
                "{:18} seed {seed} n {:6} beta {:.2e} K {:2} lnZ {:+.4} error {:+.4} +- {:.4} ESS {:6.0} k {:.2} {:.1} s",
                problem.name,
                s.evaluations,
                s.beta,
                s.components,
                z.value,
                z.value - problem.log_evidence,
                z.standard_error,
                s.ess,
                fit.pareto_k().unwrap_or(f64::NAN),
                start.elapsed().as_secs_f64(),
            );
            for w in fit.warnings().iter().filter(|_| trace) {
                println!("  {w}");
            }
        }
    }
    Ok(())
}
