//! The masked autoregressive layer: MADE (arXiv:1502.03509) as the conditioner of an affine map
//! (arXiv:1705.07057).

use crate::affine::Affine;
use crate::blocks::ParamBlock;
use crate::conditioner::{Conditioner, shaped};
use crate::dense::Block;
use crate::layer::{Layer, Workspace};
use crate::nets::NetShape;
use autodiff::{Graph, Op, Var};
use faer::prelude::*;
use numerics::matrix::{col, col_mut};
use numerics::random::Pcg64;
use std::sync::Arc;

/// One masked autoregressive layer.
///
/// With the coordinates taken in the order `order`, each is shifted and scaled by functions of
/// those before it alone:
///
/// ```text
/// z_k = (x_k - t_k(x_{<k})) exp(-s_k(x_{<k})),   ln |det dz/dx| = - sum_k s_k
/// ```
///
/// In a conditional flow t and s are functions of the context too.
///
/// Every hidden unit has a degree m below d, from 1 or, where there is a context, from 0. It sees
/// the context, inputs (by place in the order, from 1) and hidden units of degree at most m, and
/// output k sees hidden units of degree below k. Units are sorted by degree, so that each unit sees
/// a prefix: the weight matrices are block-triangular and masked weights are not multiplied.
///
/// The forward map takes one pass of the network. The inverse finds one coordinate after the other
/// in d passes, each of which computes only the hidden units that the last coordinate has
/// determined.
#[derive(Debug)]
pub struct Made {
    dim: usize,
    context: usize,
    net: Arc<Conditioner>,
    affine: Arc<Affine>,
    net_op: Arc<dyn Op>,
    affine_op: Arc<dyn Op>,
    /// `known[l][k]`: units of hidden layer l that have degree at most k.
    known: Vec<Vec<usize>>,
}

impl Made {
    /// The network reads the `context` columns behind the coordinates as well.
    pub(crate) fn new(order: &[usize], context: usize, shape: NetShape<'_>, offset: usize) -> Self {
        let d = order.len();
        // Degree 0 is for units that see the context alone: without one they would be constants.
        let lowest = usize::from(context == 0);
        // In one dimension and without a context there is nothing to condition on.
        let hidden = if d == lowest { &[] } else { shape.hidden };
        // Degrees up to d - 1, evenly spaced and sorted.
        let degrees: Vec<Vec<usize>> = hidden
            .iter()
            .map(|&h| (0..h).map(|i| lowest + i * (d - lowest) / h).collect())
            .collect();
        let known: Vec<Vec<usize>> = degrees
            .iter()
            .map(|g| (0..d).map(|k| g.partition_point(|&m| m <= k)).collect())
            .collect();
        let mut prefixes: Vec<Vec<usize>> = Vec::new();
        for (l, g) in degrees.iter().enumerate() {
            let seen = |&m: &usize| match l {
                0 => context + m,
                _ => known[l - 1][m],
            };
            prefixes.push(g.iter().map(seen).collect());
        }
        // Output k (from 0) sees the units of degree at most k: first all shifts, then all raw
        // log-scales.
        let output = |k: usize| known.last().map_or(0, |known| known[k]);
        prefixes.push((0..d).chain(0..d).map(output).collect());
        let net = Arc::new(Conditioner::with_prefixes(
            (d..d + context).chain(order.iter().copied()).collect(),
            prefixes,
            shape.activation,
            shape.output_gain,
            offset,
        ));
        let affine = Arc::new(Affine {
            cols: order.to_vec(),
            shift_at: 0,
            scale_at: d,
            log_scale: shape.log_scale,
        });
        Self {
            dim: d,
            context,
            net_op: net.clone(),
            affine_op: affine.clone(),
            net,
            affine,
            known,
        }
    }
}

impl Made {
    /// The inverse for networks in the cheap scalar form, by whole passes. In two dimensions the
    /// first coordinate's outputs are constants, and the second's depend on the first coordinate
    /// alone.
    fn inverse_by_passes(
        &self,
        params: &[f64],
        mut z: MatMut<'_, f64>,
        log_det: &mut [f64],
        ws: &mut Workspace,
    ) {
        let (n, d) = (z.nrows(), self.dim);
        let mut outputs = std::mem::take(&mut ws.outputs);
        for (k, &c) in self.affine.cols.iter().enumerate() {
            self.net
                .evaluate(params, z.rb(), shaped(&mut outputs[0], n, 2 * d), ws);
            let out = MatRef::from_column_major_slice(&outputs[0][..2 * n * d], n, 2 * d);
            self.affine.inverse(
                col_mut(z.rb_mut(), c),
                log_det,
                col(out, k),
                col(out, d + k),
            );
        }
        ws.outputs = outputs;
    }
}

impl Layer for Made {
    fn dim(&self) -> usize {
        self.dim
    }

    fn num_params(&self) -> usize {
        self.net.num_params()
    }

    fn param_blocks(&self) -> Vec<ParamBlock> {
        self.net.param_blocks().collect()
    }

    fn chunk_rows(&self) -> usize {
        self.net.chunk_rows()
    }

    fn initialise(&self, params: &mut [f64], rng: &mut Pcg64) {
        self.net.initialise(params, rng);
    }

    fn trainable(&self) -> Vec<usize> {
        self.net.trainable().collect()
    }

    fn transform_and_log_det(
        &self,
        params: &[f64],
        mut x: MatMut<'_, f64>,
        log_det: &mut [f64],
        ws: &mut Workspace,
    ) {
        let (n, d) = (x.nrows(), self.dim);
        let mut outputs = std::mem::take(&mut ws.outputs);
        self.net
            .evaluate(params, x.rb(), shaped(&mut outputs[0], n, 2 * d), ws);
        let out = MatRef::from_column_major_slice(&outputs[0][..2 * n * d], n, 2 * d);
        for (k, &c) in self.affine.cols.iter().enumerate() {
            let (t, r) = (col(out, k), col(out, d + k));
            self.affine.transform(col_mut(x.rb_mut(), c), log_det, t, r);
        }
        ws.outputs = outputs;
    }

    fn inverse_and_log_det(
        &self,
        params: &[f64],
        mut z: MatMut<'_, f64>,
        log_det: &mut [f64],
        ws: &mut Workspace,
    ) {
        let (n, d) = (z.nrows(), self.dim);
        if self.net.scalar.is_some() {
            return self.inverse_by_passes(params, z, log_det, ws);
        }
        let layers = &self.net.layers;
        // hidden[0] holds the inputs in order, hidden[l] the activations of hidden layer l.
        ws.hidden
            .resize_with(ws.hidden.len().max(layers.len()), Vec::new);
        for (buffer, layer) in ws.hidden.iter_mut().zip(layers) {
            let _ = shaped(buffer, n, layer.n_in());
        }
        for j in 0..self.context {
            ws.hidden[0][j * n..(j + 1) * n].copy_from_slice(col(z.rb(), d + j));
        }
        let last = layers.len() - 1;
        for k in 0..d {
            let seen = self.context + k;
            for l in 0..last {
                let before = if k == 0 { 0 } else { self.known[l][k - 1] };
                let block = Block {
                    cols: before..self.known[l][k],
                    prefix: match l {
                        0 => seen,
                        _ => self.known[l - 1][k],
                    },
                };
                let (from, to) = ws.hidden.split_at_mut(l + 1);
                let x = MatRef::from_column_major_slice(
                    &from[l][..n * layers[l].n_in()],
                    n,
                    layers[l].n_in(),
                );
                let out = shaped(&mut to[0], n, layers[l].n_out());
                layers[l].forward_block(params, x, out, &block, self.net.activation_of(l));
            }
            let x = MatRef::from_column_major_slice(
                &ws.hidden[last][..n * layers[last].n_in()],
                n,
                layers[last].n_in(),
            );
            for column in [k, d + k] {
                let block = Block {
                    cols: column..column + 1,
                    prefix: self.known.last().map_or(0, |known| known[k]),
                };
                let out = shaped(&mut ws.outputs[0], n, 2 * d);
                layers[last].forward_block(params, x, out, &block, None);
            }
            let out = MatRef::from_column_major_slice(&ws.outputs[0][..2 * n * d], n, 2 * d);
            let coordinate = col_mut(z.rb_mut(), self.affine.cols[k]);
            self.affine
                .inverse(coordinate, log_det, col(out, k), col(out, d + k));
            if layers[0].n_in() > seen {
                ws.hidden[0][seen * n..(seen + 1) * n].copy_from_slice(coordinate);
            }
        }
    }

    fn record(&self, graph: &mut Graph<'_>, state: Var) -> Var {
        let (n, width) = graph.shape(state);
        let out = graph.apply(&self.net_op, &[state], n, 2 * self.dim, true);
        graph.apply(&self.affine_op, &[state, out, out], n, width, false)
    }
}
