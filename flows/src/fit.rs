//! Weighted maximum likelihood by Adam, with mini-batches and early stopping.

use crate::chunks;
use crate::flow::Flow;
use crate::stack::Stack;
use autodiff::matrix::{col, col_mut};
use autodiff::optim::clip_factor;
use autodiff::random::{Pcg64, shuffle};
use autodiff::{Adam, AdamConfig, Graph, Schedule, Tape, math};
use faer::prelude::*;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::{ControlFlow, Range};

/// Points with optional weights (not negative, not all zero; they need not sum to one).
#[derive(Debug, Clone, Copy)]
pub struct Data<'a> {
    /// n x d.
    pub points: MatRef<'a, f64>,
    /// n weights, or equal ones.
    pub weights: Option<&'a [f64]>,
}

impl<'a> Data<'a> {
    /// Equally weighted points.
    #[must_use]
    pub fn new(points: MatRef<'a, f64>) -> Self {
        Self {
            points,
            weights: None,
        }
    }

    /// Weighted mean of `-ln q`, given `ln q` of each point, nats.
    #[must_use]
    pub fn mean_nll(&self, log_q: &[f64]) -> f64 {
        -math::dot(log_q, &self.shares())
    }

    pub(crate) fn check(&self, dim: usize, name: &'static str) -> Result<(), FitError> {
        let bad = |reason: String| Err(FitError::Data { name, reason });
        let (n, d) = (self.points.nrows(), self.points.ncols());
        if d != dim {
            return bad(format!("{d} columns where the flow has {dim}"));
        }
        if n == 0 {
            return bad("no rows".into());
        }
        for j in 0..d {
            if let Some(i) = (0..n).find(|&i| !self.points[(i, j)].is_finite()) {
                return bad(format!("{} in row {i}, column {j}", self.points[(i, j)]));
            }
        }
        let Some(w) = self.weights else { return Ok(()) };
        if w.len() != n {
            return bad(format!("{} weights for {n} rows", w.len()));
        }
        if let Some(i) = w.iter().position(|w| !(*w >= 0.0 && w.is_finite())) {
            return bad(format!("weight {} in row {i}", w[i]));
        }
        let total = math::sum(w);
        if !(total > 0.0 && total.is_finite()) {
            return bad(format!("weights that sum to {total}"));
        }
        Ok(())
    }

    /// Weights of sum one.
    pub(crate) fn shares(&self) -> Vec<f64> {
        let n = self.points.nrows() as f64;
        self.unit_weights().into_iter().map(|w| w / n).collect()
    }

    /// Weights of mean one.
    pub(crate) fn unit_weights(&self) -> Vec<f64> {
        let n = self.points.nrows();
        match self.weights {
            None => vec![1.0; n],
            Some(w) => {
                let mean = math::sum(w) / n as f64;
                w.iter().map(|w| w / mean).collect()
            }
        }
    }
}

/// How many points a step sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Batch {
    /// All of them.
    Full,
    /// So many, without replacement within an epoch.
    Size(usize),
}

/// Settings of [`Flow::fit`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitConfig {
    /// The most steps.
    #[serde(deserialize_with = "autodiff::checked::at_least_one")]
    pub steps: usize,
    /// Points of one step.
    pub batch: Batch,
    /// Full learning rate.
    #[serde(deserialize_with = "autodiff::checked::positive")]
    pub learning_rate: f64,
    /// Learning rate over the steps.
    pub schedule: Schedule,
    /// Moments and weight decay.
    #[serde(default)]
    pub adam: AdamConfig,
    /// The largest Euclidean norm of a gradient; larger ones are scaled down to it.
    #[serde(default, deserialize_with = "autodiff::checked::positive_or_none")]
    pub clip_norm: Option<f64>,
    /// Steps between evaluations of the held-out likelihood.
    #[serde(deserialize_with = "autodiff::checked::at_least_one")]
    pub evaluate_every: usize,
    /// Evaluations without improvement after which the fit stops and restores the best parameters; `None` never stops and keeps the last
    /// parameters.
    #[serde(default, deserialize_with = "autodiff::checked::at_least_one_or_none")]
    pub patience: Option<usize>,
}

impl FitConfig {
    /// What is wrong with the settings, if anything.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub fn check(&self) -> Result<(), String> {
        if self.steps == 0 {
            return Err("steps must be at least 1, not 0".into());
        }
        if self.batch == Batch::Size(0) {
            return Err("batch must be Full or Size(n) with n at least 1, not Size(0)".into());
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return Err(format!(
                "learning_rate must be positive, not {}",
                self.learning_rate
            ));
        }
        let floor = match self.schedule {
            Schedule::Constant => 0.0,
            Schedule::Cosine { floor } | Schedule::WarmUpCosine { floor, .. } => floor,
        };
        if !(0.0..=1.0).contains(&floor) {
            return Err(format!("schedule.floor must be from 0 to 1, not {floor}"));
        }
        for (name, beta) in [("beta1", self.adam.beta1), ("beta2", self.adam.beta2)] {
            if !(0.0..1.0).contains(&beta) {
                return Err(format!(
                    "adam.{name} must be at least 0 and below 1, not {beta}"
                ));
            }
        }
        if !(self.adam.epsilon > 0.0 && self.adam.epsilon.is_finite()) {
            return Err(format!(
                "adam.epsilon must be positive, not {}",
                self.adam.epsilon
            ));
        }
        if !(self.adam.weight_decay >= 0.0 && self.adam.weight_decay.is_finite()) {
            return Err(format!(
                "adam.weight_decay must not be negative, not {}",
                self.adam.weight_decay
            ));
        }
        if self.clip_norm.is_some_and(|c| !(c > 0.0 && c.is_finite())) {
            return Err("clip_norm must be None or positive".into());
        }
        if self.evaluate_every == 0 {
            return Err("evaluate_every must be at least 1, not 0".into());
        }
        if self.patience == Some(0) {
            return Err("patience must be None or at least 1, not 0".into());
        }
        Ok(())
    }
}

/// Why a fit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Termination {
    /// All steps were done.
    StepLimit,
    /// The held-out likelihood no longer rose; the best parameters are restored.
    EarlyStop,
    /// The observer asked for it; the best parameters so far are kept.
    Interrupted,
}

/// Likelihoods at one point of a fit, in the units of the data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Steps done.
    pub step: usize,
    /// Mean training loss (negative log-likelihood, nats) over the steps since the last evaluation.
    pub train_nll: f64,
    /// Weighted mean negative log-likelihood of the validation set, nats.
    pub held_out_nll: Option<f64>,
}

/// What a fit did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FitReport {
    /// Why it ended.
    pub termination: Termination,
    /// Steps done.
    pub steps: usize,
    /// The step whose parameters were kept.
    pub best_step: usize,
    /// Likelihoods along the way.
    pub history: Vec<Evaluation>,
}

/// What can go wrong in a fit.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FitError {
    /// A setting that makes no sense.
    #[error("{0}")]
    Config(String),
    /// Points or weights that cannot be used.
    #[error("{name} data: {reason}")]
    Data {
        /// Which set.
        name: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The loss is no longer a number.
    #[error("the {what} became {value} at step {step}; lower the learning rate or set clip_norm")]
    NonFinite {
        /// Which loss.
        what: &'static str,
        /// Its value.
        value: f64,
        /// The step.
        step: usize,
    },
}

/// A share of a batch with a tape and a gradient of its own.
///
/// How a batch is cut into chunks, which lane takes which chunk and the order in which lanes are added depend on the size of
/// the batch alone, so that the number of threads changes no bit.
struct Lane {
    tape: Tape,
    grad: Vec<f64>,
    loss: f64,
}

/// Lanes for a batch of n points: enough to spread a large batch, few enough that adding their gradients is cheap.
fn lanes_for(n: usize) -> usize {
    (n / 500).clamp(1, 8)
}

impl Flow {
    /// Fits the parameters by maximising the weighted log-likelihood of `train`.
    ///
    /// The loss of a step is `- sum_i w_i ln q(x_i) / n` over its n points, with weights of mean one over the whole set. With
    /// a validation set, its likelihood is evaluated every `evaluate_every` steps; with `patience` as well, the parameters of the best
    /// evaluation are restored. `observe` is called after every step (with the evaluation, where there was one) and can end the fit. The standardisation is left as
    /// it is. The result depends on the data, the settings and `rng` alone, not on the number of threads.
    ///
    /// # Errors
    /// Settings or data that cannot be used, and a loss that is not finite; the parameters are then those of the best evaluation so far.
    pub fn fit(
        &mut self,
        train: Data<'_>,
        validation: Option<Data<'_>>,
        config: &FitConfig,
        rng: &mut Pcg64,
        observe: Observer<'_>,
    ) -> Result<FitReport, FitError> {
        config.check().map_err(FitError::Config)?;
        train.check(self.dim(), "training")?;
        if let Some(v) = &validation {
            v.check(self.dim(), "validation")?;
        }
        let rows = |data: &Data<'_>| {
            let mut points = data.points.to_owned();
            self.standardise.transform(points.as_mut());
            Rows {
                points,
                weights: data.unit_weights(),
            }
        };
        let fit = Fit {
            stack: &self.stack,
            config,
            train: rows(&train),
            held_out: validation.as_ref().map(rows),
            offset: -self.standardise.log_det(),
        };
        fit.run(&mut self.params, rng, observe)
    }
}

/// What a fit calls after every step, with the number of steps done and the evaluation, where there was one; it can end the fit.
pub type Observer<'a> = &'a mut dyn FnMut(usize, Option<&Evaluation>) -> ControlFlow<()>;

/// What is fitted to: standardised coordinates and, behind them, standardised contexts, with weights of mean one.
pub(crate) struct Rows {
    pub points: Mat<f64>,
    pub weights: Vec<f64>,
}

/// The fixed parts of one fit.
pub(crate) struct Fit<'a> {
    pub stack: &'a Stack,
    pub config: &'a FitConfig,
    pub train: Rows,
    pub held_out: Option<Rows>,
    /// What standardisation adds to a negative log-likelihood.
    pub offset: f64,
}

impl Fit<'_> {
    /// Trains `params`; those of the best evaluation so far are left in it, whatever happens.
    pub fn run(
        &self,
        params: &mut [f64],
        rng: &mut Pcg64,
        observe: Observer<'_>,
    ) -> Result<FitReport, FitError> {
        if self.config.patience.is_some() && self.held_out.is_none() {
            return Err(FitError::Config("patience needs a validation set".into()));
        }
        let mut best = params.to_vec();
        let result = self.descend(params, &mut best, rng, observe);
        params.copy_from_slice(&best);
        result
    }

    /// Trains `params`; leaves in `best` the parameters to keep, whatever happens.
    fn descend(
        &self,
        params: &mut [f64],
        best: &mut [f64],
        rng: &mut Pcg64,
        observe: Observer<'_>,
    ) -> Result<FitReport, FitError> {
        let config = self.config;
        let n = self.train.points.nrows();
        let size = match config.batch {
            Batch::Full => n,
            Batch::Size(size) => size.min(n),
        };
        let mut lanes: Vec<Lane> = (0..lanes_for(size))
            .map(|_| Lane {
                tape: Tape::new(),
                grad: vec![0.0; params.len()],
                loss: 0.0,
            })
            .collect();
        let mut adam = Adam::new(params.len(), config.adam);
        let mut order: Vec<usize> = (0..n).collect();
        let mut next = n;
        let mut report = FitReport {
            termination: Termination::StepLimit,
            steps: 0,
            best_step: 0,
            history: Vec::new(),
        };
        let mut best_nll = f64::INFINITY;
        let mut stale = 0;
        let mut losses = (0.0, 0);
        for step in 1..=config.steps {
            if size < n && next + size > n {
                // A fresh permutation in the old one's place.
                order.iter_mut().enumerate().for_each(|(i, o)| *o = i);
                shuffle(rng, &mut order);
                next = 0;
            } else if size == n {
                next = 0;
            }
            let batch = &order[next..next + size];
            next += size;
            let loss = self.gradient(params, batch, &mut lanes);
            if !loss.is_finite() {
                return Err(FitError::NonFinite {
                    what: "training loss",
                    value: loss,
                    step,
                });
            }
            let grad = &lanes[0].grad;
            let scale = config.clip_norm.map_or(1.0, |c| clip_factor(grad, c));
            let rate = config.learning_rate * config.schedule.factor(step - 1, config.steps);
            adam.step(params, grad, scale, rate);
            report.steps = step;
            losses = (losses.0 + loss, losses.1 + 1);
            let due = step % config.evaluate_every == 0 || step == config.steps;
            if due {
                let held_out_nll = self.held_out_nll(params);
                if let Some(value) = held_out_nll.filter(|v| !v.is_finite()) {
                    return Err(FitError::NonFinite {
                        what: "held-out loss",
                        value,
                        step,
                    });
                }
                report.history.push(Evaluation {
                    step,
                    train_nll: losses.0 / f64::from(losses.1) + self.offset,
                    held_out_nll,
                });
                losses = (0.0, 0);
                let nll = held_out_nll.unwrap_or(f64::NEG_INFINITY);
                if config.patience.is_none() || nll < best_nll {
                    best_nll = nll;
                    report.best_step = step;
                    best.copy_from_slice(params);
                    stale = 0;
                } else {
                    stale += 1;
                }
            }
            if observe(step, report.history.last().filter(|_| due)).is_break() {
                report.termination = Termination::Interrupted;
                break;
            }
            if config.patience.is_some_and(|p| stale >= p) {
                report.termination = Termination::EarlyStop;
                break;
            }
        }
        Ok(report)
    }

    /// Weighted mean negative log-likelihood of the validation set, in the units of the data.
    fn held_out_nll(&self, params: &[f64]) -> Option<f64> {
        let Rows { points, weights } = self.held_out.as_ref()?;
        let log_prob = self.stack.log_prob(params, points.as_ref());
        Some(self.offset - math::dot(&log_prob, weights) / weights.len() as f64)
    }

    /// The loss of a batch; its gradient is left in the first lane.
    fn gradient(&self, params: &[f64], batch: &[usize], lanes: &mut [Lane]) -> f64 {
        let count = lanes.len();
        let work = |(l, lane): (usize, &mut Lane)| {
            lane.grad.fill(0.0);
            lane.loss = 0.0;
            for rows in chunks(batch.len(), self.stack.chunk_rows())
                .skip(l)
                .step_by(count)
            {
                self.chunk(params, batch, rows, lane);
            }
        };
        if count == 1 {
            work((0, &mut lanes[0]));
        } else {
            lanes.par_iter_mut().enumerate().for_each(work);
        }
        let (first, others) = lanes.split_at_mut(1);
        for lane in others {
            first[0].loss += lane.loss;
            for (a, b) in first[0].grad.iter_mut().zip(&lane.grad) {
                *a += b;
            }
        }
        first[0].loss
    }

    /// Adds the loss and the gradient of some rows of the batch to a lane.
    fn chunk(&self, params: &[f64], batch: &[usize], rows: Range<usize>, lane: &mut Lane) {
        let ids = &batch[rows];
        let (n, width) = (ids.len(), self.train.points.ncols());
        lane.tape.reset();
        let mut graph = Graph::new(&mut lane.tape, params);
        let state = graph.constant_with(n, width + 1, |mut state| {
            for j in 0..width {
                let from = col(self.train.points.as_ref(), j);
                for (to, &i) in col_mut(state.rb_mut(), j).iter_mut().zip(ids) {
                    *to = from[i];
                }
            }
            col_mut(state, width).fill(0.0);
        });
        let weights = graph.constant_with(n, 1, |w| {
            for (to, &i) in col_mut(w, 0).iter_mut().zip(ids) {
                *to = -self.train.weights[i] / batch.len() as f64;
            }
        });
        let log_prob = self.stack.record_log_prob(&mut graph, state);
        let loss = graph.weighted_sum(log_prob, weights);
        lane.tape.backward(loss, params, &mut lane.grad);
        lane.loss += lane.tape.scalar(loss);
    }
}
