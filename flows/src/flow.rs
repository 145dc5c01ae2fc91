//! A flow: standardisation, layers, base distribution and parameters.

use crate::architecture::{Architecture, LayerSpec};
use crate::base::Base;
use crate::bijection::Bijection;
use crate::blocks::ParamBlock;
use crate::stack::Stack;
use crate::standardise::Standardise;
use autodiff::{Graph, Var};
use faer::prelude::*;
use numerics::random::Pcg64;

/// What can be wrong with a flow's description.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// A shape or a setting.
    #[error("{0}")]
    Invalid(String),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] store::Error),
    /// A file cannot be read.
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
    pub(crate) standardise: Standardise,
    pub(crate) stack: Stack,
    pub(crate) params: Vec<f64>,
}

impl Clone for Flow {
    fn clone(&self) -> Self {
        Self::from_parts(
            self.standardise.clone(),
            self.stack.specs.clone(),
            self.stack.base.spec().clone(),
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
        let specs = architecture.layers(standardise.dim(), rng);
        let mut flow = Self::from_layers(standardise, specs, base)?;
        flow.params = flow.stack.initial_params(rng);
        Ok(flow)
    }

    /// A flow of the given layers, in forward order, with all parameters zero (couplings and autoregressive layers are then the identity,
    /// and a trained base is as it was given).
    ///
    /// # Errors
    /// [`FlowError::Invalid`] when a layer does not fit the dimension.
    pub fn from_layers(
        standardise: Standardise,
        specs: Vec<LayerSpec>,
        base: Base,
    ) -> Result<Self, FlowError> {
        let mut flow = Self::from_parts(standardise, specs, base, Vec::new())?;
        flow.params = vec![0.0; flow.stack.num_params()];
        Ok(flow)
    }

    pub(crate) fn from_parts(
        standardise: Standardise,
        specs: Vec<LayerSpec>,
        base: Base,
        params: Vec<f64>,
    ) -> Result<Self, FlowError> {
        Ok(Self {
            stack: Stack::new(standardise.dim(), 0, specs, base)?,
            standardise,
            params,
        })
    }

    /// Number of coordinates d.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.stack.dim
    }

    /// The flat parameter vector: layer by layer, then the base's, if it is trained.
    #[must_use]
    pub fn params(&self) -> &[f64] {
        &self.params
    }

    /// The flat parameter vector, to be changed.
    pub fn params_mut(&mut self) -> &mut [f64] {
        &mut self.params
    }

    /// The parameter vector in named blocks, in order: `layer/0/weight_0` (outputs x inputs), `layer/0/bias_0`, ..., and what is trained of the base.
    #[must_use]
    pub fn param_blocks(&self) -> Vec<ParamBlock> {
        let layers = self.stack.layers.iter().enumerate();
        let layers = layers.flat_map(|(l, layer)| {
            let blocks = layer.param_blocks().into_iter();
            blocks.map(move |b| b.within(&format!("layer/{l}")))
        });
        let base = self.stack.base.param_blocks().into_iter();
        layers.chain(base.map(|b| b.within("base"))).collect()
    }

    /// The descriptions of the layers, in forward order; with [`Self::standardise`] and [`Self::base`] all that [`Self::from_layers`] needs.
    #[must_use]
    pub fn specs(&self) -> &[LayerSpec] {
        &self.stack.specs
    }

    /// The standardisation of the data.
    #[must_use]
    pub fn standardise(&self) -> &Standardise {
        &self.standardise
    }

    /// The base distribution, as training began with it.
    #[must_use]
    pub fn base(&self) -> &Base {
        self.stack.base.spec()
    }

    /// The layers, in forward order.
    #[must_use]
    pub fn layers(&self) -> &[Box<dyn Bijection>] {
        &self.stack.layers
    }

    /// Weights (K) and means (K x d, in the standardised space) of a Gaussian-mixture base, as trained where they are trained; `None` for a
    /// standard normal base.
    #[must_use]
    pub fn base_mixture(&self) -> Option<(Vec<f64>, Mat<f64>)> {
        self.stack.base.mixture(&self.params)
    }

    /// Multiply-adds of one density evaluation, for each row.
    #[must_use]
    pub fn multiply_adds(&self) -> usize {
        self.stack.multiply_adds()
    }

    /// Indices of the parameters that training changes (all but masked weights).
    #[must_use]
    pub fn trainable(&self) -> Vec<usize> {
        self.stack.trainable()
    }

    /// Records `ln q` (n x 1) of an n x (d + 1) state on a tape: standardised points, then a column of zeros. The Jacobian of the
    /// standardisation is not counted.
    pub fn record_log_prob(&self, graph: &mut Graph<'_>, state: Var) -> Var {
        self.stack.record_log_prob(graph, state)
    }

    /// Forward: data (n x d) -> base (n x d), with `ln |det dz/dx|` for each row.
    #[must_use]
    pub fn transform_and_log_det(&self, x: MatRef<'_, f64>) -> (Mat<f64>, Vec<f64>) {
        self.stack.map(x, |mut rows, log_det, ws| {
            self.standardise.transform(rows.rb_mut());
            log_det.fill(self.standardise.log_det());
            self.stack.transform(&self.params, rows, log_det, ws);
        })
    }

    /// Inverse: base (n x d) -> data (n x d), with `ln |det dx/dz|` for each row.
    #[must_use]
    pub fn inverse_and_log_det(&self, z: MatRef<'_, f64>) -> (Mat<f64>, Vec<f64>) {
        self.stack.map(z, |mut rows, log_det, ws| {
            log_det.fill(-self.standardise.log_det());
            self.stack.inverse(&self.params, rows.rb_mut(), log_det, ws);
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
        let base = &self.stack.base;
        base.add_log_prob(&self.params, z.as_ref(), &mut out);
        out
    }

    /// n draws, n x d.
    #[must_use]
    pub fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        let z = self.stack.base.sample(&self.params, n, rng);
        self.inverse_and_log_det(z.as_ref()).0
    }

    /// n draws with their log-densities, from one pass.
    #[must_use]
    pub fn sample_with_log_prob(&self, n: usize, rng: &mut Pcg64) -> (Mat<f64>, Vec<f64>) {
        let base = &self.stack.base;
        let z = base.sample(&self.params, n, rng);
        let (x, log_det) = self.inverse_and_log_det(z.as_ref());
        let mut out: Vec<f64> = log_det.iter().map(|l| -l).collect();
        base.add_log_prob(&self.params, z.as_ref(), &mut out);
        (x, out)
    }
}
