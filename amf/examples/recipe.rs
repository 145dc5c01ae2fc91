//! How the default recipe was tuned: gap (NLL minus entropy) of the mixture on data seeds that no
//! report uses.
//!
//! `cargo run --release -p amf --example recipe -- [SEEDS] [N] [FAMILIES] [SPECIALISATION,...]`,
//! for example `-- 101,102 1000 rings 0,0.5`; the last argument adds one mixture-aware round for
//! each value of the knob.

use amf::{CrossFitted, MixtureAware, Recipe, WeightData};
use datasets::Family;
use density::{Data, Density, FitContext, log_prob_table};
use metrics::kl_exact;
use numerics::math::mean_and_standard_error;
use numerics::random::stream;
use std::error::Error;
use std::time::Instant;

const TEST: usize = 20_000;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |i: usize, otherwise: &str| args.get(i).map_or(otherwise, |s| s).to_owned();
    let seeds: Vec<u64> = list(&arg(0, "101,102,103,104"))?;
    let n: usize = arg(1, "1000").parse()?;
    let families: Vec<Family> = match args.get(2).map(String::as_str) {
        None | Some("all") => Family::PAPER.to_vec(),
        Some(names) => list(names)?,
    };
    let knobs: Vec<f64> = args.get(3).map_or(Ok(Vec::new()), |s| list(s))?;
    let recipe = Recipe::default();
    let mut means = vec![Vec::new(); 1 + knobs.len()];
    for family in families {
        let mut gaps = vec![Vec::new(); 1 + knobs.len()];
        let (mut regrets, mut seconds, mut experts) = (Vec::new(), Vec::new(), Vec::new());
        for &seed in &seeds {
            let x = family.sample(n, &mut stream(seed, &format!("{family}/data")));
            let test = family.sample(TEST, &mut stream(seed, &format!("{family}/test")));
            let log_p = family.log_prob(test.as_ref());
            let kl = |e: &dyn Density| kl_exact(&log_p, &e.log_prob(test.as_ref())).value;
            let start = Instant::now();
            let found = recipe.cross_fit(Data::new(x.as_ref()), seed, &FitContext::default())?;
            seconds.push(start.elapsed().as_secs_f64());
            gaps[0].push(kl(&found.mixture));
            regrets.push(gaps[0][gaps[0].len() - 1] - hindsight(&recipe, &found, &test, &log_p)?);
            experts.push(
                found
                    .mixture
                    .experts()
                    .iter()
                    .map(|e| kl(*e))
                    .collect::<Vec<_>>(),
            );
            let weights: Vec<String> = recipe
                .experts
                .iter()
                .zip(&found.weights.pi)
                .zip(&found.seconds)
                .map(|((e, w), s)| format!("{} {w:.2} {s:.1}s", e.name))
                .collect();
            eprintln!("{family} {seed}: {}", weights.join(", "));
            for (gap, &specialisation) in gaps[1..].iter_mut().zip(&knobs) {
                let aware = MixtureAware {
                    rounds: 1,
                    specialisation,
                };
                let again = recipe.refit(
                    Data::new(x.as_ref()),
                    &found,
                    (&aware, 0),
                    seed,
                    &FitContext::default(),
                )?;
                gap.push(kl(&again.mixture));
            }
        }
        let show = |v: &[f64]| {
            let (mean, error) = mean_and_standard_error(v);
            format!("{mean:.4} ± {error:.4}")
        };
        let own: Vec<String> = (0..recipe.experts.len())
            .map(|k| {
                let values: Vec<f64> = experts.iter().map(|e| e[k]).collect();
                format!(
                    "{} {:.4}",
                    recipe.experts[k].name,
                    mean_and_standard_error(&values).0
                )
            })
            .collect();
        println!(
            "{family}: KL {}; hindsight better by {:.4}; {:.1} s; {}",
            gaps.iter().map(|g| show(g)).collect::<Vec<_>>().join(" | "),
            mean_and_standard_error(&regrets).0,
            mean_and_standard_error(&seconds).0,
            own.join(", ")
        );
        for (m, g) in means.iter_mut().zip(&gaps) {
            m.push(mean_and_standard_error(g).0);
        }
    }
    let overall: Vec<String> = means
        .iter()
        .map(|m| format!("{:.4}", m.iter().sum::<f64>() / m.len() as f64))
        .collect();
    println!("mean of the families: {}", overall.join(" | "));
    Ok(())
}

/// KL of the mixture with the weights that are best on the test draws.
fn hindsight(
    recipe: &Recipe,
    found: &CrossFitted,
    test: &faer::Mat<f64>,
    log_p: &[f64],
) -> Result<f64, Box<dyn Error>> {
    let table = log_prob_table(&found.mixture.experts(), test.as_ref());
    let source = WeightData::HeldOut {
        table: table.as_ref(),
        weights: None,
    };
    let best = recipe.rule.unscreened().learn(&source, 0)?;
    let log_q = density::mixture_log_prob(table.as_ref(), &best.pi);
    Ok(kl_exact(log_p, &log_q).value)
}

fn list<T: std::str::FromStr>(text: &str) -> Result<Vec<T>, T::Err> {
    text.split(',').map(str::parse).collect()
}
