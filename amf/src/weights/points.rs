//! A checked table of log-densities, and the sums over its points that the rules need.

use super::data::WeightError;
use faer::prelude::*;
use numerics::math::{dot, exp, ln, sum};
use numerics::matrix::{col, col_mut};
use std::ops::Range;

/// Log-densities of some points, checked, and the densities relative to the best expert of each
/// point.
pub(super) struct Points {
    pub(super) log: Mat<f64>,
    /// `exp(ln q_k(x_n) - max_k ln q_k(x_n))`, n x K.
    pub(super) relative: Mat<f64>,
    /// Weights of the points, with sum one.
    pub(super) weights: Vec<f64>,
}

impl Points {
    pub(super) fn new(log: Mat<f64>, weights: Option<&[f64]>) -> Result<Self, WeightError> {
        let (n, k) = (log.nrows(), log.ncols());
        if n == 0 {
            return Err(WeightError::Empty);
        }
        let mut max = vec![f64::NEG_INFINITY; n];
        for expert in 0..k {
            for (point, (m, &value)) in max.iter_mut().zip(col(log.as_ref(), expert)).enumerate() {
                if value.is_nan() || value == f64::INFINITY {
                    return Err(WeightError::BadDensity {
                        expert,
                        point,
                        value,
                    });
                }
                *m = m.max(value);
            }
        }
        let weights = match weights {
            None => vec![1.0 / n as f64; n],
            Some(w) => {
                let total = sum(w);
                w.iter().map(|w| w / total).collect()
            }
        };
        if let Some(point) = (0..n).find(|&i| max[i] == f64::NEG_INFINITY && weights[i] > 0.0) {
            return Err(WeightError::Impossible { point });
        }
        let mut relative = Mat::zeros(n, k);
        for expert in 0..k {
            let from = col(log.as_ref(), expert);
            for ((r, l), m) in col_mut(relative.as_mut(), expert)
                .iter_mut()
                .zip(from)
                .zip(&max)
            {
                *r = if *m == f64::NEG_INFINITY {
                    1.0
                } else {
                    exp(l - m)
                };
            }
        }
        Ok(Self {
            log,
            relative,
            weights,
        })
    }

    /// Weighted mean of `ln q_k`.
    pub(super) fn mean(&self, k: usize) -> f64 {
        let terms: Vec<f64> = col(self.log.as_ref(), k)
            .iter()
            .zip(&self.weights)
            .map(|(l, w)| if *w == 0.0 { 0.0 } else { l * w })
            .collect();
        sum(&terms)
    }

    /// The same points for some of the experts.
    pub(super) fn among(&self, experts: &[usize]) -> Result<Self, WeightError> {
        let log = Mat::from_fn(self.log.nrows(), experts.len(), |i, k| {
            self.log[(i, experts[k])]
        });
        Self::new(log, Some(&self.weights))
    }

    /// Ranges of points whose rows of the table fit into a core's cache.
    pub(super) fn tiles(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        const TILE: usize = 4096;
        let n = self.weights.len();
        (0..n).step_by(TILE).map(move |i| i..n.min(i + TILE))
    }

    /// `r_nk` of one expert for some of the points.
    pub(super) fn relative(&self, k: usize, points: &Range<usize>) -> &[f64] {
        &col(self.relative.as_ref(), k)[points.clone()]
    }

    /// `s_n = sum_k pi_k r_nk` for some of the points.
    pub(super) fn mixture(&self, pi: &[f64], points: &Range<usize>, s: &mut [f64]) {
        s.fill(0.0);
        for (k, &p) in pi.iter().enumerate() {
            if p != 0.0 {
                for (s, r) in s.iter_mut().zip(self.relative(k, points)) {
                    *s += p * r;
                }
            }
        }
    }

    /// The gains `g_k = mean_n q_k(x_n) / q(x_n)`; their common factors `w_n / s_n` are stored in
    /// `quotients`.
    pub(super) fn gains(&self, pi: &[f64], quotients: &mut Vec<f64>) -> Vec<f64> {
        quotients.resize(self.weights.len(), 0.0);
        let mut gains = vec![0.0; pi.len()];
        for tile in self.tiles() {
            let quotients = &mut quotients[tile.clone()];
            self.mixture(pi, &tile, quotients);
            for (q, w) in quotients.iter_mut().zip(&self.weights[tile.clone()]) {
                *q = if *w == 0.0 { 0.0 } else { w / *q };
            }
            for (k, g) in gains.iter_mut().enumerate() {
                *g += dot(self.relative(k, &tile), quotients);
            }
        }
        gains
    }

    pub(super) fn optimality_gap(&self, pi: &[f64]) -> f64 {
        let gains = self.gains(pi, &mut Vec::new());
        gains.into_iter().fold(f64::NEG_INFINITY, f64::max) - 1.0
    }

    /// `mean_n ln s_n`: the objective, up to a constant.
    pub(super) fn objective(&self, pi: &[f64]) -> f64 {
        let mut terms = Vec::new();
        let mut total = 0.0;
        for tile in self.tiles() {
            terms.resize(tile.len(), 0.0);
            self.mixture(pi, &tile, &mut terms);
            for (t, w) in terms.iter_mut().zip(&self.weights[tile]) {
                *t = if *w == 0.0 { 0.0 } else { w * ln(*t) };
            }
            total += sum(&terms);
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{STACKING, learn, table};
    use super::super::{WeightData, WeightError};
    use super::*;

    #[test]
    fn many_points_are_summed_tile_by_tile() {
        // Every point of a small table 150 times: the same weights, from several tiles and a broken
        // one.
        let small = table(60, 4, 11);
        let many = Mat::from_fn(9000, 4, |i, k| small[(i % 60, k)]);
        let (a, b) = (learn(STACKING, &small), learn(STACKING, &many));
        assert!(b.optimality_gap <= 1e-10);
        for (a, b) in a.pi.iter().zip(&b.pi) {
            assert!((a - b).abs() < 1e-9, "{a} {b}");
        }
    }

    #[test]
    fn bad_tables_are_refused() {
        let learn = |t: Mat<f64>| {
            STACKING.learn(
                &WeightData::HeldOut {
                    table: t.as_ref(),
                    weights: None,
                },
                1,
            )
        };
        let nan = Mat::from_fn(3, 2, |i, k| if (i, k) == (1, 1) { f64::NAN } else { 0.0 });
        assert!(matches!(
            learn(nan),
            Err(WeightError::BadDensity {
                expert: 1,
                point: 1,
                ..
            })
        ));
        let none = Mat::from_fn(3, 2, |i, _| if i == 2 { f64::NEG_INFINITY } else { 0.0 });
        assert_eq!(learn(none), Err(WeightError::Impossible { point: 2 }));
        assert_eq!(learn(Mat::zeros(0, 2)), Err(WeightError::Empty));
    }
}
