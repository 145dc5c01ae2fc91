//! Which experts pay: recipes of chosen experts on targets that no report uses, all from one fit of
//! every candidate.
//!
//! `cargo run --release -p amf --example candidates -- [SEEDS] [N] [TARGETS]`, for example
//! `-- 101,102 1000 rings,funnel`: for each target the divergence of each candidate alone with its
//! seconds, then `KL(target || mixture)` and seconds of each recipe.

use amf::experts::BaseConfig;
use amf::{ExpertConfig, NamedExpert, Recipe, WeightData};
use datasets::Family;
use datasets::multivariate::Multivariate;
use density::{Data, FitContext, log_prob_table, mixture_log_prob};
use faer::prelude::*;
use metrics::kl_exact;
use numerics::matrix::{col, col_mut};
use numerics::random::stream;
use std::collections::BTreeMap;
use std::error::Error;

const TEST: usize = 10_000;

/// Recipes: the names of their experts.
const RECIPES: [(&str, &str); 6] = [
    (
        "default",
        "maf realnvp maf_normal realnvp_normal rbig gmm gmm_12 gmm_16 gmm_24 gmm_32 gmm_fine gmm_16_fine gmm_32_fine smm",
    ),
    (
        "no_student",
        "maf realnvp maf_normal realnvp_normal rbig gmm gmm_12 gmm_16 gmm_24 gmm_32 gmm_fine gmm_16_fine gmm_32_fine",
    ),
    (
        "coarse",
        "maf_coarse realnvp_coarse maf_normal realnvp_normal rbig gmm gmm_12 gmm_16 gmm_24 gmm_32",
    ),
    (
        "maf_only",
        "maf maf_normal gmm gmm_12 gmm_16 gmm_24 gmm_32 gmm_fine gmm_16_fine gmm_32_fine smm",
    ),
    (
        "no_rbig",
        "maf realnvp maf_normal realnvp_normal gmm gmm_12 gmm_16 gmm_24 gmm_32 gmm_fine gmm_16_fine gmm_32_fine smm",
    ),
    (
        "mixtures",
        "gmm gmm_12 gmm_16 gmm_24 gmm_32 gmm_fine gmm_16_fine gmm_32_fine smm",
    ),
];

/// The experts of the default recipe, and those that are compared with them: here flows on bases with
/// the higher floor of variances.
fn candidates() -> Vec<NamedExpert> {
    let mut all = Recipe::default().experts;
    for name in ["maf", "realnvp"] {
        let own = all.iter().find(|e| e.name == name).map(|e| &e.kind);
        let Some(ExpertConfig::Flow(flow)) = own else {
            continue;
        };
        let mut flow = flow.clone();
        if let BaseConfig::GaussianMixture(base) = &mut flow.base {
            base.em.floor = 1e-3;
        }
        let kind = ExpertConfig::Flow(flow);
        all.push(NamedExpert::new(&format!("{name}_coarse"), kind));
    }
    all
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |i: usize, otherwise: &str| args.get(i).map_or(otherwise, |s| s).to_owned();
    let seeds: Result<Vec<u64>, _> = arg(0, "101").split(',').map(str::parse).collect();
    let seeds = seeds?;
    let n: usize = arg(1, "1000").parse()?;
    let families = Family::PAPER.iter().map(|f| f.name().to_owned());
    let others = Multivariate::ALL.iter().map(|t| t.name().to_owned());
    let every: Vec<String> = families.chain(others).collect();
    let mut found: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for target in arg(2, &every.join(",")).split(',') {
        for &seed in &seeds {
            one(target, n, seed, &mut found)?;
        }
    }
    println!("\nmeans over all");
    for (name, _) in RECIPES {
        let own = &found[name];
        let mean = |f: fn(&(f64, f64)) -> f64| own.iter().map(f).sum::<f64>() / own.len() as f64;
        println!("{name:14} {:.4} {:.1} s", mean(|v| v.0), mean(|v| v.1));
    }
    Ok(())
}

fn one(
    target: &str,
    n: usize,
    seed: u64,
    found: &mut BTreeMap<&str, Vec<(f64, f64)>>,
) -> Result<(), Box<dyn Error>> {
    let family = Family::PAPER.into_iter().find(|f| f.name() == target);
    let other = Multivariate::ALL.into_iter().find(|t| t.name() == target);
    let draws = |n: usize, purpose: &str| {
        let mut rng = stream(seed, &format!("{target}/{purpose}"));
        match (family, other) {
            (Some(f), _) => Ok(f.sample(n, &mut rng)),
            (_, Some(t)) => Ok(t.sample(n, &mut rng)),
            _ => Err(format!("no target \"{target}\"")),
        }
    };
    let (train, test) = (draws(n, "data")?, draws(TEST, "test")?);
    let log_p = match (family, other) {
        (Some(f), _) => f.log_prob(test.as_ref()),
        (_, Some(t)) => t.log_prob(test.as_ref()),
        _ => unreachable!("checked above"),
    };
    let recipe = Recipe::default().with_experts(candidates());
    let fit = recipe.cross_fit(Data::new(train.as_ref()), seed, &FitContext::default())?;
    let table = log_prob_table(&fit.mixture.experts(), test.as_ref());
    println!("\n{target} n {n} seed {seed}");
    for (k, e) in recipe.experts.iter().enumerate() {
        let kl = kl_exact(&log_p, col(table.as_ref(), k)).value;
        println!("  {:16} {kl:.4} {:6.1} s", e.name, fit.seconds[k]);
    }
    for (name, members) in RECIPES {
        let places: Vec<usize> = members
            .split(' ')
            .map(|m| recipe.experts.iter().position(|e| e.name == m).ok_or(m))
            .collect::<Result<_, _>>()?;
        let pick = |t: MatRef<'_, f64>| {
            let mut out = Mat::zeros(t.nrows(), places.len());
            for (k, &p) in places.iter().enumerate() {
                col_mut(out.as_mut(), k).copy_from_slice(col(t, p));
            }
            out
        };
        let own = pick(fit.out_of_fold.as_ref());
        let source = WeightData::HeldOut {
            table: own.as_ref(),
            weights: None,
        };
        let weights = recipe.rule.learn(&source, seed)?;
        let log_q = mixture_log_prob(pick(table.as_ref()).as_ref(), &weights.pi);
        let kl = kl_exact(&log_p, &log_q).value;
        let seconds: f64 = places.iter().map(|&p| fit.seconds[p]).sum();
        let shown = members
            .split(' ')
            .zip(&weights.pi)
            .filter(|(_, w)| **w > 0.005);
        let shown: Vec<String> = shown.map(|(m, w)| format!("{m} {w:.2}")).collect();
        println!(
            "  = {name:14} {kl:.4} {seconds:6.1} s  {}",
            shown.join(", ")
        );
        found.entry(name).or_default().push((kl, seconds));
    }
    Ok(())
}
