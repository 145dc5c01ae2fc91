//! Reference ln Z of the real models in `datasets::posterior` by very long runs: the mean of Z over
//! seeds, with its standard error from their spread.
//!
//! `cargo run --release -p posterior --example reference -- [NAMES] [SEEDS] [EVALUATIONS]`

use datasets::posterior::Canon;
use numerics::math::{exp, ln, mean_and_standard_error};
use posterior::Posterior;
use std::io::Write;

const NAMES: &str = "logistic_10,logistic_25,lotka_volterra_8,radial_velocity_11";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |i: usize, otherwise: &str| args.get(i).map_or(otherwise, |s| s).to_owned();
    let seeds: u64 = arg(1, "10").parse()?;
    let evaluations: usize = arg(2, "200000").parse()?;
    for name in arg(0, NAMES).split(',') {
        let problem = Canon::named(name).ok_or_else(|| format!("no problem \"{name}\""))?;
        let mut found = Vec::new();
        for seed in 1..=seeds {
            // Seeds that no study uses; the goal is out of reach, so that the budget is spent.
            let fit = Posterior::new(&problem, |t: &[f64]| problem.log_likelihood(t))
                .evaluations(evaluations)
                .ess(1e9)
                .seed(1000 + seed)
                .fit()?;
            let z = fit.log_evidence();
            let k = fit.pareto_k().unwrap_or(f64::NAN);
            println!(
                "  {name} seed {seed}: ln Z {:.5} +- {:.5}, ESS {:.0}, k {k:.2}",
                z.value,
                z.standard_error,
                fit.ess()
            );
            std::io::stdout().flush()?;
            found.push(z.value);
        }
        let ratios: Vec<f64> = found.iter().map(|z| exp(z - found[0])).collect();
        let (mean, error) = mean_and_standard_error(&ratios);
        println!(
            "{name}: ln Z {:.5} +- {:.5}",
            found[0] + ln(mean),
            error / mean
        );
    }
    Ok(())
}
