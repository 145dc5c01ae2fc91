//! The built-in operations: each a forward and a hand-written backward pass.
//!
//! There are few, because the expensive operations are fused and belong to the crates that need
//! them (a whole dense network is one [`Op`] of crate `flows`).

use crate::tape::{Backward, Forward, Graph, Op, Var};
use faer::linalg::matmul::matmul;
use faer::prelude::*;
use faer::{Accum, Par};
use numerics::math;
use numerics::matrix::{col, col_mut};
use std::sync::{Arc, LazyLock};

/// A block of the parameter vector as a matrix.
#[derive(Debug)]
struct Param {
    offset: usize,
}

impl Op for Param {
    fn forward(&self, f: &mut Forward<'_>) {
        let rows = f.out.nrows();
        for j in 0..f.out.ncols() {
            let at = self.offset + j * rows;
            col_mut(f.out.rb_mut(), j).copy_from_slice(&f.params[at..at + rows]);
        }
    }

    fn backward(&self, b: &mut Backward<'_>) {
        let rows = b.out.nrows();
        for j in 0..b.out.ncols() {
            let at = self.offset + j * rows;
            let up = col(b.out_grad.rb(), j);
            for (g, u) in b.param_grad[at..at + rows].iter_mut().zip(up) {
                *g += u;
            }
        }
    }
}

/// `tanh x`, element by element.
#[derive(Debug)]
struct Tanh;

impl Op for Tanh {
    fn forward(&self, f: &mut Forward<'_>) {
        let x = f.input(0);
        for j in 0..x.ncols() {
            for (o, &x) in col_mut(f.out.rb_mut(), j).iter_mut().zip(col(x, j)) {
                *o = math::tanh(x);
            }
        }
    }

    fn backward(&self, b: &mut Backward<'_>) {
        let y = b.out;
        let split = b.split(0);
        let Some(mut grad) = split.grad else { return };
        for j in 0..y.ncols() {
            let (ys, up) = (col(y, j), col(split.out_grad.rb(), j));
            for (i, g) in col_mut(grad.rb_mut(), j).iter_mut().enumerate() {
                *g += up[i] * (1.0 - ys[i] * ys[i]);
            }
        }
    }
}

/// `x y`, element by element.
#[derive(Debug)]
struct Mul;

impl Op for Mul {
    fn forward(&self, f: &mut Forward<'_>) {
        let (x, y) = (f.input(0), f.input(1));
        for j in 0..x.ncols() {
            let (xs, ys) = (col(x, j), col(y, j));
            for (i, o) in col_mut(f.out.rb_mut(), j).iter_mut().enumerate() {
                *o = xs[i] * ys[i];
            }
        }
    }

    fn backward(&self, b: &mut Backward<'_>) {
        for k in 0..2 {
            let other = b.input(1 - k);
            let split = b.split(k);
            let Some(mut grad) = split.grad else { continue };
            for j in 0..other.ncols() {
                let (os, up) = (col(other, j), col(split.out_grad.rb(), j));
                for (i, g) in col_mut(grad.rb_mut(), j).iter_mut().enumerate() {
                    *g += up[i] * os[i];
                }
            }
        }
    }
}

/// Matrix product.
#[derive(Debug)]
struct MatMul;

impl Op for MatMul {
    fn forward(&self, f: &mut Forward<'_>) {
        let (a, b) = (f.input(0), f.input(1));
        matmul(f.out.rb_mut(), Accum::Replace, a, b, 1.0, Par::Seq);
    }

    fn backward(&self, b: &mut Backward<'_>) {
        let (x, w) = (b.input(0), b.input(1));
        let split = b.split(0);
        if let Some(grad) = split.grad {
            let up = split.out_grad.rb();
            matmul(grad, Accum::Add, up, w.transpose(), 1.0, Par::Seq);
        }
        let split = b.split(1);
        if let Some(grad) = split.grad {
            let up = split.out_grad.rb();
            matmul(grad, Accum::Add, x.transpose(), up, 1.0, Par::Seq);
        }
    }
}

/// `sum_ij x_ij`.
#[derive(Debug)]
struct Sum;

impl Op for Sum {
    fn forward(&self, f: &mut Forward<'_>) {
        let x = f.input(0);
        f.out[(0, 0)] = (0..x.ncols()).map(|j| math::sum(col(x, j))).sum();
    }

    fn backward(&self, b: &mut Backward<'_>) {
        let up = b.out_grad[(0, 0)];
        if let Some(mut grad) = b.grad(0) {
            for j in 0..grad.ncols() {
                for g in col_mut(grad.rb_mut(), j) {
                    *g += up;
                }
            }
        }
    }
}

/// `sum_ij w_i x_ij` with the weights (n x 1) as second input.
#[derive(Debug)]
struct WeightedSum;

impl Op for WeightedSum {
    fn forward(&self, f: &mut Forward<'_>) {
        let (x, w) = (f.input(0), f.input(1));
        f.out[(0, 0)] = (0..x.ncols())
            .map(|j| math::dot(col(x, j), col(w, 0)))
            .sum();
    }

    fn backward(&self, b: &mut Backward<'_>) {
        let (x, w) = (b.input(0), b.input(1));
        let up = b.out_grad[(0, 0)];
        if let Some(mut grad) = b.grad(0) {
            for j in 0..x.ncols() {
                for (g, w) in col_mut(grad.rb_mut(), j).iter_mut().zip(col(w, 0)) {
                    *g += up * w;
                }
            }
        }
        if let Some(mut grad) = b.grad(1) {
            for j in 0..x.ncols() {
                for (g, x) in col_mut(grad.rb_mut(), 0).iter_mut().zip(col(x, j)) {
                    *g += up * x;
                }
            }
        }
    }
}

/// Shared instances of the operations without data: recording one allocates nothing.
macro_rules! shared {
    ($op:expr) => {{
        static OP: LazyLock<Arc<dyn Op>> = LazyLock::new(|| Arc::new($op));
        &OP
    }};
}

impl Graph<'_> {
    /// A `rows x cols` matrix of parameters, stored column-major from `offset` on.
    pub fn param(&mut self, offset: usize, rows: usize, cols: usize) -> Var {
        let op: Arc<dyn Op> = Arc::new(Param { offset });
        self.apply(&op, &[], rows, cols, true)
    }

    /// `tanh x`, element by element.
    pub fn tanh(&mut self, x: Var) -> Var {
        let (n, m) = self.shape(x);
        self.apply(shared!(Tanh), &[x], n, m, false)
    }

    /// `x y`, element by element.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn mul(&mut self, x: Var, y: Var) -> Var {
        let (n, m) = self.shape(x);
        assert_eq!((n, m), self.shape(y), "`mul` takes equal shapes");
        self.apply(shared!(Mul), &[x, y], n, m, false)
    }

    /// The matrix product `x w` of n x k and k x m.
    ///
    /// # Panics
    /// If the inner sizes differ.
    pub fn matmul(&mut self, x: Var, w: Var) -> Var {
        let ((n, k), (k2, m)) = (self.shape(x), self.shape(w));
        assert_eq!(k, k2, "inner sizes of a product");
        self.apply(shared!(MatMul), &[x, w], n, m, false)
    }

    /// The sum of all entries, 1 x 1.
    pub fn sum(&mut self, x: Var) -> Var {
        self.apply(shared!(Sum), &[x], 1, 1, false)
    }

    /// `sum_ij w_i x_ij` for n x 1 weights, 1 x 1.
    ///
    /// # Panics
    /// If `w` is not n x 1.
    pub fn weighted_sum(&mut self, x: Var, w: Var) -> Var {
        assert_eq!(
            self.shape(w),
            (self.shape(x).0, 1),
            "one weight for each row"
        );
        self.apply(shared!(WeightedSum), &[x, w], 1, 1, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Tape, check};
    use numerics::random;

    /// Checks the gradient of `sum_ij c_ij f(p)_ij` for fixed random c, which sees every entry of
    /// the Jacobian.
    fn check(n_params: usize, build: impl Fn(&mut Graph<'_>) -> Var) {
        let mut rng = random::stream(7, "ops");
        let params: Vec<f64> = (0..n_params)
            .map(|_| random::standard_normal(&mut rng))
            .collect();
        let run = |p: &[f64], grad: Option<&mut [f64]>| {
            let mut tape = Tape::new();
            let mut g = Graph::new(&mut tape, p);
            let y = build(&mut g);
            let (n, m) = g.shape(y);
            let mut rng = random::stream(8, "coefficients");
            let mut c = vec![0.0; n * m];
            random::fill_standard_normal(&mut rng, &mut c);
            let c = g.constant(n, m, &c);
            let cy = g.mul(c, y);
            let loss = g.sum(cy);
            if let Some(grad) = grad {
                tape.backward(loss, p, grad);
            }
            tape.scalar(loss)
        };
        let mut grad = vec![0.0; n_params];
        run(&params, Some(&mut grad));
        let worst = check::gradient(&params, &grad, 1e-3, |p| run(p, None)).unwrap();
        assert!(worst.error < 1e-7, "{worst:?}");
        assert!(
            grad.iter().all(|g| *g != 0.0),
            "a parameter without gradient"
        );
    }

    #[test]
    fn element_wise_gradients() {
        check(12, |g| {
            let p = g.param(0, 4, 3);
            g.tanh(p)
        });
        check(8, |g| {
            let (a, b) = (g.param(0, 2, 2), g.param(4, 2, 2));
            g.mul(a, b)
        });
    }

    #[test]
    fn matrix_gradients() {
        check(6 + 15, |g| {
            let (a, b) = (g.param(0, 2, 3), g.param(6, 3, 5));
            g.matmul(a, b)
        });
    }

    #[test]
    fn reduction_gradients() {
        check(12, |g| {
            let p = g.param(0, 4, 3);
            g.sum(p)
        });
        check(12 + 4, |g| {
            let (x, w) = (g.param(0, 4, 3), g.param(12, 4, 1));
            g.weighted_sum(x, w)
        });
    }
}
