//! The feed-forward network that gives the shifts and log-scales of a layer.

use crate::activation::Activation;
use crate::blocks::ParamBlock;
use crate::dense::Dense;
use crate::layer::Workspace;
use crate::scalar::ScalarNet;
use autodiff::{Backward, Forward, Op};
use faer::prelude::*;
use numerics::matrix::{col, col_mut};
use numerics::random::Pcg64;

/// A multi-layer perceptron over some columns of the state, as one fused operation.
///
/// The state of a flow while it trains is an n x (d + c + 1) matrix: d coordinates, c columns of the
/// context and the log-determinant so far. The network reads the columns `inputs` of it and gives one column for
/// each output.
#[derive(Debug, Clone)]
pub struct Conditioner {
    inputs: Vec<usize>,
    pub(crate) layers: Vec<Dense>,
    activation: Activation,
    output_gain: f64,
    /// The same network in its cheap scalar form, if it has one.
    pub(crate) scalar: Option<ScalarNet>,
}

impl Conditioner {
    /// A fully connected network with its parameters from `offset` on. Without inputs it is a
    /// constant (biases only).
    #[must_use]
    pub fn dense(
        inputs: Vec<usize>,
        hidden: &[usize],
        outputs: usize,
        activation: Activation,
        output_gain: f64,
        offset: usize,
    ) -> Self {
        let hidden = if inputs.is_empty() { &[] } else { hidden };
        let mut sizes = vec![inputs.len()];
        sizes.extend(hidden);
        sizes.push(outputs);
        let prefixes = sizes.windows(2).map(|w| vec![w[0]; w[1]]).collect();
        Self::with_prefixes(inputs, prefixes, activation, output_gain, offset)
    }

    /// A network in which unit j of a layer sees the first `prefixes[layer][j]` units of the layer
    /// before.
    pub(crate) fn with_prefixes(
        inputs: Vec<usize>,
        prefixes: Vec<Vec<usize>>,
        activation: Activation,
        output_gain: f64,
        mut offset: usize,
    ) -> Self {
        let mut n_in = inputs.len();
        let mut layers = Vec::with_capacity(prefixes.len());
        for p in prefixes {
            let layer = Dense::new(n_in, p, offset);
            n_in = layer.n_out();
            offset += layer.num_params();
            layers.push(layer);
        }
        Self {
            scalar: ScalarNet::recognise(&layers, activation),
            inputs,
            layers,
            activation,
            output_gain,
        }
    }

    /// Number of parameters, masked weights included.
    #[must_use]
    pub fn num_params(&self) -> usize {
        self.layers.iter().map(Dense::num_params).sum()
    }

    /// Its parameters: `weight_l` (outputs x inputs of dense layer l, masked weights zero) and
    /// `bias_l`.
    pub(crate) fn param_blocks(&self) -> impl Iterator<Item = ParamBlock> + '_ {
        self.layers.iter().enumerate().flat_map(|(l, layer)| {
            let (n_in, n_out) = (layer.n_in(), layer.n_out());
            let (weight, bias) = (layer.weight_offset(), layer.bias_offset());
            [
                ParamBlock::new(format!("weight_{l}"), &[n_out, n_in], weight),
                ParamBlock::new(format!("bias_{l}"), &[n_out], bias),
            ]
        })
    }

    /// Rows to process together: more where the cost of an evaluation hardly depends on their
    /// number.
    pub(crate) fn chunk_rows(&self) -> usize {
        if self.scalar.is_some() {
            2 * crate::CHUNK_ROWS
        } else {
            crate::CHUNK_ROWS
        }
    }

    /// Number of output columns.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(0, Dense::n_out)
    }

    /// Random hidden layers, output layer scaled by the output gain.
    pub fn initialise(&self, params: &mut [f64], rng: &mut Pcg64) {
        let last = self.layers.len() - 1;
        for (l, layer) in self.layers.iter().enumerate() {
            let gain = if l == last { self.output_gain } else { 1.0 };
            layer.initialise(params, gain, rng);
        }
    }

    /// Indices of the parameters that no mask removes.
    pub fn trainable(&self) -> impl Iterator<Item = usize> + '_ {
        self.layers.iter().flat_map(Dense::trainable)
    }

    pub(crate) fn activation_of(&self, layer: usize) -> Option<Activation> {
        (layer + 1 < self.layers.len()).then_some(self.activation)
    }

    fn backward_scalar(&self, net: &ScalarNet, b: &mut Backward<'_>) {
        let (params, segments, column) = (b.params, b.saved, self.inputs[0]);
        let x = col(b.input(0), column);
        let split = b.split(0);
        if split.scratch.len() < x.len() {
            split.scratch.resize(x.len(), 0.0);
        }
        let wanted = split.grad.is_some();
        let dx = &mut split.scratch[..x.len()];
        let dout = split.out_grad.into_const();
        net.backward(
            params,
            split.param_grad,
            x,
            segments,
            dout,
            wanted.then_some(&mut *dx),
        );
        if let Some(grad) = split.grad {
            for (g, d) in col_mut(grad, column).iter_mut().zip(dx) {
                *g += *d;
            }
        }
    }

    /// Copies the input columns of `state` side by side.
    pub(crate) fn gather(&self, state: MatRef<'_, f64>, mut into: MatMut<'_, f64>) {
        for (k, &c) in self.inputs.iter().enumerate() {
            col_mut(into.rb_mut(), k).copy_from_slice(col(state, c));
        }
    }

    /// The outputs (n x outputs, in `ws.outputs`-sized memory given by the caller) for the rows of
    /// `state`.
    pub(crate) fn evaluate(
        &self,
        params: &[f64],
        state: MatRef<'_, f64>,
        out: MatMut<'_, f64>,
        ws: &mut Workspace,
    ) {
        if let Some(net) = &self.scalar {
            return net.forward(params, col(state, self.inputs[0]), out, None);
        }
        let n = state.nrows();
        let [a, b] = &mut ws.activations;
        let (mut from, mut to) = (a, b);
        self.gather(state, shaped(from, n, self.inputs.len()));
        let last = self.layers.len() - 1;
        for (l, layer) in self.layers[..last].iter().enumerate() {
            let x = MatRef::from_column_major_slice(&from[..n * layer.n_in()], n, layer.n_in());
            layer.forward(
                params,
                x,
                shaped(to, n, layer.n_out()),
                self.activation_of(l),
            );
            std::mem::swap(&mut from, &mut to);
        }
        let layer = &self.layers[last];
        let x = MatRef::from_column_major_slice(&from[..n * layer.n_in()], n, layer.n_in());
        layer.forward(params, x, out, None);
    }
}

/// The first n * m values of a buffer as an n x m matrix; it grows when it must.
pub(crate) fn shaped(buffer: &mut Vec<f64>, n: usize, m: usize) -> MatMut<'_, f64> {
    if buffer.len() < n * m {
        buffer.resize(n * m, 0.0);
    }
    MatMut::from_column_major_slice_mut(&mut buffer[..n * m], n, m)
}

impl Op for Conditioner {
    fn forward(&self, f: &mut Forward<'_>) {
        let state = f.input(0);
        if let Some(net) = &self.scalar {
            // Saved for the backward pass: the segment of each input.
            f.saved.resize(state.nrows(), 0.0);
            return net.forward(
                f.params,
                col(state, self.inputs[0]),
                f.out.rb_mut(),
                Some(f.saved),
            );
        }
        let n = state.nrows();
        // Saved for the backward pass: the input, then the hidden activations.
        let total: usize = self.layers.iter().map(|l| n * l.n_in()).sum();
        f.saved.resize(total, 0.0);
        let (x, mut rest) = f.saved.split_at_mut(n * self.inputs.len());
        self.gather(
            state,
            MatMut::from_column_major_slice_mut(x, n, self.inputs.len()),
        );
        let mut x: &[f64] = x;
        let last = self.layers.len() - 1;
        for (l, layer) in self.layers[..last].iter().enumerate() {
            let (out, behind) = rest.split_at_mut(n * layer.n_out());
            let input = MatRef::from_column_major_slice(x, n, layer.n_in());
            let view = MatMut::from_column_major_slice_mut(out, n, layer.n_out());
            layer.forward(f.params, input, view, self.activation_of(l));
            (x, rest) = (out, behind);
        }
        let input = MatRef::from_column_major_slice(x, n, self.layers[last].n_in());
        self.layers[last].forward(f.params, input, f.out.rb_mut(), None);
    }

    fn backward(&self, b: &mut Backward<'_>) {
        if let Some(net) = &self.scalar {
            return self.backward_scalar(net, b);
        }
        let (out, params, saved) = (b.out, b.params, b.saved);
        let n = out.nrows();
        let split = b.split(0);
        let widest = self.layers.iter().map(Dense::n_in).max().unwrap_or(0);
        if split.scratch.len() < 2 * n * widest {
            split.scratch.resize(2 * n * widest, 0.0);
        }
        let (mut spare, mut used) = split.scratch.split_at_mut(n * widest);
        let mut end = saved.len();
        let mut last_dout = Some(split.out_grad.into_const());
        for (l, layer) in self.layers.iter().enumerate().rev() {
            let start = end - n * layer.n_in();
            let x = MatRef::from_column_major_slice(&saved[start..end], n, layer.n_in());
            let dout = last_dout.take().unwrap_or_else(|| {
                MatRef::from_column_major_slice(&used[..n * layer.n_out()], n, layer.n_out())
            });
            let wanted = l > 0 || split.grad.is_some();
            let dx = MatMut::from_column_major_slice_mut(
                &mut spare[..n * layer.n_in()],
                n,
                layer.n_in(),
            );
            let input = (l > 0).then_some(self.activation);
            layer.backward(
                params,
                split.param_grad,
                x,
                dout,
                wanted.then_some(dx),
                input,
            );
            std::mem::swap(&mut spare, &mut used);
            end = start;
        }
        if let Some(mut grad) = split.grad {
            let k = self.inputs.len();
            let dx = MatRef::from_column_major_slice(&used[..n * k], n, k);
            for (k, &c) in self.inputs.iter().enumerate() {
                for (g, d) in col_mut(grad.rb_mut(), c).iter_mut().zip(col(dx, k)) {
                    *g += d;
                }
            }
        }
    }
}
