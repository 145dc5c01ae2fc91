//! The default recipe on data of 1 to 10 dimensions, against a Gaussian mixture by BIC and a kernel
//! density estimate.
//!
//! `cargo run --release -p amf --example general -- [SEEDS] [N] [SETS]`, for example
//! `-- 101,102 2000 funnel,eight_schools`: NLL on 10,000 fresh draws of each target, with the
//! paired difference to the better baseline (negative: the recipe is better).
//!
//! `cargo run --release -p amf --example general -- draws FILE` writes posterior draws of the eight
//! schools as CSV.

use amf::experts::{Components, GaussianMixtureExpert, KdeExpert};
use amf::{ExpertConfig, Recipe};
use datasets::eight_schools;
use datasets::hamiltonian::Hamiltonian;
use datasets::multivariate::Multivariate;
use density::{Data, EmConfig};
use density::{Density, FitContext};
use faer::Mat;
use numerics::ChainDiagnostics;
use numerics::math::{exp, mean_and_standard_error};
use numerics::random::{permutation, standard_normal, stream};
use std::error::Error;
use std::time::Instant;
use tables::write_csv;

const TEST: usize = 10_000;
const SCHOOLS: &str = "eight_schools";

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |i: usize, otherwise: &str| args.get(i).map_or(otherwise, |s| s).to_owned();
    if arg(0, "") == "draws" {
        let path = arg(1, "docs/examples/eight_schools.csv");
        let (columns, values) = readable(&schools(1000, 1, "example"));
        let file = std::fs::File::create(&path).map_err(|e| format!("{path}: {e}"))?;
        return Ok(write_csv(&columns, values.as_ref(), file)?);
    }
    let seeds: Result<Vec<u64>, _> = arg(0, "101,102").split(',').map(str::parse).collect();
    let n: usize = arg(1, "2000").parse()?;
    let named: Vec<&str> = Multivariate::ALL.iter().map(|t| t.name()).collect();
    let all = [&named[..], &[SCHOOLS]].concat().join(",");
    println!(
        "| set | d | seed | true density | recipe | GMM by BIC | KDE | difference to the better | seconds (recipe, GMM, KDE) |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for seed in seeds? {
        for set in arg(2, &all).split(',') {
            compare(set, n, seed)?;
        }
    }
    Ok(())
}

/// One row of the table.
fn compare(set: &str, n: usize, seed: u64) -> Result<(), Box<dyn Error>> {
    let target = Multivariate::ALL.into_iter().find(|t| t.name() == set);
    let draws = |n: usize, purpose: &str| match target {
        Some(t) => Ok(t.sample(n, &mut stream(seed, &format!("{set}/{purpose}")))),
        None if set == SCHOOLS => Ok(schools(n, seed, purpose)),
        None => Err(format!("no set \"{set}\"")),
    };
    let (train, test) = (draws(n, "data")?, draws(TEST, "test")?);
    let data = Data::new(train.as_ref());
    let nll = |e: &dyn Density| e.log_prob(test.as_ref()).into_iter().map(|l| -l).collect();
    let start = Instant::now();
    let context = &FitContext::default();
    let fitted = Recipe::default().cross_fit(data, seed, context)?;
    let mut seconds = vec![start.elapsed().as_secs_f64()];
    let mut losses: Vec<Vec<f64>> = vec![nll(&fitted.mixture)];
    for (name, kind) in baselines() {
        let start = Instant::now();
        let rng = |purpose: &str| stream(seed, &format!("{name}/{purpose}"));
        let baseline = kind.fit("baseline", data, None, &rng, context)?;
        seconds.push(start.elapsed().as_secs_f64());
        losses.push(nll(&*baseline.expert));
    }
    let means: Vec<f64> = losses
        .iter()
        .map(|l| mean_and_standard_error(l).0)
        .collect();
    let better = if means[1] <= means[2] { 1 } else { 2 };
    let paired = losses[0].iter().zip(&losses[better]).map(|(a, b)| a - b);
    let (difference, error) = mean_and_standard_error(&paired.collect::<Vec<_>>());
    let exact = target.map_or(String::new(), |t| {
        let (mean, _) = mean_and_standard_error(&t.log_prob(test.as_ref()));
        format!("{:.4}", -mean)
    });
    let shown: Vec<String> = means.iter().map(|m| format!("{m:.4}")).collect();
    let seconds: Vec<String> = seconds.iter().map(|s| format!("{s:.1}")).collect();
    println!(
        "| {set} | {} | {seed} | {exact} | {} | {difference:+.4} ± {error:.4} | {} |",
        train.ncols(),
        shown.join(" | "),
        seconds.join(", ")
    );
    let experts = Recipe::default().experts;
    let weights = experts.iter().zip(&fitted.weights.pi);
    let weights: Vec<String> = weights.map(|(e, w)| format!("{} {w:.2}", e.name)).collect();
    eprintln!("{set} {seed}: {}", weights.join(", "));
    Ok(())
}

/// What the recipe is compared with, each fitted to all the data.
fn baselines() -> [(&'static str, ExpertConfig); 2] {
    let components = Components::Bic {
        most: 40,
        patience: 4,
    };
    let mixture = GaussianMixtureExpert {
        components,
        average: 1,
        em: EmConfig::default(),
    };
    [
        ("gmm_bic", ExpertConfig::GaussianMixture(mixture)),
        ("kde", ExpertConfig::Kde(KdeExpert {})),
    ]
}

/// Posterior draws of `(mu, ln tau, theta_1, ..., theta_8)`, nearly independent, n x 10 in random
/// order.
fn schools(n: usize, seed: u64, purpose: &str) -> Mat<f64> {
    const CHAINS: usize = 4;
    let sampler = Hamiltonian {
        warm_up: 2000,
        draws: n.div_ceil(CHAINS),
        thin: 10,
        leapfrogs: 16,
    };
    let label = |what: &str| format!("{SCHOOLS}/{purpose}/{what}");
    let chains: Vec<Vec<Vec<f64>>> = (0..CHAINS)
        .map(|k| {
            let rng = &mut stream(seed, &label(&format!("chain {k}")));
            let start: Vec<f64> = (0..eight_schools::DIM)
                .map(|_| standard_normal(rng))
                .collect();
            let chain = sampler.run(&eight_schools::log_posterior, &start, rng);
            chain
                .draws
                .iter()
                .map(|u| eight_schools::centred(u))
                .collect()
        })
        .collect();
    let column = |j: usize| -> Vec<Vec<f64>> {
        chains
            .iter()
            .map(|c| c.iter().map(|x| x[j]).collect())
            .collect()
    };
    let diagnose = |j: usize| {
        let own = column(j);
        let slices: Vec<&[f64]> = own.iter().map(Vec::as_slice).collect();
        ChainDiagnostics::of(&slices)
    };
    let found: Vec<ChainDiagnostics> = (0..eight_schools::DIM).filter_map(diagnose).collect();
    let worst = found.iter().map(|c| c.r_hat).fold(0.0, f64::max);
    let size = found
        .iter()
        .map(|c| c.ess_bulk)
        .fold(f64::INFINITY, f64::min);
    eprintln!(
        "{}: R-hat at most {worst:.4}, effective size at least {size:.0} of {n}",
        label("chains")
    );
    let all = chains.concat();
    let order = permutation(&mut stream(seed, &label("order")), all.len());
    Mat::from_fn(n, eight_schools::DIM, |i, j| all[order[i]][j])
}

/// The same with tau, and six digits of each number.
fn readable(draws: &Mat<f64>) -> (Vec<String>, Mat<f64>) {
    let mut columns = vec!["mu".to_owned(), "tau".to_owned()];
    columns.extend((1..=8).map(|j| format!("theta.{j}")));
    let values = Mat::from_fn(draws.nrows(), draws.ncols(), |i, j| {
        let v = if j == 1 {
            exp(draws[(i, j)])
        } else {
            draws[(i, j)]
        };
        format!("{v:.5e}").parse().unwrap_or(v)
    });
    (columns, values)
}
