//! Speed of the Gaussianisation and of the weights. `cargo bench -p amf --bench experts`.

mod common;

use amf::WeightData;
use common::{STACKING, curved, log_density_table, smooth_rbig};
use density::{Data, Density};
use divan::Bencher;
use faer::Mat;
use numerics::random::stream;
use rbig::{Rbig, RbigConfig};

fn main() {
    divan::main();
}

fn config(name: &str) -> RbigConfig {
    match name {
        "published" => RbigConfig::published(),
        _ => smooth_rbig(5),
    }
}

fn fit(x: &Mat<f64>, name: &str) -> Rbig {
    let rng = &mut stream(1, "rbig");
    Rbig::fit(Data::new(x.as_ref()), None, &config(name), rng).unwrap()
}

/// Settings, points, dimension.
const CASES: [(&str, usize, usize); 4] = [
    ("published", 20_000, 2),
    ("smooth", 20_000, 2),
    ("published", 100_000, 16),
    ("smooth", 100_000, 16),
];

#[divan::bench(args = CASES, sample_count = 3)]
fn rbig_fit(bencher: Bencher, (name, n, d): (&str, usize, usize)) {
    let x = curved(n, d);
    bencher.bench_local(|| fit(&x, name));
}

/// Smooth marginals, most non-Gaussian rotations and a number of layers that held-out points choose: the dearest setting.
#[divan::bench(sample_count = 1)]
fn rbig_fit_chosen_by_10_000_held_out_points_100_000_x_16(bencher: Bencher) {
    let x = curved(110_000, 16);
    bencher.bench_local(|| {
        let (train, held_out) = (x.subrows(0, 100_000), x.subrows(100_000, 10_000));
        let rng = &mut stream(1, "rbig");
        let config = RbigConfig::smooth();
        Rbig::fit(Data::new(train), Some(Data::new(held_out)), &config, rng).unwrap()
    });
}

#[divan::bench(args = CASES, sample_count = 5)]
fn rbig_log_prob(bencher: Bencher, (name, n, d): (&str, usize, usize)) {
    let x = curved(n, d);
    let model = fit(&x, name);
    bencher.bench_local(|| model.log_prob(x.as_ref()));
}

/// To an optimality gap of 1e-8: points, experts.
#[divan::bench(args = [(1000, 3), (100_000, 3), (100_000, 10)], sample_count = 5)]
fn stacking_weights(bencher: Bencher, (n, experts): (usize, usize)) {
    let table = log_density_table(n, experts);
    bencher.bench_local(|| {
        let source = Source::HeldOut {
            table: table.as_ref(),
            weights: None,
        };
        let learned = STACKING.learn(&source, 1).unwrap();
        assert!(learned.optimality_gap <= 1e-8);
        learned
    });
}
