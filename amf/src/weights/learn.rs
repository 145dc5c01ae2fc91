//! From a rule and its data to weights.

use super::batches::Batches;
use super::data::{LearnedWeights, WeightData, WeightError};
use super::moving_average::{self, Simplex};
use super::points::Points;
use super::rule::WeightRule;
use super::stacking::stack;
use density::n_eff;

impl WeightRule {
    /// Learns the weights. `seed` determines the order of batches taken from a held-out table.
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
                let (pi, last) = moving_average::of_softmax(&mut batches, k, decay, steps, batch)?;
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
                let settings = Simplex {
                    decay,
                    steps,
                    batch,
                    temperature,
                    smoothing,
                    floor,
                };
                let (pi, last) = moving_average::of_responsibilities(&mut batches, k, &settings)?;
                Ok(finish(pi, steps, last.as_ref()))
            }
            Self::Stacking {
                tolerance,
                max_iterations,
                batch,
            } => {
                let points = batches.all(batch)?;
                let (pi, iterations) = stack(&points, tolerance, max_iterations);
                Ok(finish(pi, iterations, Some(&points)))
            }
            Self::ScreenedStacking {
                standard_errors,
                tolerance,
                max_iterations,
                batch,
            } => {
                let points = batches.all(batch)?;
                let mut passed = points.not_clearly_worse(standard_errors);
                let stack = |b: &Points| stack(b, tolerance, max_iterations);
                if passed.len() < k
                    && points.others_complement(&passed, 1.5 * standard_errors, &stack, seed)?
                {
                    passed = (0..k).collect();
                }
                let few = points.among(&passed)?;
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
}

fn finish(mut pi: Vec<f64>, iterations: usize, last: Option<&Points>) -> LearnedWeights {
    let total: f64 = pi.iter().sum();
    pi.iter_mut().for_each(|p| *p /= total);
    let optimality_gap = last.map_or(f64::NAN, |b| b.optimality_gap(&pi));
    LearnedWeights {
        n_eff: n_eff(&pi),
        pi,
        iterations,
        optimality_gap,
    }
}
