//! A Gaussian mixture whose means, and weights if wanted, are trained with the flow on it.

use crate::blocks::ParamBlock;
use autodiff::{Backward, Forward, Op};
use density::GaussianMixture;
use faer::prelude::*;
use numerics::math::{LN_2PI, dot, exp, ln, ln_sum_exp, sum};
use numerics::matrix::{col, col_mut};
use numerics::random::{Pcg64, categorical, fill_standard_normal};
use std::ops::Range;

/// `b(z) = sum_k w_k N(z; m_k + L_k a_k, L_k L_k^T)` with trained displacements `a_k`, which begin
/// at zero.
///
/// A displacement is in units of the component's own scale, so that a step of the optimiser moves
/// narrow and wide components alike, and weight decay pulls a mean to its start. Trained weights
/// are `w_k ~ w0_k e^{b_k}`, also from `b_k = 0`. Parameters: `a_1, ..., a_K` (d each), then `b_1,
/// ..., b_K` if weights are trained.
#[derive(Debug)]
pub(crate) struct TrainedMixture {
    dim: usize,
    components: Vec<Component>,
    train_weights: bool,
    offset: usize,
}

#[derive(Debug)]
struct Component {
    weight: f64,
    ln_weight: f64,
    mean: Vec<f64>,
    /// Lower Cholesky factor of the covariance, row by row.
    factor: Vec<f64>,
    /// `-ln det L - d ln(2 pi) / 2`.
    log_norm: f64,
}

impl TrainedMixture {
    /// Begins as `start`, a sound mixture; the parameters lie at `offset`.
    pub fn new(start: &GaussianMixture, train_weights: bool, offset: usize) -> Self {
        let (dim, parts) = (start.dim(), start.parts());
        let component = |((&weight, mean), factor): ((&f64, &[f64]), &[f64])| {
            let ln_det: f64 = (0..dim).map(|j| ln(factor[j * dim + j])).sum();
            Component {
                weight,
                ln_weight: ln(weight),
                mean: mean.to_vec(),
                factor: factor.to_vec(),
                log_norm: -ln_det - 0.5 * dim as f64 * LN_2PI,
            }
        };
        let means = parts.means.chunks_exact(dim);
        let factors = parts.factors.chunks_exact(dim * dim);
        let components = parts.weights.iter().zip(means).zip(factors).map(component);
        Self {
            dim,
            components: components.collect(),
            train_weights,
            offset,
        }
    }

    pub fn num_params(&self) -> usize {
        let weights = usize::from(self.train_weights);
        self.components.len() * (self.dim + weights)
    }

    /// The parameters in blocks: `displacements` (K x d) and, if they are trained, `log_weights`
    /// (K).
    pub fn param_blocks(&self) -> Vec<ParamBlock> {
        let count = self.components.len();
        let mut blocks = vec![ParamBlock::new(
            "displacements".into(),
            &[count, self.dim],
            self.offset,
        )];
        if self.train_weights {
            let at = self.weights_at();
            blocks.push(ParamBlock::new("log_weights".into(), &[count], at));
        }
        blocks
    }

    /// Places of the parameters.
    pub fn places(&self) -> Range<usize> {
        self.offset..self.offset + self.num_params()
    }

    /// Places of the displacement of component k.
    fn displacement(&self, k: usize) -> Range<usize> {
        let start = self.offset + k * self.dim;
        start..start + self.dim
    }

    /// Place of the first `b_k`.
    fn weights_at(&self) -> usize {
        self.offset + self.components.len() * self.dim
    }

    /// Writes `ln w_k`.
    fn ln_weights(&self, params: &[f64], out: &mut [f64]) {
        for (o, c) in out.iter_mut().zip(&self.components) {
            *o = c.ln_weight;
        }
        if self.train_weights {
            for (o, b) in out.iter_mut().zip(&params[self.weights_at()..]) {
                *o += b;
            }
            let total = ln_sum_exp(out);
            out.iter_mut().for_each(|o| *o -= total);
        }
    }

    /// The weights, K.
    pub fn weights(&self, params: &[f64]) -> Vec<f64> {
        if !self.train_weights {
            return self.components.iter().map(|c| c.weight).collect();
        }
        let mut out = vec![0.0; self.components.len()];
        self.ln_weights(params, &mut out);
        out.iter().map(|&l| exp(l)).collect()
    }

    /// The means, K x d.
    pub fn means(&self, params: &[f64]) -> Mat<f64> {
        Mat::from_fn(self.components.len(), self.dim, |k, j| {
            let (c, a) = (&self.components[k], &params[self.displacement(k)]);
            let row = &c.factor[j * self.dim..];
            c.mean[j] + (0..=j).map(|l| row[l] * a[l]).sum::<f64>()
        })
    }

    /// n draws, n x d.
    pub fn sample(&self, params: &[f64], n: usize, rng: &mut Pcg64) -> Mat<f64> {
        let d = self.dim;
        let weights = self.weights(params);
        let mut z = vec![0.0; d];
        let mut out = Mat::zeros(n, d);
        for i in 0..n {
            let k = categorical(rng, &weights);
            let c = &self.components[k];
            fill_standard_normal(rng, &mut z);
            for (z, a) in z.iter_mut().zip(&params[self.displacement(k)]) {
                *z += a;
            }
            for j in 0..d {
                let row = &c.factor[j * d..];
                out[(i, j)] = c.mean[j] + (0..=j).map(|l| row[l] * z[l]).sum::<f64>();
            }
        }
        out
    }

    /// Adds `ln b(z)` to `out` for n x d points.
    pub fn add_log_prob(&self, params: &[f64], z: MatRef<'_, f64>, out: &mut [f64]) {
        let mut work = vec![0.0; self.work(z.nrows())];
        self.evaluate(params, z, &mut work, out);
    }

    /// Numbers that [`Self::evaluate`] needs room for.
    fn work(&self, n: usize) -> usize {
        self.components.len() * (n * (self.dim + 1) + 1) + 2 * n
    }

    /// Adds `ln b(z)` to `out`. It writes to `work`, of the size above: for each component `y =
    /// L^-1 (z - m) - a` (n x d), for each component its responsibilities (n), `ln w` (K), and
    /// scratch.
    fn evaluate(&self, params: &[f64], z: MatRef<'_, f64>, work: &mut [f64], out: &mut [f64]) {
        let (n, d, count) = (z.nrows(), self.dim, self.components.len());
        let (white, rest) = work.split_at_mut(count * n * d);
        let (joint, rest) = rest.split_at_mut(count * n);
        let (ln_weights, rest) = rest.split_at_mut(count);
        let (max, total) = rest.split_at_mut(n);
        self.ln_weights(params, ln_weights);
        max.fill(f64::NEG_INFINITY);
        for (k, c) in self.components.iter().enumerate() {
            let y = &mut white[k * n * d..(k + 1) * n * d];
            c.whiten(z, &params[self.displacement(k)], y);
            let joint = &mut joint[k * n..(k + 1) * n];
            joint.fill(ln_weights[k] + c.log_norm);
            for y in y.chunks_exact(n.max(1)) {
                for (o, y) in joint.iter_mut().zip(y) {
                    *o -= 0.5 * y * y;
                }
            }
            for (m, &v) in max.iter_mut().zip(&*joint) {
                // NaN stays NaN.
                *m = if v > *m || v.is_nan() { v } else { *m };
            }
        }
        total.fill(0.0);
        for joint in joint.chunks_exact_mut(n.max(1)) {
            for ((j, m), t) in joint.iter_mut().zip(&*max).zip(total.iter_mut()) {
                *j = exp(*j - m);
                *t += *j;
            }
        }
        for joint in joint.chunks_exact_mut(n.max(1)) {
            joint.iter_mut().zip(&*total).for_each(|(j, t)| *j /= t);
        }
        for ((o, m), t) in out.iter_mut().zip(&*max).zip(&*total) {
            *o += if m.is_finite() { m + ln(*t) } else { *m };
        }
    }
}

impl Component {
    /// `y = L^-1 (z - m) - a`, column by column.
    fn whiten(&self, z: MatRef<'_, f64>, displacement: &[f64], y: &mut [f64]) {
        let (n, d) = (z.nrows(), self.mean.len());
        for j in 0..d {
            let (done, rest) = y.split_at_mut(j * n);
            let own = &mut rest[..n];
            let (mean, row) = (self.mean[j], &self.factor[j * d..]);
            for (o, z) in own.iter_mut().zip(col(z, j)) {
                *o = z - mean;
            }
            for i in 0..j {
                for (o, v) in own.iter_mut().zip(&done[i * n..(i + 1) * n]) {
                    *o -= row[i] * v;
                }
            }
            let scale = 1.0 / row[j];
            own.iter_mut().for_each(|v| *v *= scale);
        }
        for (own, a) in y.chunks_exact_mut(n.max(1)).zip(displacement) {
            own.iter_mut().for_each(|v| *v -= a);
        }
    }

    /// `v <- L^-T v`, column by column.
    fn solve_transposed(&self, v: &mut [f64], n: usize) {
        let d = self.mean.len();
        for j in (0..d).rev() {
            let (low, high) = v.split_at_mut((j + 1) * n);
            let own = &mut low[j * n..];
            for i in j + 1..d {
                let l = self.factor[i * d + j];
                for (o, v) in own.iter_mut().zip(&high[(i - j - 1) * n..(i - j) * n]) {
                    *o -= l * v;
                }
            }
            let scale = 1.0 / self.factor[j * d + j];
            own.iter_mut().for_each(|v| *v *= scale);
        }
    }
}

/// `ln b(z) + log_det` (n x 1) of a state: d coordinates first, the log-determinant last.
impl Op for TrainedMixture {
    fn forward(&self, f: &mut Forward<'_>) {
        let state = f.input(0);
        let out = col_mut(f.out.rb_mut(), 0);
        out.copy_from_slice(col(state, state.ncols() - 1));
        f.saved.resize(self.work(state.nrows()), 0.0);
        self.evaluate(f.params, state.subcols(0, self.dim), f.saved, out);
    }

    fn backward(&self, b: &mut Backward<'_>) {
        let (n, d, count) = (b.out.nrows(), self.dim, self.components.len());
        let last = b.input(0).ncols() - 1;
        let (white, rest) = b.saved.split_at(count * n * d);
        let (shares, rest) = rest.split_at(count * n);
        let split = b.split(0);
        let up = col(split.out_grad.into_const(), 0);
        let mut grad = split.grad;
        if split.scratch.len() < n * (d + 1) {
            split.scratch.resize(n * (d + 1), 0.0);
        }
        let (own, v) = split.scratch[..n * (d + 1)].split_at_mut(n);
        let all_up = sum(up);
        for (k, c) in self.components.iter().enumerate() {
            let y = &white[k * n * d..(k + 1) * n * d];
            for ((o, r), u) in own.iter_mut().zip(&shares[k * n..]).zip(up) {
                *o = r * u;
            }
            // d ln b / d a_k = r_k y_k and d ln b / d b_k = r_k - w_k.
            let places = self.displacement(k);
            for (g, y) in split.param_grad[places].iter_mut().zip(y.chunks_exact(n)) {
                *g += dot(own, y);
            }
            if self.train_weights {
                split.param_grad[self.weights_at() + k] += sum(own) - exp(rest[k]) * all_up;
            }
            let Some(grad) = &mut grad else { continue };
            v.copy_from_slice(y);
            c.solve_transposed(v, n);
            for (j, v) in v.chunks_exact(n).enumerate() {
                let g = col_mut(grad.rb_mut(), j);
                for ((g, v), u) in g.iter_mut().zip(v).zip(&*own) {
                    *g -= u * v;
                }
            }
        }
        if let Some(grad) = grad {
            for (g, u) in col_mut(grad, last).iter_mut().zip(up) {
                *g += u;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use density::{Data, Density, EmConfig};
    use numerics::random::{standard_normal, stream};

    fn start(d: usize) -> (GaussianMixture, Mat<f64>) {
        let mut rng = stream(1, "trained mixture");
        let x = Mat::from_fn(80, d, |i, j| {
            let centre = if i % 2 == 0 { 2.0 } else { -1.0 - j as f64 };
            centre + 0.6 * standard_normal(&mut rng)
        });
        let em = EmConfig::default();
        let mixture = GaussianMixture::fit(Data::new(x.as_ref()), 3, &em, &mut rng).unwrap();
        (mixture, x)
    }

    #[test]
    fn it_begins_as_the_mixture_it_is_given() {
        for d in [1, 2, 3] {
            let (mixture, x) = start(d);
            for train_weights in [false, true] {
                let trained = TrainedMixture::new(&mixture, train_weights, 0);
                let params = vec![0.0; trained.num_params()];
                let mut out = vec![0.0; x.nrows()];
                trained.add_log_prob(&params, x.as_ref(), &mut out);
                for (a, b) in out.iter().zip(mixture.log_prob(x.as_ref())) {
                    assert!((a - b).abs() < 1e-13 * (1.0 + b.abs()), "{a} {b}");
                }
                let means = trained.means(&params);
                for k in 0..3 {
                    assert!((0..d).all(|j| means[(k, j)] == mixture.mean(k)[j]));
                }
                let draws = trained.sample(&params, 50, &mut stream(2, "draws"));
                let same = mixture.sample(50, &mut stream(2, "draws"));
                assert!((&draws - &same).norm_max() < 1e-14);
            }
        }
    }

    #[test]
    fn draws_have_the_displaced_means_and_the_trained_weights() {
        let (mixture, _) = start(2);
        let trained = TrainedMixture::new(&mixture, true, 1);
        let params = [f64::NAN, 3.0, -1.0, 0.5, 0.2, -2.0, 1.0, 0.3, -0.7, 1.1];
        assert_eq!(trained.places(), 1..10);
        let (weights, means) = (trained.weights(&params), trained.means(&params));
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-14);
        let n = 40_000;
        let draws = trained.sample(&params, n, &mut stream(3, "draws"));
        for j in 0..2 {
            let mean = sum(col(draws.as_ref(), j)) / n as f64;
            let exact: f64 = (0..3).map(|k| weights[k] * means[(k, j)]).sum();
            assert!((mean - exact).abs() < 0.05, "{mean} {exact}");
        }
    }

    #[test]
    fn a_component_without_weight_stays_without_and_breaks_nothing() {
        let (mixture, x) = start(2);
        let text = ron::to_string(&mixture).unwrap();
        let weight = ron::to_string(&mixture.weights().next().unwrap()).unwrap();
        let none: GaussianMixture = ron::from_str(&text.replacen(&weight, "0.0", 1)).unwrap();
        let trained = TrainedMixture::new(&none, true, 0);
        let params = vec![0.1; trained.num_params()];
        let mut out = vec![0.0; x.nrows()];
        trained.add_log_prob(&params, x.as_ref(), &mut out);
        assert!(out.iter().all(|l| l.is_finite()));
        assert_eq!(trained.weights(&params)[0], 0.0);
    }

    #[test]
    fn infinitely_far_points_have_no_density_and_nan_stays_nan() {
        let (mixture, _) = start(1);
        let trained = TrainedMixture::new(&mixture, false, 0);
        let params = vec![0.0; trained.num_params()];
        let z = Mat::from_fn(3, 1, |i, _| [f64::INFINITY, f64::NAN, 1e200][i]);
        let mut out = vec![0.0; 3];
        trained.add_log_prob(&params, z.as_ref(), &mut out);
        assert!(out[0] == f64::NEG_INFINITY && out[1].is_nan() && out[2] == f64::NEG_INFINITY);
    }
}
