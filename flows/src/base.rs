//! Base distributions.

use crate::blocks::ParamBlock;
use crate::trained_mixture::TrainedMixture;
use autodiff::{Backward, Forward, Graph, Op, Var};
use density::{Density, GaussianMixture, row_ln_sum_exp};
use faer::prelude::*;
use numerics::math::LN_2PI;
use numerics::matrix::{col, col_mut};
use numerics::random::{Pcg64, fill_standard_normal};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;

/// The distribution that data are mapped to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Base {
    /// `N(0, I)`.
    StandardNormal,
    /// A Gaussian mixture: a flow on it that starts as the identity has the mixture's density, and
    /// its modes need no bridges (arXiv:2512.04954).
    GaussianMixture(GaussianMixture),
    /// A Gaussian mixture whose means are trained with the flow, by the same gradient steps;
    /// covariances are fixed.
    ///
    /// `b(z) = sum_k w_k N(z; m_k + L_k a_k, L_k L_k^T)` with one displacement `a_k` (d numbers,
    /// from zero) for each component, in units of the component's own scale.
    TrainedGaussianMixture {
        /// Where training begins: `w_k`, `m_k` and `L_k`.
        start: GaussianMixture,
        /// Whether the weights are trained as well: `w_k ~ w0_k e^{b_k}`, `b_k` from zero. A weight
        /// of zero stays zero.
        train_weights: bool,
    },
}

impl Base {
    /// Whether it is a distribution on R^d.
    pub(crate) fn is_sound(&self, d: usize) -> bool {
        match self {
            Self::StandardNormal => true,
            Self::GaussianMixture(m) | Self::TrainedGaussianMixture { start: m, .. } => {
                m.dim() == d && m.is_sound()
            }
        }
    }
}

/// A base of d coordinates with its place in the parameter vector of a flow.
#[derive(Debug)]
pub(crate) struct PlacedBase {
    spec: Base,
    dim: usize,
    trained: Option<Arc<TrainedMixture>>,
    op: Arc<dyn Op>,
}

impl PlacedBase {
    /// The parameters, if there are any, begin at `offset`.
    pub fn new(spec: Base, dim: usize, offset: usize) -> Self {
        let mut trained = None;
        let op: Arc<dyn Op> = match &spec {
            Base::StandardNormal => Arc::new(NormalLogProb { dim }),
            Base::GaussianMixture(m) => Arc::new(MixtureLogProb(m.clone())),
            Base::TrainedGaussianMixture {
                start,
                train_weights,
            } => {
                let mixture = Arc::new(TrainedMixture::new(start, *train_weights, offset));
                trained = Some(mixture.clone());
                mixture
            }
        };
        Self {
            spec,
            dim,
            trained,
            op,
        }
    }

    pub fn spec(&self) -> &Base {
        &self.spec
    }

    pub fn num_params(&self) -> usize {
        self.trained.as_ref().map_or(0, |m| m.num_params())
    }

    /// Its parameters in named blocks.
    pub fn param_blocks(&self) -> Vec<ParamBlock> {
        self.trained
            .as_ref()
            .map_or(Vec::new(), |m| m.param_blocks())
    }

    /// Indices of its parameters: training changes all of them.
    pub fn trainable(&self) -> Range<usize> {
        self.trained.as_ref().map_or(0..0, |m| m.places())
    }

    /// Weights (K) and means (K x d) of the mixture under `params`, if the base is one.
    pub fn mixture(&self, params: &[f64]) -> Option<(Vec<f64>, Mat<f64>)> {
        if let Some(m) = &self.trained {
            return Some((m.weights(params), m.means(params)));
        }
        let Base::GaussianMixture(m) = &self.spec else {
            return None;
        };
        let means = Mat::from_fn(m.len(), m.dim(), |k, j| m.mean(k)[j]);
        Some((m.weights().collect(), means))
    }

    /// Adds `ln b(z)` to `out` for n x d points.
    pub fn add_log_prob(&self, params: &[f64], z: MatRef<'_, f64>, out: &mut [f64]) {
        match (&self.spec, &self.trained) {
            (_, Some(m)) => m.add_log_prob(params, z, out),
            (Base::GaussianMixture(m), _) => {
                for (o, l) in out.iter_mut().zip(m.log_prob(z)) {
                    *o += l;
                }
            }
            _ => add_normal_log_prob(z, out),
        }
    }

    /// n draws, n x d.
    pub fn sample(&self, params: &[f64], n: usize, rng: &mut Pcg64) -> Mat<f64> {
        match (&self.spec, &self.trained) {
            (_, Some(m)) => m.sample(params, n, rng),
            (Base::GaussianMixture(m), _) => m.sample(n, rng),
            _ => {
                let mut z = Mat::zeros(n, self.dim);
                for j in 0..self.dim {
                    fill_standard_normal(rng, col_mut(z.as_mut(), j));
                }
                z
            }
        }
    }

    /// Records `ln b(z) + log_det` (n x 1) of a state: d coordinates first, the log-determinant
    /// last.
    pub fn record(&self, graph: &mut Graph<'_>, state: Var) -> Var {
        let n = graph.shape(state).0;
        graph.apply(&self.op, &[state], n, 1, self.trained.is_some())
    }
}

/// Adds `- |z|^2 / 2 - d ln(2 pi) / 2` to `out` for n x d points.
fn add_normal_log_prob(z: MatRef<'_, f64>, out: &mut [f64]) {
    for j in 0..z.ncols() {
        for (o, z) in out.iter_mut().zip(col(z, j)) {
            *o -= 0.5 * (z * z + LN_2PI);
        }
    }
}

/// `ln sum_k w_k N(z; m_k, C_k) + log_det` for each row of a state; the mixture itself is not
/// trained.
#[derive(Debug)]
struct MixtureLogProb(GaussianMixture);

impl Op for MixtureLogProb {
    fn forward(&self, f: &mut Forward<'_>) {
        let state = f.input(0);
        let out = col_mut(f.out.rb_mut(), 0);
        out.copy_from_slice(col(state, state.ncols() - 1));
        let z = state.subcols(0, self.0.dim());
        for (o, l) in out.iter_mut().zip(self.0.log_prob(z)) {
            *o += l;
        }
    }

    fn backward(&self, b: &mut Backward<'_>) {
        let state = b.input(0);
        let (d, last) = (self.0.dim(), state.ncols() - 1);
        let split = b.split(0);
        let up = col(split.out_grad.into_const(), 0);
        let Some(mut grad) = split.grad else { return };
        let z = state.subcols(0, d);
        let joint = self.0.joint_log_prob(z);
        let total = row_ln_sum_exp(joint.as_ref());
        let own = grad.rb_mut().subcols_mut(0, d);
        self.0.add_gradient(z, joint.as_ref(), &total, up, own);
        for (g, u) in col_mut(grad, last).iter_mut().zip(up) {
            *g += u;
        }
    }
}

/// `- |z|^2 / 2 - d ln(2 pi) / 2 + log_det` for each row of a state.
#[derive(Debug)]
struct NormalLogProb {
    dim: usize,
}

impl Op for NormalLogProb {
    fn forward(&self, f: &mut Forward<'_>) {
        let state = f.input(0);
        let out = col_mut(f.out.rb_mut(), 0);
        out.copy_from_slice(col(state, state.ncols() - 1));
        add_normal_log_prob(state.subcols(0, self.dim), out);
    }

    fn backward(&self, b: &mut Backward<'_>) {
        let state = b.input(0);
        let last = state.ncols() - 1;
        let split = b.split(0);
        let up = col(split.out_grad.into_const(), 0);
        let Some(mut grad) = split.grad else { return };
        for j in 0..self.dim {
            let z = col(state, j);
            for (i, g) in col_mut(grad.rb_mut(), j).iter_mut().enumerate() {
                *g -= up[i] * z[i];
            }
        }
        for (g, u) in col_mut(grad.rb_mut(), last).iter_mut().zip(up) {
            *g += u;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use autodiff::{Graph, Tape, check};
    use density::{Data, EmConfig};
    use numerics::random::{standard_normal, stream};

    #[test]
    fn gradients_of_all_bases_agree_with_differences() {
        let mut rng = stream(1, "base");
        for d in [1, 2, 3] {
            let x = Mat::from_fn(80, d, |i, j| {
                let centre = if i % 2 == 0 { 2.0 } else { -1.0 - j as f64 };
                centre + 0.6 * standard_normal(&mut rng)
            });
            let data = Data::new(x.as_ref());
            let mixture = GaussianMixture::fit(data, 3, &EmConfig::default(), &mut rng).unwrap();
            let trained = |train_weights| Base::TrainedGaussianMixture {
                start: mixture.clone(),
                train_weights,
            };
            for base in [
                Base::StandardNormal,
                Base::GaussianMixture(mixture.clone()),
                trained(false),
                trained(true),
            ] {
                // A state of d coordinates, two columns that the base must not see, and the
                // log-determinant; then the base's parameters.
                let (n, width) = (6, d + 3);
                let base = PlacedBase::new(base, d, n * width);
                let params: Vec<f64> = (0..n * width + base.num_params())
                    .map(|_| standard_normal(&mut rng))
                    .collect();
                let run = |p: &[f64], grad: Option<&mut [f64]>| {
                    let mut tape = Tape::new();
                    let mut g = Graph::new(&mut tape, p);
                    let state = g.param(0, n, width);
                    let log_prob = base.record(&mut g, state);
                    let w = g.constant(n, 1, &[1.0, 0.5, -0.3, 2.0, 0.1, 1.3]);
                    let loss = g.weighted_sum(log_prob, w);
                    if let Some(grad) = grad {
                        tape.backward(loss, p, grad);
                    }
                    tape.scalar(loss)
                };
                let mut grad = vec![0.0; params.len()];
                run(&params, Some(&mut grad));
                let worst = check::gradient(&params, &grad, 1e-3, |p| run(p, None)).unwrap();
                assert!(worst.error < 1e-7, "d = {d}, {base:?}: {worst:?}");
                assert!(grad[n * width..].iter().all(|g| *g != 0.0));
                assert!(grad[n * d..n * (d + 2)].iter().all(|g| *g == 0.0));
            }
        }
    }
}
