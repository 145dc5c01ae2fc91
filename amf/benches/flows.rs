//! Speed of flows, against faer's own matrix products on the same shapes in the same run.
//!
//! `cargo bench -p amf --bench flows`. Items are multiply-adds: compare the rate (item/s) of a benchmark with that of `matmul` on its shapes.

use autodiff::random::{standard_normal, stream};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use faer::linalg::matmul::matmul;
use faer::prelude::*;
use faer::{Accum, Par};
use flows::{
    Activation, Architecture, Batch, Data, FitConfig, Flow, LogScale, Nets, Ordering, Standardise,
};
use std::ops::ControlFlow;

fn main() {
    divan::main();
}

fn realnvp() -> Architecture {
    Architecture::RealNvp {
        couplings: 8,
        hidden: vec![128, 128],
        activation: Activation::Relu,
        nets: Nets::Separate,
        log_scale: LogScale {
            bound: 0.5,
            knee: 1.0,
        },
        output_gain: 0.0,
    }
}

/// The eight couplings with one network each.
fn shared() -> Architecture {
    let Architecture::RealNvp {
        couplings,
        hidden,
        activation,
        log_scale,
        output_gain,
        ..
    } = realnvp()
    else {
        unreachable!()
    };
    Architecture::RealNvp {
        couplings,
        hidden,
        activation,
        nets: Nets::Shared,
        log_scale,
        output_gain,
    }
}

fn maf() -> Architecture {
    Architecture::Maf {
        layers: 8,
        hidden: vec![64, 64],
        activation: Activation::Relu,
        ordering: Ordering::Reversed,
        log_scale: LogScale {
            bound: 5.0,
            knee: 5.0,
        },
        output_gain: 1.0,
    }
}

fn architecture(name: &str) -> Architecture {
    match name {
        "realnvp" => realnvp(),
        "realnvp shared" => shared(),
        _ => maf(),
    }
}

fn points(n: usize, d: usize) -> Mat<f64> {
    let mut rng = stream(1, "bench");
    Mat::from_fn(n, d, |_, _| standard_normal(&mut rng))
}

fn flow(name: &str, d: usize) -> Flow {
    Flow::new(
        &architecture(name),
        Standardise::identity(d),
        &mut stream(1, "init"),
    )
    .unwrap()
}

fn with_threads<T: Send>(threads: usize, f: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
        .install(f)
}

/// n x w times w x w, and the two products of its backward pass.
#[divan::bench(args = [(1000, 128), (256, 128), (100, 128), (1000, 64), (256, 64), (100, 64)])]
fn matmul_forward_and_backward(bencher: Bencher, (n, w): (usize, usize)) {
    let (x, d) = (points(n, w), points(n, w));
    let (weights, mut dw) = (points(w, w), Mat::zeros(w, w));
    let (mut out, mut dx) = (Mat::zeros(n, w), Mat::zeros(n, w));
    bencher
        .counter(ItemsCount::new(3 * n * w * w))
        .bench_local(|| {
            matmul(
                out.as_mut(),
                Accum::Replace,
                x.as_ref(),
                weights.as_ref(),
                1.0,
                Par::Seq,
            );
            matmul(
                dw.as_mut(),
                Accum::Add,
                x.transpose(),
                d.as_ref(),
                1.0,
                Par::Seq,
            );
            matmul(
                dx.as_mut(),
                Accum::Replace,
                d.as_ref(),
                weights.transpose(),
                1.0,
                Par::Seq,
            );
            black_box((&out, &dw, &dx));
        });
}

const STEPS: usize = 20;

/// Twenty training steps on a full batch.
#[divan::bench(args = [
    ("realnvp", 1000, 1), ("realnvp", 1000, 2), ("realnvp", 256, 1), ("realnvp", 100, 1),
    ("maf", 1000, 1), ("maf", 1000, 2), ("maf", 256, 1), ("maf", 100, 1),
], sample_count = 10)]
fn twenty_training_steps(bencher: Bencher, (name, n, threads): (&str, usize, usize)) {
    let x = points(n, 2);
    let mut flow = flow(name, 2);
    let config = FitConfig {
        steps: STEPS,
        batch: Batch::Full,
        learning_rate: 1e-3,
        schedule: autodiff::Schedule::Constant,
        adam: autodiff::AdamConfig::default(),
        clip_norm: None,
        evaluate_every: STEPS,
        patience: None,
    };
    let items = 3 * n * flow.multiply_adds() * STEPS;
    bencher.counter(ItemsCount::new(items)).bench_local(|| {
        with_threads(threads, || {
            let go_on = &mut |_, _: Option<&flows::Evaluation>| ControlFlow::Continue(());
            flow.fit(
                Data::new(x.as_ref()),
                None,
                &config,
                &mut stream(1, "batches"),
                go_on,
            )
            .unwrap()
        })
    });
}

#[divan::bench(args = [("realnvp shared", 1), ("realnvp shared", 2), ("realnvp", 2), ("maf", 1), ("maf", 2)], sample_count = 5)]
fn log_prob_of_100_000_points(bencher: Bencher, (name, threads): (&str, usize)) {
    let (x, flow) = (points(100_000, 2), flow(name, 2));
    bencher
        .counter(ItemsCount::new(100_000 * flow.multiply_adds()))
        .bench_local(|| with_threads(threads, || flow.log_prob(x.as_ref())));
}

#[divan::bench(args = [("realnvp shared", 1), ("realnvp shared", 2), ("maf", 1), ("maf", 2)], sample_count = 5)]
fn sample_of_100_000_points(bencher: Bencher, (name, threads): (&str, usize)) {
    let flow = flow(name, 2);
    bencher
        .counter(ItemsCount::new(100_000 * flow.multiply_adds()))
        .bench_local(|| with_threads(threads, || flow.sample(100_000, &mut stream(1, "sample"))));
}

/// Sampling finds one coordinate after the other; `log_prob` takes one pass.
#[divan::bench(args = [(2, "log_prob"), (2, "sample"), (8, "log_prob"), (8, "sample"), (32, "log_prob"), (32, "sample")], sample_count = 10)]
fn maf_of_10_000_points(bencher: Bencher, (d, what): (usize, &str)) {
    let (x, flow) = (points(10_000, d), flow("maf", d));
    bencher
        .counter(ItemsCount::new(10_000 * flow.multiply_adds()))
        .bench_local(|| {
            with_threads(1, || match what {
                "sample" => drop(black_box(flow.sample(10_000, &mut stream(1, "sample")))),
                _ => drop(black_box(flow.log_prob(x.as_ref()))),
            })
        });
}
