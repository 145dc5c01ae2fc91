//! Amortised inference of a posterior of two modes, against the exact one, with the time that
//! training takes.
//!
//! ```text
//! theta ~ N(0, I_2),   y = (theta_1^2, theta_1 theta_2) + 0.1 e
//! ```
//!
//! theta and -theta give the same data: the posterior has two modes of equal weight that swing
//! apart and together with y.
//!
//! `cargo run --release -p flows --example amortised [steps]` trains on 50,000 simulated pairs on
//! one core and prints a line for each flow: seconds, the mean KL divergence from the exact
//! posterior to q over unseen observations (nats), and for y = (2.25, 0.5), where the modes lie at
//! theta_1 = -1.5 and 1.5, the share of draws between them, `|theta_1| < 0.75`. The exact posterior
//! has next to nothing there.

use autodiff::{AdamConfig, Schedule};
use density::{Data, Density, EmConfig, FitContext, GaussianMixture};
use faer::prelude::*;
use flows::{Activation, Architecture, Base, Batch, FitConfig, Flow, LogScale, Nets, Ordering};
use numerics::math;
use numerics::random::{standard_normal, stream};
use std::error::Error;
use std::time::Instant;

const NOISE: f64 = 0.1;

/// n pairs (theta, y).
fn simulate(n: usize, label: &str) -> (Mat<f64>, Mat<f64>) {
    let mut rng = stream(1, label);
    let theta = Mat::from_fn(n, 2, |_, _| standard_normal(&mut rng));
    let y = Mat::from_fn(n, 2, |i, j| {
        let (a, b) = (theta[(i, 0)], theta[(i, 1)]);
        [a * a, a * b][j] + NOISE * standard_normal(&mut rng)
    });
    (theta, y)
}

/// `ln N(x; m, v)`.
fn ln_normal(x: f64, m: f64, v: f64) -> f64 {
    math::normal_log_pdf((x - m) / v.sqrt()) - 0.5 * math::ln(v)
}

/// `ln p(theta | y)`: theta_2 is integrated out of the evidence by hand, theta_1 on a grid.
fn exact_ln_posterior(theta: [f64; 2], y: [f64; 2]) -> f64 {
    let v = NOISE * NOISE;
    let joint = ln_normal(theta[0], 0.0, 1.0)
        + ln_normal(theta[1], 0.0, 1.0)
        + ln_normal(y[0], theta[0] * theta[0], v)
        + ln_normal(y[1], theta[0] * theta[1], v);
    let (h, m) = (0.005, 2400);
    let terms: Vec<f64> = (0..m)
        .map(|i| {
            let a = (f64::from(i) + 0.5) * h - 6.0;
            ln_normal(a, 0.0, 1.0) + ln_normal(y[0], a * a, v) + ln_normal(y[1], 0.0, a * a + v)
        })
        .collect();
    joint - math::ln_sum_exp(&terms) - math::ln(h)
}

fn architectures() -> [(&'static str, Architecture); 2] {
    let (hidden, activation) = (vec![64, 64], Activation::Relu);
    let log_scale = LogScale {
        bound: 3.0,
        knee: 3.0,
    };
    let maf = Architecture::Maf {
        layers: 6,
        hidden: hidden.clone(),
        activation,
        ordering: Ordering::Reversed,
        log_scale,
        output_gain: 0.1,
    };
    let realnvp = Architecture::RealNvp {
        couplings: 6,
        hidden,
        activation,
        nets: Nets::Shared,
        log_scale,
        output_gain: 0.1,
    };
    [("maf", maf), ("realnvp", realnvp)]
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let steps = std::env::args().nth(1).map_or(Ok(5000), |a| a.parse())?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    pool.install(|| compare(steps))
}

fn compare(steps: usize) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (theta, y) = simulate(50_000, "train");
    let train = Data::new(theta.as_ref()).conditioned(y.as_ref());
    let (held_theta, held_y) = simulate(5000, "validation");
    let validation = Data::new(held_theta.as_ref()).conditioned(held_y.as_ref());
    let (test_theta, test_y) = simulate(20_000, "test");
    let exact: Vec<f64> = (0..test_y.nrows())
        .map(|i| {
            let theta = [test_theta[(i, 0)], test_theta[(i, 1)]];
            exact_ln_posterior(theta, [test_y[(i, 0)], test_y[(i, 1)]])
        })
        .collect();

    // A mixture with a component for each mode: the points, drawn together on either side.
    let (points, contexts) = train.standardise()?;
    let mut halves = theta.clone();
    points.transform(halves.as_mut());
    for i in 0..halves.nrows() {
        halves[(i, 0)] = 0.5 * halves[(i, 0)] + if i % 2 == 0 { 1.5 } else { -1.5 };
    }
    let em = &mut stream(1, "em");
    let start = GaussianMixture::fit(Data::new(halves.as_ref()), 2, &EmConfig::default(), em)?;
    let trained = Base::TrainedGaussianMixture {
        start: start.clone(),
        train_weights: true,
    };

    let config = FitConfig {
        steps,
        batch: Batch::Size(500),
        learning_rate: 1e-3,
        schedule: Schedule::Cosine { floor: 0.0 },
        adam: AdamConfig::default(),
        clip_norm: Some(5.0),
        evaluate_every: 250,
        patience: Some(8),
    };
    println!("flow     base     parameters  steps  seconds      KL  between modes");
    for (name, architecture) in architectures() {
        for (base_name, base) in [
            ("normal", Base::StandardNormal),
            ("mixture", Base::GaussianMixture(start.clone())),
            ("trained", trained.clone()),
        ] {
            let (points, contexts) = (points.clone(), contexts.clone());
            let rng = &mut stream(1, "init");
            let mut q = Flow::builder(&architecture, points)
                .conditioned(contexts)
                .on_base(base)
                .build(rng)?;
            let clock = Instant::now();
            let rng = &mut stream(1, "batches");
            let report = q.fit(
                train,
                Some(validation),
                &config,
                rng,
                &FitContext::default(),
            )?;
            let seconds = clock.elapsed().as_secs_f64();
            let log_q = q.log_prob_given(test_theta.as_ref(), test_y.as_ref());
            let kl = (math::sum(&exact) - math::sum(&log_q)) / exact.len() as f64;
            let draws = q
                .condition(&[2.25, 0.5])
                .sample(20_000, &mut stream(1, "draws"));
            let between = draws.col(0).iter().filter(|t| t.abs() < 0.75).count();
            println!(
                "{name:8} {base_name:8} {:10}  {:5}  {seconds:7.1}  {kl:6.4}  {:13.4}",
                q.params().len(),
                report.steps,
                between as f64 / 20_000.0
            );
        }
    }
    Ok(())
}
