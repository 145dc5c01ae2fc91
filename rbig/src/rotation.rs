//! Rotations between the marginal steps: orthogonal matrices, log-determinant zero.

use crate::columns::Columns;
use crate::negentropy::raw_negentropy;
use numerics::math::{dot, sum};
use numerics::random::{Pcg64, standard_normal};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// How the rotation that follows a marginal step is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum RotationKind {
    /// Uniform over the orthogonal matrices (Haar).
    Random,
    /// The principal axes: eigenvectors of the covariance of the layer's output. In two dimensions
    /// the output has equal variances, so the axes are always the diagonals and later layers add
    /// little.
    Pca,
    /// The principal axes after the first layer, random ones after the others.
    PcaThenRandom,
    /// Of `candidates` rotations (the principal axes, and random ones) the one whose marginals are
    /// farthest from normal, by the sum of their negentropies.
    MostNonGaussian {
        /// How many rotations are compared, >= 1.
        candidates: usize,
    },
}

/// An orthogonal matrix Q that acts on rows: `y = x Q` forward, `x = y Q^T` inverse.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rotation {
    dim: usize,
    /// Column-major.
    matrix: Vec<f64>,
}

impl Rotation {
    /// For `layer` (from zero) of a model, after whose marginal step the rows are `x`.
    pub fn choose(
        kind: RotationKind,
        layer: usize,
        x: &Columns,
        shares: &[f64],
        rng: &mut Pcg64,
    ) -> Self {
        if x.dim() == 1 {
            return Self::identity(1);
        }
        match kind {
            RotationKind::Random => Self::random(x.dim(), rng),
            RotationKind::Pca => Self::principal(x, shares),
            RotationKind::PcaThenRandom if layer == 0 => Self::principal(x, shares),
            RotationKind::PcaThenRandom => Self::random(x.dim(), rng),
            RotationKind::MostNonGaussian { candidates } => {
                let mut tried = vec![Self::principal(x, shares)];
                tried.extend((1..candidates).map(|_| Self::random(x.dim(), rng)));
                let scores: Vec<f64> = tried.par_iter().map(|r| r.score(x, shares)).collect();
                let mut best = 0;
                for (k, score) in scores.iter().enumerate() {
                    if *score > scores[best] {
                        best = k;
                    }
                }
                tried.swap_remove(best)
            }
        }
    }

    /// Q row by row.
    pub fn rows(&self) -> Vec<f64> {
        let d = self.dim;
        (0..d * d).map(|k| self.matrix[k % d * d + k / d]).collect()
    }

    /// The inverse of [`Self::rows`]; `None` unless the rows are those of an orthogonal matrix, to
    /// rounding.
    pub fn from_rows(dim: usize, rows: &[f64]) -> Option<Self> {
        if Some(rows.len()) != dim.checked_mul(dim) {
            return None;
        }
        let orthogonal = (0..dim).all(|a| {
            (0..=a).all(|b| {
                let inner = dot(&rows[a * dim..][..dim], &rows[b * dim..][..dim]);
                let expected = if a == b { 1.0 } else { 0.0 };
                (inner - expected).abs() < 1e-9
            })
        });
        orthogonal.then(|| Self {
            dim,
            matrix: (0..dim * dim)
                .map(|k| rows[k % dim * dim + k / dim])
                .collect(),
        })
    }

    pub fn identity(dim: usize) -> Self {
        let mut matrix = vec![0.0; dim * dim];
        for j in 0..dim {
            matrix[j * dim + j] = 1.0;
        }
        Self { dim, matrix }
    }

    /// Gram-Schmidt on normal draws, with positive diagonal in the triangular factor: uniform
    /// (Haar).
    pub fn random(dim: usize, rng: &mut Pcg64) -> Self {
        let mut matrix: Vec<f64> = (0..dim * dim).map(|_| standard_normal(rng)).collect();
        // Not faer's QR: the order of its sums, and so the bits, depend on the width of the CPU's
        // vectors. Two sweeps of modified Gram-Schmidt are orthogonal to rounding (Giraud et al.
        // 2005).
        for j in 0..dim {
            let (done, rest) = matrix.split_at_mut(j * dim);
            let column = &mut rest[..dim];
            for _ in 0..2 {
                for q in done.chunks(dim) {
                    let along = dot(q, column);
                    for (c, q) in column.iter_mut().zip(q) {
                        *c -= along * q;
                    }
                }
            }
            let length = dot(column, column).sqrt();
            for c in column {
                *c /= length;
            }
        }
        Self { dim, matrix }
    }

    /// Eigenvectors of the weighted covariance, by decreasing eigenvalue, each with its largest
    /// entry positive.
    pub fn principal(x: &Columns, shares: &[f64]) -> Self {
        let dim = x.dim();
        let centred: Vec<Vec<f64>> = (0..dim)
            .map(|j| {
                let mean = dot(x.column(j), shares);
                x.column(j).iter().map(|v| v - mean).collect()
            })
            .collect();
        let mut covariance = vec![0.0; dim * dim];
        for j in 0..dim {
            let weighted: Vec<f64> = centred[j].iter().zip(shares).map(|(v, s)| v * s).collect();
            for i in 0..=j {
                let c = dot(&weighted, &centred[i]);
                covariance[j * dim + i] = c;
                covariance[i * dim + j] = c;
            }
        }
        Self {
            dim,
            matrix: eigenvectors(covariance, dim),
        }
    }

    /// The sum of the negentropies of the rotated columns.
    fn score(&self, x: &Columns, shares: &[f64]) -> f64 {
        const MOST_ROWS: usize = 2000;
        let skip = x.rows().div_ceil(MOST_ROWS);
        let part = x.every(skip);
        let weights: Vec<f64> = shares.iter().step_by(skip).copied().collect();
        let mut rotated = vec![0.0; part.rows() * self.dim];
        self.forward(part.as_slice(), &mut rotated, part.rows());
        let each: Vec<f64> = rotated
            .chunks(part.rows())
            .map(|c| raw_negentropy(c, Some(&weights)))
            .collect();
        sum(&each)
    }

    /// `y = x Q` for column-major `rows x dim` blocks.
    ///
    /// Plain loops, not a matrix product from a library: each row's bits are the same in a block of
    /// any size.
    pub fn forward(&self, x: &[f64], y: &mut [f64], rows: usize) {
        self.apply(x, y, rows, |i, j| self.matrix[j * self.dim + i]);
    }

    /// `x = y Q^T`.
    pub fn inverse(&self, y: &[f64], x: &mut [f64], rows: usize) {
        self.apply(y, x, rows, |i, j| self.matrix[i * self.dim + j]);
    }

    fn apply(
        &self,
        from: &[f64],
        to: &mut [f64],
        rows: usize,
        entry: impl Fn(usize, usize) -> f64,
    ) {
        if rows == 0 {
            return;
        }
        for (j, to) in to.chunks_exact_mut(rows).enumerate() {
            for (i, from) in from.chunks_exact(rows).enumerate() {
                let q = entry(i, j);
                if i == 0 {
                    for (t, f) in to.iter_mut().zip(from) {
                        *t = q * f;
                    }
                } else {
                    for (t, f) in to.iter_mut().zip(from) {
                        *t += q * f;
                    }
                }
            }
        }
    }
}

/// Eigenvectors of a symmetric matrix (column-major) by cyclic Jacobi rotations, in columns, by
/// decreasing eigenvalue.
///
/// Not faer's solver, for the reason given in [`Rotation::random`]; for the tens of columns here
/// Jacobi is fast and accurate (Golub and Van Loan, section 8.5).
fn eigenvectors(mut a: Vec<f64>, dim: usize) -> Vec<f64> {
    let mut v = Rotation::identity(dim).matrix;
    let at = |i: usize, j: usize| j * dim + i;
    for _sweep in 0..60 {
        let mut off = 0.0;
        let mut diagonal = 0.0;
        for j in 0..dim {
            diagonal += a[at(j, j)] * a[at(j, j)];
            for i in 0..j {
                off += a[at(i, j)] * a[at(i, j)];
            }
        }
        if off <= 1e-30 * diagonal {
            break;
        }
        for p in 0..dim {
            for q in p + 1..dim {
                if a[at(p, q)] == 0.0 {
                    continue;
                }
                let theta = (a[at(q, q)] - a[at(p, p)]) / (2.0 * a[at(p, q)]);
                let t = 1.0_f64.copysign(theta) / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for k in 0..dim {
                    let (kp, kq) = (a[at(k, p)], a[at(k, q)]);
                    a[at(k, p)] = c * kp - s * kq;
                    a[at(k, q)] = s * kp + c * kq;
                }
                for k in 0..dim {
                    let (pk, qk) = (a[at(p, k)], a[at(q, k)]);
                    a[at(p, k)] = c * pk - s * qk;
                    a[at(q, k)] = s * pk + c * qk;
                }
                for k in 0..dim {
                    let (kp, kq) = (v[at(k, p)], v[at(k, q)]);
                    v[at(k, p)] = c * kp - s * kq;
                    v[at(k, q)] = s * kp + c * kq;
                }
            }
        }
    }
    let mut order: Vec<usize> = (0..dim).collect();
    order.sort_by(|&i, &j| a[at(j, j)].total_cmp(&a[at(i, i)]));
    let mut sorted = Vec::with_capacity(dim * dim);
    for &j in &order {
        let column = &v[j * dim..(j + 1) * dim];
        let mut largest = 0.0_f64;
        for c in column {
            if c.abs() > largest.abs() {
                largest = *c;
            }
        }
        sorted.extend(column.iter().map(|c| c * 1.0_f64.copysign(largest)));
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use faer::Mat;
    use numerics::random::stream;

    fn assert_orthogonal(q: &Rotation) {
        for a in 0..q.dim {
            for b in 0..=a {
                let (x, y) = (
                    &q.matrix[a * q.dim..][..q.dim],
                    &q.matrix[b * q.dim..][..q.dim],
                );
                let expected = if a == b { 1.0 } else { 0.0 };
                assert!((dot(x, y) - expected).abs() < 1e-13);
            }
        }
    }

    #[test]
    fn random_rotations_are_orthogonal_and_uniform() {
        let mut rng = stream(1, "rotation");
        for dim in [1, 2, 3, 8, 40] {
            assert_orthogonal(&Rotation::random(dim, &mut rng));
        }
        // An entry of a uniform 3 x 3 rotation is uniform on (-1, 1): second moment 1/3, fourth
        // 1/5.
        let n = 20_000;
        let entries: Vec<f64> = (0..n)
            .map(|_| Rotation::random(3, &mut rng).matrix[4])
            .collect();
        let moment = |p| entries.iter().map(|v| v.powi(p)).sum::<f64>() / f64::from(n);
        assert!(moment(1).abs() < 0.02);
        assert!((moment(2) - 1.0 / 3.0).abs() < 0.01);
        assert!((moment(4) - 0.2).abs() < 0.01);
    }

    #[test]
    fn principal_axes_have_falling_variances_and_no_correlation() {
        let (n, dim) = (500, 6);
        let mut rng = stream(2, "rotation");
        let mix = Rotation::random(dim, &mut rng);
        let x = Mat::from_fn(n, dim, |_, j| (1.0 + j as f64) * standard_normal(&mut rng));
        let mut x = Columns::from_mat(x.as_ref());
        let mut spare = Vec::new();
        x.replace(&mut spare, |a, b, rows| mix.forward(a, b, rows));
        let before = x.clone();
        let shares = vec![1.0 / n as f64; n];
        let q = Rotation::principal(&x, &shares);
        assert_orthogonal(&q);
        x.replace(&mut spare, |a, b, rows| q.forward(a, b, rows));
        let mean: Vec<f64> = (0..dim).map(|j| dot(x.column(j), &shares)).collect();
        let covariance = |i: usize, j: usize| {
            let shared = dot(x.column(i), x.column(j)) / n as f64;
            shared - mean[i] * mean[j]
        };
        for i in 0..dim {
            for j in 0..i {
                assert!(covariance(i, j).abs() < 1e-11);
            }
            assert!(i == 0 || covariance(i, i) <= covariance(i - 1, i - 1));
        }
        x.replace(&mut spare, |a, b, rows| q.inverse(a, b, rows));
        for (a, b) in x.as_slice().iter().zip(before.as_slice()) {
            assert!((a - b).abs() < 1e-12);
        }
    }
}
