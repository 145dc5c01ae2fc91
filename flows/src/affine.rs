//! The element-wise affine map `z = (x - t) e^{-s}` and its log-determinant, as one fused
//! operation.

use autodiff::{Backward, Forward, Op};
use faer::prelude::*;
use numerics::math;
use numerics::matrix::{col, col_mut};
use serde::{Deserialize, Serialize};

/// How a log-scale s comes from the output r of a network: `s = bound * tanh(r / knee)`, smooth and
/// within +-bound.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogScale {
    /// The largest |s|.
    #[serde(deserialize_with = "numerics::checked::positive")]
    pub bound: f64,
    /// The output at which saturation begins.
    #[serde(deserialize_with = "numerics::checked::positive")]
    pub knee: f64,
}

impl Default for LogScale {
    /// At most `e^2`, linear up to about 1.
    fn default() -> Self {
        Self {
            bound: 2.0,
            knee: 2.0,
        }
    }
}

impl LogScale {
    /// `s(r)`.
    #[inline(always)]
    pub(crate) fn value(self, r: f64) -> f64 {
        self.bound * math::tanh(r / self.knee)
    }

    /// `ds/dr` where the value is s.
    #[inline(always)]
    fn slope(self, s: f64) -> f64 {
        let t = s / self.bound;
        (1.0 - t * t) * (self.bound / self.knee)
    }
}

/// `z_c = (x_c - t_k) e^{-s_k}` for the k-th of the columns `cols`; the others are unchanged. `ln
/// |det dz/dx| = - sum_k s_k`.
#[derive(Debug, Clone)]
pub(crate) struct Affine {
    /// Columns of the state that are transformed.
    pub cols: Vec<usize>,
    /// First column of the shifts in the second input.
    pub shift_at: usize,
    /// First column of the raw log-scales in the third input (which may be the second again).
    pub scale_at: usize,
    pub log_scale: LogScale,
}

impl Affine {
    /// Forward in place: column c of x, with its shifts and raw log-scales.
    pub fn transform(&self, x: &mut [f64], log_det: &mut [f64], shift: &[f64], raw: &[f64]) {
        for (((x, l), t), r) in x.iter_mut().zip(log_det).zip(shift).zip(raw) {
            let s = self.log_scale.value(*r);
            *x = (*x - t) * math::exp(-s);
            *l -= s;
        }
    }

    /// Inverse in place: `x = z e^s + t`.
    pub fn inverse(&self, z: &mut [f64], log_det: &mut [f64], shift: &[f64], raw: &[f64]) {
        for (((z, l), t), r) in z.iter_mut().zip(log_det).zip(shift).zip(raw) {
            let s = self.log_scale.value(*r);
            *z = *z * math::exp(s) + t;
            *l += s;
        }
    }
}

impl Op for Affine {
    fn forward(&self, f: &mut Forward<'_>) {
        let (state, shifts, scales) = (f.input(0), f.input(1), f.input(2));
        let (n, d) = (state.nrows(), state.ncols() - 1);
        for c in 0..=d {
            if !self.cols.contains(&c) {
                col_mut(f.out.rb_mut(), c).copy_from_slice(col(state, c));
            }
        }
        // Saved for the backward pass: s and e^{-s}, column by column.
        f.saved.resize(2 * n * self.cols.len(), 0.0);
        for ((k, &c), kept) in self
            .cols
            .iter()
            .enumerate()
            .zip(f.saved.chunks_exact_mut(2 * n.max(1)))
        {
            let (s, e) = kept.split_at_mut(n);
            let raw = col(scales, self.scale_at + k);
            for ((s, e), r) in s.iter_mut().zip(e.iter_mut()).zip(raw) {
                *s = self.log_scale.value(*r);
                *e = math::exp(-*s);
            }
            let (x, t) = (col(state, c), col(shifts, self.shift_at + k));
            for (i, z) in col_mut(f.out.rb_mut(), c).iter_mut().enumerate() {
                *z = (x[i] - t[i]) * e[i];
            }
            for (l, s) in col_mut(f.out.rb_mut(), d).iter_mut().zip(s) {
                *l -= *s;
            }
        }
    }

    fn backward(&self, b: &mut Backward<'_>) {
        let (out, saved) = (b.out, b.saved);
        let (n, d) = (out.nrows(), out.ncols() - 1);
        let kept = |k: usize| saved[2 * n * k..2 * n * (k + 1)].split_at(n);
        let split = b.split(0);
        let up = split.out_grad.into_const();
        if let Some(mut grad) = split.grad {
            for c in 0..=d {
                let g = col_mut(grad.rb_mut(), c);
                let up = col(up, c);
                match self.cols.iter().position(|&t| t == c) {
                    None => g.iter_mut().zip(up).for_each(|(g, u)| *g += u),
                    Some(k) => {
                        let (_, e) = kept(k);
                        for (i, g) in g.iter_mut().enumerate() {
                            *g += up[i] * e[i];
                        }
                    }
                }
            }
        }
        let split = b.split(1);
        let up = split.out_grad.into_const();
        if let Some(mut grad) = split.grad {
            for (k, &c) in self.cols.iter().enumerate() {
                let (up, (_, e)) = (col(up, c), kept(k));
                for (i, g) in col_mut(grad.rb_mut(), self.shift_at + k)
                    .iter_mut()
                    .enumerate()
                {
                    *g -= up[i] * e[i];
                }
            }
        }
        let split = b.split(2);
        let up = split.out_grad.into_const();
        if let Some(mut grad) = split.grad {
            let up_log_det = col(up, d);
            for (k, &c) in self.cols.iter().enumerate() {
                let (up, z, (s, _)) = (col(up, c), col(out, c), kept(k));
                for (i, g) in col_mut(grad.rb_mut(), self.scale_at + k)
                    .iter_mut()
                    .enumerate()
                {
                    *g -= (up[i] * z[i] + up_log_det[i]) * self.log_scale.slope(s[i]);
                }
            }
        }
    }
}
