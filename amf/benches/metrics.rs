//! Speed of the metrics between two samples of 2,000 points. `cargo bench -p amf --bench metrics`.

mod common;

use common::{curved, points};
use divan::Bencher;
use faer::Mat;
use metrics::{TargetKde, TargetMmd, TargetSet, TargetSliced, wasserstein2};

fn main() {
    divan::main();
}

const N: usize = 2000;

/// A normal sample and a curved one.
fn pair(d: usize) -> (Mat<f64>, Mat<f64>) {
    (points(N, d), curved(2 * N, d).subrows(N, N).to_owned())
}

#[divan::bench(args = [2, 8], sample_count = 5)]
fn exact_w2(bencher: Bencher, d: usize) {
    let (x, y) = pair(d);
    bencher.bench_local(|| wasserstein2(x.as_ref(), y.as_ref()).unwrap());
}

#[divan::bench(args = [2, 8], sample_count = 10)]
fn sliced_w2(bencher: Bencher, d: usize) {
    let (x, y) = pair(d);
    let target = TargetSliced::new(x.as_ref()).unwrap();
    bencher.bench_local(|| target.compare(y.as_ref()).unwrap());
}

#[divan::bench(args = [2, 8], sample_count = 10)]
fn mmd(bencher: Bencher, d: usize) {
    let (x, y) = pair(d);
    let target = TargetMmd::new(x.as_ref(), 1.0).unwrap();
    bencher.bench_local(|| target.compare(y.as_ref()).unwrap());
}

/// Both densities on the grid of 100 x 100.
#[divan::bench(sample_count = 10)]
fn kde_kl(bencher: Bencher) {
    let (x, y) = pair(2);
    let target = TargetKde::new(x.as_ref()).unwrap();
    bencher.bench_local(|| target.kl(y.as_ref()).unwrap());
}

/// All of them, as an evaluation does it.
#[divan::bench(sample_count = 5)]
fn every_metric(bencher: Bencher) {
    let (x, y) = pair(2);
    let target = TargetSet::new(x.as_ref()).unwrap();
    bencher.bench_local(|| target.compare(y.as_ref()).unwrap());
}
