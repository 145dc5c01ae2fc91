//! Speed of flows, against faer's own matrix products on the same shapes in the same run.
//!
//! `cargo bench -p amf --bench flows`. Items are multiply-adds: compare the rate (item/s) of a
//! benchmark with that of `matmul` on its shapes. In two dimensions the networks read one number
//! and need far fewer multiply-adds than are counted here; in six dimensions they are dense
//! products.

mod common;

use common::{Products, curved, fit_config, flow, multiply_adds, points, train, with_threads};
use density::Density;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use flows::Batch;
use numerics::random::stream;

fn main() {
    divan::main();
}

/// n x w times w x w.
#[divan::bench(args = [(1000, 128), (256, 128), (1000, 64), (256, 64)])]
fn matmul_forward(bencher: Bencher, (n, w): (usize, usize)) {
    let mut products = Products::new(n, w);
    bencher
        .counter(ItemsCount::new(n * w * w))
        .bench_local(|| products.forward());
}

/// n x w times w x w, and the two products of its backward pass.
#[divan::bench(args = [(1000, 128), (256, 128), (100, 128), (1000, 64), (256, 64), (100, 64)])]
fn matmul_forward_and_backward(bencher: Bencher, (n, w): (usize, usize)) {
    let mut products = Products::new(n, w);
    bencher
        .counter(ItemsCount::new(3 * n * w * w))
        .bench_local(|| {
            products.forward();
            products.backward();
        });
}

const STEPS: usize = 20;

/// Twenty training steps on a full batch: architecture, dimension, batch, threads.
#[divan::bench(args = [
    ("realnvp", 2, 1000, 1), ("realnvp", 2, 1000, 2), ("realnvp", 2, 256, 1), ("realnvp", 2, 256, 2), ("realnvp", 2, 100, 1),
    ("maf", 2, 1000, 1), ("maf", 2, 1000, 2), ("maf", 2, 256, 1), ("maf", 2, 256, 2), ("maf", 2, 100, 1),
    ("realnvp", 6, 1000, 1), ("realnvp", 6, 1000, 2), ("realnvp", 6, 256, 1), ("realnvp", 6, 100, 1),
    ("maf", 6, 1000, 1), ("maf", 6, 1000, 2), ("maf", 6, 256, 1), ("maf", 6, 100, 1),
], sample_count = 10)]
fn twenty_training_steps(bencher: Bencher, (name, d, n, threads): (&str, usize, usize, usize)) {
    let x = curved(n, d);
    let mut flow = flow(name, d);
    let config = fit_config(STEPS, Batch::Full);
    let items = 3 * n * multiply_adds(&flow) * STEPS;
    bencher
        .counter(ItemsCount::new(items))
        .bench_local(|| with_threads(threads, || train(&mut flow, x.as_ref(), &config)));
}

#[divan::bench(args = [
    ("realnvp shared", 2, 1), ("realnvp shared", 2, 2), ("realnvp", 2, 2), ("maf", 2, 1), ("maf", 2, 2),
    ("realnvp shared", 6, 1), ("maf", 6, 1),
], sample_count = 5)]
fn log_prob_of_100_000_points(bencher: Bencher, (name, d, threads): (&str, usize, usize)) {
    let (x, flow) = (points(100_000, d), flow(name, d));
    bencher
        .counter(ItemsCount::new(100_000 * multiply_adds(&flow)))
        .bench_local(|| with_threads(threads, || flow.log_prob(x.as_ref())));
}

#[divan::bench(args = [
    ("realnvp shared", 2, 1), ("realnvp shared", 2, 2), ("realnvp", 2, 2), ("maf", 2, 1), ("maf", 2, 2),
    ("realnvp shared", 6, 1), ("maf", 6, 1),
], sample_count = 5)]
fn sample_of_100_000_points(bencher: Bencher, (name, d, threads): (&str, usize, usize)) {
    let flow = flow(name, d);
    bencher
        .counter(ItemsCount::new(100_000 * multiply_adds(&flow)))
        .bench_local(|| with_threads(threads, || flow.sample(100_000, &mut stream(1, "sample"))));
}

/// Sampling finds one coordinate after the other; `log_prob` takes one pass.
#[divan::bench(args = [
    (2, "log_prob"),
    (2, "sample"),
    (8, "log_prob"),
    (8, "sample"),
    (32, "log_prob"),
    (32, "sample"),
], sample_count = 10)]
fn maf_of_10_000_points(bencher: Bencher, (d, what): (usize, &str)) {
    let (x, flow) = (points(10_000, d), flow("maf", d));
    bencher
        .counter(ItemsCount::new(10_000 * multiply_adds(&flow)))
        .bench_local(|| {
            with_threads(1, || match what {
                "sample" => drop(black_box(flow.sample(10_000, &mut stream(1, "sample")))),
                _ => drop(black_box(flow.log_prob(x.as_ref()))),
            })
        });
}
