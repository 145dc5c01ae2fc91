//! The loop of a fit: batches, gradients, evaluations, backing off, checkpoints.

use super::state::State;
use super::{Backoff, Evaluation, FitConfig, FitReport, Termination};
use crate::chunks;
use crate::error::FitError;
use crate::stack::Stack;
use autodiff::optim::clip_factor;
use autodiff::{Adam, Graph, Tape};
use density::{FitContext, Progress};
use faer::prelude::*;
use numerics::checked::one_line;
use numerics::math;
use numerics::matrix::{col, col_mut};
use numerics::random::Pcg64;
use rayon::prelude::*;
use std::ops::Range;
use std::time::Instant;
use store::{Event, Fingerprint};

/// To be raised when the same settings give another fit: checkpoints of other versions are not
/// used.
const VERSION: u32 = 2;

/// A diverging fit backs off at most this many times.
const BACKOFFS: usize = 5;

/// Backing off multiplies the learning rate by this.
const SLOWER: f64 = 0.3;

/// A loss this many times that of the first step (taken as at least ten nats for each coordinate)
/// suggests a diverging fit.
const DIVERGED: f64 = 1e3;

/// A loss above the smallest so far by more than this many nats for each coordinate has not
/// recovered.
const FAR: f64 = 10.0;

/// Steps in which the loss must recover: where a density is steep, a single point can make the loss
/// of its batch huge without the fit diverging.
const TO_COME_BACK: u32 = 50;

/// A share of a batch with a tape and a gradient of its own.
///
/// How a batch is cut into chunks, which lane takes which chunk and the order in which lanes are
/// added depend on the size of the batch alone, so that the number of threads changes no bit.
struct Lane {
    tape: Tape,
    grad: Vec<f64>,
    loss: f64,
}

/// Lanes for a batch of n points: enough to share out a large batch, few enough that adding their
/// gradients is cheap.
fn lanes_for(n: usize) -> usize {
    (n / 500).clamp(1, 8)
}

/// The data of a fit: standardised coordinates followed by standardised contexts, with weights of
/// mean one.
pub(crate) struct Rows {
    pub points: Mat<f64>,
    pub weights: Vec<f64>,
}

/// What stays constant during one fit.
pub(crate) struct Fit<'a> {
    pub stack: &'a Stack,
    pub config: &'a FitConfig,
    pub train: Rows,
    pub held_out: Option<Rows>,
    /// What standardisation adds to a negative log-likelihood.
    pub offset: f64,
}

/// A fit without early stopping fails if its final loss is above the smallest so far by more than
/// this many nats for each coordinate.
const WORSE: f64 = 0.5;

impl Fit<'_> {
    /// Trains `params`. On return, also with an error, it holds the parameters of the best
    /// evaluation so far.
    ///
    /// The fit resumes from its checkpoint, if there is one, and writes one periodically, on
    /// interruption and at the end.
    pub fn run(
        &self,
        params: &mut [f64],
        rng: &mut Pcg64,
        context: &FitContext<'_>,
    ) -> Result<FitReport, FitError> {
        let checkpoints = context.checkpoints();
        if self.config.patience.is_some() && self.held_out.is_none() {
            return Err(FitError::Config("patience needs a validation set".into()));
        }
        let unit = checkpoints.pace().map(|_| self.name(params, rng));
        let n = self.train.points.nrows();
        let kept = unit.as_ref().and_then(|unit| {
            let bytes = checkpoints.get(unit)?;
            let state = State::from_bytes(&bytes, params.len(), n, self.config);
            state
                .inspect_err(|e| {
                    let reason = &one_line(&format!("{unit}: {e}"));
                    checkpoints.tell(Event::Damaged { reason });
                })
                .ok()
        });
        let resumed = kept.is_some();
        let mut state = kept.unwrap_or_else(|| State::new(params, rng, n, self.config));
        let result = match &unit {
            Some(unit) if state.finished => {
                checkpoints.tell(Event::Found { unit });
                Ok(())
            }
            Some(unit) => {
                checkpoints.tell(Event::Begun { unit, resumed });
                self.descend_and_keep(&mut state, context, unit)
            }
            None => self.descend(&mut state, context, None),
        };
        params.copy_from_slice(&state.best);
        *rng = state.rng;
        result.map(|()| state.report)
    }

    /// [`Self::descend`], then a checkpoint of the result.
    fn descend_and_keep(
        &self,
        state: &mut State,
        context: &FitContext<'_>,
        unit: &str,
    ) -> Result<(), FitError> {
        let checkpoints = context.checkpoints();
        match self.descend(state, context, Some(unit)) {
            Ok(()) if state.report.termination == Termination::Interrupted => {
                checkpoints.put(unit, &state.to_bytes())?;
            }
            Ok(()) => {
                state.finished = true;
                checkpoints.put(unit, &state.to_bytes())?;
                checkpoints.tell(Event::Finished { unit });
            }
            // A full disk may have room the next time, but a fit that diverges always diverges.
            Err(e @ FitError::Checkpoint(_)) => return Err(e),
            Err(e) => {
                checkpoints.remove(unit);
                return Err(e);
            }
        }
        Ok(())
    }

    /// A name with a hash of everything that the fit depends on.
    fn name(&self, params: &[f64], rng: &Pcg64) -> String {
        let text = |value: &dyn Fn() -> Result<String, ron::Error>| {
            value().expect("settings are serialisable")
        };
        let rows = |print: Fingerprint, rows: &Rows| {
            let columns = 0..rows.points.ncols();
            let points = columns.fold(print, |p, j| p.numbers(col(rows.points.as_ref(), j)));
            points.numbers(&rows.weights)
        };
        let print = Fingerprint::new("fit", VERSION)
            .text(&text(&|| ron::to_string(self.config)))
            .count(self.stack.dim)
            .count(self.stack.context)
            .text(&text(&|| ron::to_string(&self.stack.specs)))
            .text(&text(&|| ron::to_string(self.stack.base.spec())))
            .text(&text(&|| ron::to_string(rng)))
            .numbers(&[self.offset])
            .numbers(params);
        let print = rows(print, &self.train);
        let print = self.held_out.iter().fold(print, rows);
        format!("fit-{}", print.finish())
    }

    /// Continues from a state until the end or an interruption.
    fn descend(
        &self,
        state: &mut State,
        context: &FitContext<'_>,
        unit: Option<&str>,
    ) -> Result<(), FitError> {
        let config = self.config;
        let n = self.train.points.nrows();
        let size = config.batch.of(n);
        let mut lanes: Vec<Lane> = (0..lanes_for(size))
            .map(|_| Lane {
                tape: Tape::new(),
                grad: vec![0.0; state.params.len()],
                loss: 0.0,
            })
            .collect();
        state.report.termination = Termination::StepLimit;
        let mut saved = Instant::now();
        while state.report.steps < config.steps && !self.is_stale(state) {
            let step = state.report.steps + 1;
            let batch = state.next_batch(size);
            let loss = self.gradient(&state.params, &state.order[batch], &mut lanes);
            state.report.steps = step;
            let due = step.is_multiple_of(config.evaluate_every) || step == config.steps;
            let diverged = if self.diverges(loss, state) {
                Some(("training loss", loss))
            } else {
                if state.first_loss.is_none() {
                    state.first_loss = Some(loss);
                    state.anchor_loss = loss + self.offset;
                }
                let grad = &lanes[0].grad;
                let scale = config.clip_norm.map_or(1.0, |c| clip_factor(grad, c));
                let rate = config.learning_rate * config.schedule.factor(step - 1, config.steps);
                let rate = rate * state.rate;
                state.adam.step(&mut state.params, grad, scale, rate);
                state.losses = (state.losses.0 + loss, state.losses.1 + 1);
                if due { self.evaluate(state) } else { None }
            };
            if let Some((what, value)) = diverged {
                self.back_off(state, what, value)?;
            }
            let progress = Progress {
                step,
                total: config.steps,
                held_out_nll: state.report.history.last().and_then(|e| e.held_out_nll),
                ..Progress::default()
            };
            if context.tell(&progress).is_break() {
                state.report.termination = Termination::Interrupted;
                return Ok(());
            }
            let checkpoints = context.checkpoints();
            if let Some(unit) = unit
                && checkpoints
                    .pace()
                    .is_some_and(|pace| saved.elapsed() >= pace)
            {
                checkpoints.put(unit, &state.to_bytes())?;
                saved = Instant::now();
            }
        }
        if self.is_stale(state) {
            state.report.termination = Termination::EarlyStop;
        }
        self.refuse_a_bad_end(state)
    }

    /// Without early stopping the last parameters are returned: an error if they are clearly worse
    /// than earlier ones.
    fn refuse_a_bad_end(&self, state: &State) -> Result<(), FitError> {
        let worst = state.anchor_loss + WORSE * self.stack.dim as f64;
        let last = state.report.history.last().map(|e| e.train_nll);
        match last.filter(|l| *l > worst && self.config.patience.is_none()) {
            None => Ok(()),
            Some(value) => Err(FitError::Diverged {
                what: "loss",
                value,
                step: state.report.steps,
                backoffs: state.report.backoffs.len(),
            }),
        }
    }

    fn is_stale(&self, state: &State) -> bool {
        self.config.patience.is_some_and(|p| state.stale >= p)
    }

    /// Whether a loss is not finite, or losses far above that of the first step have not recovered
    /// in time.
    fn diverges(&self, loss: f64, state: &mut State) -> bool {
        let far = FAR * self.stack.dim as f64;
        let limit = state
            .first_loss
            .map_or(f64::INFINITY, |first| DIVERGED * first.abs().max(far));
        if loss + self.offset <= state.anchor_loss + far {
            state.beyond = 0;
        } else if loss > limit || state.beyond > 0 {
            state.beyond += 1;
        }
        !loss.is_finite() || state.beyond >= TO_COME_BACK
    }

    /// Appends likelihoods to the history and stores the parameters if they are the best so far;
    /// returns the likelihood that is not finite, if one is not.
    fn evaluate(&self, state: &mut State) -> Option<(&'static str, f64)> {
        if let Some(p) = state.params.iter().find(|p| !p.is_finite()) {
            return Some(("parameter", *p));
        }
        let held_out_nll = self.held_out_nll(&state.params);
        if let Some(value) = held_out_nll.filter(|v| !v.is_finite()) {
            return Some(("held-out loss", value));
        }
        let step = state.report.steps;
        let train_nll = state.losses.0 / f64::from(state.losses.1) + self.offset;
        state.report.history.push(Evaluation {
            step,
            train_nll,
            held_out_nll,
        });
        if train_nll < state.anchor_loss {
            state.anchor_loss = train_nll;
            state.anchor.copy_from_slice(&state.params);
        }
        state.losses = (0.0, 0);
        let nll = held_out_nll.unwrap_or(f64::NEG_INFINITY);
        if self.config.patience.is_none() || nll < state.best_nll {
            state.best_nll = nll;
            state.report.best_step = step;
            state.best.copy_from_slice(&state.params);
            state.stale = 0;
        } else {
            state.stale += 1;
        }
        None
    }

    /// Goes back to the best parameters, with a smaller rate and without momentum; an error after
    /// too many attempts.
    fn back_off(&self, state: &mut State, what: &'static str, value: f64) -> Result<(), FitError> {
        let step = state.report.steps;
        let backoffs = state.report.backoffs.len();
        if backoffs == BACKOFFS {
            return Err(FitError::Diverged {
                what,
                value,
                step,
                backoffs,
            });
        }
        state.rate *= SLOWER;
        state.params.copy_from_slice(&state.anchor);
        state.adam = Adam::new(state.params.len(), self.config.adam);
        state.losses = (0.0, 0);
        state.beyond = 0;
        state.report.backoffs.push(Backoff {
            step,
            learning_rate: self.config.learning_rate * state.rate,
        });
        Ok(())
    }

    /// Weighted mean negative log-likelihood of the validation set, in the units of the data.
    fn held_out_nll(&self, params: &[f64]) -> Option<f64> {
        let Rows { points, weights } = self.held_out.as_ref()?;
        let log_prob = self.stack.log_prob(params, points.as_ref());
        Some(self.offset - math::dot(&log_prob, weights) / weights.len() as f64)
    }

    /// The loss of a batch; its gradient is returned in the first lane.
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
