//! Base distributions.

use autodiff::math::LN_2PI;
use autodiff::matrix::{col, col_mut};
use autodiff::random::{Pcg64, fill_standard_normal};
use autodiff::{Backward, Forward, Graph, Op, Var};
use faer::prelude::*;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, LazyLock};

/// The distribution that data are mapped to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Base {
    /// `N(0, I)`.
    StandardNormal,
}

impl Base {
    /// Adds `ln b(z)` to `out` for n x d points.
    pub(crate) fn add_log_prob(self, z: MatRef<'_, f64>, out: &mut [f64]) {
        match self {
            Self::StandardNormal => {
                for j in 0..z.ncols() {
                    for (o, z) in out.iter_mut().zip(col(z, j)) {
                        *o -= 0.5 * (z * z + LN_2PI);
                    }
                }
            }
        }
    }

    /// n draws, n x d.
    pub(crate) fn sample(self, n: usize, d: usize, rng: &mut Pcg64) -> Mat<f64> {
        let mut z = Mat::zeros(n, d);
        match self {
            Self::StandardNormal => {
                for j in 0..d {
                    fill_standard_normal(rng, col_mut(z.as_mut(), j));
                }
            }
        }
        z
    }

    /// Records `ln b(z) + log_det` (n x 1) for an n x (d + 1) state.
    pub(crate) fn record(self, graph: &mut Graph<'_>, state: Var) -> Var {
        static NORMAL: LazyLock<Arc<dyn Op>> = LazyLock::new(|| Arc::new(NormalLogProb));
        let n = graph.shape(state).0;
        match self {
            Self::StandardNormal => graph.apply(&NORMAL, &[state], n, 1, false),
        }
    }
}

/// `- |z|^2 / 2 - d ln(2 pi) / 2 + log_det` for each row of a state.
#[derive(Debug)]
struct NormalLogProb;

impl Op for NormalLogProb {
    fn forward(&self, f: &mut Forward<'_>) {
        let state = f.input(0);
        let d = state.ncols() - 1;
        let out = col_mut(f.out.rb_mut(), 0);
        out.copy_from_slice(col(state, d));
        Base::StandardNormal.add_log_prob(state.subcols(0, d), out);
    }

    fn backward(&self, b: &mut Backward<'_>) {
        let state = b.input(0);
        let d = state.ncols() - 1;
        let split = b.split(0);
        let up = col(split.out_grad.into_const(), 0);
        let Some(mut grad) = split.grad else { return };
        for j in 0..d {
            let z = col(state, j);
            for (i, g) in col_mut(grad.rb_mut(), j).iter_mut().enumerate() {
                *g -= up[i] * z[i];
            }
        }
        for (g, u) in col_mut(grad.rb_mut(), d).iter_mut().zip(up) {
            *g += u;
        }
    }
}
