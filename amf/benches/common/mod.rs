//! What benchmarks and examples share: the published architectures, their data, and the reference
//! rate of faer's matrix products.

#![allow(
    dead_code,
    missing_docs,
    reason = "each program that includes this module uses a part of it"
)]

use amf::WeightRule;
use density::{Affine, Data, FitContext};
use faer::linalg::matmul::matmul;
use faer::prelude::*;
use faer::{Accum, Par};
use flows::{Activation, Architecture, Batch, FitConfig, Flow, LogScale, Nets, Ordering};
use numerics::math::{LN_2PI, ln, ln_sum_exp};
use numerics::random::{standard_normal, stream};
use rbig::{LayerRule, MarginalKind, RbigConfig, RotationKind};
use std::time::Instant;

/// The published architectures by name; `realnvp shared` has one network for each coupling instead
/// of two.
#[must_use]
pub fn architecture(name: &str) -> Architecture {
    let realnvp = |nets| Architecture::RealNvp {
        couplings: 8,
        hidden: vec![128, 128],
        activation: Activation::Relu,
        nets,
        log_scale: LogScale {
            bound: 0.5,
            knee: 1.0,
        },
        output_gain: 0.0,
    };
    match name {
        "realnvp" => realnvp(Nets::Separate),
        "realnvp shared" => realnvp(Nets::Shared),
        "maf" => Architecture::Maf {
            layers: 8,
            hidden: vec![64, 64],
            activation: Activation::Relu,
            ordering: Ordering::Reversed,
            log_scale: LogScale {
                bound: 5.0,
                knee: 5.0,
            },
            output_gain: 1.0,
        },
        _ => panic!("no architecture {name}"),
    }
}

/// The width of the hidden layers.
#[must_use]
pub fn width(name: &str) -> usize {
    if name == "maf" { 64 } else { 128 }
}

/// Independent standard normal numbers.
#[must_use]
pub fn points(n: usize, d: usize) -> Mat<f64> {
    let mut rng = stream(1, "bench");
    Mat::from_fn(n, d, |_, _| standard_normal(&mut rng))
}

/// Curved and correlated data: `x_j = e_j + x_{j-1}^2 / 4`, which keeps every method busy.
#[must_use]
pub fn curved(n: usize, d: usize) -> Mat<f64> {
    let mut x = points(n, d);
    for j in 1..d {
        for i in 0..n {
            let before = x[(i, j - 1)].clamp(-3.0, 3.0);
            x[(i, j)] += 0.25 * before * before;
        }
    }
    x
}

/// A flow as it is before training.
#[must_use]
pub fn flow(name: &str, d: usize) -> Flow {
    Flow::builder(&architecture(name), Affine::identity(d))
        .build(&mut stream(1, "init"))
        .unwrap()
}

/// Runs `f` on a pool of so many threads.
pub fn with_threads<T: Send>(threads: usize, f: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
        .install(f)
}

/// So many steps, without evaluations in between.
#[must_use]
pub fn fit_config(steps: usize, batch: Batch) -> FitConfig {
    FitConfig {
        steps,
        batch,
        // A step takes the same time at any rate; at a tiny one no fit goes astray, however often
        // it is repeated.
        learning_rate: 1e-9,
        schedule: autodiff::Schedule::Constant,
        adam: autodiff::AdamConfig::default(),
        clip_norm: None,
        evaluate_every: steps,
        patience: None,
    }
}

/// Multiply-adds of one density evaluation, for each row: the weights that the masks leave.
#[must_use]
pub fn multiply_adds(flow: &Flow) -> usize {
    let blocks = flow.param_blocks();
    let weights: Vec<_> = blocks.iter().filter(|b| b.shape.len() == 2).collect();
    let is_weight = |i: &usize| weights.iter().any(|b| b.range.contains(i));
    flow.trainable().iter().filter(|i| is_weight(i)).count()
}

/// Trains a flow.
pub fn train(flow: &mut Flow, x: MatRef<'_, f64>, config: &FitConfig) {
    let rng = &mut stream(1, "batches");
    flow.fit(Data::new(x), None, config, rng, &FitContext::default())
        .unwrap();
}

/// A dense layer of `width` inputs and outputs on n rows.
pub struct Products {
    n: usize,
    width: usize,
    x: Mat<f64>,
    d: Mat<f64>,
    weights: Mat<f64>,
    dw: Mat<f64>,
    out: Mat<f64>,
    dx: Mat<f64>,
}

impl Products {
    #[must_use]
    pub fn new(n: usize, width: usize) -> Self {
        Self {
            n,
            width,
            x: points(n, width),
            d: points(n, width),
            weights: points(width, width),
            dw: Mat::zeros(width, width),
            out: Mat::zeros(n, width),
            dx: Mat::zeros(n, width),
        }
    }

    /// Multiply-adds of the forward product.
    #[must_use]
    pub fn multiply_adds(&self) -> usize {
        self.n * self.width * self.width
    }

    /// `x W`.
    pub fn forward(&mut self) {
        let (x, w) = (self.x.as_ref(), self.weights.as_ref());
        matmul(self.out.as_mut(), Accum::Replace, x, w, 1.0, Par::Seq);
    }

    /// `x^T d` and `d W^T`.
    pub fn backward(&mut self) {
        let (x, d) = (self.x.transpose(), self.d.as_ref());
        matmul(self.dw.as_mut(), Accum::Add, x, d, 1.0, Par::Seq);
        let w = self.weights.transpose();
        matmul(self.dx.as_mut(), Accum::Replace, d, w, 1.0, Par::Seq);
    }
}

/// Seconds of one call.
pub fn seconds(f: impl FnOnce()) -> f64 {
    let start = Instant::now();
    f();
    start.elapsed().as_secs_f64()
}

/// Multiply-adds a second of faer's products on one thread: forward alone, or with both products of
/// the backward pass.
pub fn matmul_rate(products: &mut Products, backward: bool) -> f64 {
    let repeats = 20;
    let count = products.multiply_adds() * if backward { 3 } else { 1 } * repeats;
    let time = seconds(|| {
        for _ in 0..repeats {
            products.forward();
            if backward {
                products.backward();
            }
        }
    });
    count as f64 / time
}

#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    0.5 * (values[(n - 1) / 2] + values[n / 2])
}

/// Stacking to an optimality gap of 1e-8.
pub const STACKING: WeightRule = WeightRule::Stacking {
    tolerance: 1e-8,
    max_iterations: 1000,
    batch: 1000,
};

/// Log-densities of `experts` mixtures at n draws of a mixture of three Gaussians in the plane. The
/// experts are that mixture with its means moved and its widths changed, the later the more.
#[must_use]
pub fn log_density_table(n: usize, experts: usize) -> Mat<f64> {
    let means = [[-2.0, 0.0], [1.0, 1.5], [2.0, -1.5]];
    let mut rng = stream(3, "table");
    let draws: Vec<[f64; 2]> = (0..n)
        .map(|i| means[i % 3].map(|m| m + 0.7 * standard_normal(&mut rng)))
        .collect();
    let mut table = Mat::zeros(n, experts);
    for k in 0..experts {
        let error = 0.1 * (1 + k) as f64;
        let moved = means.map(|m| m.map(|v| v + error * standard_normal(&mut rng)));
        let width = 0.7 * (1.0 + 0.3 * error * standard_normal(&mut rng).abs());
        for (i, x) in draws.iter().enumerate() {
            let terms = moved.map(|m| {
                let square = (x[0] - m[0]) * (x[0] - m[0]) + (x[1] - m[1]) * (x[1] - m[1]);
                -LN_2PI - 2.0 * ln(width) - ln(3.0) - 0.5 * square / (width * width)
            });
            table[(i, k)] = ln_sum_exp(&terms);
        }
    }
    table
}

/// The smooth model with a fixed number of layers.
#[must_use]
pub fn smooth_rbig(layers: usize) -> RbigConfig {
    RbigConfig {
        layers: LayerRule::Count(layers),
        marginal: MarginalKind::smooth(),
        rotation: RotationKind::PcaThenRandom,
    }
}
