//! Mixtures of Student-t distributions.

use crate::archive::{Description, NotSavable, Reader, Writer};
use crate::em::{Em, EmError, EmMixture, fitted_by_em};
use crate::{Density, GaussianMixture, row_ln_sum_exp};
use faer::prelude::*;
use numerics::math::special::{digamma, ln_gamma};
use numerics::math::{exp, ln, ln_1p, sum};
use numerics::matrix::{col, col_mut};
use numerics::random::{Pcg64, categorical, fill_standard_normal, gamma};
use std::f64::consts::PI;

/// `p(x) = sum_k w_k t(x; nu_k, m_k, L_k L_k^T)`, where `x = m + L z / sqrt(g / nu)` has Student's
/// t-distribution with nu degrees of freedom: z is normal, g chi-square with nu degrees of freedom.
///
/// Fitted by expectation-maximisation with a number of degrees of freedom for each component (Peel
/// and McLachlan 2000): points far from a component count less in its mean and covariance.
#[derive(Debug, Clone, PartialEq)]
pub struct StudentMixture {
    /// Weights `w_k`, places `m_k` and scales `L_k`.
    shapes: GaussianMixture,
    /// `nu_k`.
    freedom: Vec<f64>,
}

/// Degrees of freedom: from Cauchy's distribution to as good as normal.
const FREEDOM: (f64, f64) = (1.0, 200.0);
/// Where fits begin.
const FIRST: f64 = 10.0;

impl StudentMixture {
    /// The kind's name in files.
    pub const KIND: &'static str = "student_mixture";

    /// From weights, places and scales of a Gaussian mixture, with degrees of freedom of each
    /// component.
    ///
    /// # Errors
    /// A message, if the numbers differ or degrees of freedom are not from 1 to 200.
    pub fn new(shapes: GaussianMixture, freedom: Vec<f64>) -> Result<Self, String> {
        if freedom.len() != shapes.len() {
            let (k, n) = (shapes.len(), freedom.len());
            return Err(format!("{n} degrees of freedom for {k} components"));
        }
        let allowed = FREEDOM.0..=FREEDOM.1;
        if let Some(v) = freedom.iter().find(|v| !allowed.contains(*v)) {
            return Err(format!("degrees of freedom must be from 1 to 200, not {v}"));
        }
        Ok(Self { shapes, freedom })
    }

    /// Number of components.
    #[must_use]
    pub fn len(&self) -> usize {
        self.freedom.len()
    }

    /// Whether there is no component: never.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.freedom.is_empty()
    }

    /// Degrees of freedom of the components.
    #[must_use]
    pub fn freedom(&self) -> &[f64] {
        &self.freedom
    }

    /// Reads what [`GaussianMixture::read`] reads, and `freedom` (K).
    ///
    /// # Errors
    /// A message that says what is wrong.
    pub fn read(r: &Reader<'_>) -> Result<Self, String> {
        Self::new(GaussianMixture::read(r)?, r.vector("freedom")?)
    }

    /// `ln (w_k q_k(x_n))`, n x K, and the weights `(nu + d) / (nu + D)` of the points, D their squared
    /// distances from the components.
    fn joint(&self, x: MatRef<'_, f64>) -> (Mat<f64>, Mat<f64>) {
        let (n, d) = (x.nrows(), self.dim());
        let (mut joint, mut counts) = (Mat::zeros(n, self.len()), Mat::zeros(n, self.len()));
        let mut white = vec![0.0; n * d];
        for (k, (c, &nu)) in self.shapes.components.iter().zip(&self.freedom).enumerate() {
            let half = 0.5 * (nu + d as f64);
            let norm = ln(c.weight) + ln_gamma(half)
                - ln_gamma(0.5 * nu)
                - 0.5 * d as f64 * ln(nu * PI)
                - c.log_det(d);
            c.whiten(x, &mut white);
            let out = col_mut(joint.as_mut(), k);
            for y in white.chunks_exact(n.max(1)) {
                for (o, y) in out.iter_mut().zip(y) {
                    *o += y * y;
                }
            }
            for (o, u) in out.iter_mut().zip(col_mut(counts.as_mut(), k)) {
                *u = 2.0 * half / (nu + *o);
                *o = norm - half * ln_1p(*o / nu);
            }
        }
        (joint, counts)
    }
}

/// The degrees of freedom that maximise the expected log-likelihood, where `surplus` is the mean of
/// `ln u - u` over the points of a component, u their weights at the degrees of freedom before.
fn best_freedom(surplus: f64, before: f64, d: usize) -> f64 {
    let old = 0.5 * (before + d as f64);
    let rest = 1.0 + surplus + digamma(old) - ln(old);
    // Falls in nu.
    let slope = |nu: f64| ln(0.5 * nu) - digamma(0.5 * nu) + rest;
    let (mut low, mut high) = (ln(FREEDOM.0), ln(FREEDOM.1));
    if slope(FREEDOM.1) >= 0.0 {
        return FREEDOM.1;
    }
    if slope(FREEDOM.0) <= 0.0 {
        return FREEDOM.0;
    }
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if slope(exp(middle)) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    exp(low).clamp(FREEDOM.0, FREEDOM.1)
}

impl EmMixture for StudentMixture {
    fn start(shapes: GaussianMixture) -> Self {
        let freedom = vec![FIRST; shapes.len()];
        Self { shapes, freedom }
    }

    fn e_step(&self, x: MatRef<'_, f64>) -> (Mat<f64>, Option<Mat<f64>>) {
        let (joint, counts) = self.joint(x);
        (joint, Some(counts))
    }

    fn m_step(
        &self,
        em: &Em<'_>,
        responsibilities: &Mat<f64>,
        counts: Option<Mat<f64>>,
    ) -> Result<Self, EmError> {
        let mut counts = counts.expect("the E-step gives them");
        let mut freedom = Vec::with_capacity(self.len());
        for (k, &before) in self.freedom.iter().enumerate() {
            let own = col(responsibilities.as_ref(), k);
            let u = col_mut(counts.as_mut(), k);
            let terms: Vec<f64> = own.iter().zip(&*u).map(|(r, u)| r * (ln(*u) - u)).collect();
            let share = sum(own);
            freedom.push(if share > 0.0 {
                best_freedom(sum(&terms) / share, before, self.dim())
            } else {
                before
            });
            u.iter_mut().zip(own).for_each(|(u, r)| *u *= r);
        }
        let shapes = em.maximise(responsibilities, Some(&counts))?;
        Ok(Self { shapes, freedom })
    }

    fn components(&self) -> usize {
        self.len()
    }

    fn num_free(&self) -> usize {
        self.shapes.num_free() + self.len()
    }
}

fitted_by_em!(StudentMixture);

impl Density for StudentMixture {
    fn dim(&self) -> usize {
        self.shapes.dim()
    }

    fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
        row_ln_sum_exp(self.joint(x).0.as_ref())
    }

    fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        let weights: Vec<f64> = self.shapes.weights().collect();
        let mut z = vec![0.0; self.dim()];
        let mut out = Mat::zeros(n, self.dim());
        for i in 0..n {
            let k = categorical(rng, &weights);
            let (c, nu) = (&self.shapes.components[k], self.freedom[k]);
            fill_standard_normal(rng, &mut z);
            let scale = (0.5 * nu / gamma(rng, 0.5 * nu)).sqrt();
            (0..self.dim()).for_each(|j| out[(i, j)] = c.mean[j] + scale * c.scaled(&z, j));
        }
        out
    }

    fn describe(&self, w: &mut Writer) -> Result<Description, NotSavable> {
        self.shapes.describe(w)?;
        w.vector("freedom", &self.freedom);
        Ok(Description::plain(Self::KIND))
    }
}

#[cfg(test)]
mod tests;
