//! Full-covariance Gaussian mixtures.

use crate::Density;
use crate::archive::{Description, NotSavable, Reader, Writer};
use crate::em::{Em, EmError, EmMixture, fitted_by_em};
use crate::trial::{SMALLEST_SCALE, in_range};
use faer::prelude::*;
use numerics::math::{LN_2PI, exp, ln};
use numerics::matrix::{col, col_mut};
use numerics::random::{Pcg64, categorical, fill_standard_normal};
use serde::{Deserialize, Serialize};

/// `p(x) = sum_k w_k N(x; m_k, L_k L_k^T)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaussianMixture {
    pub(crate) dim: usize,
    pub(crate) components: Vec<Component>,
}

/// One normal component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Component {
    pub(crate) weight: f64,
    pub(crate) mean: Vec<f64>,
    /// Lower Cholesky factor of the covariance, row by row.
    pub(crate) factor: Vec<f64>,
}

/// The numbers of a mixture, in the order that other programs use.
#[derive(Debug, Clone, PartialEq)]
pub struct MixtureParts {
    /// Of the K components, with sum one.
    pub weights: Vec<f64>,
    /// K x d, row by row.
    pub means: Vec<f64>,
    /// K x d x d: lower Cholesky factors of the covariances, row by row.
    pub factors: Vec<f64>,
}

impl GaussianMixture {
    /// Its numbers.
    #[must_use]
    pub fn parts(&self) -> MixtureParts {
        let all = |f: &dyn Fn(&Component) -> &[f64]| {
            let each = self.components.iter().flat_map(|c| f(c).iter().copied());
            each.collect()
        };
        MixtureParts {
            weights: self.weights().collect(),
            means: all(&|c| &c.mean),
            factors: all(&|c| &c.factor),
        }
    }

    /// The inverse of [`Self::parts`], to the last bit.
    ///
    /// # Errors
    /// A message that says what is wrong with the numbers.
    pub fn from_parts(dim: usize, parts: &MixtureParts) -> Result<Self, String> {
        let MixtureParts {
            weights,
            means,
            factors,
        } = parts;
        let count = weights.len();
        if dim == 0
            || count == 0
            || Some(means.len()) != count.checked_mul(dim)
            || Some(factors.len()) != means.len().checked_mul(dim)
        {
            return Err(format!(
                "{count} weights, {} means and {} entries of factors make no mixture on {dim} coordinates",
                means.len(),
                factors.len()
            ));
        }
        let upper = |(i, v): (usize, &f64)| i % dim > i / dim && *v != 0.0;
        let parts = weights
            .iter()
            .zip(means.chunks_exact(dim))
            .zip(factors.chunks_exact(dim * dim));
        let mut components = Vec::with_capacity(count);
        for (k, ((&weight, mean), factor)) in parts.enumerate() {
            if factor.iter().enumerate().any(upper) {
                return Err(format!("factor {k} of a mixture is not lower triangular"));
            }
            components.push(Component {
                weight,
                mean: mean.to_vec(),
                factor: factor.to_vec(),
            });
        }
        let mixture = Self { dim, components };
        if !mixture.is_sound() {
            return Err(
                "a mixture needs finite means, weights on the simplex and factors with positive diagonals"
                    .into(),
            );
        }
        Ok(mixture)
    }

    /// Number of coordinates d.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of components.
    #[must_use]
    pub fn len(&self) -> usize {
        self.components.len()
    }

    /// Whether there is no component: never.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.components.is_empty()
    }

    /// The weights of the components.
    pub fn weights(&self) -> impl Iterator<Item = f64> + '_ {
        self.components.iter().map(|c| c.weight)
    }

    /// The mean of a component.
    #[must_use]
    pub fn mean(&self, k: usize) -> &[f64] {
        &self.components[k].mean
    }

    /// Free parameters: K - 1 weights, K d means, K d (d + 1) / 2 covariances.
    #[must_use]
    pub fn num_free(&self) -> usize {
        let d = self.dim;
        self.len() * (1 + d + d * (d + 1) / 2) - 1
    }

    /// Whether all of it is valid (for mixtures that were read from a file).
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let d = self.dim;
        let total: f64 = self.weights().sum();
        d > 0
            && !self.components.is_empty()
            && (total - 1.0).abs() < 1e-9
            && self.components.iter().all(|c| {
                c.weight >= 0.0
                    && c.mean.len() == d
                    && c.factor.len() == d * d
                    && c.mean.iter().chain(&c.factor).all(|v| in_range(*v))
                    && (0..d).all(|j| c.factor[j * d + j] >= SMALLEST_SCALE)
            })
    }

    /// `ln (w_k N(x_n; m_k, C_k))` for the points (n) and components (K), n x K.
    #[must_use]
    pub fn joint_log_prob(&self, x: MatRef<'_, f64>) -> Mat<f64> {
        let mut table = Mat::zeros(x.nrows(), self.len());
        let mut white = vec![0.0; x.nrows() * self.dim];
        for (k, c) in self.components.iter().enumerate() {
            let out = col_mut(table.as_mut(), k);
            out.fill(ln(c.weight) + c.log_norm(self.dim));
            c.whiten(x, &mut white);
            for y in white.chunks_exact(x.nrows().max(1)) {
                for (o, y) in out.iter_mut().zip(y) {
                    *o -= 0.5 * y * y;
                }
            }
        }
        table
    }

    /// The coordinates in which the first component is the standard normal: `L^-1 (x - m)`, n x d.
    #[must_use]
    pub fn whiten(&self, x: MatRef<'_, f64>) -> Mat<f64> {
        let mut y = vec![0.0; x.nrows() * self.dim];
        self.components[0].whiten(x, &mut y);
        MatRef::from_column_major_slice(&y, x.nrows(), self.dim).to_owned()
    }

    /// `ln |det|` of [`Self::whiten`].
    #[must_use]
    pub fn whiten_log_det(&self) -> f64 {
        self.components[0].log_norm(self.dim) + 0.5 * self.dim as f64 * LN_2PI
    }

    /// The inverse of [`Self::whiten`]: `L y + m`.
    #[must_use]
    pub fn unwhiten(&self, y: MatRef<'_, f64>) -> Mat<f64> {
        let c = &self.components[0];
        Mat::from_fn(y.nrows(), self.dim, |i, j| {
            let row = &c.factor[j * self.dim..];
            c.mean[j] + (0..=j).map(|l| row[l] * y[(i, l)]).sum::<f64>()
        })
    }

    /// Adds `up_n d ln p(x_n) / dx` to `grad` (n x d), given the table of [`Self::joint_log_prob`]
    /// and its row sums.
    pub fn add_gradient(
        &self,
        x: MatRef<'_, f64>,
        joint: MatRef<'_, f64>,
        total: &[f64],
        up: &[f64],
        mut grad: MatMut<'_, f64>,
    ) {
        let (n, d) = (x.nrows(), self.dim);
        let mut white = vec![0.0; n * d];
        for (k, c) in self.components.iter().enumerate() {
            c.whiten(x, &mut white);
            // Back substitution turns L^-1 (x - m) into C^-1 (x - m).
            for j in (0..d).rev() {
                let (low, high) = white.split_at_mut((j + 1) * n);
                let own = &mut low[j * n..];
                for i in j + 1..d {
                    let l = c.factor[i * d + j];
                    for (o, v) in own.iter_mut().zip(&high[(i - j - 1) * n..(i - j) * n]) {
                        *o -= l * v;
                    }
                }
                let scale = 1.0 / c.factor[j * d + j];
                own.iter_mut().for_each(|v| *v *= scale);
            }
            let joint = col(joint, k);
            for j in 0..d {
                let g = col_mut(grad.rb_mut(), j);
                for (i, g) in g.iter_mut().enumerate() {
                    *g -= up[i] * exp(joint[i] - total[i]) * white[j * n + i];
                }
            }
        }
    }
}

impl GaussianMixture {
    /// The kind's name in files.
    pub const KIND: &'static str = "gaussian_mixture";

    /// Reads `weights` (K), `means` (K x d) and `factors` (K x d x d, lower triangular).
    ///
    /// # Errors
    /// A message that says what is wrong.
    pub fn read(r: &Reader<'_>) -> Result<Self, String> {
        let weights = r.vector("weights")?;
        let (shape, means) = r.array("means")?;
        let [_, dim] = shape[..] else {
            return Err(format!(
                "array \"{}\" is not a matrix",
                r.full_name("means")
            ));
        };
        let factors = r.shaped("factors", &[weights.len(), dim, dim])?;
        let parts = MixtureParts {
            weights,
            means,
            factors,
        };
        Self::from_parts(dim, &parts)
    }
}

impl EmMixture for GaussianMixture {
    fn start(components: GaussianMixture) -> Self {
        components
    }

    fn e_step(&self, x: MatRef<'_, f64>) -> (Mat<f64>, Option<Mat<f64>>) {
        (self.joint_log_prob(x), None)
    }

    fn m_step(
        &self,
        em: &Em<'_>,
        responsibilities: &Mat<f64>,
        _: Option<Mat<f64>>,
    ) -> Result<Self, EmError> {
        em.maximise(responsibilities, None)
    }

    fn components(&self) -> usize {
        self.len()
    }

    fn num_free(&self) -> usize {
        self.num_free()
    }
}

fitted_by_em!(GaussianMixture);

impl Density for GaussianMixture {
    fn dim(&self) -> usize {
        self.dim
    }

    fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
        row_ln_sum_exp(self.joint_log_prob(x).as_ref())
    }

    fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        let weights: Vec<f64> = self.weights().collect();
        let mut z = vec![0.0; self.dim];
        let mut out = Mat::zeros(n, self.dim);
        for i in 0..n {
            let c = &self.components[categorical(rng, &weights)];
            fill_standard_normal(rng, &mut z);
            (0..self.dim).for_each(|j| out[(i, j)] = c.mean[j] + c.scaled(&z, j));
        }
        out
    }

    fn describe(&self, w: &mut Writer) -> Result<Description, NotSavable> {
        let (k, d, parts) = (self.len(), self.dim, self.parts());
        w.vector("weights", &parts.weights);
        w.array("means", &[k, d], &parts.means);
        w.array("factors", &[k, d, d], &parts.factors);
        Ok(Description::plain(Self::KIND))
    }
}

impl Component {
    /// `-ln det L - d ln(2 pi) / 2`.
    fn log_norm(&self, d: usize) -> f64 {
        -self.log_det(d) - 0.5 * d as f64 * LN_2PI
    }

    /// `ln det L`.
    pub(crate) fn log_det(&self, d: usize) -> f64 {
        (0..d).map(|j| ln(self.factor[j * d + j])).sum()
    }

    /// Entry j of `L z`.
    pub(crate) fn scaled(&self, z: &[f64], j: usize) -> f64 {
        let row = &self.factor[j * z.len()..];
        (0..=j).map(|l| row[l] * z[l]).sum()
    }

    /// `y = L^-1 (x - m)`, column by column.
    pub(crate) fn whiten(&self, x: MatRef<'_, f64>, y: &mut [f64]) {
        let (n, d) = (x.nrows(), x.ncols());
        for j in 0..d {
            let (done, rest) = y.split_at_mut(j * n);
            let own = &mut rest[..n];
            let (mean, row) = (self.mean[j], &self.factor[j * d..]);
            for (o, x) in own.iter_mut().zip(col(x, j)) {
                *o = x - mean;
            }
            for i in 0..j {
                for (o, v) in own.iter_mut().zip(&done[i * n..(i + 1) * n]) {
                    *o -= row[i] * v;
                }
            }
            let scale = 1.0 / row[j];
            own.iter_mut().for_each(|v| *v *= scale);
        }
    }
}

/// `ln sum_k e^{t_nk}` for each row.
#[must_use]
pub fn row_ln_sum_exp(t: MatRef<'_, f64>) -> Vec<f64> {
    let mut max = vec![f64::NEG_INFINITY; t.nrows()];
    for k in 0..t.ncols() {
        for (m, &v) in max.iter_mut().zip(col(t, k)) {
            *m = if v > *m || v.is_nan() { v } else { *m };
        }
    }
    let mut total = vec![0.0; t.nrows()];
    for k in 0..t.ncols() {
        for ((s, m), v) in total.iter_mut().zip(&max).zip(col(t, k)) {
            *s += exp(v - m);
        }
    }
    for (s, m) in total.iter_mut().zip(&max) {
        *s = if m.is_finite() { m + ln(*s) } else { *m };
    }
    total
}

#[cfg(test)]
mod tests;
