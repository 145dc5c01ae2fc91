//! The built-in operations: each a forward and a hand-written backward pass.

use crate::tape::{Backward, Forward, Graph, Op, Var};
use faer::linalg::matmul::matmul;
use faer::prelude::*;
use faer::{Accum, Par};
use numerics::math;
use numerics::matrix::{col, col_mut};
use std::sync::{Arc, LazyLock};

/// Element-wise functions of one matrix.
#[derive(Debug, Clone, Copy)]
enum Unary {
    Exp,
    Ln,
    Tanh,
    Relu,
    Softplus,
    Square,
}

impl Unary {
    fn value(self, x: f64) -> f64 {
        match self {
            Self::Exp => math::exp(x),
            Self::Ln => math::ln(x),
            Self::Tanh => math::tanh(x),
            Self::Relu => x.max(0.0),
            Self::Softplus => math::softplus(x),
            Self::Square => x * x,
        }
    }

    /// The derivative at `x`, where the value is `y`.
    fn slope(self, x: f64, y: f64) -> f64 {
        match self {
            Self::Exp => y,
            Self::Ln => 1.0 / x,
            Self::Tanh => 1.0 - y * y,
            Self::Relu => f64::from(x > 0.0),
            Self::Softplus => math::sigmoid(x),
            Self::Square => 2.0 * x,
        }
    }
}

impl Op for Unary {
    fn forward(&self, f: &mut Forward<'_>) {
        let x = f.input(0);
        for j in 0..x.ncols() {
            for (o, &x) in col_mut(f.out.rb_mut(), j).iter_mut().zip(col(x, j)) {
                *o = self.value(x);
            }
        }
    }

    fn backward(&self, b: &mut Backward<'_>) {
        let (x, y) = (b.input(0), b.out);
        let Split2 { grad, out_grad } = split2(b, 0);
        let Some(mut grad) = grad else { return };
        for j in 0..x.ncols() {
            let (xs, ys, up) = (col(x, j), col(y, j), col(out_grad, j));
            for (i, g) in col_mut(grad.rb_mut(), j).iter_mut().enumerate() {
                *g += up[i] * self.slope(xs[i], ys[i]);
            }
        }
    }
}

struct Split2<'a> {
    grad: Option<MatMut<'a, f64>>,
    out_grad: MatRef<'a, f64>,
}

fn split2<'a>(b: &'a mut Backward<'_>, k: usize) -> Split2<'a> {
    let s = b.split(k);
    Split2 {
        grad: s.grad,
        out_grad: s.out_grad.into_const(),
    }
}

/// Element-wise functions of two matrices of the same shape.
#[derive(Debug, Clone, Copy)]
enum Binary {
    Add,
    Sub,
    Mul,
}

impl Op for Binary {
    fn forward(&self, f: &mut Forward<'_>) {
        let (x, y) = (f.input(0), f.input(1));
        for j in 0..x.ncols() {
            let (xs, ys) = (col(x, j), col(y, j));
            for (i, o) in col_mut(f.out.rb_mut(), j).iter_mut().enumerate() {
                *o = match self {
                    Self::Add => xs[i] + ys[i],
                    Self::Sub => xs[i] - ys[i],
                    Self::Mul => xs[i] * ys[i],
                };
            }
        }
    }

    fn backward(&self, b: &mut Backward<'_>) {
        for k in 0..2 {
            let other = b.input(1 - k);
            let Split2 { grad, out_grad } = split2(b, k);
            let Some(mut grad) = grad else { continue };
            for j in 0..other.ncols() {
                let (os, up) = (col(other, j), col(out_grad, j));
                for (i, g) in col_mut(grad.rb_mut(), j).iter_mut().enumerate() {
                    *g += match (self, k) {
                        (Self::Mul, _) => up[i] * os[i],
                        (Self::Sub, 1) => -up[i],
                        _ => up[i],
                    };
                }
            }
        }
    }
}

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
        let Split2 { grad, out_grad } = split2(b, 0);
        if let Some(grad) = grad {
            matmul(grad, Accum::Add, out_grad, w.transpose(), 1.0, Par::Seq);
        }
        let Split2 { grad, out_grad } = split2(b, 1);
        if let Some(grad) = grad {
            matmul(grad, Accum::Add, x.transpose(), out_grad, 1.0, Par::Seq);
        }
    }
}

/// Adds a 1 x m row to every row of an n x m matrix.
#[derive(Debug)]
struct AddRow;

impl Op for AddRow {
    fn forward(&self, f: &mut Forward<'_>) {
        let (x, row) = (f.input(0), f.input(1));
        for j in 0..x.ncols() {
            for (o, v) in col_mut(f.out.rb_mut(), j).iter_mut().zip(col(x, j)) {
                *o = v + row[(0, j)];
            }
        }
    }

    fn backward(&self, b: &mut Backward<'_>) {
        let Split2 { grad, out_grad } = split2(b, 0);
        if let Some(mut grad) = grad {
            for j in 0..out_grad.ncols() {
                for (g, u) in col_mut(grad.rb_mut(), j).iter_mut().zip(col(out_grad, j)) {
                    *g += u;
                }
            }
        }
        let Split2 { grad, out_grad } = split2(b, 1);
        if let Some(mut grad) = grad {
            for j in 0..out_grad.ncols() {
                grad[(0, j)] += math::sum(col(out_grad, j));
            }
        }
    }
}

/// `sum_ij w_i x_ij`, with weights that are constants of the operation's second input (n x 1).
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

/// `y_i = ln sum_j e^{x_ij}`.
#[derive(Debug)]
struct RowLnSumExp;

impl Op for RowLnSumExp {
    fn forward(&self, f: &mut Forward<'_>) {
        let x = f.input(0);
        let out = col_mut(f.out.rb_mut(), 0);
        out.fill(f64::NEG_INFINITY);
        for j in 0..x.ncols() {
            for (o, &v) in out.iter_mut().zip(col(x, j)) {
                *o = math::ln_sum_exp2(*o, v);
            }
        }
    }

    fn backward(&self, b: &mut Backward<'_>) {
        let (x, y) = (b.input(0), b.out);
        let Split2 { grad, out_grad } = split2(b, 0);
        let Some(mut grad) = grad else { return };
        let (ys, up) = (col(y, 0), col(out_grad, 0));
        for j in 0..x.ncols() {
            let xs = col(x, j);
            for (i, g) in col_mut(grad.rb_mut(), j).iter_mut().enumerate() {
                // A row of nothing but -infinity has no slope.
                if ys[i] > f64::NEG_INFINITY {
                    *g += up[i] * math::exp(xs[i] - ys[i]);
                }
            }
        }
    }
}

/// `y_ij = factor * x_ij`.
#[derive(Debug)]
struct Scale(f64);

impl Op for Scale {
    fn forward(&self, f: &mut Forward<'_>) {
        let x = f.input(0);
        for j in 0..x.ncols() {
            for (o, v) in col_mut(f.out.rb_mut(), j).iter_mut().zip(col(x, j)) {
                *o = self.0 * v;
            }
        }
    }

    fn backward(&self, b: &mut Backward<'_>) {
        let Split2 { grad, out_grad } = split2(b, 0);
        let Some(mut grad) = grad else { return };
        for j in 0..out_grad.ncols() {
            for (g, u) in col_mut(grad.rb_mut(), j).iter_mut().zip(col(out_grad, j)) {
                *g += self.0 * u;
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
    fn unary(&mut self, op: &Arc<dyn Op>, x: Var) -> Var {
        let (n, m) = self.shape(x);
        self.apply(op, &[x], n, m, false)
    }

    fn binary(&mut self, op: &Arc<dyn Op>, x: Var, y: Var) -> Var {
        let shape = self.shape(x);
        assert_eq!(
            shape,
            self.shape(y),
            "element-wise operations take equal shapes"
        );
        self.apply(op, &[x, y], shape.0, shape.1, false)
    }

    /// A `rows x cols` matrix of parameters, stored column-major from `offset` on.
    pub fn param(&mut self, offset: usize, rows: usize, cols: usize) -> Var {
        let op: Arc<dyn Op> = Arc::new(Param { offset });
        self.apply(&op, &[], rows, cols, true)
    }

    /// `e^x`, element by element.
    pub fn exp(&mut self, x: Var) -> Var {
        self.unary(shared!(Unary::Exp), x)
    }

    /// `ln x`, element by element.
    pub fn ln(&mut self, x: Var) -> Var {
        self.unary(shared!(Unary::Ln), x)
    }

    /// `tanh x`, element by element.
    pub fn tanh(&mut self, x: Var) -> Var {
        self.unary(shared!(Unary::Tanh), x)
    }

    /// `max(x, 0)`, element by element; its slope at 0 is 0.
    pub fn relu(&mut self, x: Var) -> Var {
        self.unary(shared!(Unary::Relu), x)
    }

    /// `ln(1 + e^x)`, element by element.
    pub fn softplus(&mut self, x: Var) -> Var {
        self.unary(shared!(Unary::Softplus), x)
    }

    /// `x^2`, element by element.
    pub fn square(&mut self, x: Var) -> Var {
        self.unary(shared!(Unary::Square), x)
    }

    /// `x + y`, element by element.
    ///
    /// # Panics
    /// If the shapes differ (likewise [`Graph::sub`] and [`Graph::mul`]).
    pub fn add(&mut self, x: Var, y: Var) -> Var {
        self.binary(shared!(Binary::Add), x, y)
    }

    /// `x - y`, element by element.
    pub fn sub(&mut self, x: Var, y: Var) -> Var {
        self.binary(shared!(Binary::Sub), x, y)
    }

    /// `x y`, element by element.
    pub fn mul(&mut self, x: Var, y: Var) -> Var {
        self.binary(shared!(Binary::Mul), x, y)
    }

    /// `factor * x`.
    pub fn scale(&mut self, x: Var, factor: f64) -> Var {
        let (n, m) = self.shape(x);
        let op: Arc<dyn Op> = Arc::new(Scale(factor));
        self.apply(&op, &[x], n, m, false)
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

    /// Adds the 1 x m `row` to every row of the n x m `x`.
    ///
    /// # Panics
    /// If `row` is not 1 x m.
    pub fn add_row(&mut self, x: Var, row: Var) -> Var {
        let (n, m) = self.shape(x);
        assert_eq!(self.shape(row), (1, m), "one value for each column");
        self.apply(shared!(AddRow), &[x, row], n, m, false)
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

    /// `ln sum_j e^{x_ij}` for each row, n x 1.
    pub fn row_ln_sum_exp(&mut self, x: Var) -> Var {
        let n = self.shape(x).0;
        self.apply(shared!(RowLnSumExp), &[x], n, 1, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Tape, check};
    use numerics::random;

    /// Checks the gradient of `sum_ij c_ij f(p)_ij` for fixed random c, which sees every entry of the Jacobian.
    fn check(n_params: usize, positive: bool, build: impl Fn(&mut Graph<'_>) -> Var) {
        let mut rng = random::stream(7, "ops");
        let params: Vec<f64> = (0..n_params)
            .map(|_| {
                let v = random::standard_normal(&mut rng);
                // Away from the kink of relu, inside the domain of ln.
                if positive {
                    0.5 + v.abs()
                } else {
                    v + 0.1f64.copysign(v)
                }
            })
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
        check(12, false, |g| {
            let p = g.param(0, 4, 3);
            g.exp(p)
        });
        check(12, true, |g| {
            let p = g.param(0, 4, 3);
            g.ln(p)
        });
        check(12, false, |g| {
            let p = g.param(0, 4, 3);
            g.tanh(p)
        });
        check(12, true, |g| {
            let p = g.param(0, 4, 3);
            g.relu(p)
        });
        check(12, false, |g| {
            let p = g.param(0, 4, 3);
            g.softplus(p)
        });
        check(12, false, |g| {
            let p = g.param(0, 4, 3);
            g.square(p)
        });
        check(12, false, |g| {
            let p = g.param(0, 4, 3);
            g.scale(p, -1.7)
        });
        check(8, false, |g| {
            let (a, b) = (g.param(0, 2, 2), g.param(4, 2, 2));
            g.add(a, b)
        });
        check(8, false, |g| {
            let (a, b) = (g.param(0, 2, 2), g.param(4, 2, 2));
            g.sub(a, b)
        });
        check(8, false, |g| {
            let (a, b) = (g.param(0, 2, 2), g.param(4, 2, 2));
            g.mul(a, b)
        });
    }

    #[test]
    fn relu_has_no_slope_below_zero() {
        let mut tape = Tape::new();
        let params = [-1.0, 2.0];
        let mut g = Graph::new(&mut tape, &params);
        let p = g.param(0, 2, 1);
        let y = g.relu(p);
        let loss = g.sum(y);
        let mut grad = [0.0; 2];
        tape.backward(loss, &params, &mut grad);
        assert_eq!((tape.scalar(loss), grad), (2.0, [0.0, 1.0]));
    }

    #[test]
    fn matrix_gradients() {
        check(6 + 15, false, |g| {
            let (a, b) = (g.param(0, 2, 3), g.param(6, 3, 5));
            g.matmul(a, b)
        });
        check(12 + 3, false, |g| {
            let (a, b) = (g.param(0, 4, 3), g.param(12, 1, 3));
            g.add_row(a, b)
        });
    }

    #[test]
    fn reduction_gradients() {
        check(12, false, |g| {
            let p = g.param(0, 4, 3);
            g.sum(p)
        });
        check(12, false, |g| {
            let p = g.param(0, 4, 3);
            g.row_ln_sum_exp(p)
        });
        check(12 + 4, false, |g| {
            let (x, w) = (g.param(0, 4, 3), g.param(12, 4, 1));
            g.weighted_sum(x, w)
        });
    }
}
