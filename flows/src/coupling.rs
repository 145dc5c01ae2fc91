//! The affine coupling layer of RealNVP (arXiv:1605.08803).

use crate::affine::Affine;
use crate::blocks::ParamBlock;
use crate::conditioner::{Conditioner, shaped};
use crate::layer::{Layer, Workspace};
use crate::nets::{NetShape, Nets};
use autodiff::{Graph, Op, Var};
use faer::prelude::*;
use numerics::matrix::{col, col_mut};
use numerics::random::Pcg64;
use std::sync::Arc;

/// An affine coupling layer: one half of the coordinates is unchanged, the other is shifted and
/// scaled by functions of the first.
///
/// ```text
/// z_b = (x_b - t(x_a)) exp(-s(x_a)),   z_a = x_a,   ln |det dz/dx| = - sum s(x_a)
/// ```
///
/// In a conditional flow t and s are functions of the context too. In one dimension they depend on
/// the context alone; without one the map is affine with constant coefficients.
#[derive(Debug)]
pub struct Coupling {
    dim: usize,
    affine: Arc<Affine>,
    nets: Vec<Arc<Conditioner>>,
    affine_op: Arc<dyn Op>,
    net_ops: Vec<Arc<dyn Op>>,
}

impl Coupling {
    /// `swap = false` transforms the second half of the coordinates given the first, `true` the
    /// other way round; the networks read the context columns (behind the coordinates) as well.
    pub(crate) fn new(
        (dim, context): (usize, usize),
        swap: bool,
        nets: Nets,
        shape: NetShape<'_>,
        offset: usize,
    ) -> Self {
        let middle = dim.div_ceil(2);
        let (first, second): (Vec<_>, Vec<_>) = ((0..middle).collect(), (middle..dim).collect());
        let (kept, moved) = match (dim, swap) {
            (1, _) => (Vec::new(), vec![0]),
            (_, false) => (first, second),
            (_, true) => (second, first),
        };
        let m = moved.len();
        let inputs: Vec<usize> = (dim..dim + context).chain(kept).collect();
        let net = |outputs: usize, offset: usize| {
            Arc::new(Conditioner::dense(
                inputs.clone(),
                shape.hidden,
                outputs,
                shape.activation,
                shape.output_gain,
                offset,
            ))
        };
        let (nets, scale_at) = match nets {
            Nets::Shared => (vec![net(2 * m, offset)], m),
            Nets::Separate => {
                let shift = net(m, offset);
                let scale = net(m, offset + shift.num_params());
                (vec![shift, scale], 0)
            }
        };
        let affine = Arc::new(Affine {
            cols: moved,
            shift_at: 0,
            scale_at,
            log_scale: shape.log_scale,
        });
        Self {
            dim,
            affine_op: affine.clone(),
            net_ops: nets.iter().map(|n| n.clone() as Arc<dyn Op>).collect(),
            affine,
            nets,
        }
    }

    /// Evaluates the networks and calls `map` with each transformed column, its shift and its raw
    /// log-scale.
    fn apply(
        &self,
        params: &[f64],
        mut x: MatMut<'_, f64>,
        ws: &mut Workspace,
        mut map: impl FnMut(&mut [f64], &[f64], &[f64]),
    ) {
        let n = x.nrows();
        let mut outputs = std::mem::take(&mut ws.outputs);
        for (net, out) in self.nets.iter().zip(&mut outputs) {
            net.evaluate(params, x.rb(), shaped(out, n, net.outputs()), ws);
        }
        let view = |i: usize| {
            let m = self.nets[i].outputs();
            MatRef::from_column_major_slice(&outputs[i][..n * m], n, m)
        };
        let (shifts, scales) = (view(0), view(self.nets.len() - 1));
        for (k, &c) in self.affine.cols.iter().enumerate() {
            let (t, r) = (col(shifts, k), col(scales, self.affine.scale_at + k));
            map(col_mut(x.rb_mut(), c), t, r);
        }
        ws.outputs = outputs;
    }
}

impl Layer for Coupling {
    fn dim(&self) -> usize {
        self.dim
    }

    fn num_params(&self) -> usize {
        self.nets.iter().map(|n| n.num_params()).sum()
    }

    fn param_blocks(&self) -> Vec<ParamBlock> {
        if let [net] = &self.nets[..] {
            return net.param_blocks().collect();
        }
        let named = self.nets.iter().zip(["shift", "log_scale"]);
        named
            .flat_map(|(net, folder)| net.param_blocks().map(move |b| b.within(folder)))
            .collect()
    }

    fn chunk_rows(&self) -> usize {
        self.nets[0].chunk_rows()
    }

    fn initialise(&self, params: &mut [f64], rng: &mut Pcg64) {
        for net in &self.nets {
            net.initialise(params, rng);
        }
    }

    fn trainable(&self) -> Vec<usize> {
        self.nets.iter().flat_map(|n| n.trainable()).collect()
    }

    fn transform_and_log_det(
        &self,
        params: &[f64],
        x: MatMut<'_, f64>,
        log_det: &mut [f64],
        ws: &mut Workspace,
    ) {
        self.apply(params, x, ws, |x, t, r| {
            self.affine.transform(x, log_det, t, r)
        });
    }

    fn inverse_and_log_det(
        &self,
        params: &[f64],
        z: MatMut<'_, f64>,
        log_det: &mut [f64],
        ws: &mut Workspace,
    ) {
        // The half that the networks read is the same on both sides.
        self.apply(params, z, ws, |z, t, r| {
            self.affine.inverse(z, log_det, t, r)
        });
    }

    fn record(&self, graph: &mut Graph<'_>, state: Var) -> Var {
        let (n, width) = graph.shape(state);
        let shift = graph.apply(&self.net_ops[0], &[state], n, self.nets[0].outputs(), true);
        let scale = match self.net_ops.get(1) {
            Some(op) => graph.apply(op, &[state], n, self.nets[1].outputs(), true),
            None => shift,
        };
        graph.apply(&self.affine_op, &[state, shift, scale], n, width, false)
    }
}
