//! Selection of the experts that are stacked.

use super::data::WeightError;
use super::points::Points;
use numerics::math::{ln, sum};
use numerics::matrix::{col, select_rows};
use numerics::random::{permutation, stream};

impl Points {
    /// Experts whose mean log-density is at most `standard_errors` standard errors of the
    /// difference below the best one's.
    pub(super) fn not_clearly_worse(&self, standard_errors: f64) -> Vec<usize> {
        let means: Vec<f64> = (0..self.log.ncols()).map(|k| self.mean(k)).collect();
        let best = (0..means.len()).fold(0, |a, b| if means[b] > means[a] { b } else { a });
        if !means[best].is_finite() {
            return (0..means.len()).collect();
        }
        let clear = |k: usize| {
            let gap = means[best] - means[k];
            let (own, others) = (col(self.log.as_ref(), best), col(self.log.as_ref(), k));
            let squares: Vec<f64> = own
                .iter()
                .zip(others)
                .zip(&self.weights)
                .map(|((a, b), w)| if *w == 0.0 { 0.0 } else { w * (a - b - gap) })
                .map(|v| v * v)
                .collect();
            // The factor n / (n - 1) is left out: it matters only for very few points.
            gap > standard_errors * sum(&squares).sqrt() || !gap.is_finite()
        };
        (0..means.len())
            .filter(|&k| k == best || !clear(k))
            .collect()
    }

    /// Whether stacking all experts gives a mean log-density more than `standard_errors` standard
    /// errors above that of stacking `some`, on points that the weights were not learned from
    /// (five-fold).
    pub(super) fn others_complement(
        &self,
        some: &[usize],
        standard_errors: f64,
        stack: &dyn Fn(&Self) -> (Vec<f64>, usize),
        seed: u64,
    ) -> Result<bool, WeightError> {
        const GROUPS: usize = 5;
        let n = self.weights.len();
        let place = permutation(&mut stream(seed, "weights/groups"), n);
        let mut gains = vec![0.0; n];
        for group in 0..GROUPS.min(n) {
            let (own, rest): (Vec<usize>, Vec<usize>) =
                (0..n).partition(|&i| place[i] % GROUPS == group);
            let rest: Vec<usize> = rest
                .into_iter()
                .filter(|&i| self.weights[i] > 0.0)
                .collect();
            if rest.is_empty() {
                return Ok(false);
            }
            let weights: Vec<f64> = rest.iter().map(|&i| self.weights[i]).collect();
            let table = select_rows(self.log.as_ref(), &rest);
            let all = Self::new(table, Some(&weights))?;
            let (with, _) = stack(&all);
            let (without, _) = stack(&all.among(some)?);
            for i in own {
                let with: f64 = (0..with.len())
                    .map(|k| with[k] * self.relative[(i, k)])
                    .sum();
                let without: f64 = some
                    .iter()
                    .zip(&without)
                    .map(|(&k, p)| p * self.relative[(i, k)])
                    .sum();
                gains[i] = match (with > 0.0, without > 0.0) {
                    (true, true) => ln(with) - ln(without),
                    // A point at which only one of the two has density zero is decisive.
                    (true, false) if self.weights[i] > 0.0 => return Ok(true),
                    (false, true) if self.weights[i] > 0.0 => return Ok(false),
                    _ => 0.0,
                };
            }
        }
        let terms: Vec<f64> = gains
            .iter()
            .zip(&self.weights)
            .map(|(g, w)| if *w == 0.0 { 0.0 } else { w * g })
            .collect();
        let gain = sum(&terms);
        let squares = gains.iter().zip(&self.weights).map(|(g, w)| {
            if *w == 0.0 {
                0.0
            } else {
                (w * (g - gain)) * (w * (g - gain))
            }
        });
        let error = sum(&squares.collect::<Vec<f64>>()).sqrt();
        Ok(gain > standard_errors * error)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{STACKING, learn};
    use super::super::{WeightData, WeightRule};
    use faer::prelude::*;
    use numerics::random::{standard_normal, stream};

    #[test]
    fn experts_that_complement_the_best_pass_the_screen() {
        // The second expert is far worse on most points and far better on every tenth pair.
        let n = 1000;
        let good = |i: usize| i % 10 < 2;
        let table = |noise: f64| {
            let mut rng = stream(3, "complement");
            Mat::from_fn(n, 2, |i, k| {
                let mean = match (k, good(i)) {
                    (0, _) => -1.0,
                    (_, true) => 2.0,
                    (_, false) => -6.0,
                };
                mean + noise * standard_normal(&mut rng)
            })
        };
        let rule = WeightRule::ScreenedStacking {
            standard_errors: 2.0,
            tolerance: 1e-10,
            max_iterations: 1000,
            batch: 1,
        };
        let whole = table(0.1);
        let (screened, all) = (learn(rule, &whole).pi, learn(rule.unscreened(), &whole).pi);
        assert!(
            (screened[1] - all[1]).abs() < 1e-9 && screened[1] > 0.1,
            "{screened:?} {all:?}"
        );
        // Points where the first expert has density zero prevent the others from being screened
        // out.
        let mut excluded = whole.clone();
        (0..n)
            .filter(|&i| good(i))
            .for_each(|i| excluded[(i, 0)] = f64::NEG_INFINITY);
        let learned = learn(rule, &excluded);
        assert!(learned.pi.iter().all(|p| *p > 0.1), "{:?}", learned.pi);
    }

    #[test]
    fn screening_drops_the_clearly_worse_and_changes_nothing_else() {
        let mut rng = stream(8, "screen");
        // The second is as good as the first on average, the third worse by 0.3 with a standard
        // error of 0.03; the fourth has density zero at one point.
        let mut log = Mat::zeros(1000, 4);
        for i in 0..1000 {
            let base = standard_normal(&mut rng);
            log[(i, 0)] = base;
            log[(i, 1)] = base + standard_normal(&mut rng);
            log[(i, 2)] = base - 0.3 + standard_normal(&mut rng);
            log[(i, 3)] = if i == 5 { f64::NEG_INFINITY } else { base };
        }
        let screened = |standard_errors| WeightRule::ScreenedStacking {
            standard_errors,
            tolerance: 1e-10,
            max_iterations: 500,
            batch: 1,
        };
        let learn = |rule: WeightRule, table: MatRef<'_, f64>| {
            let source = WeightData::HeldOut {
                table,
                weights: None,
            };
            rule.learn(&source, 1).unwrap()
        };
        let found = learn(screened(3.0), log.as_ref());
        assert_eq!(found.pi[2..], [0.0, 0.0]);
        assert!(found.optimality_gap <= 1e-10);
        let two = learn(STACKING, log.as_ref().subcols(0, 2));
        let same = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
        assert!(same(&found.pi[..2], &two.pi));
        // At a million standard errors only the expert with density zero is left out.
        let all = learn(screened(1e6), log.as_ref());
        let three = learn(STACKING, log.as_ref().subcols(0, 3));
        assert!(same(&all.pi[..3], &three.pi));
    }
}
