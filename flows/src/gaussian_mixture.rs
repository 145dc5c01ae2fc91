//! Full-covariance Gaussian mixtures: expectation-maximisation, number of components by BIC.

use crate::fit::Data;
use crate::trial::{SMALLEST_SCALE, in_range};
use faer::prelude::*;
use numerics::math::{LN_2PI, exp, ln, sum};
use numerics::matrix::{col, col_mut};
use numerics::random::{Pcg64, categorical, fill_standard_normal};
use serde::{Deserialize, Serialize};

/// `p(x) = sum_k w_k N(x; m_k, L_k L_k^T)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaussianMixture {
    dim: usize,
    components: Vec<Component>,
}

/// One normal component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Component {
    weight: f64,
    mean: Vec<f64>,
    /// Lower Cholesky factor of the covariance, row by row.
    factor: Vec<f64>,
}

/// Settings of expectation-maximisation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmConfig {
    /// Starts from different k-means++ centres; the best likelihood wins.
    #[serde(deserialize_with = "numerics::checked::at_least_one")]
    pub restarts: usize,
    /// The most iterations of a start.
    #[serde(deserialize_with = "numerics::checked::at_least_one")]
    pub iterations: usize,
    /// A start ends when the mean log-likelihood rises by less, nats.
    #[serde(deserialize_with = "numerics::checked::positive")]
    pub tolerance: f64,
    /// Added to the diagonal of each covariance, as a share of the column's variance: keeps components from collapsing onto points.
    #[serde(deserialize_with = "numerics::checked::not_negative")]
    pub floor: f64,
    /// Strength of a prior that the components share a shape, in points: the sorted eigenvalues of component k become
    /// `(N_k l_kj + prior l_j) / (N_k + prior)`, `l_j` their average over the components weighted by N_k; its axes stay its own. Zero is
    /// maximum likelihood; a huge prior gives covariances of equal volume and shape and free orientation, the model EEV of Celeux and Govaert
    /// (1995). Curved bands of even width need it.
    #[serde(
        default,
        deserialize_with = "numerics::checked::not_negative",
        skip_serializing_if = "is_zero"
    )]
    pub prior: f64,
}

fn is_zero(v: &f64) -> bool {
    *v == 0.0
}

impl Default for EmConfig {
    fn default() -> Self {
        Self {
            restarts: 3,
            iterations: 200,
            tolerance: 1e-6,
            floor: 1e-4,
            prior: 0.0,
        }
    }
}

/// Why a mixture cannot be fitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EmError {
    /// Points or weights that cannot be used.
    #[error(transparent)]
    Data(#[from] crate::FitError),
    /// No components, or more than points.
    #[error("{components} components for {points} points")]
    Components {
        /// Number of components.
        components: usize,
        /// Number of points with weight.
        points: usize,
    },
    /// A column without spread, or one that is a linear combination of others.
    #[error("the covariance is singular: a column has no spread or repeats others")]
    Singular,
}

/// The numbers of a mixture, in the order in which other programs keep them.
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
    /// A sentence that says what is wrong with the numbers.
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

    /// Whether every part of it makes sense (for mixtures that were read from a file).
    pub(crate) fn is_sound(&self) -> bool {
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

    /// Fits `components` normals by weighted maximum likelihood.
    ///
    /// # Errors
    /// See [`EmError`].
    pub fn fit(
        data: Data<'_>,
        components: usize,
        config: &EmConfig,
        rng: &mut Pcg64,
    ) -> Result<Self, EmError> {
        let em = Em::new(data, config)?;
        em.check(components)?;
        let mut best: Option<(f64, Self)> = None;
        for _ in 0..config.restarts.max(1) {
            let found = em.run(components, rng)?;
            if best.as_ref().is_none_or(|b| found.0 > b.0) {
                best = Some(found);
            }
            // One component has one optimum.
            if components == 1 {
                break;
            }
        }
        best.map(|b| b.1).ok_or(EmError::Singular)
    }

    /// Fits rising numbers of components up to `most` (1, 2, ..., 9, then in steps of an eighth) and keeps the number with the smallest
    /// `BIC = p ln n - 2 ln L`, n the effective number of points `(sum w)^2 / sum w^2`. The search ends when the BIC has not fallen for
    /// `patience` tries in a row.
    ///
    /// # Errors
    /// See [`EmError`].
    pub fn fit_by_bic(
        data: Data<'_>,
        most: usize,
        patience: usize,
        config: &EmConfig,
        rng: &mut Pcg64,
    ) -> Result<Self, EmError> {
        let em = Em::new(data, config)?;
        em.check(1)?;
        let n = em.effective;
        let mut best: Option<(f64, Self)> = None;
        let mut stale = 0;
        let mut components = 1;
        while components <= most.min(em.n) {
            let fitted = Self::fit(data, components, config, rng)?;
            let likelihood: f64 = em.mean_log_likelihood(&fitted) * n;
            let bic = fitted.num_free() as f64 * ln(n) - 2.0 * likelihood;
            if best.as_ref().is_none_or(|b| bic < b.0) {
                best = Some((bic, fitted));
                stale = 0;
            } else {
                stale += 1;
                if stale >= patience {
                    break;
                }
            }
            components += components.div_ceil(8);
        }
        best.map(|b| b.1).ok_or(EmError::Singular)
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

    /// Log-density of each row of x (n x d), in nats.
    #[must_use]
    pub fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
        row_ln_sum_exp(self.joint_log_prob(x).as_ref())
    }

    /// n draws, n x d.
    #[must_use]
    pub fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        let weights: Vec<f64> = self.weights().collect();
        let mut z = vec![0.0; self.dim];
        let mut out = Mat::zeros(n, self.dim);
        for i in 0..n {
            let c = &self.components[categorical(rng, &weights)];
            fill_standard_normal(rng, &mut z);
            for j in 0..self.dim {
                let row = &c.factor[j * self.dim..];
                out[(i, j)] = c.mean[j] + (0..=j).map(|l| row[l] * z[l]).sum::<f64>();
            }
        }
        out
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

    /// Adds `up_n d ln p(x_n) / dx` to `grad` (n x d), given the table of [`Self::joint_log_prob`] and its row sums.
    pub(crate) fn add_gradient(
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

impl Component {
    /// `-ln det L - d ln(2 pi) / 2`.
    fn log_norm(&self, d: usize) -> f64 {
        let log_det: f64 = (0..d).map(|j| ln(self.factor[j * d + j])).sum();
        -log_det - 0.5 * d as f64 * LN_2PI
    }

    /// `y = L^-1 (x - m)`, column by column.
    fn whiten(&self, x: MatRef<'_, f64>, y: &mut [f64]) {
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
pub(crate) fn row_ln_sum_exp(t: MatRef<'_, f64>) -> Vec<f64> {
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

/// Expectation-maximisation on fixed points.
struct Em<'a> {
    x: MatRef<'a, f64>,
    /// With sum one.
    weights: Vec<f64>,
    n: usize,
    effective: f64,
    floor: Vec<f64>,
    variance: Vec<f64>,
    config: EmConfig,
}

impl<'a> Em<'a> {
    fn new(data: Data<'a>, config: &EmConfig) -> Result<Self, EmError> {
        data.check(data.points.ncols().max(1), "mixture")?;
        let weights = data.shares();
        let squares: f64 = weights.iter().map(|w| w * w).sum();
        let x = data.points;
        let moments = |j: usize| {
            let c = col(x, j);
            let average = |f: &dyn Fn(f64) -> f64| {
                c.iter().zip(&weights).map(|(&v, w)| w * f(v)).sum::<f64>()
            };
            let mean = average(&|v| v);
            (mean, average(&|v| (v - mean) * (v - mean)))
        };
        let moments: Vec<(f64, f64)> = (0..x.ncols()).map(moments).collect();
        // A spread that is nothing but rounding is no spread.
        if moments
            .iter()
            .any(|(mean, variance)| *variance <= 1e-28 * mean * mean)
        {
            return Err(EmError::Singular);
        }
        Ok(Self {
            x,
            n: weights.iter().filter(|w| **w > 0.0).count(),
            effective: 1.0 / squares,
            floor: moments.iter().map(|m| config.floor * m.1).collect(),
            variance: moments.iter().map(|m| m.1).collect(),
            weights,
            config: *config,
        })
    }

    fn check(&self, components: usize) -> Result<(), EmError> {
        if components == 0 || components > self.n {
            return Err(EmError::Components {
                components,
                points: self.n,
            });
        }
        Ok(())
    }

    fn mean_log_likelihood(&self, mixture: &GaussianMixture) -> f64 {
        let log_prob = mixture.log_prob(self.x);
        let terms: Vec<f64> = log_prob
            .iter()
            .zip(&self.weights)
            .map(|(l, w)| if *w > 0.0 { l * w } else { 0.0 })
            .collect();
        sum(&terms)
    }

    /// One start: mean log-likelihood and mixture.
    fn run(&self, components: usize, rng: &mut Pcg64) -> Result<(f64, GaussianMixture), EmError> {
        let mut mixture = self.maximise(&self.hard_assignment(&self.centres(components, rng)))?;
        let mut last = f64::NEG_INFINITY;
        for _ in 0..self.config.iterations {
            let mut joint = mixture.joint_log_prob(self.x);
            let likelihood = self.responsibilities(&mut joint);
            // With a prior the likelihood need not rise at every step.
            if (likelihood - last).abs() < self.config.tolerance {
                return Ok((likelihood, mixture));
            }
            last = likelihood;
            mixture = self.maximise(&joint)?;
        }
        Ok((self.mean_log_likelihood(&mixture), mixture))
    }

    /// E-step: turns `ln (w_k N(x_n; m_k, C_k))` into the points' weighted responsibilities; gives the mean log-likelihood. One exponential for
    /// each entry.
    fn responsibilities(&self, joint: &mut Mat<f64>) -> f64 {
        let (n, components) = (joint.nrows(), joint.ncols());
        let mut max = vec![f64::NEG_INFINITY; n];
        for k in 0..components {
            for (m, &v) in max.iter_mut().zip(col(joint.as_ref(), k)) {
                *m = if v > *m { v } else { *m };
            }
        }
        let mut total = vec![0.0; n];
        for k in 0..components {
            let column = col_mut(joint.as_mut(), k);
            for ((v, m), s) in column.iter_mut().zip(&max).zip(&mut total) {
                *v = exp(*v - m);
                *s += *v;
            }
        }
        let scale: Vec<f64> = self
            .weights
            .iter()
            .zip(&total)
            .map(|(w, t)| w / t)
            .collect();
        for k in 0..components {
            for (v, s) in col_mut(joint.as_mut(), k).iter_mut().zip(&scale) {
                *v *= s;
            }
        }
        let terms = self.weights.iter().zip(&max).zip(&total);
        let terms: Vec<f64> = terms
            .map(|((w, m), t)| if *w > 0.0 { w * (m + ln(*t)) } else { 0.0 })
            .collect();
        sum(&terms)
    }

    /// k-means++: each further centre is a point drawn with probability proportional to its squared distance from the nearest centre, in
    /// units of the columns' standard deviations.
    fn centres(&self, components: usize, rng: &mut Pcg64) -> Vec<usize> {
        let n = self.x.nrows();
        let mut centres = vec![categorical(rng, &self.weights)];
        let mut nearest = vec![f64::INFINITY; n];
        while centres.len() < components {
            let c = centres[centres.len() - 1];
            for (i, near) in nearest.iter_mut().enumerate() {
                *near = near.min(self.distance(i, c));
            }
            let chances: Vec<f64> = nearest
                .iter()
                .zip(&self.weights)
                .map(|(d, w)| d * w)
                .collect();
            let all_taken = !chances.iter().any(|c| *c > 0.0);
            centres.push(categorical(
                rng,
                if all_taken { &self.weights } else { &chances },
            ));
        }
        centres
    }

    fn distance(&self, i: usize, c: usize) -> f64 {
        (0..self.x.ncols())
            .map(|j| {
                let d = self.x[(i, j)] - self.x[(c, j)];
                d * d / self.variance[j]
            })
            .sum()
    }

    /// Weights of the points, each in the column of its nearest centre.
    fn hard_assignment(&self, centres: &[usize]) -> Mat<f64> {
        let mut r = Mat::zeros(self.x.nrows(), centres.len());
        for i in 0..self.x.nrows() {
            let nearest = (0..centres.len()).min_by(|&a, &b| {
                self.distance(i, centres[a])
                    .total_cmp(&self.distance(i, centres[b]))
            });
            r[(i, nearest.unwrap_or(0))] = self.weights[i];
        }
        r
    }

    /// M-step from weighted responsibilities (n x K). A component that has lost its points becomes a copy of the whole, with little weight.
    fn maximise(&self, r: &Mat<f64>) -> Result<GaussianMixture, EmError> {
        let d = self.x.ncols();
        let (mut weights, mut means, mut covariances) = (Vec::new(), Vec::new(), Vec::new());
        for k in 0..r.ncols() {
            let own = col(r.as_ref(), k);
            let share = sum(own);
            let lost = share * self.effective < 1e-3;
            let (own, norm) = if lost {
                (&self.weights[..], 1.0)
            } else {
                (own, share)
            };
            let mean: Vec<f64> = (0..d)
                .map(|j| numerics::math::dot(own, col(self.x, j)) / norm)
                .collect();
            let mut cov = covariance(self.x, own, &mean);
            cov.iter_mut().for_each(|v| *v /= norm);
            weights.push(if lost { 1e-3 / self.effective } else { share });
            means.push(mean);
            covariances.push(cov);
        }
        if self.config.prior > 0.0 {
            self.share_shape(&weights, &mut covariances);
        }
        let total: f64 = weights.iter().sum();
        let mut components = Vec::with_capacity(weights.len());
        for ((weight, mean), mut cov) in weights.into_iter().zip(means).zip(covariances) {
            (0..d).for_each(|j| cov[j * d + j] += self.floor[j]);
            components.push(Component {
                weight: weight / total,
                mean,
                factor: cholesky(cov, d).ok_or(EmError::Singular)?,
            });
        }
        Ok(GaussianMixture { dim: d, components })
    }

    /// Draws the sorted eigenvalues of the covariances towards their average, see [`EmConfig::prior`].
    fn share_shape(&self, weights: &[f64], covariances: &mut [Vec<f64>]) {
        let d = self.x.ncols();
        let parts: Vec<(Vec<f64>, Vec<f64>)> = covariances
            .iter()
            .map(|c| symmetric_eigen(c.clone(), d))
            .collect();
        let total: f64 = weights.iter().sum();
        let shared: Vec<f64> = (0..d)
            .map(|j| {
                let terms = weights.iter().zip(&parts).map(|(w, (l, _))| w * l[j]);
                terms.sum::<f64>() / total
            })
            .collect();
        for ((cov, (values, axes)), w) in covariances.iter_mut().zip(&parts).zip(weights) {
            let (points, prior) = (w * self.effective, self.config.prior);
            cov.fill(0.0);
            for j in 0..d {
                let value = (points * values[j] + prior * shared[j]) / (points + prior);
                for a in 0..d {
                    for b in 0..=a {
                        cov[a * d + b] += value * axes[a * d + j] * axes[b * d + j];
                    }
                }
            }
        }
    }
}

/// Eigenvalues in rising order and eigenvectors (columns, row by row) of a symmetric d x d matrix given by its lower triangle, row by row; by cyclic
/// Jacobi rotations.
///
/// # Panics
/// If there are fewer than d x d entries.
#[must_use]
pub fn symmetric_eigen(mut a: Vec<f64>, d: usize) -> (Vec<f64>, Vec<f64>) {
    let mut v = vec![0.0; d * d];
    for i in 0..d {
        v[i * d + i] = 1.0;
        for j in 0..i {
            a[j * d + i] = a[i * d + j];
        }
    }
    // Convergence is quadratic; a dozen sweeps are ample for any size in use.
    for _ in 0..12 {
        let mut rotated = false;
        for p in 0..d {
            for q in p + 1..d {
                let off = a[p * d + q];
                if off.abs() <= 1e-17 * (a[p * d + p].abs() + a[q * d + q].abs()) {
                    continue;
                }
                rotated = true;
                let theta = (a[q * d + q] - a[p * d + p]) / (2.0 * off);
                let t = 1.0_f64.copysign(theta) / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for k in 0..d {
                    let (x, y) = (a[k * d + p], a[k * d + q]);
                    (a[k * d + p], a[k * d + q]) = (c * x - s * y, s * x + c * y);
                }
                for k in 0..d {
                    let (x, y) = (a[p * d + k], a[q * d + k]);
                    (a[p * d + k], a[q * d + k]) = (c * x - s * y, s * x + c * y);
                    let (x, y) = (v[k * d + p], v[k * d + q]);
                    (v[k * d + p], v[k * d + q]) = (c * x - s * y, s * x + c * y);
                }
            }
        }
        if !rotated {
            break;
        }
    }
    let mut order: Vec<usize> = (0..d).collect();
    order.sort_by(|&i, &j| a[i * d + i].total_cmp(&a[j * d + j]));
    let values = order.iter().map(|&j| a[j * d + j]).collect();
    let vectors = (0..d * d).map(|i| v[i / d * d + order[i % d]]).collect();
    (values, vectors)
}

/// `sum_n w_n (x_n - m) (x_n - m)^T`: lower triangle, row by row.
fn covariance(x: MatRef<'_, f64>, weights: &[f64], mean: &[f64]) -> Vec<f64> {
    let d = x.ncols();
    let mut cov = vec![0.0; d * d];
    for a in 0..d {
        let scaled: Vec<f64> = weights
            .iter()
            .zip(col(x, a))
            .map(|(w, x)| w * (x - mean[a]))
            .collect();
        for b in 0..=a {
            let centred: Vec<f64> = col(x, b).iter().map(|x| x - mean[b]).collect();
            cov[a * d + b] = numerics::math::dot(&scaled, &centred);
        }
    }
    cov
}

/// Lower Cholesky factor of a symmetric matrix given by its lower triangle, row by row; `None` unless positive definite.
///
/// Written out because a library's reductions depend on the width of the vector registers, and with them the last bits.
fn cholesky(mut a: Vec<f64>, d: usize) -> Option<Vec<f64>> {
    for i in 0..d {
        for j in 0..=i {
            let mut v = a[i * d + j];
            for k in 0..j {
                v -= a[i * d + k] * a[j * d + k];
            }
            if i == j {
                if !(v > 0.0 && v.is_finite()) {
                    return None;
                }
                a[i * d + i] = v.sqrt();
            } else {
                a[i * d + j] = v / a[j * d + j];
            }
        }
        a[i * d + i + 1..(i + 1) * d].fill(0.0);
    }
    Some(a)
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::random::{standard_normal, stream};

    /// Three well separated normals.
    fn three(n: usize) -> Mat<f64> {
        let mut rng = stream(4, "three");
        let centres = [(-4.0, 0.0), (4.0, 1.0), (0.0, 5.0)];
        let mut x = Mat::zeros(n, 2);
        for i in 0..n {
            let (a, b) = centres[i % 3];
            let (u, v) = (standard_normal(&mut rng), standard_normal(&mut rng));
            x[(i, 0)] = a + 0.7 * u;
            x[(i, 1)] = b + 0.5 * u + 0.4 * v;
        }
        x
    }

    #[test]
    fn parts_make_the_same_mixture_and_bad_ones_are_refused() {
        let x = three(200);
        let em = EmConfig::default();
        let m = GaussianMixture::fit(Data::new(x.as_ref()), 3, &em, &mut stream(1, "em")).unwrap();
        let parts = m.parts();
        assert_eq!(GaussianMixture::from_parts(2, &parts).unwrap(), m);
        let refuse = |change: &dyn Fn(&mut MixtureParts)| {
            let mut bad = parts.clone();
            change(&mut bad);
            GaussianMixture::from_parts(2, &bad).unwrap_err()
        };
        assert!(refuse(&|p| p.weights[0] = 0.9).contains("simplex"));
        assert!(refuse(&|p| p.means[1] = f64::NAN).contains("finite"));
        assert!(refuse(&|p| p.factors[1] = 0.1).contains("triangular"));
        assert!(refuse(&|p| p.factors[0] = -1.0).contains("positive"));
        assert!(refuse(&|p| p.factors.truncate(11)).contains("no mixture"));
    }

    #[test]
    fn bic_finds_the_components_and_the_density_is_right() {
        let x = three(900);
        let m = GaussianMixture::fit_by_bic(
            Data::new(x.as_ref()),
            10,
            2,
            &EmConfig::default(),
            &mut stream(1, "em"),
        )
        .unwrap();
        assert_eq!(m.len(), 3);
        assert!(m.weights().all(|w| (w - 1.0 / 3.0).abs() < 0.01));
        let test = three(9000);
        let nll = -sum(&m.log_prob(test.as_ref())) / 9000.0;
        let entropy = ln(3.0) + LN_2PI + 1.0 + ln(0.7 * 0.4);
        assert!((nll - entropy).abs() < 0.03, "{nll} {entropy}");
    }

    #[test]
    fn eigenvalues_and_axes_rebuild_the_matrix() {
        let d = 5;
        let mut rng = stream(9, "eigen");
        let b: Vec<f64> = (0..d * d).map(|_| standard_normal(&mut rng)).collect();
        let entry = |i: usize, j: usize| (0..d).map(|k| b[i * d + k] * b[j * d + k]).sum::<f64>();
        let a: Vec<f64> = (0..d * d).map(|i| entry(i / d, i % d)).collect();
        let (values, axes) = symmetric_eigen(a.clone(), d);
        assert!(values.is_sorted() && values[0] > 0.0);
        for i in 0..d {
            for j in 0..d {
                let again: f64 = (0..d)
                    .map(|k| values[k] * axes[i * d + k] * axes[j * d + k])
                    .sum();
                assert!((again - a[i * d + j]).abs() < 1e-12, "{i} {j}");
                let product: f64 = (0..d).map(|k| axes[k * d + i] * axes[k * d + j]).sum();
                assert!((product - f64::from(i == j)).abs() < 1e-13);
            }
        }
    }

    /// A band of even width along a circle.
    fn band(n: usize) -> Mat<f64> {
        let mut rng = stream(6, "band");
        let mut x = Mat::zeros(n, 2);
        for i in 0..n {
            let angle = std::f64::consts::TAU * numerics::random::uniform(&mut rng);
            let radius = 3.0 + 0.2 * standard_normal(&mut rng);
            x[(i, 0)] = radius * numerics::math::cos(angle);
            x[(i, 1)] = radius * numerics::math::sin(angle);
        }
        x
    }

    #[test]
    fn a_prior_on_the_shape_draws_the_eigenvalues_together_and_helps_on_a_band() {
        let (train, test) = (band(400), band(8000));
        let test = test.as_ref().subrows(400, 7600);
        let fit = |prior: f64| {
            let em = EmConfig {
                prior,
                floor: 1e-4,
                ..EmConfig::default()
            };
            let data = Data::new(train.as_ref());
            GaussianMixture::fit(data, 16, &em, &mut stream(2, "em")).unwrap()
        };
        let spread = |m: &GaussianMixture| {
            let small = m.components.iter().map(|c| {
                let f = &c.factor;
                let cov = vec![f[0] * f[0], 0.0, f[2] * f[0], f[2] * f[2] + f[3] * f[3]];
                symmetric_eigen(cov, 2).0[0]
            });
            let small: Vec<f64> = small.collect();
            small.iter().fold(0.0f64, |a, b| a.max(*b))
                / small.iter().fold(1e9f64, |a, b| a.min(*b))
        };
        let nll = |m: &GaussianMixture| -sum(&m.log_prob(test)) / test.nrows() as f64;
        let (free, drawn, shared) = (fit(0.0), fit(20.0), fit(1e9));
        // The floor differs a little between the columns.
        assert!(spread(&shared) < 1.01, "{}", spread(&shared));
        assert!(spread(&drawn) < spread(&free));
        assert!(
            nll(&shared) < nll(&free) - 0.02,
            "{} {}",
            nll(&shared),
            nll(&free)
        );
        assert!(nll(&drawn) < nll(&free));
        // The whole keeps its moments: only the shapes are shared.
        let total: f64 = shared.weights().sum();
        assert!((total - 1.0).abs() < 1e-12);
    }

    #[test]
    fn one_component_has_the_sample_moments_and_integer_weights_repeat_rows() {
        let x = three(60);
        let w: Vec<f64> = (0..60).map(|i| f64::from(i % 4)).collect();
        let ids: Vec<usize> = (0..60).flat_map(|i| vec![i; i % 4]).collect();
        let repeated = numerics::matrix::select_rows(x.as_ref(), &ids);
        let config = EmConfig {
            floor: 0.0,
            ..EmConfig::default()
        };
        let a = GaussianMixture::fit(
            Data {
                points: x.as_ref(),
                weights: Some(&w),
            },
            1,
            &config,
            &mut stream(1, "em"),
        )
        .unwrap();
        let b = GaussianMixture::fit(
            Data::new(repeated.as_ref()),
            1,
            &config,
            &mut stream(1, "em"),
        )
        .unwrap();
        for (a, b) in a.log_prob(x.as_ref()).iter().zip(b.log_prob(x.as_ref())) {
            assert!((a - b).abs() < 1e-10);
        }
        let mean = (0..ids.len()).map(|i| repeated[(i, 0)]).sum::<f64>() / ids.len() as f64;
        assert!((b.mean(0)[0] - mean).abs() < 1e-12);
    }

    #[test]
    fn draws_follow_the_density_and_the_gradient_is_right() {
        let x = three(300);
        let m = GaussianMixture::fit(
            Data::new(x.as_ref()),
            3,
            &EmConfig::default(),
            &mut stream(1, "em"),
        )
        .unwrap();
        let draws = m.sample(20_000, &mut stream(2, "draws"));
        let again = GaussianMixture::fit(
            Data::new(draws.as_ref()),
            3,
            &EmConfig::default(),
            &mut stream(1, "em"),
        )
        .unwrap();
        let (a, b) = (m.log_prob(draws.as_ref()), again.log_prob(draws.as_ref()));
        let gap = (sum(&b) - sum(&a)) / 20_000.0;
        assert!(gap.abs() < 0.002, "{gap}");
        let points = x.as_ref().subrows(0, 9);
        let joint = m.joint_log_prob(points);
        let total = row_ln_sum_exp(joint.as_ref());
        let mut grad = Mat::zeros(9, 2);
        m.add_gradient(points, joint.as_ref(), &total, &[1.0; 9], grad.as_mut());
        for i in 0..9 {
            for j in 0..2 {
                let at = |h: f64| {
                    let p =
                        Mat::from_fn(1, 2, |_, c| points[(i, c)] + if c == j { h } else { 0.0 });
                    m.log_prob(p.as_ref())[0]
                };
                let numeric = (at(1e-5) - at(-1e-5)) / 2e-5;
                assert!(
                    (grad[(i, j)] - numeric).abs() < 1e-6 * (1.0 + numeric.abs()),
                    "{} {numeric}",
                    grad[(i, j)]
                );
            }
        }
    }

    #[test]
    fn impossible_fits_are_refused() {
        let x = three(5);
        let fit = |k: usize| {
            GaussianMixture::fit(
                Data::new(x.as_ref()),
                k,
                &EmConfig::default(),
                &mut stream(1, "em"),
            )
        };
        assert!(matches!(
            fit(6),
            Err(EmError::Components {
                components: 6,
                points: 5
            })
        ));
        assert!(fit(0).is_err());
        let flat = Mat::from_fn(9, 2, |i, j| if j == 0 { i as f64 } else { 1.0 });
        let result = GaussianMixture::fit(
            Data::new(flat.as_ref()),
            1,
            &EmConfig::default(),
            &mut stream(1, "em"),
        );
        assert_eq!(result, Err(EmError::Singular));
        // Ties and repeated points are no reason to fail.
        let ties = Mat::from_fn(40, 2, |i, j| ((i + j) % 3 + j * (i % 2)) as f64);
        assert!(
            GaussianMixture::fit(
                Data::new(ties.as_ref()),
                5,
                &EmConfig::default(),
                &mut stream(1, "em")
            )
            .is_ok()
        );
    }
}
