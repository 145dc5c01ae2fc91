//! Stage 2: global weights from the experts' likelihoods.

use density::n_eff;
use faer::prelude::*;
use numerics::linalg::solve_positive_definite;
use numerics::math::{dot, exp, ln, ln_sum_exp, sum};
use numerics::matrix::{col, col_mut};
use numerics::random::{permutation, stream};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// A rule that learns the weights with the experts frozen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum WeightRule {
    /// The published rule (arXiv:2510.02056): at each step, on a batch,
    /// `pi <- decay pi + (1 - decay) softmax_k(mean_n ln q_k(x_n))`, from uniform weights.
    ///
    /// It is a moving average of one value for each step, so steps whose share in the end is below 2^-60 are not computed.
    MovingAverage {
        /// Share of the old weights, in [0, 1).
        #[serde(deserialize_with = "numerics::checked::share")]
        decay: f64,
        /// Number of steps.
        #[serde(deserialize_with = "numerics::checked::at_least_one")]
        steps: usize,
        /// Points of one step.
        #[serde(deserialize_with = "numerics::checked::at_least_one")]
        batch: usize,
    },
    /// The authors' later rule: responsibilities `r_nk = softmax_k((ln q_k(x_n) + ln pi_k) / temperature)`, averaged over the batch,
    /// smoothed `(1 - smoothing) r + smoothing / K`, then `pi <- decay pi + (1 - decay) r`, floored and renormalised.
    SimplexMovingAverage {
        /// Share of the old weights, in [0, 1).
        #[serde(deserialize_with = "numerics::checked::share")]
        decay: f64,
        /// Number of steps.
        #[serde(deserialize_with = "numerics::checked::at_least_one")]
        steps: usize,
        /// Points of one step.
        #[serde(deserialize_with = "numerics::checked::at_least_one")]
        batch: usize,
        /// Above 1 flattens the responsibilities.
        #[serde(deserialize_with = "numerics::checked::positive")]
        temperature: f64,
        /// Share of uniform weights mixed into the responsibilities.
        #[serde(deserialize_with = "numerics::checked::share")]
        smoothing: f64,
        /// The smallest weight.
        #[serde(deserialize_with = "numerics::checked::share")]
        floor: f64,
    },
    /// Log-score stacking: maximises `mean_n ln sum_k pi_k q_k(x_n)` over the simplex, by EM (`pi_k <- pi_k g_k`,
    /// `g_k = mean_n q_k(x_n) / q(x_n)`), finished by Newton steps on the active set. The objective is concave and
    /// `max_k g_k - 1` bounds what is left to gain: iteration ends when that certificate is below `tolerance`.
    Stacking {
        /// The largest certificate, nats.
        #[serde(deserialize_with = "numerics::checked::positive")]
        tolerance: f64,
        /// The most iterations, EM and Newton together.
        #[serde(deserialize_with = "numerics::checked::at_least_one")]
        max_iterations: usize,
        /// Points drawn when the source gives fresh draws.
        #[serde(deserialize_with = "numerics::checked::at_least_one")]
        batch: usize,
    },
    /// Stacking among the experts that are not clearly worse than the best: one whose mean log-density is below the best one's by more than
    /// `standard_errors` standard errors of their difference gets no weight: weights of clearly worse experts are small and mostly noise. Unless they complement the
    /// others: where stacking all is better by more than one and a half times as many standard errors on points that neither has learned from (five-fold), all are stacked.
    /// The certificate is that of the experts that remain.
    ScreenedStacking {
        /// How many standard errors are clear.
        #[serde(deserialize_with = "numerics::checked::positive")]
        standard_errors: f64,
        /// The largest certificate, nats.
        #[serde(deserialize_with = "numerics::checked::positive")]
        tolerance: f64,
        /// The most iterations, EM and Newton together.
        #[serde(deserialize_with = "numerics::checked::at_least_one")]
        max_iterations: usize,
        /// Points drawn when the source gives fresh draws.
        #[serde(deserialize_with = "numerics::checked::at_least_one")]
        batch: usize,
    },
}

/// Where the log-densities come from that a rule looks at.
pub enum WeightData<'a> {
    /// A table of `ln q_k(x_n)` (n x K) of held-out points, with optional weights of the points. Rules that go through batches take them from
    /// the table without replacement, epoch by epoch.
    HeldOut {
        /// n x K log-densities.
        table: MatRef<'a, f64>,
        /// n weights, or equal ones.
        weights: Option<&'a [f64]>,
    },
    /// Fresh draws of the target: the table for a step (from 0) and a number of points.
    Fresh {
        /// Number of experts.
        experts: usize,
        /// The table of a step.
        draw: &'a dyn Fn(usize, usize) -> Mat<f64>,
    },
}

/// Weights and how they came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearnedWeights {
    /// On the simplex.
    pub pi: Vec<f64>,
    /// `exp(H(pi))`.
    pub n_eff: f64,
    /// Steps or iterations done.
    pub iterations: usize,
    /// `max_k g_k - 1` on the points of the last step: what stacking could still gain there, nats.
    pub certificate: f64,
}

/// Why weights could not be learned.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WeightError {
    /// A setting that makes no sense.
    #[error("{0}")]
    Config(String),
    /// No points or no experts.
    #[error("no points or no experts to learn weights from")]
    Empty,
    /// A log-density that cannot be used.
    #[error("expert {expert} gives log-density {value} at point {point}")]
    BadDensity {
        /// Index of the expert.
        expert: usize,
        /// Index of the point.
        point: usize,
        /// The value.
        value: f64,
    },
    /// No expert has any density at a point.
    #[error("every expert gives density zero at point {point}")]
    Impossible {
        /// Index of the point.
        point: usize,
    },
}

impl WeightRule {
    /// What is wrong with the settings, if anything.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub fn check(&self) -> Result<(), String> {
        let at_least_one = |name: &str, v: usize| {
            if v == 0 {
                Err(format!("{name} must be at least 1, not 0"))
            } else {
                Ok(())
            }
        };
        let share = |name: &str, v: f64| {
            if (0.0..1.0).contains(&v) {
                Ok(())
            } else {
                Err(format!("{name} must be at least 0 and below 1, not {v}"))
            }
        };
        match *self {
            Self::MovingAverage {
                decay,
                steps,
                batch,
            } => {
                share("decay", decay)?;
                at_least_one("steps", steps)?;
                at_least_one("batch", batch)
            }
            Self::SimplexMovingAverage {
                decay,
                steps,
                batch,
                temperature,
                smoothing,
                floor,
            } => {
                share("decay", decay)?;
                share("smoothing", smoothing)?;
                share("floor", floor)?;
                at_least_one("steps", steps)?;
                at_least_one("batch", batch)?;
                if !(temperature > 0.0 && temperature.is_finite()) {
                    return Err(format!("temperature must be positive, not {temperature}"));
                }
                Ok(())
            }
            Self::ScreenedStacking {
                standard_errors, ..
            } if !(standard_errors > 0.0 && standard_errors.is_finite()) => Err(format!(
                "standard_errors must be positive, not {standard_errors}"
            )),
            Self::Stacking {
                tolerance,
                max_iterations,
                batch,
            }
            | Self::ScreenedStacking {
                tolerance,
                max_iterations,
                batch,
                ..
            } => {
                at_least_one("max_iterations", max_iterations)?;
                at_least_one("batch", batch)?;
                if !(tolerance > 0.0 && tolerance.is_finite()) {
                    return Err(format!("tolerance must be positive, not {tolerance}"));
                }
                Ok(())
            }
        }
    }

    /// Learns the weights. `seed` names the order of batches taken from a held-out table.
    ///
    /// # Errors
    /// See [`WeightError`].
    pub fn learn(&self, source: &WeightData<'_>, seed: u64) -> Result<LearnedWeights, WeightError> {
        self.check().map_err(WeightError::Config)?;
        let k = match source {
            WeightData::HeldOut { table, .. } => {
                if table.nrows() == 0 {
                    return Err(WeightError::Empty);
                }
                table.ncols()
            }
            WeightData::Fresh { experts, .. } => *experts,
        };
        if k == 0 {
            return Err(WeightError::Empty);
        }
        let mut batches = Batches::new(source, seed);
        match *self {
            Self::MovingAverage {
                decay,
                steps,
                batch,
            } => {
                let first = first_step_that_counts(decay, steps);
                let mut pi = vec![1.0 / k as f64; k];
                let mut last = None;
                for step in first..steps {
                    let b = batches.take(step, batch)?;
                    let means: Vec<f64> = (0..k).map(|k| b.mean(k)).collect();
                    let total = ln_sum_exp(&means);
                    for (p, m) in pi.iter_mut().zip(&means) {
                        *p = decay * *p + (1.0 - decay) * exp(m - total);
                    }
                    last = Some(b);
                }
                Ok(finish(pi, steps, last.as_ref()))
            }
            Self::SimplexMovingAverage {
                decay,
                steps,
                batch,
                temperature,
                smoothing,
                floor,
            } => {
                let mut pi = vec![1.0 / k as f64; k];
                let mut last = None;
                for step in 0..steps {
                    let b = batches.take(step, batch)?;
                    let r = b.responsibilities(&pi, temperature);
                    for (p, r) in pi.iter_mut().zip(&r) {
                        let smooth = (1.0 - smoothing) * r + smoothing / k as f64;
                        *p = (decay * *p + (1.0 - decay) * smooth).max(floor);
                    }
                    let total: f64 = pi.iter().sum();
                    pi.iter_mut().for_each(|p| *p /= total);
                    last = Some(b);
                }
                Ok(finish(pi, steps, last.as_ref()))
            }
            Self::Stacking {
                tolerance,
                max_iterations,
                batch,
            } => {
                let b = batches.all(batch)?;
                let (pi, iterations) = stack(&b, tolerance, max_iterations);
                Ok(finish(pi, iterations, Some(&b)))
            }
            Self::ScreenedStacking {
                standard_errors,
                tolerance,
                max_iterations,
                batch,
            } => {
                let b = batches.all(batch)?;
                let mut passed = b.not_clearly_worse(standard_errors);
                let stack = |b: &Points| stack(b, tolerance, max_iterations);
                if passed.len() < k
                    && b.others_complement(&passed, 1.5 * standard_errors, &stack, seed)?
                {
                    passed = (0..k).collect();
                }
                let few = b.among(&passed)?;
                let (pi, iterations) = stack(&few);
                let learned = finish(pi, iterations, Some(&few));
                let mut pi = vec![0.0; k];
                for (&k, p) in passed.iter().zip(&learned.pi) {
                    pi[k] = *p;
                }
                Ok(LearnedWeights { pi, ..learned })
            }
        }
    }

    /// The rule without its screening, if it has one.
    #[must_use]
    pub fn unscreened(self) -> Self {
        match self {
            Self::ScreenedStacking {
                tolerance,
                max_iterations,
                batch,
                ..
            } => Self::Stacking {
                tolerance,
                max_iterations,
                batch,
            },
            other => other,
        }
    }
}

fn finish(mut pi: Vec<f64>, iterations: usize, last: Option<&Points>) -> LearnedWeights {
    let total: f64 = pi.iter().sum();
    pi.iter_mut().for_each(|p| *p /= total);
    let certificate = last.map_or(f64::NAN, |b| b.certificate(&pi));
    LearnedWeights {
        n_eff: n_eff(&pi),
        pi,
        iterations,
        certificate,
    }
}

/// The first step of a moving average whose share in the result is not below 2^-60.
fn first_step_that_counts(decay: f64, steps: usize) -> usize {
    let mut share = 1.0;
    for back in 0..steps {
        if share < 8.7e-19 {
            return steps - back;
        }
        share *= decay;
    }
    0
}

/// Hands out batches, fresh or from a table.
struct Batches<'a> {
    source: &'a WeightData<'a>,
    rng: numerics::random::Pcg64,
    order: Vec<usize>,
    next: usize,
}

impl<'a> Batches<'a> {
    fn new(source: &'a WeightData<'a>, seed: u64) -> Self {
        Self {
            source,
            rng: stream(seed, "weights/batches"),
            order: Vec::new(),
            next: 0,
        }
    }

    /// The whole table, or one fresh batch.
    fn all(&mut self, size: usize) -> Result<Points, WeightError> {
        match self.source {
            WeightData::HeldOut { table, weights } => Points::new(table.to_owned(), *weights),
            WeightData::Fresh { .. } => self.take(0, size),
        }
    }

    fn take(&mut self, step: usize, size: usize) -> Result<Points, WeightError> {
        match self.source {
            WeightData::Fresh { draw, .. } => Points::new(draw(step, size), None),
            WeightData::HeldOut { table, weights } => {
                let n = table.nrows();
                let size = size.min(n);
                if self.order.is_empty() || self.next + size > n {
                    self.order = permutation(&mut self.rng, n);
                    self.next = 0;
                }
                let ids = &self.order[self.next..self.next + size];
                self.next += size;
                let weights: Option<Vec<f64>> =
                    weights.map(|w| ids.iter().map(|&i| w[i]).collect());
                Points::new(
                    numerics::matrix::select_rows(*table, ids),
                    weights.as_deref(),
                )
            }
        }
    }
}

/// Log-densities of some points, checked, and the densities relative to the best expert of each point.
struct Points {
    log: Mat<f64>,
    /// `exp(ln q_k(x_n) - max_k ln q_k(x_n))`, n x K.
    relative: Mat<f64>,
    /// Weights of the points, with sum one.
    weights: Vec<f64>,
}

impl Points {
    fn new(log: Mat<f64>, weights: Option<&[f64]>) -> Result<Self, WeightError> {
        let (n, k) = (log.nrows(), log.ncols());
        if n == 0 {
            return Err(WeightError::Empty);
        }
        let mut max = vec![f64::NEG_INFINITY; n];
        for expert in 0..k {
            for (point, (m, &value)) in max.iter_mut().zip(col(log.as_ref(), expert)).enumerate() {
                if value.is_nan() || value == f64::INFINITY {
                    return Err(WeightError::BadDensity {
                        expert,
                        point,
                        value,
                    });
                }
                *m = m.max(value);
            }
        }
        let weights = match weights {
            None => vec![1.0 / n as f64; n],
            Some(w) => {
                let total = sum(w);
                w.iter().map(|w| w / total).collect()
            }
        };
        if let Some(point) = (0..n).find(|&i| max[i] == f64::NEG_INFINITY && weights[i] > 0.0) {
            return Err(WeightError::Impossible { point });
        }
        let mut relative = Mat::zeros(n, k);
        for expert in 0..k {
            let from = col(log.as_ref(), expert);
            for ((r, l), m) in col_mut(relative.as_mut(), expert)
                .iter_mut()
                .zip(from)
                .zip(&max)
            {
                *r = if *m == f64::NEG_INFINITY {
                    1.0
                } else {
                    exp(l - m)
                };
            }
        }
        Ok(Self {
            log,
            relative,
            weights,
        })
    }

    /// Weighted mean of `ln q_k`.
    fn mean(&self, k: usize) -> f64 {
        let terms: Vec<f64> = col(self.log.as_ref(), k)
            .iter()
            .zip(&self.weights)
            .map(|(l, w)| if *w == 0.0 { 0.0 } else { l * w })
            .collect();
        sum(&terms)
    }

    /// Experts whose mean log-density is not below the best one's by more than so many standard errors of the difference.
    fn not_clearly_worse(&self, standard_errors: f64) -> Vec<usize> {
        let means: Vec<f64> = (0..self.log.ncols()).map(|k| self.mean(k)).collect();
        let best = (0..means.len()).fold(0, |a, b| if means[b] > means[a] { b } else { a });
        if !means[best].is_finite() {
            return (0..means.len()).collect();
        }
        let clear = |k: usize| {
            let gap = means[best] - means[k];
            let (own, others) = (col(self.log.as_ref(), best), col(self.log.as_ref(), k));
            let squares: Vec<f64> = own
                .iter()
                .zip(others)
                .zip(&self.weights)
                .map(|((a, b), w)| if *w == 0.0 { 0.0 } else { w * (a - b - gap) })
                .map(|v| v * v)
                .collect();
            // With so few points that their number matters, the factor n / (n - 1) is beside the point.
            gap > standard_errors * sum(&squares).sqrt() || !gap.is_finite()
        };
        (0..means.len())
            .filter(|&k| k == best || !clear(k))
            .collect()
    }

    /// Whether all experts stacked have a mean log-density above that of some stacked by more than so many standard errors of the difference, on points that the
    /// weights were not learned from: a random fifth in turn.
    fn others_complement(
        &self,
        some: &[usize],
        standard_errors: f64,
        stack: &dyn Fn(&Self) -> (Vec<f64>, usize),
        seed: u64,
    ) -> Result<bool, WeightError> {
        const GROUPS: usize = 5;
        let n = self.weights.len();
        let place = permutation(&mut stream(seed, "weights/groups"), n);
        let mut gains = vec![0.0; n];
        for group in 0..GROUPS.min(n) {
            let (own, rest): (Vec<usize>, Vec<usize>) =
                (0..n).partition(|&i| place[i] % GROUPS == group);
            let rest: Vec<usize> = rest
                .into_iter()
                .filter(|&i| self.weights[i] > 0.0)
                .collect();
            if rest.is_empty() {
                return Ok(false);
            }
            let weights: Vec<f64> = rest.iter().map(|&i| self.weights[i]).collect();
            let table = numerics::matrix::select_rows(self.log.as_ref(), &rest);
            let all = Self::new(table, Some(&weights))?;
            let (with, _) = stack(&all);
            let (without, _) = stack(&all.among(some)?);
            for i in own {
                let with: f64 = (0..with.len())
                    .map(|k| with[k] * self.relative[(i, k)])
                    .sum();
                let without: f64 = some
                    .iter()
                    .zip(&without)
                    .map(|(&k, p)| p * self.relative[(i, k)])
                    .sum();
                gains[i] = match (with > 0.0, without > 0.0) {
                    (true, true) => ln(with) - ln(without),
                    // A point that the few exclude decides, and so does one that they alone allow.
                    (true, false) if self.weights[i] > 0.0 => return Ok(true),
                    (false, true) if self.weights[i] > 0.0 => return Ok(false),
                    _ => 0.0,
                };
            }
        }
        let terms: Vec<f64> = gains
            .iter()
            .zip(&self.weights)
            .map(|(g, w)| if *w == 0.0 { 0.0 } else { w * g })
            .collect();
        let gain = sum(&terms);
        let squares = gains.iter().zip(&self.weights).map(|(g, w)| {
            if *w == 0.0 {
                0.0
            } else {
                (w * (g - gain)) * (w * (g - gain))
            }
        });
        let error = sum(&squares.collect::<Vec<f64>>()).sqrt();
        Ok(gain > standard_errors * error)
    }

    /// The same points for some of the experts.
    fn among(&self, experts: &[usize]) -> Result<Self, WeightError> {
        let log = Mat::from_fn(self.log.nrows(), experts.len(), |i, k| {
            self.log[(i, experts[k])]
        });
        Self::new(log, Some(&self.weights))
    }

    /// Mean responsibilities at a temperature.
    fn responsibilities(&self, pi: &[f64], temperature: f64) -> Vec<f64> {
        let log_pi: Vec<f64> = pi.iter().map(|&p| ln(p)).collect();
        let mut mean = vec![0.0; pi.len()];
        let mut terms = vec![0.0; pi.len()];
        for (i, w) in self.weights.iter().enumerate() {
            for (k, t) in terms.iter_mut().enumerate() {
                *t = (self.log[(i, k)] + log_pi[k]) / temperature;
            }
            let total = ln_sum_exp(&terms);
            for (m, t) in mean.iter_mut().zip(&terms) {
                *m += w * exp(t - total);
            }
        }
        mean
    }

    /// Ranges of points whose part of the table stays in a core's cache.
    fn tiles(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        const TILE: usize = 4096;
        let n = self.weights.len();
        (0..n).step_by(TILE).map(move |i| i..n.min(i + TILE))
    }

    /// `r_nk` of one expert for some of the points.
    fn relative(&self, k: usize, points: &Range<usize>) -> &[f64] {
        &col(self.relative.as_ref(), k)[points.clone()]
    }

    /// `s_n = sum_k pi_k r_nk` for some of the points.
    fn mixture(&self, pi: &[f64], points: &Range<usize>, s: &mut [f64]) {
        s.fill(0.0);
        for (k, &p) in pi.iter().enumerate() {
            if p != 0.0 {
                for (s, r) in s.iter_mut().zip(self.relative(k, points)) {
                    *s += p * r;
                }
            }
        }
    }

    /// The gains `g_k = mean_n q_k(x_n) / q(x_n)`; their common factors `w_n / s_n` are left in `quotients`.
    fn gains(&self, pi: &[f64], quotients: &mut Vec<f64>) -> Vec<f64> {
        quotients.resize(self.weights.len(), 0.0);
        let mut gains = vec![0.0; pi.len()];
        for tile in self.tiles() {
            let quotients = &mut quotients[tile.clone()];
            self.mixture(pi, &tile, quotients);
            for (q, w) in quotients.iter_mut().zip(&self.weights[tile.clone()]) {
                *q = if *w == 0.0 { 0.0 } else { w / *q };
            }
            for (k, g) in gains.iter_mut().enumerate() {
                *g += dot(self.relative(k, &tile), quotients);
            }
        }
        gains
    }

    fn certificate(&self, pi: &[f64]) -> f64 {
        let gains = self.gains(pi, &mut Vec::new());
        gains.into_iter().fold(f64::NEG_INFINITY, f64::max) - 1.0
    }

    /// `mean_n ln s_n`: the objective, up to a constant.
    fn objective(&self, pi: &[f64]) -> f64 {
        let mut terms = Vec::new();
        let mut total = 0.0;
        for tile in self.tiles() {
            terms.resize(tile.len(), 0.0);
            self.mixture(pi, &tile, &mut terms);
            for (t, w) in terms.iter_mut().zip(&self.weights[tile]) {
                *t = if *w == 0.0 { 0.0 } else { w * ln(*t) };
            }
            total += sum(&terms);
        }
        total
    }
}

/// EM steps before Newton takes over.
const EM_STEPS: usize = 20;

/// Maximises the mean log-score over the simplex; returns the weights and the iterations done.
fn stack(points: &Points, tolerance: f64, max_iterations: usize) -> (Vec<f64>, usize) {
    let k = points.relative.ncols();
    let mut pi = vec![1.0 / k as f64; k];
    let mut quotients = Vec::new();
    for iteration in 0..max_iterations {
        let gains = points.gains(&pi, &mut quotients);
        let certificate = gains.iter().copied().fold(f64::NEG_INFINITY, f64::max) - 1.0;
        if certificate <= tolerance {
            // What is left of weights that go to zero.
            let clean = pi.iter().map(|p| if *p < 1e-12 { 0.0 } else { *p });
            return (normalised(clean.collect()), iteration);
        }
        let newton = (iteration >= EM_STEPS)
            .then(|| newton_step(points, &pi, &gains, &quotients))
            .flatten();
        pi = newton.unwrap_or_else(|| {
            let next: Vec<f64> = pi.iter().zip(&gains).map(|(p, g)| p * g).collect();
            // A weight that Newton set to zero and that deserves to grow needs a seed: EM cannot move it from zero.
            let seeded = next
                .iter()
                .zip(&gains)
                .map(|(p, g)| if *p == 0.0 && *g > 1.0 { 1e-6 } else { *p });
            normalised(seeded.collect())
        });
    }
    (pi, max_iterations)
}

fn normalised(mut pi: Vec<f64>) -> Vec<f64> {
    let total: f64 = pi.iter().sum();
    pi.iter_mut().for_each(|p| *p /= total);
    pi
}

/// One Newton step for `F(x) = mean_n ln (R x)_n - sum_k x_k` over x >= 0, whose maximum lies on the simplex (Kim, Carbonetto,
/// Stephens and Anitescu 2020, doi:10.1080/10618600.2019.1689985, write stacking that way). Weights at zero that do not deserve to grow stay
/// there; the step goes as far as the first weight that reaches zero, or less far until the objective rises. `None` when no such step helps.
fn newton_step(points: &Points, pi: &[f64], gains: &[f64], quotients: &[f64]) -> Option<Vec<f64>> {
    let free: Vec<usize> = (0..pi.len())
        .filter(|&k| pi[k] > 1e-12 || gains[k] > 1.0)
        .collect();
    let m = free.len();
    // Hessian of -F: sum_n w_n r_nj r_nk / s_n^2 = sum_n (w_n / s_n)^2 / w_n r_nj r_nk.
    let mut hessian = vec![0.0; m * m];
    let (mut curvature, mut scaled) = (Vec::new(), Vec::new());
    for tile in points.tiles() {
        curvature.clear();
        let pairs = quotients[tile.clone()]
            .iter()
            .zip(&points.weights[tile.clone()]);
        curvature.extend(pairs.map(|(q, w)| if *w == 0.0 { 0.0 } else { q * q / w }));
        for a in 0..m {
            scaled.clear();
            let own = points.relative(free[a], &tile).iter().zip(&curvature);
            scaled.extend(own.map(|(r, c)| r * c));
            for b in 0..=a {
                hessian[a * m + b] += dot(&scaled, points.relative(free[b], &tile));
            }
        }
    }
    for a in 0..m {
        for b in 0..a {
            hessian[b * m + a] = hessian[a * m + b];
        }
    }
    let trace: f64 = (0..m).map(|a| hessian[a * m + a]).sum();
    for a in 0..m {
        // Experts that agree everywhere make the Hessian singular.
        hessian[a * m + a] += 1e-12 * trace;
    }
    let gradient: Vec<f64> = free.iter().map(|&k| gains[k] - 1.0).collect();
    let step = solve_positive_definite(hessian, gradient)?;
    let mut reach = 1.0f64;
    let mut blocking = None;
    for (&k, s) in free.iter().zip(&step) {
        if pi[k] + s < 0.0 && pi[k] / -s < reach {
            reach = pi[k] / -s;
            blocking = Some(k);
        }
    }
    let before = points.objective(pi);
    for _ in 0..30 {
        let mut next = pi.to_vec();
        for (&k, s) in free.iter().zip(&step) {
            next[k] = (next[k] + reach * s).max(0.0);
        }
        if let Some(k) = blocking {
            next[k] = 0.0;
        }
        let next = normalised(next);
        if next.iter().all(|p| p.is_finite()) && points.objective(&next) > before {
            return Some(next);
        }
        reach *= 0.5;
        blocking = None;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::random::{standard_normal, uniform};

    fn table(n: usize, k: usize, seed: u64) -> Mat<f64> {
        let mut rng = stream(seed, "table");
        let scale = 1.0 + uniform(&mut rng) * 3.0;
        Mat::from_fn(n, k, |_, j| {
            scale * standard_normal(&mut rng) - 0.3 * j as f64
        })
    }

    #[test]
    fn experts_that_complement_the_best_pass_the_screen() {
        // The second expert is far worse on most points and far better on every tenth pair.
        let n = 1000;
        let good = |i: usize| i % 10 < 2;
        let table = |noise: f64| {
            let mut rng = stream(3, "complement");
            Mat::from_fn(n, 2, |i, k| {
                let mean = match (k, good(i)) {
                    (0, _) => -1.0,
                    (_, true) => 2.0,
                    (_, false) => -6.0,
                };
                mean + noise * standard_normal(&mut rng)
            })
        };
        let rule = WeightRule::ScreenedStacking {
            standard_errors: 2.0,
            tolerance: 1e-10,
            max_iterations: 1000,
            batch: 1,
        };
        let whole = table(0.1);
        let (screened, all) = (learn(rule, &whole).pi, learn(rule.unscreened(), &whole).pi);
        assert!(
            (screened[1] - all[1]).abs() < 1e-9 && screened[1] > 0.1,
            "{screened:?} {all:?}"
        );
        // Where the few allow no density at all, the others decide.
        let mut excluded = whole.clone();
        (0..n)
            .filter(|&i| good(i))
            .for_each(|i| excluded[(i, 0)] = f64::NEG_INFINITY);
        let learned = learn(rule, &excluded);
        assert!(learned.pi.iter().all(|p| *p > 0.1), "{:?}", learned.pi);
    }

    #[test]
    fn screening_drops_the_clearly_worse_and_changes_nothing_else() {
        let mut rng = stream(8, "screen");
        // The second is as good as the first on average, the third worse by 0.3 with a standard error of 0.03, the fourth impossible somewhere.
        let mut log = Mat::zeros(1000, 4);
        for i in 0..1000 {
            let base = standard_normal(&mut rng);
            log[(i, 0)] = base;
            log[(i, 1)] = base + standard_normal(&mut rng);
            log[(i, 2)] = base - 0.3 + standard_normal(&mut rng);
            log[(i, 3)] = if i == 5 { f64::NEG_INFINITY } else { base };
        }
        let screened = |standard_errors| WeightRule::ScreenedStacking {
            standard_errors,
            tolerance: 1e-10,
            max_iterations: 500,
            batch: 1,
        };
        let learn = |rule: WeightRule, table: MatRef<'_, f64>| {
            let source = WeightData::HeldOut {
                table,
                weights: None,
            };
            rule.learn(&source, 1).unwrap()
        };
        let found = learn(screened(3.0), log.as_ref());
        assert_eq!(found.pi[2..], [0.0, 0.0]);
        assert!(found.certificate <= 1e-10);
        let two = learn(STACKING, log.as_ref().subcols(0, 2));
        let same = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
        assert!(same(&found.pi[..2], &two.pi));
        // Nothing is clear at a million standard errors, but for what is impossible.
        let all = learn(screened(1e6), log.as_ref());
        let three = learn(STACKING, log.as_ref().subcols(0, 3));
        assert!(same(&all.pi[..3], &three.pi));
        assert_eq!(screened(2.0).unscreened(), screened(3.0).unscreened());
        assert!(
            screened(-1.0)
                .check()
                .unwrap_err()
                .contains("standard_errors")
        );
    }

    const STACKING: WeightRule = WeightRule::Stacking {
        tolerance: 1e-10,
        max_iterations: 1000,
        batch: 1000,
    };

    fn learn(rule: WeightRule, table: &Mat<f64>) -> LearnedWeights {
        rule.learn(
            &WeightData::HeldOut {
                table: table.as_ref(),
                weights: None,
            },
            1,
        )
        .unwrap()
    }

    #[test]
    fn stacking_reaches_its_certificate_and_no_neighbour_is_better() {
        for seed in 0..30 {
            let k = 2 + (seed as usize % 9);
            let t = table(300, k, seed);
            let learned = learn(STACKING, &t);
            assert!(learned.certificate <= 1e-10, "seed {seed}: {learned:?}");
            let points = Points::new(t, None).unwrap();
            let best = points.objective(&learned.pi);
            let mut rng = stream(seed, "neighbours");
            for _ in 0..100 {
                let other: Vec<f64> = learned
                    .pi
                    .iter()
                    .map(|p| (p + 0.1 * standard_normal(&mut rng)).max(0.0))
                    .collect();
                if other.iter().sum::<f64>() > 0.0 {
                    assert!(points.objective(&normalised(other)) <= best + 1e-10);
                }
            }
        }
    }

    #[test]
    fn many_points_are_summed_tile_by_tile() {
        // Every point of a small table 150 times: the same weights, from several tiles and a broken one.
        let small = table(60, 4, 11);
        let many = Mat::from_fn(9000, 4, |i, k| small[(i % 60, k)]);
        let (a, b) = (learn(STACKING, &small), learn(STACKING, &many));
        assert!(b.certificate <= 1e-10);
        for (a, b) in a.pi.iter().zip(&b.pi) {
            assert!((a - b).abs() < 1e-9, "{a} {b}");
        }
    }

    #[test]
    fn stacking_finds_corners_and_known_interior_optima() {
        // One expert better at every point: all weight on it.
        let t = Mat::from_fn(50, 3, |i, k| -(k as f64) - 0.01 * i as f64);
        let learned = learn(STACKING, &t);
        assert_eq!(learned.pi, [1.0, 0.0, 0.0]);
        assert_eq!(learned.n_eff, 1.0);
        // Disjoint supports: weights are the shares of the points.
        let t = Mat::from_fn(10, 2, |i, k| {
            if (i < 3) == (k == 0) {
                0.0
            } else {
                f64::NEG_INFINITY
            }
        });
        let learned = learn(STACKING, &t);
        assert!((learned.pi[0] - 0.3).abs() < 1e-9, "{learned:?}");
    }

    #[test]
    fn stacking_copes_with_identical_experts_and_with_weights() {
        let one = table(200, 1, 4);
        let t = Mat::from_fn(200, 3, |i, k| {
            if k == 2 {
                one[(199 - i, 0)]
            } else {
                one[(i, 0)]
            }
        });
        assert!(learn(STACKING, &t).certificate <= 1e-10);
        // Integer weights equal repeated rows.
        let t = table(60, 3, 5);
        let w: Vec<f64> = (0..60).map(|i| f64::from(i % 3)).collect();
        let ids: Vec<usize> = (0..60).flat_map(|i| vec![i; i % 3]).collect();
        let repeated = numerics::matrix::select_rows(t.as_ref(), &ids);
        let a = STACKING
            .learn(
                &WeightData::HeldOut {
                    table: t.as_ref(),
                    weights: Some(&w),
                },
                1,
            )
            .unwrap();
        let b = learn(STACKING, &repeated);
        for (a, b) in a.pi.iter().zip(&b.pi) {
            assert!((a - b).abs() < 1e-6);
        }
    }

    #[test]
    fn moving_average_equals_the_plain_recursion() {
        let draw = |step: usize, n: usize| table(n, 3, step as u64);
        let source = WeightData::Fresh {
            experts: 3,
            draw: &draw,
        };
        let rule = WeightRule::MovingAverage {
            decay: 0.9,
            steps: 600,
            batch: 40,
        };
        let learned = rule.learn(&source, 1).unwrap();
        let mut pi = [1.0 / 3.0; 3];
        for step in 0..600 {
            let t = draw(step, 40);
            let means: Vec<f64> = (0..3)
                .map(|k| col(t.as_ref(), k).iter().sum::<f64>() / 40.0)
                .collect();
            let total: f64 = means.iter().map(|&m| exp(m)).sum();
            for k in 0..3 {
                pi[k] = 0.9 * pi[k] + 0.1 * exp(means[k]) / total;
            }
        }
        for (a, b) in learned.pi.iter().zip(&pi) {
            assert!((a - b).abs() < 1e-14, "{a} {b}");
        }
        assert!(first_step_that_counts(0.9, 600) > 100);
        assert_eq!(first_step_that_counts(0.9, 50), 0);
    }

    #[test]
    fn simplex_moving_average_settles_where_responsibilities_do() {
        // At temperature 1 without smoothing a fixed point has mean responsibility = weight: the stacking optimum.
        let t = table(500, 3, 8);
        let rule = WeightRule::SimplexMovingAverage {
            decay: 0.9,
            steps: 5000,
            batch: 500,
            temperature: 1.0,
            smoothing: 0.0,
            floor: 0.0,
        };
        let (a, b) = (learn(rule, &t), learn(STACKING, &t));
        for (a, b) in a.pi.iter().zip(&b.pi) {
            assert!((a - b).abs() < 1e-4, "{a} {b}");
        }
    }

    #[test]
    fn n_eff_counts_equal_shares() {
        assert!((n_eff(&[0.25; 4]) - 4.0).abs() < 1e-12);
        assert_eq!(n_eff(&[0.0, 1.0]), 1.0);
    }

    #[test]
    fn bad_tables_are_refused() {
        let learn = |t: Mat<f64>| {
            STACKING.learn(
                &WeightData::HeldOut {
                    table: t.as_ref(),
                    weights: None,
                },
                1,
            )
        };
        let nan = Mat::from_fn(3, 2, |i, k| if (i, k) == (1, 1) { f64::NAN } else { 0.0 });
        assert!(matches!(
            learn(nan),
            Err(WeightError::BadDensity {
                expert: 1,
                point: 1,
                ..
            })
        ));
        let none = Mat::from_fn(3, 2, |i, _| if i == 2 { f64::NEG_INFINITY } else { 0.0 });
        assert_eq!(learn(none), Err(WeightError::Impossible { point: 2 }));
        assert_eq!(learn(Mat::zeros(0, 2)), Err(WeightError::Empty));
        let rule = WeightRule::MovingAverage {
            decay: 1.0,
            steps: 1,
            batch: 1,
        };
        assert_eq!(
            rule.check().unwrap_err(),
            "decay must be at least 0 and below 1, not 1"
        );
    }
}
