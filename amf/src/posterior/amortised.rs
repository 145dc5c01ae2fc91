//! Amortised inference: one model for all data, `q(theta | y)`.

use super::frame::Framed;
use super::parts::Parts;
use super::settings::{FlowSettings, Means, PosteriorBase, check_mixture, stacking};
use crate::experts::{Components, Expert, ExpertError, Progress};
use crate::mixture::mixture_log_prob;
use crate::weights::{LearnedWeights, Source, WeightError, WeightRule};
use faer::prelude::*;
use flows::{
    Base, ConditionalData, ConditionalFlow, Data, EmConfig, EmError, Evaluation, FitError,
    GaussianMixture, Standardise, Termination,
};
use numerics::math::{exp, ln, ln_sum_exp};
use numerics::matrix::{col_mut, select_rows};
use numerics::random::{Pcg64, categorical, permutation, stream};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use store::{NoShelf, Shelf};

/// How `q(theta | y)` is learnt from pairs of parameters and simulated data.
///
/// Theta is drawn from the prior (or from a proposal, with weights `prior / proposal`) and y from the simulator; the mean over pairs of
/// `-ln q(theta | y)` is, up to a constant, the mean over data of `KL(posterior || q)`. No likelihood is evaluated, and the model answers for every y.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmortisedConfig {
    /// What each expert is made of.
    pub model: AmortisedModel,
    /// How many pairs, those whose data are nearest to the average data, a mixture is fitted to first: the posterior there, roughly, modes and all.
    #[serde(
        default = "default_neighbours",
        deserialize_with = "numerics::checked::at_least_one"
    )]
    pub neighbours: usize,
    /// The conditional flows, with their names.
    pub experts: Vec<(String, FlowSettings)>,
    /// Share of the pairs that stops training early and weighs the experts, above 0 and below 1.
    pub validation: f64,
    /// How held-out densities become weights.
    #[serde(default = "stacking")]
    pub rule: WeightRule,
}

/// What an expert of an amortised posterior is made of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum AmortisedModel {
    /// One conditional flow on a base that is the same for all data. Distances between the modes of such a base and their widths are scaled together
    /// by every layer: posteriors in which they change apart are out of its reach in one dimension and hard in two.
    Flow(PosteriorBase),
    /// A sum `sum_k w_k q_k(theta | y)` of conditional flows on normal bases, one for each component of a Gaussian mixture fitted to the neighbours: a mode
    /// that moves with y is followed by its own flow, and no flow has to bridge. Fitted by expectation-maximisation: a round trains every flow on all pairs,
    /// weighted with its responsibilities, at first those of the mixture's components. The weights `w_k` do not depend on y.
    Flows {
        /// How many flows.
        components: Components,
        /// For the mixture at the start.
        #[serde(default)]
        em: EmConfig,
        /// Rounds, which share the steps of the flows' fits.
        #[serde(deserialize_with = "numerics::checked::at_least_one")]
        rounds: usize,
    },
}

fn default_neighbours() -> usize {
    1000
}

/// A mixture of experts that are conditional flows or sums of some, `q(theta | y) = sum_k pi_k q_k(theta | y)`.
pub struct Amortised {
    experts: Vec<Framed<Flows>>,
    names: Vec<String>,
    weights: LearnedWeights,
    held_out_nll: f64,
    expert_nll: Vec<f64>,
}

/// `q(theta | y)` for one y: a density of theta.
#[derive(Clone)]
pub struct Given<'a> {
    amortised: &'a Amortised,
    weights: Vec<f64>,
    context: Vec<f64>,
}

/// Why an amortised posterior could not be learnt.
#[derive(Debug, thiserror::Error)]
pub enum AmortisedError {
    /// Settings that make no sense.
    #[error("{0}")]
    Config(String),
    /// Pairs that cannot be used.
    #[error(transparent)]
    Data(#[from] FitError),
    /// The base mixture could not be fitted.
    #[error("the Gaussian mixture: {0}")]
    Base(#[from] EmError),
    /// An expert could not be fitted.
    #[error("expert \"{expert}\": {source}")]
    Expert {
        /// Name of the expert.
        expert: String,
        /// What went wrong.
        source: ExpertError,
    },
    /// The weights of the experts could not be learned.
    #[error("mixture weights: {0}")]
    Stacking(#[from] WeightError),
    /// The observer asked for an end.
    #[error("interrupted")]
    Interrupted,
}

/// `sum_k w_k q_k(theta | y)`.
struct Flows {
    flows: Vec<ConditionalFlow>,
    weights: Vec<f64>,
}

impl Flows {
    /// `ln q_k(theta_i | y_i)`, n x K.
    fn table(&self, theta: MatRef<'_, f64>, contexts: MatRef<'_, f64>) -> Mat<f64> {
        let mut table = Mat::zeros(theta.nrows(), self.flows.len());
        for (k, flow) in self.flows.iter().enumerate() {
            col_mut(table.as_mut(), k).copy_from_slice(&flow.log_prob(theta, contexts));
        }
        table
    }

    fn log_prob(&self, theta: MatRef<'_, f64>, contexts: MatRef<'_, f64>) -> Vec<f64> {
        mixture_log_prob(self.table(theta, contexts).as_ref(), &self.weights)
    }

    fn sample_given(&self, context: &[f64], n: usize, rng: &mut Pcg64) -> Mat<f64> {
        let draw =
            |k: usize, n: usize, rng: &mut Pcg64| self.flows[k].sample_given(context, n, rng);
        sample_mixture(self.flows[0].dim(), &self.weights, n, rng, &draw)
    }
}

/// `n` draws, each from a component drawn by its weight.
fn sample_mixture(
    dim: usize,
    weights: &[f64],
    n: usize,
    rng: &mut Pcg64,
    draw: &dyn Fn(usize, usize, &mut Pcg64) -> Mat<f64>,
) -> Mat<f64> {
    let choice: Vec<usize> = (0..n).map(|_| categorical(rng, weights)).collect();
    let mut out = Mat::zeros(n, dim);
    for k in 0..weights.len() {
        let rows: Vec<usize> = (0..n).filter(|&i| choice[i] == k).collect();
        let draws = draw(k, rows.len(), rng);
        for j in 0..dim {
            for (from, &to) in rows.iter().enumerate() {
                out[(to, j)] = draws[(from, j)];
            }
        }
    }
    out
}

/// Turns `ln (w_k q_k)` into responsibilities, row by row.
fn responsibilities(mut joint: Mat<f64>) -> Mat<f64> {
    for i in 0..joint.nrows() {
        let row: Vec<f64> = (0..joint.ncols()).map(|k| joint[(i, k)]).collect();
        let total = ln_sum_exp(&row);
        for (k, l) in row.into_iter().enumerate() {
            joint[(i, k)] = if total.is_finite() {
                exp(l - total)
            } else {
                1.0 / joint.ncols() as f64
            };
        }
    }
    joint
}

/// Pairs of which some train and some judge.
struct Pairs {
    theta: Mat<f64>,
    y: Mat<f64>,
    weights: Option<Vec<f64>>,
}

impl Pairs {
    fn of(data: &ConditionalData<'_>, rows: &[usize]) -> Self {
        Self {
            theta: select_rows(data.points, rows),
            y: select_rows(data.contexts, rows),
            weights: data.weights.map(|w| rows.iter().map(|&i| w[i]).collect()),
        }
    }

    fn data(&self) -> ConditionalData<'_> {
        ConditionalData {
            points: self.theta.as_ref(),
            contexts: self.y.as_ref(),
            weights: self.weights.as_deref(),
        }
    }

    /// In the coordinates of a frame.
    fn inside(&self, frame: &Framed<()>) -> Self {
        Self {
            theta: frame.enter(self.theta.as_ref()),
            y: self.y.clone(),
            weights: self.weights.clone(),
        }
    }

    /// The pairs that a component is responsible for, with that share of their weights; `None` if there are hardly any.
    fn share(&self, responsibilities: MatRef<'_, f64>, k: usize) -> Option<Self> {
        let r = numerics::matrix::col(responsibilities, k);
        let rows: Vec<usize> = (0..r.len()).filter(|&i| r[i] > 1e-3).collect();
        if rows.len() < 20 {
            return None;
        }
        let weigh = |i: usize| r[i] * self.weights.as_ref().map_or(1.0, |w| w[i]);
        let mut part = Self::of(&self.data(), &rows);
        part.weights = Some(rows.iter().map(|&i| weigh(i)).collect());
        Some(part)
    }

    /// Mean responsibilities.
    fn shares(&self, responsibilities: MatRef<'_, f64>) -> Vec<f64> {
        let mean = |k: usize| {
            let r = numerics::matrix::col(responsibilities, k);
            match &self.weights {
                Some(w) => numerics::math::dot(r, w) / numerics::math::sum(w),
                None => numerics::math::sum(r) / r.len() as f64,
            }
        };
        (0..responsibilities.ncols()).map(mean).collect()
    }
}

impl AmortisedConfig {
    /// What is wrong with the settings, if anything.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub fn check(&self) -> Result<(), String> {
        match &self.model {
            AmortisedModel::Flow(base) => base.check(),
            AmortisedModel::Flows { rounds: 0, .. } => {
                Err("rounds must be at least 1, not 0".into())
            }
            AmortisedModel::Flows { components, em, .. } => check_mixture(*components, em),
        }
        .map_err(|e| format!("model: {e}"))?;
        if self.experts.is_empty() {
            return Err("experts must not be empty".into());
        }
        for (name, flow) in &self.experts {
            flow.check()
                .map_err(|e| format!("expert \"{name}\": {e}"))?;
        }
        if self.neighbours == 0 {
            return Err("neighbours must be at least 1, not 0".into());
        }
        if !(self.validation > 0.0 && self.validation < 1.0) {
            return Err(format!(
                "validation must be above 0 and below 1, not {}",
                self.validation
            ));
        }
        self.rule.check().map_err(|e| format!("rule: {e}"))
    }

    /// Learns `q(theta | y)` from pairs (theta as points, y as contexts), with optional weights.
    ///
    /// Experts are fitted in parallel on the current thread pool; the result depends on the pairs, the settings and the seed alone.
    ///
    /// # Errors
    /// See [`AmortisedError`].
    pub fn fit(
        &self,
        pairs: ConditionalData<'_>,
        seed: u64,
        observe: AmortisedObserver<'_>,
    ) -> Result<Amortised, AmortisedError> {
        self.fit_on(&NoShelf, pairs, seed, observe)
    }

    /// [`Self::fit`] whose flows are kept on a shelf: the same call after an interruption goes on where that one was.
    ///
    /// # Errors
    /// See [`AmortisedError`].
    pub fn fit_on(
        &self,
        shelf: &dyn Shelf,
        pairs: ConditionalData<'_>,
        seed: u64,
        observe: AmortisedObserver<'_>,
    ) -> Result<Amortised, AmortisedError> {
        self.check().map_err(AmortisedError::Config)?;
        // Also refuses pairs that are not finite, or of different numbers.
        let (standardise, contexts) = pairs.standardise()?;
        let n = pairs.points.nrows();
        let order = permutation(&mut stream(seed, "amortised/split"), n);
        let held = ((n as f64 * self.validation).ceil() as usize).min(n - 1);
        let (valid, train) = order.split_at(held);
        let (train, valid) = (Pairs::of(&pairs, train), Pairs::of(&pairs, valid));
        let mixture = self.mixture(&train, &standardise, &contexts, seed)?;
        let fit = Fit {
            config: self,
            train,
            valid,
            standardise,
            contexts,
            mixture,
            seed,
            shelf,
        };
        let experts: Vec<Framed<Flows>> = (0..self.experts.len())
            .into_par_iter()
            .map(|e| fit.expert(e, observe))
            .collect::<Result<_, _>>()?;
        fit.weigh(experts)
    }

    /// The base mixture in the space of standardised parameters, from the pairs whose data are nearest to the average.
    fn mixture(
        &self,
        train: &Pairs,
        standardise: &Standardise,
        contexts: &Standardise,
        seed: u64,
    ) -> Result<Option<GaussianMixture>, AmortisedError> {
        let (components, em, tails) = match self.model {
            AmortisedModel::Flow(PosteriorBase::StandardNormal) => return Ok(None),
            AmortisedModel::Flow(PosteriorBase::Mixture {
                components,
                em,
                tails,
                ..
            }) => (components, em, tails),
            AmortisedModel::Flows { components, em, .. } => (components, em, None),
        };
        let mut y = train.y.clone();
        contexts.transform(y.as_mut());
        let distance = |i: usize| (0..y.ncols()).map(|j| y[(i, j)] * y[(i, j)]).sum::<f64>();
        let mut nearest: Vec<(f64, usize)> = (0..y.nrows()).map(|i| (distance(i), i)).collect();
        let count = self.neighbours.min(nearest.len());
        nearest.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let rows: Vec<usize> = nearest[..count].iter().map(|r| r.1).collect();
        let mut points = select_rows(train.theta.as_ref(), &rows);
        standardise.transform(points.as_mut());
        let weights: Option<Vec<f64>> = train
            .weights
            .as_ref()
            .map(|w| rows.iter().map(|&i| w[i]).collect());
        let data = Data {
            points: points.as_ref(),
            weights: weights.as_deref(),
        };
        let rng = &mut stream(seed, "amortised/base");
        let found = components.fit(data, &em, rng)?;
        Ok(Some(match tails {
            Some(t) => Parts::of(&found).with_tails(t.share, t.scale).build(),
            None => found,
        }))
    }
}

/// The fixed parts of a fit.
struct Fit<'a> {
    config: &'a AmortisedConfig,
    train: Pairs,
    valid: Pairs,
    standardise: Standardise,
    contexts: Standardise,
    mixture: Option<GaussianMixture>,
    seed: u64,
    shelf: &'a dyn Shelf,
}

impl Fit<'_> {
    fn expert(
        &self,
        e: usize,
        observe: AmortisedObserver<'_>,
    ) -> Result<Framed<Flows>, AmortisedError> {
        let (name, settings) = &self.config.experts[e];
        let d = self.standardise.dim();
        let frame = Framed {
            standardise: self.standardise.clone(),
            rotation: settings.frame.rotation(d),
            density: (),
        };
        let (train, valid) = (self.train.inside(&frame), self.valid.inside(&frame));
        let new = |base: Base, k: usize| {
            ConditionalFlow::new(
                &settings.architecture,
                Standardise::identity(d),
                self.contexts.clone(),
                base,
                &mut stream(self.seed, &format!("amortised/{name}/{k}/init")),
            )
            .map_err(|e| self.failed(name, e.into()))
        };
        let (components, rounds) = match (&self.config.model, &self.mixture) {
            (AmortisedModel::Flows { rounds, .. }, Some(m)) => (m, *rounds),
            (AmortisedModel::Flow(base), mixture) => {
                let base = base.place(mixture.as_ref(), frame.rotation.as_ref());
                let mut flow = new(base, 0)?;
                let steps = (0, settings.fit.steps);
                self.train(e, &mut flow, (&train, &valid), steps, "batches", observe)?;
                return Ok(frame.around(Flows {
                    flows: vec![flow],
                    weights: vec![1.0],
                }));
            }
            _ => unreachable!("such a model has a mixture"),
        };
        // The components' own responsibilities at the start, in their own coordinates.
        let first = |p: &Pairs| {
            let mut z = p.theta.clone();
            self.standardise.transform(z.as_mut());
            responsibilities(components.joint_log_prob(z.as_ref()))
        };
        let (mut r, mut r_valid) = (first(&self.train), first(&self.valid));
        let mut model = Flows {
            flows: (0..components.len())
                .map(|k| new(Base::StandardNormal, k))
                .collect::<Result<_, _>>()?,
            weights: self.train.shares(r.as_ref()),
        };
        let steps = settings.fit.steps.div_ceil(rounds);
        for round in 0..rounds {
            let label = |k: usize| format!("{k}/{round}/batches");
            model
                .flows
                .par_iter_mut()
                .enumerate()
                .try_for_each(|(k, flow)| {
                    let part = |p: &Pairs, r: &Mat<f64>| p.share(r.as_ref(), k);
                    match (part(&train, &r), part(&valid, &r_valid)) {
                        (Some(train), Some(valid)) => {
                            let pairs = (&train, &valid);
                            self.train(e, flow, pairs, (round * steps, steps), &label(k), observe)
                        }
                        // A component that has lost its pairs stays as it is.
                        _ => Ok(()),
                    }
                })?;
            let joint = |p: &Pairs| {
                let mut table = model.table(p.theta.as_ref(), p.y.as_ref());
                for (k, &w) in model.weights.iter().enumerate() {
                    col_mut(table.as_mut(), k)
                        .iter_mut()
                        .for_each(|l| *l += ln(w));
                }
                responsibilities(table)
            };
            (r, r_valid) = (joint(&train), joint(&valid));
            model.weights = self.train.shares(r.as_ref());
        }
        Ok(frame.around(model))
    }

    fn failed(&self, name: &str, source: ExpertError) -> AmortisedError {
        AmortisedError::Expert {
            expert: name.into(),
            source,
        }
    }

    /// Trains one flow of expert e on pairs in its frame; `steps` are those done before and those to do.
    fn train(
        &self,
        e: usize,
        flow: &mut ConditionalFlow,
        (train, valid): (&Pairs, &Pairs),
        (done, steps): (usize, usize),
        label: &str,
        observe: AmortisedObserver<'_>,
    ) -> Result<(), AmortisedError> {
        let (name, settings) = &self.config.experts[e];
        let total = settings.fit.steps;
        let mut fit = settings.fit.clone();
        fit.evaluate_every = (fit.evaluate_every * steps).div_ceil(total).max(1);
        fit.steps = steps;
        let log_det = self.standardise.log_det();
        let mut held_out_nll = None;
        let report = flow
            .fit_on(
                self.shelf,
                train.data(),
                Some(valid.data()),
                &fit,
                &mut stream(self.seed, &format!("amortised/{name}/{label}")),
                &mut |step, evaluation: Option<&Evaluation>| {
                    if let Some(e) = evaluation {
                        held_out_nll = e.held_out_nll.map(|nll| nll - log_det);
                    }
                    let progress = Progress {
                        step: done + step,
                        total,
                        held_out_nll,
                    };
                    observe(name, progress)
                },
            )
            .map_err(|e| self.failed(name, e.into()))?;
        if report.termination == Termination::Interrupted {
            return Err(AmortisedError::Interrupted);
        }
        Ok(())
    }

    fn weigh(&self, experts: Vec<Framed<Flows>>) -> Result<Amortised, AmortisedError> {
        let (theta, y) = (self.valid.theta.as_ref(), self.valid.y.as_ref());
        let mut table = Mat::zeros(theta.nrows(), experts.len());
        for (k, e) in experts.iter().enumerate() {
            col_mut(table.as_mut(), k).copy_from_slice(&conditional_log_prob(e, theta, y));
        }
        let source = Source::HeldOut {
            table: table.as_ref(),
            weights: self.valid.weights.as_deref(),
        };
        let weights = self.config.rule.learn(&source, self.seed)?;
        let nll = |log_q: &[f64]| self.valid.data().mean_nll(log_q);
        Ok(Amortised {
            held_out_nll: nll(&mixture_log_prob(table.as_ref(), &weights.pi)),
            expert_nll: (0..experts.len())
                .map(|k| nll(numerics::matrix::col(table.as_ref(), k)))
                .collect(),
            names: self.config.experts.iter().map(|(n, _)| n.clone()).collect(),
            experts,
            weights,
        })
    }
}

/// What a fit calls after every step with the name of the expert and its progress, from any thread; it can end the fit.
pub type AmortisedObserver<'a> = &'a (dyn Fn(&str, Progress) -> ControlFlow<()> + Sync);

impl PosteriorBase {
    /// The base of a flow in a frame, from a mixture of standardised coordinates.
    pub(super) fn place(
        &self,
        mixture: Option<&GaussianMixture>,
        rotation: Option<&Mat<f64>>,
    ) -> Base {
        let (Self::Mixture { means, .. }, Some(mixture)) = (self, mixture) else {
            return Base::StandardNormal;
        };
        let start = match rotation {
            Some(r) => Parts::of(mixture).rotated(r.as_ref()).build(),
            None => mixture.clone(),
        };
        match means {
            Means::Fixed => Base::GaussianMixture(start),
            Means::Trained | Means::TrainedWithWeights => Base::TrainedGaussianMixture {
                start,
                train_weights: *means == Means::TrainedWithWeights,
            },
        }
    }
}

fn conditional_log_prob(
    expert: &Framed<Flows>,
    theta: MatRef<'_, f64>,
    contexts: MatRef<'_, f64>,
) -> Vec<f64> {
    let z = expert.enter(theta);
    let mut out = expert.density.log_prob(z.as_ref(), contexts);
    out.iter_mut()
        .for_each(|l| *l += expert.standardise.log_det());
    out
}

impl Amortised {
    /// Number of parameters d.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.experts[0].density.flows[0].dim()
    }

    /// Number of data c.
    #[must_use]
    pub fn context_dim(&self) -> usize {
        self.experts[0].density.flows[0].context_dim()
    }

    /// Names of the experts.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Weights of the experts.
    #[must_use]
    pub fn weights(&self) -> &LearnedWeights {
        &self.weights
    }

    /// Held-out negative log-likelihood of each expert, nats.
    #[must_use]
    pub fn expert_nll(&self) -> &[f64] {
        &self.expert_nll
    }

    /// Held-out negative log-likelihood of the mixture, nats.
    #[must_use]
    pub fn held_out_nll(&self) -> f64 {
        self.held_out_nll
    }

    /// `ln q(theta_i | y_i)` for the rows of theta (n x d) and y (n x c), nats.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[must_use]
    pub fn log_prob(&self, theta: MatRef<'_, f64>, y: MatRef<'_, f64>) -> Vec<f64> {
        self.mixed_log_prob(&self.weights.pi, theta, y)
    }

    fn mixed_log_prob(
        &self,
        weights: &[f64],
        theta: MatRef<'_, f64>,
        y: MatRef<'_, f64>,
    ) -> Vec<f64> {
        let mut table = Mat::zeros(theta.nrows(), self.experts.len());
        for (k, e) in self.experts.iter().enumerate() {
            if weights[k] > 0.0 {
                col_mut(table.as_mut(), k).copy_from_slice(&conditional_log_prob(e, theta, y));
            }
        }
        mixture_log_prob(table.as_ref(), weights)
    }

    /// `q(theta | y)` for one y (c numbers): a density like any other.
    ///
    /// # Panics
    /// If y has another length.
    #[must_use]
    pub fn given(&self, y: &[f64]) -> Given<'_> {
        assert_eq!(y.len(), self.context_dim(), "data of another length");
        Given {
            amortised: self,
            weights: self.weights.pi.clone(),
            context: y.to_vec(),
        }
    }

    /// `q_k(theta | y)` of one expert alone.
    ///
    /// # Panics
    /// If there is no such expert or y has another length.
    #[must_use]
    pub fn expert_given(&self, expert: usize, y: &[f64]) -> Given<'_> {
        let mut given = self.given(y);
        given.weights.fill(0.0);
        given.weights[expert] = 1.0;
        given
    }
}

impl Expert for Given<'_> {
    fn dim(&self) -> usize {
        self.amortised.dim()
    }

    fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
        let y = Mat::from_fn(x.nrows(), self.context.len(), |_, j| self.context[j]);
        self.amortised.mixed_log_prob(&self.weights, x, y.as_ref())
    }

    fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        let draw = |k: usize, n: usize, rng: &mut Pcg64| {
            let e = &self.amortised.experts[k];
            e.leave(e.density.sample_given(&self.context, n, rng))
        };
        sample_mixture(self.dim(), &self.weights, n, rng, &draw)
    }
}
