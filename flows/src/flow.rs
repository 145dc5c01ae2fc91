//! A flow: standardisation, layers, base distribution and parameters.

use crate::architecture::{Architecture, LayerSpec};
use crate::base::Base;
use crate::blocks::ParamBlock;
use crate::error::FlowError;
use crate::layer::Layer;
use crate::stack::Stack;
use autodiff::{Graph, Var};
use density::{Affine, Density, Description, NotSavable, Writer};
use faer::prelude::*;
use numerics::random::Pcg64;

/// A normalizing flow: a density `q(x)` on R^d, or `q(x | y)` for every context y in R^c.
///
/// ```text
/// x -> standardise -> layer 1 (given y) -> ... -> layer L (given y) -> z ~ base
/// ln q(x | y) = ln base(z) + sum of the log-determinants, in nats
/// ```
///
/// A flow without contexts (c = 0) is a [`Density`]. With contexts, every network reads the
/// standardised y as well: an autoregressive layer is triangular in x for every y, and its first
/// coordinate depends on y alone; a coupling's networks read y and one half of x. The base is the
/// same for every y; if it is a Gaussian mixture, the layers move its modes with y, so that a
/// multimodal posterior needs no bridges between them (arXiv:2512.04954). [`Flow::condition`] gives
/// the density for one y.
///
/// Trained on pairs of parameters x and simulated data y it is amortised inference: `E_{x, y} [-ln
/// q(x | y)]` over the joint law is, up to a constant, the mean KL divergence from the posterior to
/// q over data y. If x was drawn from a proposal instead of the prior, weights `prior(x) /
/// proposal(x)` correct for it.
///
/// ```
/// use density::{Data, Density, FitContext};
/// use flows::{Architecture, FitConfig, Flow};
/// use numerics::random::{standard_normal, stream};
///
/// // x ~ N(0, 1) and y = x + noise of standard deviation one half.
/// let mut rng = stream(1, "pairs");
/// let x = faer::Mat::from_fn(500, 1, |_, _| standard_normal(&mut rng));
/// let y = faer::Mat::from_fn(500, 1, |i, _| x[(i, 0)] + 0.5 * standard_normal(&mut rng));
///
/// let pairs = Data::new(x.as_ref()).conditioned(y.as_ref());
/// let (points, contexts) = pairs.standardise()?;
/// let mut q = Flow::builder(&Architecture::realnvp(2, &[16, 16]), points)
///     .conditioned(contexts)
///     .build(&mut stream(1, "init"))?;
/// let settings = FitConfig { steps: 200, patience: None, learning_rate: 1e-2, ..FitConfig::default() };
/// q.fit(pairs, None, &settings, &mut stream(1, "batches"), &FitContext::default())?;
///
/// // The posterior given y = 1 is N(0.8, 0.2).
/// let draws = q.condition(&[1.0]).sample(1000, &mut stream(1, "draws"));
/// let mean = (0..1000).map(|i| draws[(i, 0)]).sum::<f64>() / 1000.0;
/// assert!((mean - 0.8).abs() < 0.1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Flow {
    pub(crate) standardise: Affine,
    /// Standardisation of the contexts, of no columns without them.
    pub(crate) contexts: Affine,
    pub(crate) stack: Stack,
    pub(crate) params: Vec<f64>,
}

impl Clone for Flow {
    fn clone(&self) -> Self {
        let mut clone = Self::from_layers(
            self.standardise.clone(),
            self.contexts.clone(),
            self.specs().to_vec(),
            self.base().clone(),
        )
        .expect("a flow that exists can be rebuilt");
        clone.params.clone_from(&self.params);
        clone
    }
}

/// A builder of flows, see [`Flow::builder`].
#[derive(Debug, Clone)]
pub struct FlowBuilder<'a> {
    architecture: &'a Architecture,
    standardise: Affine,
    contexts: Affine,
    base: Base,
}

impl FlowBuilder<'_> {
    /// Sets the base, in the space of standardised points, instead of the standard normal.
    #[must_use]
    pub fn on_base(self, base: Base) -> Self {
        Self { base, ..self }
    }

    /// Adds contexts, with their standardisation.
    #[must_use]
    pub fn conditioned(self, contexts: Affine) -> Self {
        Self { contexts, ..self }
    }

    /// The flow, with freshly drawn parameters.
    ///
    /// # Errors
    /// [`FlowError`] when a setting makes no sense or the base has another dimension.
    pub fn build(self, rng: &mut Pcg64) -> Result<Flow, FlowError> {
        self.architecture.check().map_err(FlowError::Invalid)?;
        let specs = self.architecture.layers(self.standardise.dim(), rng);
        let mut flow = Flow::from_layers(self.standardise, self.contexts, specs, self.base)?;
        flow.params = flow.stack.initial_params(rng);
        Ok(flow)
    }
}

impl Flow {
    /// A flow of the given architecture in standardised coordinates; by default without contexts
    /// and on a standard normal base.
    #[must_use]
    pub fn builder(architecture: &Architecture, standardise: Affine) -> FlowBuilder<'_> {
        FlowBuilder {
            architecture,
            standardise,
            contexts: Affine::identity(0),
            base: Base::StandardNormal,
        }
    }

    /// A flow of the given layers, in forward order, with all parameters zero: the identity, and a
    /// trained base at its start.
    ///
    /// # Errors
    /// [`FlowError`] when a layer does not fit the dimension.
    pub fn from_layers(
        standardise: Affine,
        contexts: Affine,
        specs: Vec<LayerSpec>,
        base: Base,
    ) -> Result<Self, FlowError> {
        let stack = Stack::new(standardise.dim(), contexts.dim(), specs, base)?;
        Ok(Self {
            params: vec![0.0; stack.num_params()],
            standardise,
            contexts,
            stack,
        })
    }

    /// Number of columns c of a context; 0 for a flow without.
    #[must_use]
    pub fn context_dim(&self) -> usize {
        self.stack.context
    }

    /// The flat parameter vector: layer by layer, then the base's, if it is trained.
    #[must_use]
    pub fn params(&self) -> &[f64] {
        &self.params
    }

    /// The flat parameter vector, mutable.
    pub fn params_mut(&mut self) -> &mut [f64] {
        &mut self.params
    }

    /// The parameter vector in named blocks, in order: `layer/0/weight_0` (outputs x inputs),
    /// `layer/0/bias_0`, ..., and the trained parameters of the base.
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

    /// The descriptions of the layers, in forward order.
    #[must_use]
    pub fn specs(&self) -> &[LayerSpec] {
        &self.stack.specs
    }

    /// The standardisation of the data.
    #[must_use]
    pub fn standardise(&self) -> &Affine {
        &self.standardise
    }

    /// The base distribution, as training began with it.
    #[must_use]
    pub fn base(&self) -> &Base {
        self.stack.base.spec()
    }

    /// The layers, in forward order. They work on rows of d coordinates with the c standardised
    /// context columns behind them.
    #[must_use]
    pub fn layers(&self) -> &[Box<dyn Layer>] {
        &self.stack.layers
    }

    /// Current weights (K) and means (K x d, in the standardised space) of a Gaussian-mixture base;
    /// `None` for a standard normal base.
    #[must_use]
    pub fn base_mixture(&self) -> Option<(Vec<f64>, Mat<f64>)> {
        self.stack.base.mixture(&self.params)
    }

    /// Indices of the parameters that training changes (all but masked weights).
    #[must_use]
    pub fn trainable(&self) -> Vec<usize> {
        self.stack.trainable()
    }

    /// Records `ln q` (n x 1) of an n x (d + c + 1) state on a tape: standardised points,
    /// standardised contexts, then a column of zeros. The Jacobian of the standardisation is not
    /// included.
    pub fn record_log_prob(&self, graph: &mut Graph<'_>, state: Var) -> Var {
        self.stack.record_log_prob(graph, state)
    }

    /// Forward: data (n x d) -> base (n x d), given contexts (n x c, row by row) if the flow has
    /// any, with `ln |det dz/dx|` for each row.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[must_use]
    pub fn transform_and_log_det(
        &self,
        x: MatRef<'_, f64>,
        contexts: Option<MatRef<'_, f64>>,
    ) -> (Mat<f64>, Vec<f64>) {
        let d = self.stack.dim;
        self.map(x, contexts, |mut rows, log_det, ws| {
            self.standardise.transform(rows.rb_mut().subcols_mut(0, d));
            log_det.fill(self.standardise.log_det());
            self.stack.transform(&self.params, rows, log_det, ws);
        })
    }

    /// Inverse: base (n x d) -> data (n x d), given contexts (n x c, row by row) if the flow has
    /// any, with `ln |det dx/dz|` for each row.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[must_use]
    pub fn inverse_and_log_det(
        &self,
        z: MatRef<'_, f64>,
        contexts: Option<MatRef<'_, f64>>,
    ) -> (Mat<f64>, Vec<f64>) {
        let d = self.stack.dim;
        self.map(z, contexts, |mut rows, log_det, ws| {
            log_det.fill(-self.standardise.log_det());
            self.stack.inverse(&self.params, rows.rb_mut(), log_det, ws);
            self.standardise.inverse(rows.subcols_mut(0, d));
        })
    }

    /// `ln q(x_i | y_i)` of the rows of x (n x d) given the rows of the contexts (n x c), in nats.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[must_use]
    pub fn log_prob_given(&self, x: MatRef<'_, f64>, contexts: MatRef<'_, f64>) -> Vec<f64> {
        self.log_prob_of(x, Some(contexts))
    }

    /// One draw for each row of the contexts (n x c), n x d.
    ///
    /// # Panics
    /// If the contexts have another number of columns.
    #[must_use]
    pub fn sample_given(&self, contexts: MatRef<'_, f64>, rng: &mut Pcg64) -> Mat<f64> {
        self.sample_of(contexts.nrows(), Some(contexts), rng)
    }

    /// The density `q(x | y)` for one context y (c numbers).
    ///
    /// # Panics
    /// If y has another length.
    #[must_use]
    pub fn condition(&self, y: &[f64]) -> Conditioned<'_> {
        assert_eq!(y.len(), self.context_dim(), "a context of another length");
        Conditioned {
            flow: self,
            y: y.to_vec(),
        }
    }

    fn log_prob_of(&self, x: MatRef<'_, f64>, contexts: Option<MatRef<'_, f64>>) -> Vec<f64> {
        let (z, mut out) = self.transform_and_log_det(x, contexts);
        let base = &self.stack.base;
        base.add_log_prob(&self.params, z.as_ref(), &mut out);
        out
    }

    fn sample_of(&self, n: usize, contexts: Option<MatRef<'_, f64>>, rng: &mut Pcg64) -> Mat<f64> {
        let z = self.stack.base.sample(&self.params, n, rng);
        self.inverse_and_log_det(z.as_ref(), contexts).0
    }

    /// Maps points followed by their standardised contexts.
    fn map(
        &self,
        points: MatRef<'_, f64>,
        contexts: Option<MatRef<'_, f64>>,
        f: impl Fn(MatMut<'_, f64>, &mut [f64], &mut crate::layer::Workspace) + Sync,
    ) -> (Mat<f64>, Vec<f64>) {
        assert_eq!(
            points.ncols(),
            self.stack.dim,
            "points of another dimension"
        );
        if self.context_dim() == 0 && contexts.is_none() {
            return self.stack.map(points, f);
        }
        self.stack
            .map(self.beside_contexts(points, contexts).as_ref(), f)
    }

    /// The points followed by the standardised contexts: n x (d + c).
    pub(crate) fn beside_contexts(
        &self,
        points: MatRef<'_, f64>,
        contexts: Option<MatRef<'_, f64>>,
    ) -> Mat<f64> {
        let (n, d, c) = (points.nrows(), self.stack.dim, self.context_dim());
        let shape = contexts.map_or((n, 0), |y| y.shape());
        assert_eq!(shape, (n, c), "one context of {c} numbers for each point");
        let mut rows = Mat::zeros(n, d + c);
        rows.as_mut().subcols_mut(0, d).copy_from(points);
        if let Some(contexts) = contexts {
            let mut right = rows.as_mut().subcols_mut(d, c);
            right.copy_from(contexts);
            self.contexts.transform(right);
        }
        rows
    }
}

impl Density for Flow {
    fn dim(&self) -> usize {
        self.stack.dim
    }

    /// # Panics
    /// If the flow needs contexts, or x has another number of columns.
    fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
        self.log_prob_of(x, None)
    }

    /// # Panics
    /// If the flow needs contexts.
    fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        self.sample_of(n, None, rng)
    }

    fn describe(&self, w: &mut Writer) -> Result<Description, NotSavable> {
        self.write(w)
    }
}

/// The density of a flow for one context, see [`Flow::condition`].
#[derive(Debug, Clone)]
pub struct Conditioned<'a> {
    flow: &'a Flow,
    y: Vec<f64>,
}

impl Conditioned<'_> {
    /// The context, n times.
    fn contexts(&self, n: usize) -> Mat<f64> {
        Mat::from_fn(n, self.y.len(), |_, j| self.y[j])
    }
}

impl Density for Conditioned<'_> {
    fn dim(&self) -> usize {
        self.flow.stack.dim
    }

    fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
        self.flow
            .log_prob_given(x, self.contexts(x.nrows()).as_ref())
    }

    fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        self.flow.sample_given(self.contexts(n).as_ref(), rng)
    }
}
