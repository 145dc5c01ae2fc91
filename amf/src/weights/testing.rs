//! Tables and rules that the tests of several files need.

use super::{LearnedWeights, WeightData, WeightRule};
use faer::prelude::*;
use numerics::random::{standard_normal, stream, uniform};

pub(super) const STACKING: WeightRule = WeightRule::Stacking {
    tolerance: 1e-10,
    max_iterations: 1000,
    batch: 1000,
};

pub(super) fn table(n: usize, k: usize, seed: u64) -> Mat<f64> {
    let mut rng = stream(seed, "table");
    let scale = 1.0 + uniform(&mut rng) * 3.0;
    Mat::from_fn(n, k, |_, j| {
        scale * standard_normal(&mut rng) - 0.3 * j as f64
    })
}

pub(super) fn learn(rule: WeightRule, table: &Mat<f64>) -> LearnedWeights {
    rule.learn(
        &WeightData::HeldOut {
            table: table.as_ref(),
            weights: None,
        },
        1,
    )
    .unwrap()
}
