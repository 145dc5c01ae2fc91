//! ln Z without any learnt density: stepping stones (Xie, Lewis, Fan, Kuo and Chen 2011) over the
//! chains of parallel tempering with random-walk Metropolis. A check of the references of
//! `datasets::posterior` by a method that shares nothing with annealing; it takes a hundred times its
//! evaluations.
//!
//! `cargo run --release -p posterior --example stepping_stones -- NAME [CHAINS] [STEPS] [SEEDS]`

use datasets::posterior::Canon;
use faer::prelude::*;
use numerics::linalg::cholesky;
use numerics::math::{exp, ln, ln_sum_exp, mean_and_standard_error};
use numerics::random::{Pcg64, standard_normal, stream, uniform};

/// A state: prior coordinates and `ln L`.
type State = (Vec<f64>, f64);

/// The chain at one temperature.
struct Chain {
    beta: f64,
    state: State,
    scale: f64,
    /// Cholesky factor of the covariance of the proposals.
    factor: Vec<f64>,
    /// States since the factor was learnt, while it is learnt.
    seen: Vec<Vec<f64>>,
}

impl Chain {
    fn step(&mut self, canon: &Canon, learn: bool, step: usize, rng: &mut Pcg64) {
        let d = canon.dim();
        if self.beta == 0.0 {
            self.state = prior(canon, rng);
            return;
        }
        let e: Vec<f64> = (0..d).map(|_| standard_normal(rng)).collect();
        // A fifth of the steps are small.
        let s = self.scale * if uniform(rng) < 0.2 { 0.2 } else { 1.0 };
        let mut z = self.state.0.clone();
        for (a, z) in z.iter_mut().enumerate() {
            *z += s * (0..=a).map(|b| self.factor[a * d + b] * e[b]).sum::<f64>();
        }
        let log_l = log_likelihood(canon, &z);
        let log_prior = |z: &[f64]| -0.5 * z.iter().map(|v| v * v).sum::<f64>();
        let gain = self.beta * (log_l - self.state.1) + log_prior(&z) - log_prior(&self.state.0);
        let accepted = log_l > f64::NEG_INFINITY
            && (self.state.1 == f64::NEG_INFINITY || ln(uniform(rng)) < gain);
        if accepted {
            self.state = (z, log_l);
        }
        if learn {
            let surplus = f64::from(accepted) - 0.25;
            self.scale *= exp(surplus / (1.0 + step as f64 / 50.0).sqrt());
            self.seen.push(self.state.0.clone());
        }
    }

    /// The covariance of the later half of what was seen.
    fn learn(&mut self, d: usize) {
        let seen = &self.seen[self.seen.len() / 2..];
        let n = seen.len() as f64;
        let mean = |j: usize| seen.iter().map(|z| z[j]).sum::<f64>() / n;
        let means: Vec<f64> = (0..d).map(mean).collect();
        let mut covariance = vec![0.0; d * d];
        for a in 0..d {
            for b in 0..d {
                let product = |z: &Vec<f64>| (z[a] - means[a]) * (z[b] - means[b]);
                covariance[a * d + b] = seen.iter().map(product).sum::<f64>() / n;
            }
            covariance[a * d + a] += 1e-8;
        }
        if let Some(factor) = cholesky(covariance, d) {
            self.factor = factor;
        }
        self.seen.clear();
    }
}

fn log_likelihood(canon: &Canon, z: &[f64]) -> f64 {
    let theta = canon.at(Mat::from_fn(1, z.len(), |_, j| z[j]).as_ref());
    let theta: Vec<f64> = (0..z.len()).map(|j| theta[(0, j)]).collect();
    let log_l = canon.log_likelihood(&theta);
    if log_l.is_nan() {
        f64::NEG_INFINITY
    } else {
        log_l
    }
}

fn prior(canon: &Canon, rng: &mut Pcg64) -> State {
    let z: Vec<f64> = (0..canon.dim()).map(|_| standard_normal(rng)).collect();
    let log_l = log_likelihood(canon, &z);
    (z, log_l)
}

/// ln Z of one seed, and the lowest rate of exchanges between neighbours.
fn run(canon: &Canon, count: usize, steps: usize, seed: u64) -> (f64, f64) {
    let (d, burn) = (canon.dim(), steps / 4);
    let mut rng = stream(seed, "stepping stones");
    let mut chains: Vec<Chain> = (0..=count)
        .map(|k| Chain {
            beta: (k as f64 / count as f64).powi(4),
            state: prior(canon, &mut rng),
            scale: 0.5,
            factor: (0..d * d).map(|i| f64::from(i % (d + 1) == 0)).collect(),
            seen: Vec::new(),
        })
        .collect();
    let mut terms = vec![Vec::new(); count];
    let mut exchanges = vec![0.0; count];
    for step in 0..steps {
        let learn = step < burn;
        for chain in &mut chains {
            chain.step(canon, learn, step, &mut rng);
            if learn && (step + 1) % (burn / 8) == 0 && chain.beta > 0.0 {
                chain.learn(d);
            }
        }
        for k in (0..count).rev() {
            let (low, high) = chains.split_at_mut(k + 1);
            let (a, b) = (&mut low[k], &mut high[0]);
            if ln(uniform(&mut rng)) < (b.beta - a.beta) * (a.state.1 - b.state.1) {
                std::mem::swap(&mut a.state, &mut b.state);
                exchanges[k] += 1.0 / steps as f64;
            }
        }
        if !learn {
            for (k, terms) in terms.iter_mut().enumerate() {
                terms.push((chains[k + 1].beta - chains[k].beta) * chains[k].state.1);
            }
        }
    }
    let step = |terms: &Vec<f64>| ln_sum_exp(terms) - ln(terms.len() as f64);
    let least = exchanges.iter().copied().fold(1.0, f64::min);
    (terms.iter().map(step).sum(), least)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |i: usize, otherwise: &str| args.get(i).map_or(otherwise, |s| s).to_owned();
    let name = arg(0, "logistic_10");
    let canon = Canon::named(&name).ok_or_else(|| format!("no problem \"{name}\""))?;
    let (chains, steps) = (arg(1, "24").parse()?, arg(2, "40000").parse::<usize>()?);
    if steps < 32 {
        return Err("at least 32 steps".into());
    }
    let mut all = Vec::new();
    for seed in 1..=arg(3, "4").parse()? {
        let (log_z, least) = run(&canon, chains, steps, seed);
        println!("  {name} seed {seed}: ln Z {log_z:.4}; exchanges at least {least:.2} a step");
        all.push(log_z);
    }
    let (mean, error) = mean_and_standard_error(&all);
    println!(
        "{name}: ln Z {mean:.4} +- {error:.4} (reference {:.4})",
        canon.log_evidence
    );
    Ok(())
}
