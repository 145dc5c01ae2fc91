//! The full state of a fit between two steps: a fit resumes from it bit-identically.

use super::{FitConfig, FitReport, Termination};
use autodiff::Adam;
use density::{Reader, Writer};
use numerics::random::{Pcg64, shuffle};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Everything that changes from step to step.
pub(crate) struct State {
    /// The parameters.
    pub params: Vec<f64>,
    /// Those of the best evaluation so far.
    pub best: Vec<f64>,
    /// Its held-out likelihood.
    pub best_nll: f64,
    /// Those that a diverging fit returns to: of the smallest training loss so far, including the
    /// start.
    pub anchor: Vec<f64>,
    /// That loss.
    pub anchor_loss: f64,
    /// Evaluations since.
    pub stale: usize,
    /// Sum and number of the losses since the last evaluation.
    pub losses: (f64, u32),
    /// The loss of the first step.
    pub first_loss: Option<f64>,
    /// Steps since the loss rose far above the first one without recovering; zero otherwise.
    pub beyond: u32,
    /// Factor on the learning rate after backing off.
    pub rate: f64,
    pub adam: Adam,
    pub rng: Pcg64,
    /// The points in the order of this epoch, and the place of the next batch.
    pub order: Vec<usize>,
    pub next: usize,
    /// So far; counts the steps.
    pub report: FitReport,
    /// Whether the fit has ended.
    pub finished: bool,
}

/// The version of checkpoints; others are not used.
const FORMAT: u32 = 2;

/// The metadata key of a checkpoint.
const KEY: &str = "fit";

/// Everything that is not an array; numbers that may be infinite are in the array `numbers`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rest {
    format: u32,
    stale: usize,
    losses: u32,
    beyond: u32,
    rng: Pcg64,
    next: usize,
    report: FitReport,
    finished: bool,
}

impl State {
    /// Before the first step.
    pub fn new(params: &[f64], rng: &Pcg64, n: usize, config: &FitConfig) -> Self {
        Self {
            params: params.to_vec(),
            best: params.to_vec(),
            best_nll: f64::INFINITY,
            anchor: params.to_vec(),
            anchor_loss: f64::INFINITY,
            stale: 0,
            losses: (0.0, 0),
            first_loss: None,
            beyond: 0,
            rate: 1.0,
            adam: Adam::new(params.len(), config.adam),
            rng: rng.clone(),
            order: (0..n).collect(),
            next: n,
            report: FitReport {
                termination: Termination::StepLimit,
                steps: 0,
                best_step: 0,
                history: Vec::new(),
                backoffs: Vec::new(),
            },
            finished: false,
        }
    }

    /// Where the next batch lies in `order`; begins a new epoch when it does not fit into this one.
    pub fn next_batch(&mut self, size: usize) -> Range<usize> {
        let n = self.order.len();
        if size < n && self.next + size > n {
            // A new permutation, in place.
            self.order.iter_mut().enumerate().for_each(|(i, o)| *o = i);
            shuffle(&mut self.rng, &mut self.order);
            self.next = 0;
        } else if size == n {
            self.next = 0;
        }
        self.next += size;
        self.next - size..self.next
    }

    /// The bytes of a safetensors file. Of a finished fit only the best parameters are stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        let rest = Rest {
            format: FORMAT,
            stale: self.stale,
            losses: self.losses.1,
            beyond: self.beyond,
            rng: self.rng.clone(),
            next: self.next,
            report: self.report.clone(),
            finished: self.finished,
        };
        let (first, second, powers) = self.adam.parts();
        let numbers = [
            self.best_nll,
            self.losses.0,
            self.first_loss.unwrap_or(f64::NAN),
            self.rate,
            powers.0,
            powers.1,
            self.anchor_loss,
        ];
        let mut writer = Writer::default();
        let text = ron::to_string(&rest).expect("the state is serialisable");
        writer.vector("best", &self.best);
        if self.finished {
            return writer.finish(KEY, text);
        }
        // Indices are far below 2^53.
        let order: Vec<f64> = self.order.iter().map(|&i| i as f64).collect();
        let arrays = [
            ("anchor", &self.anchor[..]),
            ("first_moment", first),
            ("numbers", &numbers),
            ("order", &order),
            ("params", &self.params),
            ("second_moment", second),
        ];
        for (name, values) in arrays {
            writer.vector(name, values);
        }
        writer.finish(KEY, text)
    }

    /// The inverse of [`State::to_bytes`] for a fit of the given numbers of parameters and points.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn from_bytes(
        bytes: &[u8],
        params: usize,
        n: usize,
        config: &FitConfig,
    ) -> Result<Self, String> {
        let (text, reader) = Reader::open(bytes, KEY, &[])?;
        let rest: Rest = ron::from_str(&text).map_err(|e| format!("damaged description ({e})"))?;
        let format = rest.format;
        if format != FORMAT {
            return Err(format!(
                "a checkpoint of format {format}, where this version reads format {FORMAT}"
            ));
        }
        let vector = |name: &str, length: usize| {
            let found = reader.numbers(name)?;
            if found.len() == length {
                Ok(found)
            } else {
                let own = found.len();
                Err(format!(
                    "array \"{name}\" has {own} numbers where {length} are needed"
                ))
            }
        };
        let mut state = Self {
            best: vector("best", params)?,
            stale: rest.stale,
            rng: rest.rng,
            report: rest.report,
            finished: rest.finished,
            ..Self::new(&[], &Pcg64::new(0, 0), 0, config)
        };
        if !state.finished {
            state.params = vector("params", params)?;
            let numbers = vector("numbers", 7)?;
            state.best_nll = numbers[0];
            state.losses = (numbers[1], rest.losses);
            state.beyond = rest.beyond;
            state.first_loss = Some(numbers[2]).filter(|v| !v.is_nan());
            state.rate = numbers[3];
            state.anchor = vector("anchor", params)?;
            state.anchor_loss = numbers[6];
            let moments = [
                vector("first_moment", params)?,
                vector("second_moment", params)?,
            ];
            state.adam = Adam::from_parts(config.adam, moments, (numbers[4], numbers[5]))
                .ok_or("moments of different lengths")?;
            state.order = permutation(&vector("order", n)?).ok_or("the order is no permutation")?;
            state.next = rest.next;
        }
        let finite = |values: &[f64]| values.iter().all(|v| v.is_finite());
        let steps = state.report.steps;
        let counts = [state.stale, state.losses.1 as usize, state.beyond as usize];
        let sound = steps <= config.steps
            && counts.iter().all(|count| *count <= steps)
            && state.next <= state.order.len()
            && finite(&state.best)
            && finite(&state.anchor)
            && (state.rate > 0.0 && state.rate <= 1.0);
        if !sound {
            return Err("it does not fit together".into());
        }
        Ok(state)
    }
}

/// The indices, if they are a permutation.
fn permutation(order: &[f64]) -> Option<Vec<usize>> {
    let mut seen = vec![false; order.len()];
    order
        .iter()
        .map(|&v| {
            let i = v as usize;
            let free = i as f64 == v && i < seen.len() && !std::mem::replace(&mut seen[i], true);
            free.then_some(i)
        })
        .collect()
}
