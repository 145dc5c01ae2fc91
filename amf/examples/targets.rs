//! What speed is asked for and what is reached, as a Markdown table.
//!
//! `cargo run --release -p amf --example targets`. A share is of the rate of faer's matrix products on one thread, measured
//! on the same shapes just before and after; the median of several rounds counts.

#![allow(missing_docs, reason = "a program: what it prints is described above")]

#[path = "../benches/common/mod.rs"]
mod common;

use amf::WeightData;
use amf::metrics::{TargetKde, TargetMmd, wasserstein2};
use common::{
    Products, STACKING, curved, fit_config, flow, log_density_table, matmul_rate, median, points,
    seconds, smooth_rbig, train, width,
};
use density::{Data, Density};
use flows::{Batch, Flow};
use numerics::random::stream;
use rayon::ThreadPool;
use rbig::{Rbig, RbigConfig};
use std::hint::black_box;

fn main() {
    let pools = [1, 2].map(|threads| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
    });
    println!("| what | asked for | time | reached |\n|---|---|---|---|");
    steps(&pools);
    scores(&pools);
    sampling(&pools[0]);
    experts(&pools);
    metrics();
}

fn row(what: &str, asked: &str, time: f64, reached: &str) {
    let time = if time < 1.0 {
        format!("{:.3} ms", 1e3 * time)
    } else {
        format!("{time:.2} s")
    };
    println!("| {what} | {asked} | {time} | {reached} |");
}

/// A time, and it as a share of the rate of products.
struct Shares {
    times: Vec<f64>,
    shares: Vec<f64>,
}

impl Shares {
    fn new() -> Self {
        Self {
            times: Vec::new(),
            shares: Vec::new(),
        }
    }

    /// Times `work` of so many multiply-adds between two measurements of the reference.
    fn measure(&mut self, reference: &mut dyn FnMut() -> f64, items: usize, work: impl FnOnce()) {
        let before = reference();
        let time = seconds(work);
        let rate = 0.5 * (before + reference());
        self.times.push(time);
        self.shares.push(items as f64 / time / rate);
    }

    fn time(&self) -> f64 {
        median(self.times.clone())
    }

    fn percent(&self) -> String {
        format!("{:.0} %", 100.0 * median(self.shares.clone()))
    }
}

/// One step of training, from fits of many.
fn steps(pools: &[ThreadPool; 2]) {
    const STEPS: usize = 60;
    let goals = [
        ("realnvp", 2, "75 %", "1.75"),
        ("maf", 2, "55 %", "1.75"),
        ("realnvp shared", 2, "", ""),
        ("realnvp", 6, "", ""),
        ("maf", 6, "", ""),
    ];
    for (name, d, share, speed_up) in goals {
        for n in [1000, 256, 100] {
            let x = curved(n, d);
            let mut flow = flow(name, d);
            let config = fit_config(STEPS, Batch::Full);
            let items = 3 * n * flow.multiply_adds() * STEPS;
            let mut products = Products::new(n, width(name));
            let mut rate = || pools[0].install(|| matmul_rate(&mut products, true));
            let run = |flow: &mut Flow, threads: usize| {
                seconds(|| pools[threads - 1].install(|| train(flow, x.as_ref(), &config)))
            };
            run(&mut flow, 1);
            let (mut one, mut ratios, mut two) = (Shares::new(), Vec::new(), Vec::new());
            for _ in 0..7 {
                one.measure(&mut rate, items, || {
                    run(&mut flow, 1);
                });
                let t = run(&mut flow, 2);
                two.push(t);
                ratios.push(one.times[one.times.len() - 1] / t);
            }
            let asked = |goal| if n == 1000 { goal } else { "" };
            let what = format!("{name} step, d = {d}, batch {n}");
            let per_step = one.time() / STEPS as f64;
            row(&what, asked(share), per_step, &one.percent());
            if n == 1000 {
                let what = format!("{what}, two threads");
                let reached = format!("{:.2} times one thread", median(ratios));
                row(&what, speed_up, median(two) / STEPS as f64, &reached);
            }
        }
    }
}

/// Scores and draws of 100,000 points, against twice the rate of one thread.
fn scores(pools: &[ThreadPool; 2]) {
    const N: usize = 100_000;
    for (name, goal) in [("realnvp shared", "80 %"), ("realnvp", ""), ("maf", "")] {
        let (x, flow) = (points(N, 2), flow(name, 2));
        let mut products = Products::new(1000, width(name));
        let mut rate = || 2.0 * pools[0].install(|| matmul_rate(&mut products, false));
        let items = N * flow.multiply_adds();
        let (mut score, mut draw) = (Shares::new(), Shares::new());
        for _ in 0..7 {
            score.measure(&mut rate, items, || {
                pools[1].install(|| drop(black_box(flow.log_prob(x.as_ref()))));
            });
            draw.measure(&mut rate, items, || {
                pools[1].install(|| drop(black_box(flow.sample(N, &mut stream(1, "sample")))));
            });
        }
        let what = |action| format!("{name} {action} of 100,000, two threads");
        row(&what("log_prob"), goal, score.time(), &score.percent());
        row(&what("sample"), goal, draw.time(), &draw.percent());
    }
}

fn sampling(pool: &ThreadPool) {
    for (d, goal) in [(2, ""), (8, ""), (32, "6")] {
        let (x, flow) = (points(10_000, d), flow("maf", d));
        let (mut times, mut ratios) = (Vec::new(), Vec::new());
        for _ in 0..9 {
            let draw = || drop(black_box(flow.sample(10_000, &mut stream(1, "sample"))));
            let score = || drop(black_box(flow.log_prob(x.as_ref())));
            let (s, t) = pool.install(|| (seconds(score), seconds(draw)));
            times.push(t);
            ratios.push(t / s);
        }
        let reached = format!("{:.2} times log_prob", median(ratios));
        let what = format!("maf sample of 10,000, d = {d}, one thread");
        row(&what, goal, median(times), &reached);
    }
}

fn experts(pools: &[ThreadPool; 2]) {
    let pool = &pools[0];
    let cases = [
        ("published", RbigConfig::published()),
        ("smooth, 5 layers", smooth_rbig(5)),
    ];
    for (name, config) in cases {
        for (n, d, fit_goal, score_goal) in [(20_000, 2, "", "0.05 s"), (100_000, 16, "10 s", "")] {
            let x = curved(n, d);
            let fit = || {
                let rng = &mut stream(1, "rbig");
                Rbig::fit(Data::new(x.as_ref()), None, &config, rng).unwrap()
            };
            let mut model = None;
            let time = (0..3).map(|_| seconds(|| model = Some(pool.install(fit))));
            let what = |action| format!("RBIG {name}: {action}, {n} x {d}, one thread");
            row(&what("fit"), fit_goal, median(time.collect()), "");
            let model = model.unwrap();
            let score = || drop(black_box(model.log_prob(x.as_ref())));
            let time = (0..5).map(|_| seconds(|| pool.install(score)));
            row(&what("log_prob"), score_goal, median(time.collect()), "");
        }
    }
    let x = curved(110_000, 16);
    let (fit, held_out) = (x.subrows(0, 100_000), x.subrows(100_000, 10_000));
    for pool in pools {
        let config = RbigConfig::smooth();
        let mut layers = 0;
        let time = seconds(|| {
            pool.install(|| {
                let rng = &mut stream(1, "rbig");
                let model =
                    Rbig::fit(Data::new(fit), Some(Data::new(held_out)), &config, rng).unwrap();
                layers = model.history().len() - 1;
            });
        });
        let what = "RBIG smooth, layers by held-out points: fit, 100000 x 16";
        let threads = pool.current_num_threads();
        row(
            &format!("{what}, threads: {threads}"),
            "10 s",
            time,
            &format!("{layers} layers tried"),
        );
    }
    let table = log_density_table(100_000, 10);
    let source = Source::HeldOut {
        table: table.as_ref(),
        weights: None,
    };
    let mut learned = None;
    let time = (0..7).map(|_| seconds(|| learned = Some(STACKING.learn(&source, 1).unwrap())));
    let time = median(time.collect());
    let l = learned.unwrap();
    let reached = format!("{} iterations to {:.1e}", l.iterations, l.optimality_gap);
    row(
        "stacking weights, 100,000 x 10, 1e-8",
        "0.5 s",
        time,
        &reached,
    );
}

fn metrics() {
    let (x, y) = (points(2000, 2), curved(4000, 2));
    let y = y.subrows(2000, 2000);
    let timed = |f: &dyn Fn() -> f64| {
        let times = (0..7).map(|_| seconds(|| assert!(f().is_finite())));
        median(times.collect())
    };
    let w2 = || wasserstein2(x.as_ref(), y).unwrap();
    row("exact W2 at 2,000", "0.4 s", timed(&w2), "");
    let target = TargetMmd::new(x.as_ref(), 1.0).unwrap();
    let mmd = || target.compare(y).unwrap().unbiased;
    row("MMD at 2,000", "", timed(&mmd), "");
    let target = TargetKde::new(x.as_ref()).unwrap();
    let kde = || target.kl(y).unwrap();
    row("KL on the grid at 2,000", "", timed(&kde), "");
}
