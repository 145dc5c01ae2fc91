//! Layers on a base distribution: what flows and conditional flows have in common.

use crate::architecture::LayerSpec;
use crate::base::{Base, PlacedBase};
use crate::error::FlowError;
use crate::layer::{Layer, Workspace};
use crate::{CHUNK_ROWS, chunks};
use autodiff::{Graph, Var};
use faer::prelude::*;
use numerics::matrix::{col, col_mut};
use numerics::random::Pcg64;
use rayon::prelude::*;

/// Layers and a base, without the parameters.
///
/// Rows have `dim` coordinates followed by `context` columns that layers read and never change. On
/// the tape the log-determinant so far comes last. Parameters are stored layer by layer, then those
/// of the base.
#[derive(Debug)]
pub(crate) struct Stack {
    pub dim: usize,
    pub context: usize,
    pub specs: Vec<LayerSpec>,
    pub layers: Vec<Box<dyn Layer>>,
    pub base: PlacedBase,
}

impl Stack {
    pub fn new(
        dim: usize,
        context: usize,
        specs: Vec<LayerSpec>,
        base: Base,
    ) -> Result<Self, FlowError> {
        if dim == 0 {
            return Err(FlowError::Invalid(
                "a flow needs at least one column".into(),
            ));
        }
        if !base.is_sound(dim) {
            return Err(FlowError::Invalid(format!(
                "the base is no distribution on {dim} coordinates"
            )));
        }
        let mut offset = 0;
        let mut layers = Vec::with_capacity(specs.len());
        for (i, spec) in specs.iter().enumerate() {
            let layer = spec
                .build(dim, context, offset)
                .map_err(|e| FlowError::Invalid(format!("layer {i}: {e}")))?;
            offset += layer.num_params();
            layers.push(layer);
        }
        Ok(Self {
            dim,
            context,
            specs,
            layers,
            base: PlacedBase::new(base, dim, offset),
        })
    }

    pub fn num_params(&self) -> usize {
        let layers: usize = self.layers.iter().map(|l| l.num_params()).sum();
        layers + self.base.num_params()
    }

    /// Rows to process together.
    pub fn chunk_rows(&self) -> usize {
        self.layers
            .iter()
            .map(|l| l.chunk_rows())
            .min()
            .unwrap_or(CHUNK_ROWS)
    }

    /// Indices of the parameters that training changes (all but masked weights).
    pub fn trainable(&self) -> Vec<usize> {
        let layers = self.layers.iter().flat_map(|l| l.trainable());
        layers.chain(self.base.trainable()).collect()
    }

    /// Fresh parameters: those of the layers drawn, those of the base zero (it starts as given).
    pub fn initial_params(&self, rng: &mut Pcg64) -> Vec<f64> {
        let mut params = vec![0.0; self.num_params()];
        for layer in &self.layers {
            layer.initialise(&mut params, rng);
        }
        params
    }

    /// Forward through all layers, in place; adds to `log_det`.
    pub fn transform(
        &self,
        params: &[f64],
        mut rows: MatMut<'_, f64>,
        log_det: &mut [f64],
        ws: &mut Workspace,
    ) {
        for layer in &self.layers {
            layer.transform_and_log_det(params, rows.rb_mut(), log_det, ws);
        }
    }

    /// Inverse through all layers, in place; adds to `log_det`.
    pub fn inverse(
        &self,
        params: &[f64],
        mut rows: MatMut<'_, f64>,
        log_det: &mut [f64],
        ws: &mut Workspace,
    ) {
        for layer in self.layers.iter().rev() {
            layer.inverse_and_log_det(params, rows.rb_mut(), log_det, ws);
        }
    }

    /// Log-densities of standardised rows, without the Jacobian of the standardisation.
    pub fn log_prob(&self, params: &[f64], rows: MatRef<'_, f64>) -> Vec<f64> {
        let (z, mut out) = self.map(rows, |rows, log_det, ws| {
            log_det.fill(0.0);
            self.transform(params, rows, log_det, ws);
        });
        self.base.add_log_prob(params, z.as_ref(), &mut out);
        out
    }

    /// Records the log-densities (n x 1) of standardised rows followed by a column of zeros.
    pub fn record_log_prob(&self, graph: &mut Graph<'_>, state: Var) -> Var {
        let state = self
            .layers
            .iter()
            .fold(state, |s, layer| layer.record(graph, s));
        self.base.record(graph, state)
    }

    /// Applies `f` to chunks of rows (n x (dim + context)) in parallel and returns the coordinates;
    /// each chunk's result depends on its rows alone.
    pub fn map(
        &self,
        rows: MatRef<'_, f64>,
        f: impl Fn(MatMut<'_, f64>, &mut [f64], &mut Workspace) + Sync,
    ) -> (Mat<f64>, Vec<f64>) {
        let (n, width) = (rows.nrows(), self.dim + self.context);
        assert_eq!(rows.ncols(), width, "points of another dimension");
        let ranges: Vec<_> = chunks(n, self.chunk_rows())
            .filter(|r| !r.is_empty())
            .collect();
        let results: Vec<(Vec<f64>, Vec<f64>)> = ranges
            .par_iter()
            .map_init(Workspace::default, |ws, range| {
                let count = range.len();
                let mut points = Vec::with_capacity(count * width);
                for j in 0..width {
                    points.extend(rows.col(j).subrows(range.start, count).iter());
                }
                let mut log_det = vec![0.0; count];
                let view = MatMut::from_column_major_slice_mut(&mut points, count, width);
                f(view, &mut log_det, ws);
                (points, log_det)
            })
            .collect();
        let mut out = Mat::zeros(n, self.dim);
        let mut log_det = Vec::with_capacity(n);
        for (range, (points, l)) in ranges.into_iter().zip(results) {
            let points = MatRef::from_column_major_slice(&points, range.len(), width);
            for j in 0..self.dim {
                col_mut(out.as_mut(), j)[range.clone()].copy_from_slice(col(points, j));
            }
            log_det.extend(l);
        }
        (out, log_det)
    }
}
