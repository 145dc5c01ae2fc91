//! Two-sample test by nearest neighbours.

use super::MetricError;
use super::points::Points;
use faer::MatRef;
use numerics::math::{dot, sum};
use numerics::random::{Pcg64, shuffle};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Relabellings: the smallest p-value is 0.001.
const RELABELLINGS: usize = 999;

/// Whether two samples come from one distribution: how often a point's nearest neighbours are of its own
/// sample.
///
/// With N = m + n points in all, the statistic is the share of the `k N` pairs of a point and one of its k
/// nearest neighbours that lie in one sample; where both samples come from one distribution its mean is
/// `(m (m - 1) + n (n - 1)) / (N (N - 1))`, one half for equal sizes. It sees differences that no
/// projection on one coordinate shows, and needs no training.
///
/// Source: Schilling (1986), J. Am. Stat. Assoc. 81; Henze (1988), Ann. Stat. 16.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeighbourTest {
    /// The share of neighbours that are of the point's own sample.
    pub share: f64,
    /// Its mean where the samples come from one distribution.
    pub expected: f64,
    /// Probability of at least this share by chance: the share of relabelled samples with one as large, which
    /// is valid for any sizes.
    pub p_value: f64,
}

impl NeighbourTest {
    /// Compares samples `m x d` and `n x d` by the `neighbours` nearest points, in units of the pooled
    /// standard deviation of each coordinate. Takes `(m + n)^2 d` operations.
    ///
    /// # Errors
    /// Fewer than two points or not more points than neighbours in all, other dimensions, coordinates that
    /// are not finite or whose squares overflow.
    pub fn of(
        target: MatRef<'_, f64>,
        model: MatRef<'_, f64>,
        neighbours: usize,
        rng: &mut Pcg64,
    ) -> Result<Self, MetricError> {
        let (target, model) = Points::pair(target, model)?;
        let (m, n) = (target.len(), model.len());
        let all = m + n;
        if all <= neighbours {
            return Err(MetricError::TooFew {
                set: "pooled",
                needed: neighbours + 1,
                got: all,
            });
        }
        let rows = standardised_rows(&target, &model)?;
        let nearest = nearest(&rows, target.dim(), neighbours);
        let pairs = (all * neighbours) as f64;
        let share = |of_target: &[bool]| {
            let own = nearest.iter().zip(of_target);
            let count: usize = own
                .map(|(near, own)| near.iter().filter(|i| of_target[**i] == *own).count())
                .sum();
            count as f64 / pairs
        };
        let mut labels: Vec<bool> = (0..all).map(|i| i < m).collect();
        let found = share(&labels);
        let mut as_large = 1;
        for _ in 0..RELABELLINGS {
            shuffle(rng, &mut labels);
            as_large += usize::from(share(&labels) >= found);
        }
        let (m, n) = (m as f64, n as f64);
        Ok(Self {
            share: found,
            expected: (m * (m - 1.0) + n * (n - 1.0)) / ((m + n) * (m + n - 1.0)),
            p_value: as_large as f64 / (RELABELLINGS + 1) as f64,
        })
    }
}

/// The points one after the other, each coordinate in units of its pooled standard deviation.
fn standardised_rows(target: &Points, model: &Points) -> Result<Vec<f64>, MetricError> {
    let (all, dim) = (target.len() + model.len(), target.dim());
    let mut rows = vec![0.0; all * dim];
    for j in 0..dim {
        let column: Vec<f64> = [target.column(j), model.column(j)].concat();
        let mean = sum(&column) / all as f64;
        let centred: Vec<f64> = column.iter().map(|v| v - mean).collect();
        let sd = (dot(&centred, &centred) / all as f64).sqrt();
        if !sd.is_finite() {
            return Err(MetricError::Overflow);
        }
        // A constant coordinate tells nothing.
        let scale = if sd > 0.0 { 1.0 / sd } else { 0.0 };
        for (i, v) in centred.iter().enumerate() {
            rows[i * dim + j] = v * scale;
        }
    }
    Ok(rows)
}

/// The k nearest other points of each point; of equally near ones the first.
fn nearest(rows: &[f64], dim: usize, k: usize) -> Vec<Vec<usize>> {
    let all = rows.len() / dim;
    (0..all)
        .into_par_iter()
        .map(|i| {
            let own = &rows[i * dim..(i + 1) * dim];
            let mut near: Vec<(f64, usize)> = (0..all)
                .filter(|j| *j != i)
                .map(|j| {
                    let other = &rows[j * dim..(j + 1) * dim];
                    let squares = own.iter().zip(other).map(|(a, b)| (a - b) * (a - b));
                    (squares.sum(), j)
                })
                .collect();
            let order =
                |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
            near.select_nth_unstable_by(k - 1, order);
            near.truncate(k);
            near.into_iter().map(|n| n.1).collect()
        })
        .collect()
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

    fn test(x: &Mat<f64>, y: &Mat<f64>) -> NeighbourTest {
        NeighbourTest::of(x.as_ref(), y.as_ref(), 10, &mut stream(2, "test")).unwrap()
    }

    #[test]
    fn samples_of_one_distribution_pass_at_the_nominal_rate() {
        let mut small = 0;
        for s in 0..40 {
            let (x, y) = (
                normal(150, 3, &format!("x{s}")),
                normal(150, 3, &format!("y{s}")),
            );
            let found = test(&x, &y);
            assert!((found.expected - 149.0 / 299.0).abs() < 1e-12);
            small += usize::from(found.p_value <= 0.1);
        }
        assert!((0..=10).contains(&small), "{small} of 40");
    }

    #[test]
    fn a_ring_is_not_a_normal() {
        // Both have mean zero and standard deviations of one.
        let mut ring = normal(500, 2, "ring");
        for i in 0..500 {
            let (a, b) = (ring[(i, 0)], ring[(i, 1)]);
            let scale = (2.0 / (a * a + b * b)).sqrt();
            ring[(i, 0)] *= scale;
            ring[(i, 1)] *= scale;
        }
        let found = test(&ring, &normal(500, 2, "all"));
        assert!(found.p_value == 0.001 && found.share > 0.6, "{found:?}");
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let (x, y) = (normal(4, 2, "x"), normal(4, 3, "y"));
        let of = |x: &Mat<f64>, y: &Mat<f64>| {
            NeighbourTest::of(x.as_ref(), y.as_ref(), 10, &mut stream(2, "test"))
        };
        assert!(matches!(
            of(&x, &y),
            Err(MetricError::UnequalDimensions { .. })
        ));
        assert!(matches!(of(&x, &x), Err(MetricError::TooFew { .. })));
        let huge = Mat::from_fn(20, 2, |i, _| if i == 0 { 1e200 } else { 0.0 });
        assert_eq!(of(&huge, &huge), Err(MetricError::Overflow));
    }
}
