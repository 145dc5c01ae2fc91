//! A dense layer `act(x W + b)` whose weight matrix may be block-triangular.

use crate::activation::Activation;
use crate::thin;
use faer::linalg::matmul::matmul;
use faer::prelude::*;
use faer::{Accum, Par};
use numerics::math;
use numerics::matrix::{col, col_mut};
use std::ops::Range;

/// Blocks at most this narrow are computed by [`thin`] instead of a matrix kernel.
const THIN: usize = 4;
/// Columns are gathered into blocks of at least this many, unless there are only a few groups.
const BLOCK: usize = 16;

/// Output columns `cols` that see the inputs `0..prefix`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Block {
    pub cols: Range<usize>,
    pub prefix: usize,
}

impl Block {
    /// Whether a matrix kernel would waste most of its registers.
    fn is_thin(&self) -> bool {
        self.cols.len() <= THIN || self.prefix <= THIN
    }
}

/// Shapes and place of a dense layer in the flat parameter vector.
///
/// Weights are stored column-major, n_in x n_out, from `offset` on, followed by the n_out biases.
/// Output column j sees the first `prefixes[j]` inputs; the weights outside are zero, stay zero,
/// and are not multiplied beyond the edges of blocks.
#[derive(Debug, Clone)]
pub(crate) struct Dense {
    n_in: usize,
    n_out: usize,
    offset: usize,
    prefixes: Vec<usize>,
    blocks: Vec<Block>,
}

impl Dense {
    /// `prefixes` must be non-decreasing within each run that is to be one block.
    pub fn new(n_in: usize, prefixes: Vec<usize>, offset: usize) -> Self {
        let blocks = blocks(&prefixes);
        Self {
            n_in,
            n_out: prefixes.len(),
            offset,
            prefixes,
            blocks,
        }
    }

    pub fn n_in(&self) -> usize {
        self.n_in
    }

    pub fn n_out(&self) -> usize {
        self.n_out
    }

    pub fn num_params(&self) -> usize {
        (self.n_in + 1) * self.n_out
    }

    /// How many inputs each output sees.
    pub fn prefixes(&self) -> &[usize] {
        &self.prefixes
    }

    /// Place of the first weight.
    pub fn weight_offset(&self) -> usize {
        self.offset
    }

    /// Place of the first bias.
    pub fn bias_offset(&self) -> usize {
        self.offset + self.n_in * self.n_out
    }

    /// Uniform on +-gain / sqrt(n_in), weights and biases alike (the initialisation of PyTorch's
    /// `Linear` for gain 1); masked weights are zero.
    pub fn initialise(&self, params: &mut [f64], gain: f64, rng: &mut numerics::random::Pcg64) {
        let bound = gain / (self.n_in.max(1) as f64).sqrt();
        let mut draw = || bound * (2.0 * numerics::random::uniform(rng) - 1.0);
        let own = &mut params[self.offset..self.offset + self.num_params()];
        let (weights, bias) = own.split_at_mut(self.n_in * self.n_out);
        for (j, &prefix) in self.prefixes.iter().enumerate() {
            let column = &mut weights[j * self.n_in..(j + 1) * self.n_in];
            let (seen, masked) = column.split_at_mut(prefix);
            seen.fill_with(&mut draw);
            masked.fill(0.0);
        }
        bias.fill_with(draw);
    }

    /// Indices into the flat parameter vector of the weights and biases that no mask removes.
    pub fn trainable(&self) -> impl Iterator<Item = usize> + '_ {
        let weights = self
            .prefixes
            .iter()
            .enumerate()
            .flat_map(move |(j, &p)| (0..p).map(move |k| self.offset + j * self.n_in + k));
        let bias = self.offset + self.n_in * self.n_out;
        weights.chain(bias..bias + self.n_out)
    }

    fn weights<'a>(&self, params: &'a [f64]) -> MatRef<'a, f64> {
        let own = &params[self.offset..self.offset + self.n_in * self.n_out];
        MatRef::from_column_major_slice(own, self.n_in, self.n_out)
    }

    fn bias<'a>(&self, params: &'a [f64]) -> &'a [f64] {
        let at = self.offset + self.n_in * self.n_out;
        &params[at..at + self.n_out]
    }

    /// `out = act(x W + b)` for x of n x n_in.
    pub fn forward(
        &self,
        params: &[f64],
        x: MatRef<'_, f64>,
        mut out: MatMut<'_, f64>,
        activation: Option<Activation>,
    ) {
        for block in &self.blocks {
            self.forward_block(params, x, out.rb_mut(), block, activation);
        }
    }

    /// The columns of one block of [`Dense::forward`].
    pub fn forward_block(
        &self,
        params: &[f64],
        x: MatRef<'_, f64>,
        out: MatMut<'_, f64>,
        block: &Block,
        activation: Option<Activation>,
    ) {
        let (w, b) = (self.weights(params), self.bias(params));
        let x = x.subcols(0, block.prefix);
        let width = block.cols.len();
        let mut out = out.subcols_mut(block.cols.start, width);
        let thin = block.is_thin();
        if !thin {
            let w = w.submatrix(0, block.cols.start, block.prefix, width);
            matmul(out.rb_mut(), Accum::Replace, x, w, 1.0, Par::Seq);
        }
        for (j, c) in block.cols.clone().enumerate() {
            let column = col_mut(out.rb_mut(), j);
            if thin {
                thin::affine(column, b[c], x, |k| w[(k, c)]);
            }
            let bias = if thin { 0.0 } else { b[c] };
            match activation {
                Some(a) => a.apply(column, bias),
                None if thin => {}
                None => column.iter_mut().for_each(|v| *v += bias),
            }
        }
    }

    /// Backward pass from `dout`, the gradient of `x W + b`: adds the gradients of weights and
    /// biases to `param_grad`, and writes that of x to `dx`, if given. With `input`, x is the
    /// output of that activation and `dx` the gradient of its argument: the two steps share one
    /// pass through the cache.
    pub fn backward(
        &self,
        params: &[f64],
        param_grad: &mut [f64],
        x: MatRef<'_, f64>,
        dout: MatRef<'_, f64>,
        dx: Option<MatMut<'_, f64>>,
        input: Option<Activation>,
    ) {
        let own = &mut param_grad[self.offset..self.offset + self.num_params()];
        let (dw, db) = own.split_at_mut(self.n_in * self.n_out);
        let mut dw = MatMut::from_column_major_slice_mut(dw, self.n_in, self.n_out);
        for block in &self.blocks {
            let width = block.cols.len();
            let d = dout.subcols(block.cols.start, width);
            let x = x.subcols(0, block.prefix);
            let mut dw = dw
                .rb_mut()
                .submatrix_mut(0, block.cols.start, block.prefix, width);
            let thin = block.is_thin();
            if !thin {
                matmul(dw.rb_mut(), Accum::Add, x.transpose(), d, 1.0, Par::Seq);
            }
            for (j, c) in block.cols.clone().enumerate() {
                let column = col(d, j);
                db[c] += math::sum(column);
                if thin {
                    thin::accumulate_inner(dw.rb_mut().subcols_mut(j, 1), x, column);
                }
                col_mut(dw.rb_mut(), j)[self.prefixes[c]..].fill(0.0);
            }
        }
        let Some(mut dx) = dx else { return };
        let w = self.weights(params);
        // The widest block writes, the others add.
        let widest = (0..self.blocks.len()).max_by_key(|&i| self.blocks[i].prefix);
        let reach = widest.map_or(0, |i| self.blocks[i].prefix);
        for k in reach..self.n_in {
            col_mut(dx.rb_mut(), k).fill(0.0);
        }
        let others = (0..self.blocks.len()).filter(|&i| Some(i) != widest);
        let last = self.blocks.len().saturating_sub(1);
        for (done, i) in widest.into_iter().chain(others).enumerate() {
            let block = &self.blocks[i];
            let width = block.cols.len();
            let d = dout.subcols(block.cols.start, width);
            // Columns that no later block adds to are complete.
            let finish = input.filter(|_| done == last);
            if block.is_thin() {
                for k in 0..block.prefix {
                    let column = col_mut(dx.rb_mut(), k);
                    let weight = |j: usize| w[(k, block.cols.start + j)];
                    if done == 0 {
                        thin::affine(column, 0.0, d, weight);
                    } else {
                        thin::accumulate(column, d, weight);
                    }
                    if let Some(a) = finish {
                        a.backward(column, col(x, k));
                    }
                }
            } else {
                let w = w.submatrix(0, block.cols.start, block.prefix, width);
                let accum = if done == 0 {
                    Accum::Replace
                } else {
                    Accum::Add
                };
                let dx = dx.rb_mut().subcols_mut(0, block.prefix);
                matmul(dx, accum, d, w.transpose(), 1.0, Par::Seq);
            }
            if let Some(a) = finish {
                let from = if block.is_thin() { block.prefix } else { 0 };
                for k in from..reach {
                    a.backward(col_mut(dx.rb_mut(), k), col(x, k));
                }
            }
        }
    }
}

/// Groups columns into blocks: runs of equal prefixes, gathered to at least [`BLOCK`] columns when
/// there are more than a few. A block reaches as far as its widest column.
fn blocks(prefixes: &[usize]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for (j, &prefix) in prefixes.iter().enumerate() {
        match blocks.last_mut() {
            Some(b) if b.prefix == prefix => b.cols.end = j + 1,
            _ => blocks.push(Block {
                cols: j..j + 1,
                prefix,
            }),
        }
    }
    if blocks.len() <= THIN {
        return blocks;
    }
    let mut gathered: Vec<Block> = Vec::new();
    for b in blocks {
        match gathered.last_mut() {
            // A fall of the prefix starts another run (the log-scales behind the shifts).
            Some(last) if last.cols.len() < BLOCK && b.prefix >= last.prefix => {
                last.cols.end = b.cols.end;
                last.prefix = b.prefix;
            }
            _ => gathered.push(b),
        }
    }
    gathered
}

#[cfg(test)]
mod tests {
    use super::*;
    use autodiff::check;
    use numerics::random;

    #[test]
    fn blocks_cover_all_columns_and_all_that_they_see() {
        for prefixes in [vec![], vec![3, 3, 3], vec![0, 1], (0..64).collect(), {
            let mut p: Vec<usize> = (0..20).collect();
            p.extend(0..20);
            p
        }] {
            let blocks = blocks(&prefixes);
            let covered: Vec<usize> = blocks.iter().flat_map(|b| b.cols.clone()).collect();
            assert_eq!(covered, (0..prefixes.len()).collect::<Vec<_>>());
            for b in &blocks {
                assert_eq!(prefixes[b.cols.clone()].iter().max(), Some(&b.prefix));
            }
        }
    }

    fn gradients(prefixes: Vec<usize>, n_in: usize, activation: Option<Activation>) {
        let mut rng = random::stream(1, "dense");
        let layer = Dense::new(n_in, prefixes.clone(), 2);
        let n = 7;
        let total = 2 + layer.num_params() + n * n_in;
        let mut params = vec![0.0; total];
        random::fill_standard_normal(&mut rng, &mut params);
        layer.initialise(&mut params, 1.0, &mut rng);
        let c = Mat::from_fn(n, layer.n_out(), |_, _| random::standard_normal(&mut rng));
        let x_at = 2 + layer.num_params();
        let run = |p: &[f64]| {
            let x = MatRef::from_column_major_slice(&p[x_at..], n, n_in);
            let mut out = Mat::zeros(n, layer.n_out());
            layer.forward(p, x, out.as_mut(), activation);
            out
        };
        let out = run(&params);
        let mut grad = vec![0.0; total];
        let mut dx = Mat::from_fn(n, n_in, |_, _| f64::NAN);
        let x = MatRef::from_column_major_slice(&params[x_at..], n, n_in);
        let mut dout = c.clone();
        if let Some(a) = activation {
            for j in 0..dout.ncols() {
                a.backward(col_mut(dout.as_mut(), j), col(out.as_ref(), j));
            }
        }
        layer.backward(
            &params,
            &mut grad,
            x,
            dout.as_ref(),
            Some(dx.as_mut()),
            None,
        );
        for j in 0..n_in {
            for i in 0..n {
                grad[x_at + j * n + i] = dx[(i, j)];
            }
        }
        let masked: Vec<usize> = {
            let kept: Vec<usize> = layer.trainable().collect();
            (2..x_at).filter(|i| !kept.contains(i)).collect()
        };
        assert!(masked.iter().all(|&i| grad[i] == 0.0 && params[i] == 0.0));
        let worst = check::gradient(&params, &grad, 1e-3, |p| {
            // Masked weights are zero by contract.
            let mut p = p.to_vec();
            masked.iter().for_each(|&i| p[i] = 0.0);
            let out = run(&p);
            (0..out.ncols())
                .map(|j| math::dot(col(out.as_ref(), j), col(c.as_ref(), j)))
                .sum()
        });
        assert!(
            worst.unwrap().error < 1e-7,
            "{prefixes:?} {activation:?}: {worst:?}"
        );
    }

    #[test]
    fn gradients_agree_with_differences() {
        for activation in [None, Some(Activation::Tanh)] {
            gradients(vec![3; 5], 3, activation);
            gradients(vec![9; 20], 9, activation);
            gradients(vec![8; 2], 8, activation);
            gradients(vec![0, 4, 0, 4], 4, activation);
            gradients((0..24).map(|j| j / 2).collect(), 12, activation);
            gradients((0..9).chain(0..9).collect(), 9, activation);
            gradients(vec![0, 0], 0, activation);
        }
    }
}
