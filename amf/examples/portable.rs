//! Fingerprints of everything that is computed, for comparison between CPUs and numbers of threads.
//!
//! `cargo run --release -p amf --example portable [threads]` prints a name and a hash of bits in each line; `tests/portable.sh` compares the lines.
//! In two dimensions the published networks take a short way past the matrix products of faer; the flows here are in six
//! dimensions, or have smooth units, so that its kernels do the work: wide and narrow products, whole and broken blocks.

#![allow(missing_docs, reason = "a program: what it prints is described above")]

#[path = "../benches/common/mod.rs"]
mod common;

use amf::WeightData;
use amf::metrics::TargetSet;
use common::{STACKING, architecture, curved, fit_config, log_density_table, smooth_rbig, train};
use density::{Affine, Data, Density};
use flows::{Activation, Architecture, Batch, Flow};
use numerics::matrix::col;
use numerics::random::stream;
use rbig::{Rbig, RbigConfig};

fn main() {
    let threads = std::env::args().nth(1).map_or(2, |a| a.parse().unwrap());
    common::with_threads(threads, || {
        // Emulation is a thousand times slower than the kernels: few layers, few steps, but batches in several chunks and lanes.
        for (name, d, batch) in [
            ("realnvp", 6, 1000),
            ("realnvp shared", 3, 77),
            ("maf", 6, 1000),
            ("maf", 13, 256),
        ] {
            let small = short(architecture(name));
            trained(&format!("{name} d={d} n={batch}"), &small, d, batch);
        }
        for name in ["realnvp", "maf"] {
            let smooth = tanh(short(architecture(name)), vec![50, 30]);
            trained(&format!("{name} smooth d=2 n=1000"), &smooth, 2, 1000);
        }
        // More to add up than a kernel takes in one go.
        let wide = tanh(short(architecture("realnvp shared")), vec![600, 40]);
        trained("realnvp wide d=4 n=300", &wide, 4, 300);
        for (name, config) in [
            ("published", RbigConfig::published()),
            ("smooth", smooth_rbig(2)),
        ] {
            let x = curved(800, 6);
            let rng = &mut stream(1, "rbig");
            let model = Rbig::fit(Data::new(x.as_ref()), None, &config, rng).unwrap();
            print(&format!("rbig {name}"), &model.log_prob(x.as_ref()));
        }
        let table = log_density_table(1000, 6);
        let source = Source::HeldOut {
            table: table.as_ref(),
            weights: None,
        };
        print("stacking", &STACKING.learn(&source, 1).unwrap().pi);
        let (x, y) = (curved(200, 2), curved(400, 2).subrows(200, 200).to_owned());
        let m = TargetSet::new(x.as_ref())
            .unwrap()
            .compare(y.as_ref())
            .unwrap();
        let all = [
            m.kl_kde.unwrap(),
            m.w2,
            m.sliced_w2,
            m.mmd_unbiased,
            m.mmd_biased,
        ];
        print("metrics", &all);
    });
}

/// Two layers of it.
fn short(mut architecture: Architecture) -> Architecture {
    match &mut architecture {
        Architecture::RealNvp { couplings: n, .. } | Architecture::Maf { layers: n, .. } => *n = 2,
    }
    architecture
}

/// It with smooth units and other widths.
fn tanh(mut architecture: Architecture, widths: Vec<usize>) -> Architecture {
    match &mut architecture {
        Architecture::RealNvp {
            hidden, activation, ..
        }
        | Architecture::Maf {
            hidden, activation, ..
        } => {
            *hidden = widths;
            *activation = Activation::Tanh;
        }
    }
    architecture
}

/// A few steps of training; then parameters, scores and draws.
fn trained(name: &str, architecture: &Architecture, d: usize, batch: usize) {
    let x = curved(1000, d);
    let rng = &mut stream(1, "init");
    let mut flow = Flow::new(architecture, Affine::identity(d), rng).unwrap();
    train(&mut flow, x.as_ref(), &fit_config(2, Batch::Size(batch)));
    print(&format!("{name} parameters"), flow.params());
    print(
        &format!("{name} log_prob"),
        &flow.log_prob(x.as_ref().subrows(0, 300)),
    );
    let draws = flow.sample(150, &mut stream(1, "sample"));
    let columns: Vec<f64> = (0..d)
        .flat_map(|j| col(draws.as_ref(), j).to_vec())
        .collect();
    print(&format!("{name} sample"), &columns);
}

/// The name, and FNV-1a over the bits.
fn print(name: &str, values: &[f64]) {
    assert!(values.iter().all(|v| v.is_finite()), "{name}");
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in values.iter().flat_map(|v| v.to_bits().to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    println!("{name}: {hash:016x}");
}
