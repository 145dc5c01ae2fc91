//! Two-sample test by orthants.

use super::MetricError;
use super::points::Points;
use faer::MatRef;
use numerics::math::normal_cdf;
use serde::{Deserialize, Serialize};

/// The most coordinates that are looked at: there are 2^16 orthants then.
const MOST: usize = 16;

/// Whether two samples spread alike over the orthants around their medians.
///
/// With `s_j = 1` where coordinate j is above its median and -1 elsewhere, the means of all products `prod_{j
/// in S} s_j` (the Walsh functions; S any set of coordinates) give the probability of each orthant. The
/// statistic is the largest difference of such a mean between the samples, in standard errors `sqrt(1
/// / m + 1 / n)`, or less where the mean is far from zero: correlations are pairs, and an interaction of six
/// coordinates that no five of them show is a set of six.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrthantTest {
    /// The largest difference, in standard errors.
    pub z: f64,
    /// The coordinates S of that difference.
    pub coordinates: Vec<usize>,
    /// Probability of so large a difference by chance in any of the sets, at most (Bonferroni).
    pub p_value: f64,
}

impl OrthantTest {
    /// Compares samples `m x d` and `n x d` in their first 16 coordinates.
    ///
    /// # Errors
    /// Fewer than two points, other dimensions, coordinates that are not finite.
    pub fn of(target: MatRef<'_, f64>, model: MatRef<'_, f64>) -> Result<Self, MetricError> {
        let (target, model) = Points::pair(target, model)?;
        let dim = target.dim().min(MOST);
        let medians: Vec<f64> = (0..dim).map(|j| median(model.column(j))).collect();
        let mut a = shares(&target, &medians);
        let mut b = shares(&model, &medians);
        walsh_hadamard(&mut a);
        walsh_hadamard(&mut b);
        let (m, n) = (target.len() as f64, model.len() as f64);
        let score = |s: usize| {
            // The variance of a product of signs with mean v is 1 - v^2, of both samples together.
            let mean = (m * a[s] + n * b[s]) / (m + n);
            let variance = (1.0 - mean * mean).max(1.0 / (m + n)) * (1.0 / m + 1.0 / n);
            (a[s] - b[s]).abs() / variance.sqrt()
        };
        let sets = 1..1usize << dim;
        let (z, set) =
            sets.map(|s| (score(s), s)).fold(
                (0.0, 0),
                |best, now| if now.0 > best.0 { now } else { best },
            );
        let count = ((1usize << dim) - 1) as f64;
        Ok(Self {
            z,
            coordinates: (0..dim).filter(|j| set >> j & 1 == 1).collect(),
            p_value: (count * 2.0 * normal_cdf(-z)).min(1.0),
        })
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    let middle = sorted.len() / 2;
    *sorted.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// The share of points in each orthant; bit j of its number is set where coordinate j is below its
/// median.
fn shares(points: &Points, medians: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; 1 << medians.len()];
    for i in 0..points.len() {
        let below = |j: &usize| points.column(*j)[i] < medians[*j];
        let orthant: usize = (0..medians.len()).filter(below).map(|j| 1 << j).sum();
        out[orthant] += 1.0 / points.len() as f64;
    }
    out
}

/// The means of all products of signs from the shares of all orthants, in place.
fn walsh_hadamard(values: &mut [f64]) {
    let mut half = 1;
    while half < values.len() {
        for block in values.chunks_mut(2 * half) {
            let (a, b) = block.split_at_mut(half);
            for (x, y) in a.iter_mut().zip(b) {
                (*x, *y) = (*x + *y, *x - *y);
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use faer::Mat;
    use numerics::random::{standard_normal, stream};

    fn normal(n: usize, d: usize, label: &str) -> Mat<f64> {
        let mut rng = stream(1, label);
        Mat::from_fn(n, d, |_, _| standard_normal(&mut rng))
    }

    #[test]
    fn a_sign_that_no_five_coordinates_show_is_found() {
        // Normal draws with an even number of negative coordinates among six.
        let mut x = normal(1000, 6, "even");
        for i in 0..1000 {
            let negative = (0..6).filter(|&j| x[(i, j)] < 0.0).count();
            if negative % 2 == 1 {
                x[(i, 0)] = -x[(i, 0)];
            }
        }
        let all = normal(20_000, 6, "all");
        let found = OrthantTest::of(x.as_ref(), all.as_ref()).unwrap();
        assert!(found.p_value < 1e-6, "{found:?}");
        assert_eq!(found.coordinates, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn correlations_are_named_and_equal_samples_pass() {
        let mut x = normal(2000, 4, "correlated");
        for i in 0..2000 {
            x[(i, 3)] += 0.5 * x[(i, 1)];
        }
        let found = OrthantTest::of(x.as_ref(), normal(5000, 4, "plain").as_ref()).unwrap();
        assert_eq!(found.coordinates, [1, 3]);
        let mut small = 0;
        for s in 0..50 {
            let (x, y) = (
                normal(300, 5, &format!("x{s}")),
                normal(3000, 5, &format!("y{s}")),
            );
            let found = OrthantTest::of(x.as_ref(), y.as_ref()).unwrap();
            small += usize::from(found.p_value < 0.1);
        }
        assert!(small <= 10, "{small} of 50");
        // More coordinates than are looked at.
        let wide = OrthantTest::of(normal(50, 20, "a").as_ref(), normal(50, 20, "b").as_ref());
        assert!(wide.unwrap().p_value > 0.001);
    }
}
