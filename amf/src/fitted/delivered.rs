//! What of a mixture is delivered: experts that add nothing only make files large and scoring slow.

use crate::cross_fit::CrossFitted;
use density::{Density, Mixture, mixture_log_prob};
use faer::prelude::*;
use numerics::math::{dot, sum};
use std::sync::Arc;

/// The most held-out likelihood that leaving experts out may cost, nats.
const LOST: f64 = 5e-4;
/// And the most weight that they may have together: a rule that gives experts weight means them to stay.
const SMALL: f64 = 0.02;

/// The fewest experts, those with the largest weights, whose mixture is as good as that of all within
/// [`LOST`] nats: their places, in ascending order, and the mixture with their weights scaled to sum one.
pub(super) fn delivered(fitted: &CrossFitted, shares: Option<&[f64]>) -> (Vec<usize>, Mixture) {
    let pi = &fitted.weights.pi;
    let table = fitted.out_of_fold.as_ref();
    let equal = vec![1.0 / table.nrows() as f64; table.nrows()];
    let shares = shares.unwrap_or(&equal);
    let mut order: Vec<usize> = (0..pi.len()).collect();
    order.sort_by(|&a, &b| pi[b].total_cmp(&pi[a]).then(a.cmp(&b)));
    let all = dot(&mixture_log_prob(table, pi), shares);
    let mut kept = order.len();
    for count in 1..order.len() {
        let own = &order[..count];
        if own.iter().map(|&k| pi[k]).sum::<f64>() < 1.0 - SMALL {
            continue;
        }
        let few = Mat::from_fn(table.nrows(), count, |i, k| table[(i, own[k])]);
        let log_q = mixture_log_prob(few.as_ref(), &scaled(pi, own));
        if all - dot(&log_q, shares) <= LOST {
            kept = count;
            break;
        }
    }
    let mut own = order[..kept].to_vec();
    own.sort_unstable();
    let average = |k: &usize| {
        let models = fitted.models[*k].iter();
        let models = models.map(|m| Box::new(Arc::clone(m)) as Box<dyn Density>);
        Box::new(Mixture::average(models.collect())) as Box<dyn Density>
    };
    let mixture = Mixture::new(own.iter().map(average).collect(), scaled(pi, &own));
    (own, mixture)
}

/// The weights of some experts, scaled to sum one.
fn scaled(pi: &[f64], own: &[usize]) -> Vec<f64> {
    let weights: Vec<f64> = own.iter().map(|&k| pi[k]).collect();
    let total = sum(&weights);
    weights.iter().map(|w| w / total).collect()
}
