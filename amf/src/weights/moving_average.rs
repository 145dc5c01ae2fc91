//! Moving averages of softmax weights (arXiv:2510.02056) and of responsibilities.

use super::batches::Batches;
use super::data::WeightError;
use super::points::Points;
use numerics::math::{exp, ln, ln_sum_exp};

/// Weights after the last step, and the points of that step.
pub(super) type Averaged = (Vec<f64>, Option<Points>);

/// `pi <- decay pi + (1 - decay) softmax_k(mean_n ln q_k(x_n))`, from k uniform weights.
pub(super) fn of_softmax(
    batches: &mut Batches<'_>,
    k: usize,
    decay: f64,
    steps: usize,
    batch: usize,
) -> Result<Averaged, WeightError> {
    let mut pi = vec![1.0 / k as f64; k];
    let mut last = None;
    for step in first_step_that_counts(decay, steps)..steps {
        let b = batches.take(step, batch)?;
        let means: Vec<f64> = (0..k).map(|k| b.mean(k)).collect();
        let total = ln_sum_exp(&means);
        for (p, m) in pi.iter_mut().zip(&means) {
            *p = decay * *p + (1.0 - decay) * exp(m - total);
        }
        last = Some(b);
    }
    Ok((pi, last))
}

/// Settings of [`of_responsibilities`], see [`super::WeightRule::SimplexMovingAverage`].
pub(super) struct Simplex {
    pub(super) decay: f64,
    pub(super) steps: usize,
    pub(super) batch: usize,
    pub(super) temperature: f64,
    pub(super) smoothing: f64,
    pub(super) floor: f64,
}

/// `pi <- decay pi + (1 - decay) r` with smoothed mean responsibilities r, floored and
/// renormalised, from k uniform weights.
pub(super) fn of_responsibilities(
    batches: &mut Batches<'_>,
    k: usize,
    settings: &Simplex,
) -> Result<Averaged, WeightError> {
    let &Simplex {
        decay,
        smoothing,
        floor,
        ..
    } = settings;
    let mut pi = vec![1.0 / k as f64; k];
    let mut last = None;
    for step in 0..settings.steps {
        let b = batches.take(step, settings.batch)?;
        let r = responsibilities(&b, &pi, settings.temperature);
        for (p, r) in pi.iter_mut().zip(&r) {
            let smooth = (1.0 - smoothing) * r + smoothing / k as f64;
            *p = (decay * *p + (1.0 - decay) * smooth).max(floor);
        }
        let total: f64 = pi.iter().sum();
        pi.iter_mut().for_each(|p| *p /= total);
        last = Some(b);
    }
    Ok((pi, last))
}

/// The first step of a moving average whose share in the result is not below 2^-60.
fn first_step_that_counts(decay: f64, steps: usize) -> usize {
    let mut share = 1.0;
    for back in 0..steps {
        if share < 8.7e-19 {
            return steps - back;
        }
        share *= decay;
    }
    0
}

/// Mean responsibilities at a temperature.
fn responsibilities(points: &Points, pi: &[f64], temperature: f64) -> Vec<f64> {
    let log_pi: Vec<f64> = pi.iter().map(|&p| ln(p)).collect();
    let mut mean = vec![0.0; pi.len()];
    let mut terms = vec![0.0; pi.len()];
    for (i, w) in points.weights.iter().enumerate() {
        for (k, t) in terms.iter_mut().enumerate() {
            *t = (points.log[(i, k)] + log_pi[k]) / temperature;
        }
        let total = ln_sum_exp(&terms);
        for (m, t) in mean.iter_mut().zip(&terms) {
            *m += w * exp(t - total);
        }
    }
    mean
}

#[cfg(test)]
mod tests {
    use super::super::testing::{STACKING, learn, table};
    use super::super::{WeightData, WeightRule};
    use super::*;
    use numerics::matrix::col;

    #[test]
    fn moving_average_equals_the_plain_recursion() {
        let draw = |step: usize, n: usize| table(n, 3, step as u64);
        let source = WeightData::Fresh {
            experts: 3,
            draw: &draw,
        };
        let rule = WeightRule::MovingAverage {
            decay: 0.9,
            steps: 600,
            batch: 40,
        };
        let learned = rule.learn(&source, 1).unwrap();
        let mut pi = [1.0 / 3.0; 3];
        for step in 0..600 {
            let t = draw(step, 40);
            let means: Vec<f64> = (0..3)
                .map(|k| col(t.as_ref(), k).iter().sum::<f64>() / 40.0)
                .collect();
            let total: f64 = means.iter().map(|&m| exp(m)).sum();
            for k in 0..3 {
                pi[k] = 0.9 * pi[k] + 0.1 * exp(means[k]) / total;
            }
        }
        for (a, b) in learned.pi.iter().zip(&pi) {
            assert!((a - b).abs() < 1e-14, "{a} {b}");
        }
        assert!(first_step_that_counts(0.9, 600) > 100);
        assert_eq!(first_step_that_counts(0.9, 50), 0);
    }

    #[test]
    fn simplex_moving_average_settles_where_responsibilities_do() {
        // At temperature 1 without smoothing a fixed point has mean responsibility = weight: the
        // stacking optimum.
        let t = table(500, 3, 8);
        let rule = WeightRule::SimplexMovingAverage {
            decay: 0.9,
            steps: 5000,
            batch: 500,
            temperature: 1.0,
            smoothing: 0.0,
            floor: 0.0,
        };
        let (a, b) = (learn(rule, &t), learn(STACKING, &t));
        for (a, b) in a.pi.iter().zip(&b.pi) {
            assert!((a - b).abs() < 1e-4, "{a} {b}");
        }
    }
}
