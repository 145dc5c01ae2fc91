//! The tape: an arena of nodes whose buffers outlive a step.

use faer::prelude::*;
use std::fmt::Debug;
use std::sync::Arc;

/// A node of a [`Tape`]. It stays valid until the tape is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Var(u32);

impl Var {
    fn index(self) -> usize {
        self.0 as usize
    }
}

/// The most inputs that one operation takes.
const MAX_INPUTS: usize = 3;

/// A matrix-valued operation with a hand-written backward pass.
///
/// Inputs are earlier nodes of the tape; weights that are trained are read straight from the flat
/// parameter vector, without a copy.
pub trait Op: Debug + Send + Sync {
    /// Computes the value of the node into `f.out`, whose content is arbitrary on entry.
    fn forward(&self, f: &mut Forward<'_>);

    /// Adds to the gradients of the inputs (`b.grad(k)`) and of the parameters (`b.param_grad`),
    /// given the gradient of the output. `b.out_grad` may be overwritten: nothing reads it
    /// afterwards.
    fn backward(&self, b: &mut Backward<'_>);
}

/// The arguments of an [`Op`]'s forward pass.
pub struct Forward<'a> {
    values: &'a [Buffer],
    inputs: [u32; MAX_INPUTS],
    /// The flat parameter vector.
    pub params: &'a [f64],
    /// The output, column-major.
    pub out: MatMut<'a, f64>,
    /// Scratch that is saved for the backward pass of this node.
    pub saved: &'a mut Vec<f64>,
}

impl<'a> Forward<'a> {
    /// The value of the k-th input.
    #[must_use]
    pub fn input(&self, k: usize) -> MatRef<'a, f64> {
        self.values[self.inputs[k] as usize].view()
    }
}

/// The arguments of an [`Op`]'s backward pass.
pub struct Backward<'a> {
    values: &'a [Buffer],
    grads: &'a mut [Buffer],
    needs_grad: &'a [bool],
    inputs: [u32; MAX_INPUTS],
    /// The flat parameter vector.
    pub params: &'a [f64],
    /// The flat parameter gradient, to be added to.
    pub param_grad: &'a mut [f64],
    /// The value of this node.
    pub out: MatRef<'a, f64>,
    /// The gradient of the loss with respect to this node.
    pub out_grad: MatMut<'a, f64>,
    /// Values saved by the forward pass.
    pub saved: &'a [f64],
    /// Scratch shared by all nodes: its content is arbitrary.
    pub scratch: &'a mut Vec<f64>,
}

impl<'a> Backward<'a> {
    /// The value of the k-th input.
    #[must_use]
    pub fn input(&self, k: usize) -> MatRef<'a, f64> {
        self.values[self.inputs[k] as usize].view()
    }

    /// Whether the k-th input depends on a parameter.
    #[must_use]
    pub fn needs_grad(&self, k: usize) -> bool {
        self.needs_grad[self.inputs[k] as usize]
    }

    /// The gradient of the k-th input, to be added to; `None` if it depends on nothing trainable.
    pub fn grad(&mut self, k: usize) -> Option<MatMut<'_, f64>> {
        let i = self.inputs[k] as usize;
        self.needs_grad[i].then(|| self.grads[i].view_mut())
    }

    /// The k-th input's gradient together with everything else that is needed to compute it.
    pub fn split(&mut self, k: usize) -> Split<'_> {
        let i = self.inputs[k] as usize;
        Split {
            grad: self.needs_grad[i].then(|| self.grads[i].view_mut()),
            out_grad: self.out_grad.rb_mut(),
            param_grad: self.param_grad,
            scratch: self.scratch,
        }
    }
}

/// The fields of a [`Backward`], borrowed mutably at the same time.
pub struct Split<'a> {
    /// See [`Backward::grad`].
    pub grad: Option<MatMut<'a, f64>>,
    /// See [`Backward::out_grad`].
    pub out_grad: MatMut<'a, f64>,
    /// See [`Backward::param_grad`].
    pub param_grad: &'a mut [f64],
    /// See [`Backward::scratch`].
    pub scratch: &'a mut Vec<f64>,
}

/// A dense column-major matrix whose storage is reused.
#[derive(Debug, Default)]
struct Buffer {
    data: Vec<f64>,
    rows: usize,
    cols: usize,
}

impl Buffer {
    /// Takes a shape; the content is arbitrary afterwards.
    fn shape(&mut self, rows: usize, cols: usize) {
        self.rows = rows;
        self.cols = cols;
        self.data.resize(rows * cols, 0.0);
    }

    fn view(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(&self.data, self.rows, self.cols)
    }

    fn view_mut(&mut self) -> MatMut<'_, f64> {
        MatMut::from_column_major_slice_mut(&mut self.data, self.rows, self.cols)
    }
}

#[derive(Debug)]
struct Node {
    /// `None`: a constant.
    op: Option<Arc<dyn Op>>,
    inputs: [u32; MAX_INPUTS],
    saved: Vec<f64>,
}

/// An arena of nodes in the order in which they were recorded: inputs always have smaller indices.
#[derive(Debug, Default)]
pub struct Tape {
    nodes: Vec<Node>,
    values: Vec<Buffer>,
    grads: Vec<Buffer>,
    needs_grad: Vec<bool>,
    len: usize,
    scratch: Vec<f64>,
}

impl Tape {
    /// An empty tape.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Clears all nodes and reuses their buffers for the next step.
    pub fn reset(&mut self) {
        self.len = 0;
    }

    /// Number of nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no node is recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of a node.
    ///
    /// # Panics
    /// If `v` was recorded before the last reset and no node has taken its place.
    #[must_use]
    pub fn value(&self, v: Var) -> MatRef<'_, f64> {
        assert!(v.index() < self.len, "variable of an earlier recording");
        self.values[v.index()].view()
    }

    /// The value of a 1 x 1 node.
    ///
    /// # Panics
    /// If the node is not 1 x 1.
    #[must_use]
    pub fn scalar(&self, v: Var) -> f64 {
        let m = self.value(v);
        assert_eq!((m.nrows(), m.ncols()), (1, 1), "not a scalar node");
        m[(0, 0)]
    }

    /// Takes the next slot of the arena.
    fn push(&mut self, rows: usize, cols: usize, inputs: [u32; MAX_INPUTS], needs: bool) -> Var {
        if self.len == self.nodes.len() {
            self.nodes.push(Node {
                op: None,
                inputs,
                saved: Vec::new(),
            });
            self.values.push(Buffer::default());
            self.grads.push(Buffer::default());
            self.needs_grad.push(needs);
        }
        let i = self.len;
        self.values[i].shape(rows, cols);
        self.needs_grad[i] = needs;
        self.nodes[i].inputs = inputs;
        self.nodes[i].op = None;
        self.len += 1;
        Var(u32::try_from(i).expect("a tape holds fewer than 2^32 nodes"))
    }

    /// Adds the gradient of the scalar node `loss` with respect to the parameters to `param_grad`.
    ///
    /// `params` must be the vector that the nodes were recorded with.
    ///
    /// # Panics
    /// If `loss` is not a scalar node, or `params` and `param_grad` differ in length.
    pub fn backward(&mut self, loss: Var, params: &[f64], param_grad: &mut [f64]) {
        assert_eq!(
            params.len(),
            param_grad.len(),
            "one gradient for each parameter"
        );
        assert_eq!(
            self.value(loss).nrows() * self.value(loss).ncols(),
            1,
            "not a scalar node"
        );
        let last = loss.index();
        for i in 0..=last {
            if self.needs_grad[i] {
                let (rows, cols) = (self.values[i].rows, self.values[i].cols);
                self.grads[i].shape(rows, cols);
                self.grads[i].data.fill(0.0);
            }
        }
        if !self.needs_grad[last] {
            return;
        }
        self.grads[last].data[0] = 1.0;
        for i in (0..=last).rev() {
            let node = &self.nodes[i];
            let Some(op) = node.op.as_ref().filter(|_| self.needs_grad[i]) else {
                continue;
            };
            let (before, rest) = self.grads.split_at_mut(i);
            op.backward(&mut Backward {
                values: &self.values,
                grads: before,
                needs_grad: &self.needs_grad,
                inputs: node.inputs,
                params,
                param_grad,
                out: self.values[i].view(),
                out_grad: rest[0].view_mut(),
                saved: &node.saved,
                scratch: &mut self.scratch,
            });
        }
    }
}

/// Records operations on a [`Tape`], with the parameters that they read.
pub struct Graph<'a> {
    tape: &'a mut Tape,
    params: &'a [f64],
}

impl<'a> Graph<'a> {
    /// Starts recording after the nodes on the tape.
    pub fn new(tape: &'a mut Tape, params: &'a [f64]) -> Self {
        Self { tape, params }
    }

    /// The value of a node.
    #[must_use]
    pub fn value(&self, v: Var) -> MatRef<'_, f64> {
        self.tape.value(v)
    }

    /// Rows and columns of a node.
    #[must_use]
    pub fn shape(&self, v: Var) -> (usize, usize) {
        let m = self.tape.value(v);
        (m.nrows(), m.ncols())
    }

    /// A constant from column-major data.
    ///
    /// # Panics
    /// If `data` does not hold `rows * cols` values.
    pub fn constant(&mut self, rows: usize, cols: usize, data: &[f64]) -> Var {
        assert_eq!(data.len(), rows * cols, "constant of another size");
        let v = self.tape.push(rows, cols, [0; MAX_INPUTS], false);
        self.tape.values[v.index()].data.copy_from_slice(data);
        v
    }

    /// A constant that is written in place: `fill` gets the `rows x cols` matrix, whose content is
    /// arbitrary.
    pub fn constant_with(
        &mut self,
        rows: usize,
        cols: usize,
        fill: impl FnOnce(MatMut<'_, f64>),
    ) -> Var {
        let v = self.tape.push(rows, cols, [0; MAX_INPUTS], false);
        fill(self.tape.values[v.index()].view_mut());
        v
    }

    /// Applies an operation that reads parameters or whose inputs do.
    ///
    /// `trains` says that the operation itself reads parameters.
    ///
    /// # Panics
    /// If there are more than three inputs.
    pub fn apply(
        &mut self,
        op: &Arc<dyn Op>,
        inputs: &[Var],
        rows: usize,
        cols: usize,
        trains: bool,
    ) -> Var {
        assert!(
            inputs.len() <= MAX_INPUTS,
            "an operation takes at most {MAX_INPUTS} inputs"
        );
        let mut ids = [0; MAX_INPUTS];
        let mut needs = trains;
        for (id, v) in ids.iter_mut().zip(inputs) {
            assert!(
                v.index() < self.tape.len,
                "variable of an earlier recording"
            );
            *id = v.0;
            needs |= self.tape.needs_grad[v.index()];
        }
        let v = self.tape.push(rows, cols, ids, needs);
        let (before, rest) = self.tape.values.split_at_mut(v.index());
        let node = &mut self.tape.nodes[v.index()];
        op.forward(&mut Forward {
            values: before,
            inputs: ids,
            params: self.params,
            out: rest[0].view_mut(),
            saved: &mut node.saved,
        });
        node.op = Some(Arc::clone(op));
        v
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_used_twice_gets_both_gradients() {
        let mut tape = Tape::new();
        let params = [2.0, -1.0];
        let mut g = Graph::new(&mut tape, &params);
        let w = g.param(0, 2, 1);
        let ww = g.mul(w, w);
        let loss = g.sum(ww);
        let mut grad = [0.0; 2];
        tape.backward(loss, &params, &mut grad);
        assert_eq!(grad, [4.0, -2.0]);
        // Backward adds: a second call doubles the gradient.
        tape.backward(loss, &params, &mut grad);
        assert_eq!(grad, [8.0, -4.0]);
    }

    #[test]
    fn reset_keeps_buffers_and_gives_the_same_numbers() {
        let mut tape = Tape::new();
        let params = [0.5];
        let mut results = Vec::new();
        for _ in 0..3 {
            tape.reset();
            let mut g = Graph::new(&mut tape, &params);
            let x = g.constant(3, 1, &[1.0, 2.0, 3.0]);
            let w = g.param(0, 1, 1);
            let y = g.matmul(x, w);
            let t = g.tanh(y);
            let loss = g.sum(t);
            let mut grad = [0.0];
            tape.backward(loss, &params, &mut grad);
            results.push((tape.scalar(loss), grad[0]));
            assert_eq!(tape.len(), 5);
        }
        assert_eq!(results[0], results[1]);
        assert_eq!(results[0], results[2]);
    }

    #[test]
    fn constants_get_no_gradient() {
        let mut tape = Tape::new();
        let params = [1.0];
        let mut g = Graph::new(&mut tape, &params);
        let x = g.constant(1, 1, &[3.0]);
        let loss = g.mul(x, x);
        let mut grad = [0.0];
        tape.backward(loss, &params, &mut grad);
        assert_eq!(grad, [0.0]);
    }
}
