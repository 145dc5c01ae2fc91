//! Expectation-maximisation for mixtures, and the number of components by BIC.

use crate::Density;
use crate::data::{Data, DataError};
use crate::gaussian_mixture::{Component, GaussianMixture};
use faer::prelude::*;
use numerics::linalg::{cholesky, symmetric_eigen};
use numerics::math::{dot, exp, ln, sum};
use numerics::matrix::{col, col_mut};
use numerics::random::{Pcg64, categorical};
use serde::{Deserialize, Serialize};

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
    /// A start ends when the mean log-likelihood rises by less than this, nats.
    #[serde(deserialize_with = "numerics::checked::positive")]
    pub tolerance: f64,
    /// Added to the diagonal of each covariance, as a share of the column's variance: keeps
    /// components from collapsing onto points.
    #[serde(deserialize_with = "numerics::checked::not_negative")]
    pub floor: f64,
    /// Strength of a prior that the components share a shape, in points: the sorted eigenvalues of
    /// component k become `(N_k l_kj + prior l_j) / (N_k + prior)`, `l_j` their average over the
    /// components weighted by N_k; its axes stay its own. Zero is maximum likelihood; a huge prior
    /// gives covariances of equal volume and shape and free orientation, the model EEV of Celeux
    /// and Govaert (1995). Curved bands of constant width need it.
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
    Data(#[from] DataError),
    /// No components, or more than points.
    #[error("{components} components for {points} points")]
    Components {
        /// Number of components.
        components: usize,
        /// Number of points with weight.
        points: usize,
    },
    /// A column that is constant or a linear combination of others.
    #[error("the covariance is singular: a column has no spread or repeats others")]
    Singular,
}

/// A mixture that is fitted by expectation-maximisation.
pub(crate) trait EmMixture: Density + Clone + Sized {
    /// The first mixture, from Gaussian components.
    fn start(components: GaussianMixture) -> Self;

    /// `ln (w_k q_k(x_n))`, n x K, and how much each point counts in the mean and covariance of each
    /// component (n x K), if not fully.
    fn e_step(&self, x: MatRef<'_, f64>) -> (Mat<f64>, Option<Mat<f64>>);

    /// The next mixture, from the points' weighted responsibilities (n x K) and what [`Self::e_step`]
    /// says of them.
    ///
    /// # Errors
    /// Covariances that are singular.
    fn m_step(
        &self,
        em: &Em<'_>,
        responsibilities: &Mat<f64>,
        counts: Option<Mat<f64>>,
    ) -> Result<Self, EmError>;

    /// Number of components.
    fn components(&self) -> usize;

    /// Free parameters.
    fn num_free(&self) -> usize;
}

/// The fits of a kind of mixture.
macro_rules! fitted_by_em {
    ($mixture:ty) => {
        impl $mixture {
            /// Fits `components` components by weighted maximum likelihood.
            ///
            /// # Errors
            /// See [`EmError`](crate::EmError).
            pub fn fit(
                data: crate::Data<'_>,
                components: usize,
                config: &crate::EmConfig,
                rng: &mut numerics::random::Pcg64,
            ) -> Result<Self, crate::EmError> {
                crate::em::Em::new(data, config)?.fit(components, rng)
            }

            /// Expectation-maximisation that starts from this mixture.
            ///
            /// # Errors
            /// See [`EmError`](crate::EmError); or points of another dimension.
            pub fn refined(
                &self,
                data: crate::Data<'_>,
                config: &crate::EmConfig,
            ) -> Result<Self, crate::EmError> {
                crate::em::Em::new(data, config)?.refine(self)
            }

            /// Fits increasing numbers of components up to `most` (1, 2, ..., 9, then in steps of an
            /// eighth) and returns the one with the smallest `BIC = p ln n - 2 ln L`, n the effective
            /// number of points `(sum w)^2 / sum w^2`. The search ends when the BIC has not fallen for
            /// `patience` tries in a row.
            ///
            /// # Errors
            /// See [`EmError`](crate::EmError).
            pub fn fit_by_bic(
                data: crate::Data<'_>,
                most: usize,
                patience: usize,
                config: &crate::EmConfig,
                rng: &mut numerics::random::Pcg64,
            ) -> Result<Self, crate::EmError> {
                crate::em::Em::new(data, config)?.fit_by_bic(most, patience, rng)
            }
        }
    };
}
pub(crate) use fitted_by_em;

/// Expectation-maximisation on fixed points.
pub(crate) struct Em<'a> {
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
    pub(crate) fn new(data: Data<'a>, config: &EmConfig) -> Result<Self, EmError> {
        data.check()?;
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
        // A standard deviation at the level of rounding counts as zero.
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

    pub(crate) fn fit<M: EmMixture>(
        &self,
        components: usize,
        rng: &mut Pcg64,
    ) -> Result<M, EmError> {
        self.check(components)?;
        let mut best: Option<(f64, M)> = None;
        for _ in 0..self.config.restarts.max(1) {
            let found = self.run(components, rng)?;
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

    pub(crate) fn refine<M: EmMixture>(&self, start: &M) -> Result<M, EmError> {
        self.check(start.components())?;
        Ok(self.climb(start.clone())?.1)
    }

    pub(crate) fn fit_by_bic<M: EmMixture>(
        &self,
        most: usize,
        patience: usize,
        rng: &mut Pcg64,
    ) -> Result<M, EmError> {
        self.check(1)?;
        let n = self.effective;
        let mut best: Option<(f64, M)> = None;
        let mut stale = 0;
        let mut components = 1;
        while components <= most.min(self.n) {
            let fitted: M = self.fit(components, rng)?;
            let likelihood: f64 = self.mean_log_likelihood(&fitted) * n;
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

    fn check(&self, components: usize) -> Result<(), EmError> {
        if components == 0 || components > self.n {
            return Err(EmError::Components {
                components,
                points: self.n,
            });
        }
        Ok(())
    }

    fn mean_log_likelihood(&self, mixture: &impl Density) -> f64 {
        let log_prob = mixture.log_prob(self.x);
        let terms: Vec<f64> = log_prob
            .iter()
            .zip(&self.weights)
            .map(|(l, w)| if *w > 0.0 { l * w } else { 0.0 })
            .collect();
        sum(&terms)
    }

    /// One start: mean log-likelihood and mixture.
    fn run<M: EmMixture>(&self, components: usize, rng: &mut Pcg64) -> Result<(f64, M), EmError> {
        let assignment = self.hard_assignment(&self.centres(components, rng));
        self.climb(M::start(self.maximise(&assignment, None)?))
    }

    /// Iterations from a first mixture: mean log-likelihood and mixture.
    fn climb<M: EmMixture>(&self, mut mixture: M) -> Result<(f64, M), EmError> {
        let mut last = f64::NEG_INFINITY;
        for _ in 0..self.config.iterations {
            let (mut joint, counts) = mixture.e_step(self.x);
            let likelihood = self.responsibilities(&mut joint);
            // With a prior the likelihood need not rise at every step.
            if (likelihood - last).abs() < self.config.tolerance {
                return Ok((likelihood, mixture));
            }
            last = likelihood;
            mixture = mixture.m_step(self, &joint, counts)?;
        }
        Ok((self.mean_log_likelihood(&mixture), mixture))
    }

    /// E-step: replaces `ln (w_k N(x_n; m_k, C_k))` by the points' weighted responsibilities;
    /// returns the mean log-likelihood. One exponential for each entry.
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

    /// k-means++: each further centre is a point drawn with probability proportional to its squared
    /// distance from the nearest centre, in units of the columns' standard deviations.
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

    /// Weights, means and covariances from weighted responsibilities (n x K), times what the points
    /// count in means and covariances, if not fully. A component that has lost its points is reset to
    /// the mean and covariance of all points, with little weight.
    pub(crate) fn maximise(
        &self,
        r: &Mat<f64>,
        counted: Option<&Mat<f64>>,
    ) -> Result<GaussianMixture, EmError> {
        let d = self.x.ncols();
        let (mut weights, mut means, mut covariances) = (Vec::new(), Vec::new(), Vec::new());
        for k in 0..r.ncols() {
            let own = col(r.as_ref(), k);
            let share = sum(own);
            let lost = share * self.effective < 1e-3;
            let (own, norm) = match counted {
                _ if lost => (&self.weights[..], 1.0),
                None => (own, share),
                Some(counted) => {
                    let own = col(counted.as_ref(), k);
                    (own, sum(own))
                }
            };
            let mean: Vec<f64> = (0..d).map(|j| dot(own, col(self.x, j)) / norm).collect();
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

    /// Shrinks the sorted eigenvalues of the covariances towards their average, see
    /// [`EmConfig::prior`].
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
            cov[a * d + b] = dot(&scaled, &centred);
        }
    }
    cov
}
