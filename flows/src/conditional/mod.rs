//! Conditional flows: one density of theta for each context y.

mod data;
mod save;

pub use self::data::ConditionalData;

use crate::architecture::{Architecture, LayerSpec};
use crate::base::Base;
use crate::bijection::Bijection;
use crate::fit::{Fit, FitConfig, FitError, FitReport, Observer};
use crate::flow::FlowError;
use crate::stack::Stack;
use crate::standardise::Standardise;
use autodiff::{Graph, Var};
use faer::prelude::*;
use numerics::random::Pcg64;
use store::{NoShelf, Shelf};

/// A conditional normalizing flow: a density `q(theta | y)` on R^d for every context y in R^c.
///
/// ```text
/// theta -> standardise -> layer 1 (given y) -> ... -> layer L (given y) -> z ~ base
/// ln q(theta | y) = ln base(z) + sum of the log-determinants
/// ```
///
/// The layers are those of [`crate::Flow`], with the standardised context as further inputs of every network: an autoregressive layer is
/// triangular in theta for every y, and its first coordinate depends on y alone; a coupling's networks read one half of theta and y. The
/// base is the same for every y. For one that is a Gaussian mixture the layers move its modes with y, so that a posterior of
/// several modes needs no bridges between them (arXiv:2512.04954).
///
/// Trained on pairs of parameters and simulated data it is amortised inference: `E_{theta, y} [-ln q(theta | y)]` over the joint law is, up to a
/// constant, the mean KL divergence from the posterior to q over data y. If theta was drawn from a proposal instead of the prior, weights
/// `prior(theta) / proposal(theta)` make up for it.
///
/// ```
/// use numerics::random::{standard_normal, stream};
/// use faer::Mat;
/// use flows::{
///     Activation, Architecture, Base, Batch, ConditionalData, ConditionalFlow, FitConfig, LogScale, Nets,
/// };
/// use std::ops::ControlFlow;
///
/// // theta ~ N(0, 1) and y = theta + noise of standard deviation one half.
/// let mut rng = stream(1, "pairs");
/// let theta = Mat::from_fn(500, 1, |_, _| standard_normal(&mut rng));
/// let y = Mat::from_fn(500, 1, |i, _| theta[(i, 0)] + 0.5 * standard_normal(&mut rng));
///
/// let architecture = Architecture::RealNvp {
///     couplings: 2,
///     hidden: vec![16, 16],
///     activation: Activation::Tanh,
///     nets: Nets::Shared,
///     log_scale: LogScale { bound: 2.0, knee: 2.0 },
///     output_gain: 0.0,
/// };
/// let settings = FitConfig {
///     steps: 200,
///     batch: Batch::Size(100),
///     learning_rate: 1e-2,
///     schedule: autodiff::Schedule::Cosine { floor: 0.0 },
///     adam: autodiff::AdamConfig::default(),
///     clip_norm: Some(5.0),
///     evaluate_every: 50,
///     patience: None,
/// };
/// let pairs = ConditionalData::new(theta.as_ref(), y.as_ref());
/// let (points, contexts) = pairs.standardise()?;
/// let mut q = ConditionalFlow::new(&architecture, points, contexts, Base::StandardNormal, &mut stream(1, "init"))?;
/// let go_on = &mut |_, _: Option<&flows::Evaluation>| ControlFlow::Continue(());
/// q.fit(pairs, None, &settings, &mut stream(1, "batches"), go_on)?;
///
/// // The posterior given y = 1 is N(0.8, 0.2).
/// let draws = q.sample_given(&[1.0], 1000, &mut stream(1, "draws"));
/// let mean = (0..1000).map(|i| draws[(i, 0)]).sum::<f64>() / 1000.0;
/// assert!((mean - 0.8).abs() < 0.1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ConditionalFlow {
    standardise: Standardise,
    contexts: Standardise,
    stack: Stack,
    params: Vec<f64>,
}

impl Clone for ConditionalFlow {
    fn clone(&self) -> Self {
        let mut clone = Self::without_params(
            self.standardise.clone(),
            self.contexts.clone(),
            self.stack.specs.clone(),
            self.stack.base.spec().clone(),
        )
        .expect("a flow that exists can be rebuilt");
        clone.params.clone_from(&self.params);
        clone
    }
}

impl ConditionalFlow {
    /// A flow of the given architecture with freshly drawn parameters. The base lives in the space of standardised points;
    /// [`ConditionalData::standardise`] gives both standardisations.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] when a setting makes no sense, the base has another dimension or there is no column of contexts.
    pub fn new(
        architecture: &Architecture,
        standardise: Standardise,
        contexts: Standardise,
        base: Base,
        rng: &mut Pcg64,
    ) -> Result<Self, FlowError> {
        architecture.check().map_err(FlowError::Invalid)?;
        let specs = architecture.layers(standardise.dim(), rng);
        let mut flow = Self::from_layers(standardise, contexts, specs, base)?;
        flow.params = flow.stack.initial_params(rng);
        Ok(flow)
    }

    /// A flow of the given layers, in forward order, with all parameters zero: the identity, and a trained base as it was given.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] when a layer does not fit the dimension or there is no column of contexts.
    pub fn from_layers(
        standardise: Standardise,
        contexts: Standardise,
        specs: Vec<LayerSpec>,
        base: Base,
    ) -> Result<Self, FlowError> {
        let mut flow = Self::without_params(standardise, contexts, specs, base)?;
        flow.params = vec![0.0; flow.stack.num_params()];
        Ok(flow)
    }

    fn without_params(
        standardise: Standardise,
        contexts: Standardise,
        specs: Vec<LayerSpec>,
        base: Base,
    ) -> Result<Self, FlowError> {
        if contexts.dim() == 0 {
            return Err(FlowError::Invalid(
                "a conditional flow needs at least one column of contexts".into(),
            ));
        }
        Ok(Self {
            stack: Stack::new(standardise.dim(), contexts.dim(), specs, base)?,
            standardise,
            contexts,
            params: Vec::new(),
        })
    }

    /// Number of coordinates d of theta.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.stack.dim
    }

    /// Number of columns c of a context.
    #[must_use]
    pub fn context_dim(&self) -> usize {
        self.stack.context
    }

    /// Length of the parameter vector, masked weights included.
    #[must_use]
    pub fn num_params(&self) -> usize {
        self.params.len()
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

    /// The layers, in forward order. They work on rows of d coordinates with the c standardised context columns behind them.
    #[must_use]
    pub fn layers(&self) -> &[Box<dyn Bijection>] {
        &self.stack.layers
    }

    /// Indices of the parameters that training changes (all but masked weights).
    #[must_use]
    pub fn trainable(&self) -> Vec<usize> {
        self.stack.trainable()
    }

    /// Multiply-adds of one density evaluation, for each row.
    #[must_use]
    pub fn multiply_adds(&self) -> usize {
        self.stack.multiply_adds()
    }

    /// Weights (K) and means (K x d, in the standardised space) of a Gaussian-mixture base, as trained where they are trained; `None` for a
    /// standard normal base.
    #[must_use]
    pub fn base_mixture(&self) -> Option<(Vec<f64>, Mat<f64>)> {
        self.stack.base.mixture(&self.params)
    }

    /// Records `ln q(theta | y)` (n x 1) of an n x (d + c + 1) state on a tape: standardised points, standardised contexts, then a column
    /// of zeros. The Jacobian of the standardisation is not counted.
    pub fn record_log_prob(&self, graph: &mut Graph<'_>, state: Var) -> Var {
        self.stack.record_log_prob(graph, state)
    }

    /// Forward: theta (n x d) -> base (n x d) given the contexts (n x c, row by row), with `ln |det dz/dtheta|` for each row.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[must_use]
    pub fn transform_and_log_det(
        &self,
        theta: MatRef<'_, f64>,
        contexts: MatRef<'_, f64>,
    ) -> (Mat<f64>, Vec<f64>) {
        let d = self.dim();
        let rows = self.joined(theta, contexts);
        self.stack.map(rows.as_ref(), |mut rows, log_det, ws| {
            self.standardise.transform(rows.rb_mut().subcols_mut(0, d));
            log_det.fill(self.standardise.log_det());
            self.stack.transform(&self.params, rows, log_det, ws);
        })
    }

    /// Inverse: base (n x d) -> theta (n x d) given the contexts (n x c, row by row), with `ln |det dtheta/dz|` for each row.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[must_use]
    pub fn inverse_and_log_det(
        &self,
        z: MatRef<'_, f64>,
        contexts: MatRef<'_, f64>,
    ) -> (Mat<f64>, Vec<f64>) {
        let d = self.dim();
        let rows = self.joined(z, contexts);
        self.stack.map(rows.as_ref(), |mut rows, log_det, ws| {
            log_det.fill(-self.standardise.log_det());
            self.stack.inverse(&self.params, rows.rb_mut(), log_det, ws);
            self.standardise.inverse(rows.subcols_mut(0, d));
        })
    }

    /// `ln q(theta_i | y_i)` for the rows of theta (n x d) and of the contexts (n x c), in nats.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[must_use]
    pub fn log_prob(&self, theta: MatRef<'_, f64>, contexts: MatRef<'_, f64>) -> Vec<f64> {
        let (z, mut out) = self.transform_and_log_det(theta, contexts);
        let base = &self.stack.base;
        base.add_log_prob(&self.params, z.as_ref(), &mut out);
        out
    }

    /// `ln q(theta_i | y)` for the rows of theta (n x d) and one context (c numbers), in nats.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[must_use]
    pub fn log_prob_given(&self, theta: MatRef<'_, f64>, context: &[f64]) -> Vec<f64> {
        self.log_prob(theta, repeated(context, theta.nrows()).as_ref())
    }

    /// One draw of theta for each row of the contexts (n x c), n x d.
    ///
    /// # Panics
    /// If the contexts have another number of columns.
    #[must_use]
    pub fn sample(&self, contexts: MatRef<'_, f64>, rng: &mut Pcg64) -> Mat<f64> {
        let base = &self.stack.base;
        let z = base.sample(&self.params, contexts.nrows(), rng);
        self.inverse_and_log_det(z.as_ref(), contexts).0
    }

    /// n draws of theta for one context (c numbers), n x d.
    ///
    /// # Panics
    /// If the context has another length.
    #[must_use]
    pub fn sample_given(&self, context: &[f64], n: usize, rng: &mut Pcg64) -> Mat<f64> {
        self.sample(repeated(context, n).as_ref(), rng)
    }

    /// One draw of theta for each row of the contexts (n x c) with `ln q(theta | y)`, from one pass.
    ///
    /// # Panics
    /// If the contexts have another number of columns.
    #[must_use]
    pub fn sample_with_log_prob(
        &self,
        contexts: MatRef<'_, f64>,
        rng: &mut Pcg64,
    ) -> (Mat<f64>, Vec<f64>) {
        let base = &self.stack.base;
        let z = base.sample(&self.params, contexts.nrows(), rng);
        let (theta, log_det) = self.inverse_and_log_det(z.as_ref(), contexts);
        let mut out: Vec<f64> = log_det.iter().map(|l| -l).collect();
        base.add_log_prob(&self.params, z.as_ref(), &mut out);
        (theta, out)
    }

    /// Fits the parameters by maximising the weighted log-likelihood of the pairs: as [`crate::Flow::fit`], with the loss
    /// `- sum_i w_i ln q(theta_i | y_i) / n`.
    ///
    /// # Errors
    /// As of [`crate::Flow::fit`].
    pub fn fit(
        &mut self,
        train: ConditionalData<'_>,
        validation: Option<ConditionalData<'_>>,
        config: &FitConfig,
        rng: &mut Pcg64,
        observe: Observer<'_>,
    ) -> Result<FitReport, FitError> {
        self.fit_on(&NoShelf, train, validation, config, rng, observe)
    }

    /// [`Self::fit`] that keeps its state on a shelf, see [`crate::Flow::fit_on`].
    ///
    /// # Errors
    /// As of [`Self::fit`], and what cannot be kept.
    pub fn fit_on(
        &mut self,
        shelf: &dyn Shelf,
        train: ConditionalData<'_>,
        validation: Option<ConditionalData<'_>>,
        config: &FitConfig,
        rng: &mut Pcg64,
        observe: Observer<'_>,
    ) -> Result<FitReport, FitError> {
        config.check().map_err(FitError::Config)?;
        let dims = (self.dim(), self.context_dim());
        train.check(dims, "training")?;
        if let Some(v) = &validation {
            v.check(dims, "validation")?;
        }
        let rows = |data: &ConditionalData<'_>| data.rows(&self.standardise, &self.contexts);
        let fit = Fit {
            stack: &self.stack,
            config,
            train: rows(&train),
            held_out: validation.as_ref().map(rows),
            offset: -self.standardise.log_det(),
        };
        fit.run(&mut self.params, rng, observe, shelf)
    }

    /// Points as they are and, behind them, the standardised contexts: n x (d + c).
    fn joined(&self, points: MatRef<'_, f64>, contexts: MatRef<'_, f64>) -> Mat<f64> {
        let (n, d, c) = (points.nrows(), self.dim(), self.context_dim());
        assert_eq!(points.ncols(), d, "points of another dimension");
        assert_eq!(contexts.ncols(), c, "contexts of another dimension");
        assert_eq!(contexts.nrows(), n, "one context for each point");
        let mut rows = beside(points, contexts);
        let right = rows.as_mut().subcols_mut(d, c);
        self.contexts.transform(right);
        rows
    }
}

/// The columns of both, side by side.
fn beside(left: MatRef<'_, f64>, right: MatRef<'_, f64>) -> Mat<f64> {
    let (n, d) = (left.nrows(), left.ncols());
    let mut out = Mat::zeros(n, d + right.ncols());
    out.as_mut().subcols_mut(0, d).copy_from(left);
    out.as_mut().subcols_mut(d, right.ncols()).copy_from(right);
    out
}

/// n times the same row.
fn repeated(row: &[f64], n: usize) -> Mat<f64> {
    Mat::from_fn(n, row.len(), |_, j| row[j])
}
