//! A flow: standardisation, layers, base distribution and parameters.

use crate::architecture::{Architecture, LayerSpec};
use crate::base::Base;
use crate::bijection::{Bijection, Workspace};
use crate::standardise::Standardise;
use crate::{CHUNK_ROWS, chunks};
use autodiff::matrix::{col, col_mut};
use autodiff::random::Pcg64;
use autodiff::{Graph, Op, Var};
use faer::prelude::*;
use rayon::prelude::*;
use std::sync::Arc;

/// What can be wrong with a flow's description.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// A shape or a setting.
    #[error("{0}")]
    Invalid(String),
    /// Reading or writing a file.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What went wrong.
        source: std::io::Error,
    },
    /// A file that is not a saved flow, or a damaged one.
    #[error("{path}: {reason}")]
    Format {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

/// A normalizing flow on R^d.
///
/// ```text
/// x -> standardise -> layer 1 -> ... -> layer L -> z ~ base
/// ```
///
/// `log_prob(x) = ln base(z) + sum of the log-determinants`, in nats.
#[derive(Debug)]
pub struct Flow {
    dim: usize,
    pub(crate) standardise: Standardise,
    pub(crate) specs: Vec<LayerSpec>,
    pub(crate) layers: Vec<Box<dyn Bijection>>,
    pub(crate) base: Base,
    base_op: Arc<dyn Op>,
    pub(crate) params: Vec<f64>,
}

impl Clone for Flow {
    fn clone(&self) -> Self {
        Self::from_parts(
            self.dim,
            self.standardise.clone(),
            self.specs.clone(),
            self.base.clone(),
            self.params.clone(),
        )
        .expect("a flow that exists can be rebuilt")
    }
}

impl Flow {
    /// A flow of the given architecture with freshly drawn parameters and a standard normal base.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] when a setting makes no sense.
    pub fn new(
        architecture: &Architecture,
        standardise: Standardise,
        rng: &mut Pcg64,
    ) -> Result<Self, FlowError> {
        Self::on_base(architecture, standardise, Base::StandardNormal, rng)
    }

    /// A flow of the given architecture with freshly drawn parameters, on a base that lives in the standardised space.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] when a setting makes no sense or the base has another dimension.
    pub fn on_base(
        architecture: &Architecture,
        standardise: Standardise,
        base: Base,
        rng: &mut Pcg64,
    ) -> Result<Self, FlowError> {
        architecture.check().map_err(FlowError::Invalid)?;
        let dim = standardise.parts().0.len();
        let specs = architecture.layers(dim, rng);
        let mut flow = Self::from_layers(standardise, specs, base)?;
        for layer in &flow.layers {
            layer.initialise(&mut flow.params, rng);
        }
        Ok(flow)
    }

    /// A flow of the given layers, in forward order, with all parameters zero (couplings and autoregressive layers are then the identity).
    ///
    /// # Errors
    /// [`FlowError::Invalid`] when a layer does not fit the dimension.
    pub fn from_layers(
        standardise: Standardise,
        specs: Vec<LayerSpec>,
        base: Base,
    ) -> Result<Self, FlowError> {
        let dim = standardise.parts().0.len();
        let mut flow = Self::from_parts(dim, standardise, specs, base, Vec::new())?;
        flow.params = vec![0.0; flow.layers.iter().map(|l| l.num_params()).sum()];
        Ok(flow)
    }

    pub(crate) fn from_parts(
        dim: usize,
        standardise: Standardise,
        specs: Vec<LayerSpec>,
        base: Base,
        params: Vec<f64>,
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
                .build(dim, offset)
                .map_err(|e| FlowError::Invalid(format!("layer {i}: {e}")))?;
            offset += layer.num_params();
            layers.push(layer);
        }
        Ok(Self {
            dim,
            standardise,
            specs,
            layers,
            base_op: base.op(),
            base,
            params,
        })
    }

    /// Number of coordinates d.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The flat parameter vector.
    #[must_use]
    pub fn params(&self) -> &[f64] {
        &self.params
    }

    /// The flat parameter vector, to be changed.
    pub fn params_mut(&mut self) -> &mut [f64] {
        &mut self.params
    }

    /// The layers, in forward order.
    #[must_use]
    pub fn layers(&self) -> &[Box<dyn Bijection>] {
        &self.layers
    }

    /// Multiply-adds of one density evaluation, for each row.
    #[must_use]
    pub fn multiply_adds(&self) -> usize {
        self.layers.iter().map(|l| l.multiply_adds()).sum()
    }

    /// Rows that are best worked on together.
    pub(crate) fn chunk_rows(&self) -> usize {
        self.layers
            .iter()
            .map(|l| l.chunk_rows())
            .min()
            .unwrap_or(CHUNK_ROWS)
    }

    /// Indices of the parameters that training changes (all but masked weights).
    #[must_use]
    pub fn trainable(&self) -> Vec<usize> {
        self.layers.iter().flat_map(|l| l.trainable()).collect()
    }

    /// Forward: data (n x d) -> base (n x d), with `ln |det dz/dx|` for each row.
    #[must_use]
    pub fn transform_and_log_det(&self, x: MatRef<'_, f64>) -> (Mat<f64>, Vec<f64>) {
        self.map(x, |mut rows, log_det, ws| {
            self.standardise.transform(rows.rb_mut());
            log_det.fill(self.standardise.log_det());
            for layer in &self.layers {
                layer.transform_and_log_det(&self.params, rows.rb_mut(), log_det, ws);
            }
        })
    }

    /// Inverse: base (n x d) -> data (n x d), with `ln |det dx/dz|` for each row.
    #[must_use]
    pub fn inverse_and_log_det(&self, z: MatRef<'_, f64>) -> (Mat<f64>, Vec<f64>) {
        self.map(z, |mut rows, log_det, ws| {
            log_det.fill(-self.standardise.log_det());
            for layer in self.layers.iter().rev() {
                layer.inverse_and_log_det(&self.params, rows.rb_mut(), log_det, ws);
            }
            self.standardise.inverse(rows);
        })
    }

    /// Log-density of each row of x (n x d), in nats.
    ///
    /// # Panics
    /// If x has another number of columns.
    #[must_use]
    pub fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
        let (z, mut out) = self.transform_and_log_det(x);
        self.base.add_log_prob(z.as_ref(), &mut out);
        out
    }

    /// n draws, n x d.
    #[must_use]
    pub fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        let z = self.base.sample(n, self.dim, rng);
        self.inverse_and_log_det(z.as_ref()).0
    }

    /// n draws with their log-densities, from one pass.
    #[must_use]
    pub fn sample_with_log_prob(&self, n: usize, rng: &mut Pcg64) -> (Mat<f64>, Vec<f64>) {
        let z = self.base.sample(n, self.dim, rng);
        let (x, log_det) = self.inverse_and_log_det(z.as_ref());
        let mut out: Vec<f64> = log_det.iter().map(|l| -l).collect();
        self.base.add_log_prob(z.as_ref(), &mut out);
        (x, out)
    }

    /// Log-densities of points that are standardised already, without the Jacobian of the standardisation, under `params`.
    pub(crate) fn log_prob_standardised(&self, params: &[f64], x: MatRef<'_, f64>) -> Vec<f64> {
        let (z, mut out) = self.map(x, |mut rows, log_det, ws| {
            log_det.fill(0.0);
            for layer in &self.layers {
                layer.transform_and_log_det(params, rows.rb_mut(), log_det, ws);
            }
        });
        self.base.add_log_prob(z.as_ref(), &mut out);
        out
    }

    /// Records the log-densities (n x 1) of an n x (d + 1) state of standardised points on a tape.
    pub(crate) fn record_log_prob(&self, graph: &mut Graph<'_>, state: Var) -> Var {
        let state = self
            .layers
            .iter()
            .fold(state, |s, layer| layer.record(graph, s));
        let n = graph.shape(state).0;
        graph.apply(&self.base_op, &[state], n, 1, false)
    }

    /// Applies `f` to chunks of rows in parallel; each chunk's result depends on its rows alone.
    fn map(
        &self,
        x: MatRef<'_, f64>,
        f: impl Fn(MatMut<'_, f64>, &mut [f64], &mut Workspace) + Sync,
    ) -> (Mat<f64>, Vec<f64>) {
        assert_eq!(x.ncols(), self.dim, "points of another dimension");
        let n = x.nrows();
        let ranges: Vec<_> = chunks(n, self.chunk_rows())
            .filter(|r| !r.is_empty())
            .collect();
        let results: Vec<(Vec<f64>, Vec<f64>)> = ranges
            .par_iter()
            .map_init(Workspace::default, |ws, range| {
                let rows = range.len();
                let mut points = Vec::with_capacity(rows * self.dim);
                for j in 0..self.dim {
                    points.extend(x.col(j).subrows(range.start, rows).iter());
                }
                let mut log_det = vec![0.0; rows];
                let view = MatMut::from_column_major_slice_mut(&mut points, rows, self.dim);
                f(view, &mut log_det, ws);
                (points, log_det)
            })
            .collect();
        let mut out = Mat::zeros(n, self.dim);
        let mut log_det = Vec::with_capacity(n);
        for (range, (points, l)) in ranges.into_iter().zip(results) {
            let points = MatRef::from_column_major_slice(&points, range.len(), self.dim);
            for j in 0..self.dim {
                col_mut(out.as_mut(), j)[range.clone()].copy_from_slice(col(points, j));
            }
            log_det.extend(l);
        }
        (out, log_det)
    }
}
