//! The rules and their settings.

use serde::{Deserialize, Serialize};

/// A rule that learns the weights with the experts frozen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum WeightRule {
    /// The published rule (arXiv:2510.02056): at each step, on a batch,
    /// `pi <- decay pi + (1 - decay) softmax_k(mean_n ln q_k(x_n))`, from uniform weights.
    ///
    /// Each step adds one value to a moving average, so early steps whose final share is below
    /// 2^-60 are not computed.
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
    /// The authors' later rule. Responsibilities
    /// `r_nk = softmax_k((ln q_k(x_n) + ln pi_k) / temperature)` are averaged over the batch and
    /// smoothed, `(1 - smoothing) r + smoothing / K`; then `pi <- decay pi + (1 - decay) r`,
    /// floored and renormalised.
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
    /// Log-score stacking: maximises `mean_n ln sum_k pi_k q_k(x_n)` over the simplex, by EM
    /// (`pi_k <- pi_k g_k`, `g_k = mean_n q_k(x_n) / q(x_n)`), then by Newton steps on the active
    /// set. The objective is concave, and the optimality gap `max_k g_k - 1` bounds what it can
    /// still gain: iteration ends when the gap is at most `tolerance`.
    Stacking {
        /// The largest optimality gap, nats.
        #[serde(deserialize_with = "numerics::checked::positive")]
        tolerance: f64,
        /// Limit on iterations, EM and Newton together.
        #[serde(deserialize_with = "numerics::checked::at_least_one")]
        max_iterations: usize,
        /// Points drawn from [`super::WeightData::Fresh`]; held-out tables are used whole.
        #[serde(deserialize_with = "numerics::checked::at_least_one")]
        batch: usize,
    },
    /// Stacking of the experts that are not clearly worse than the best.
    ///
    /// An expert gets no weight when its mean log-density is below the best one's by more than
    /// `standard_errors` standard errors of their difference: the weight it would get is small and
    /// mostly noise. Exception: when stacking all experts is better on held-out points (five-fold)
    /// by more than `1.5 * standard_errors` standard errors, all are stacked. The optimality gap is
    /// that of the experts that remain.
    ScreenedStacking {
        /// Standard errors by which an expert must be worse to be left out.
        #[serde(deserialize_with = "numerics::checked::positive")]
        standard_errors: f64,
        /// The largest optimality gap, nats.
        #[serde(deserialize_with = "numerics::checked::positive")]
        tolerance: f64,
        /// Limit on iterations, EM and Newton together.
        #[serde(deserialize_with = "numerics::checked::at_least_one")]
        max_iterations: usize,
        /// Points drawn from [`super::WeightData::Fresh`]; held-out tables are used whole.
        #[serde(deserialize_with = "numerics::checked::at_least_one")]
        batch: usize,
    },
}

impl Default for WeightRule {
    /// Stacking, to an optimality gap of 1e-8 nats.
    fn default() -> Self {
        Self::Stacking {
            tolerance: 1e-8,
            max_iterations: 1000,
            batch: 1000,
        }
    }
}

impl WeightRule {
    /// Checks that every setting is in range.
    ///
    /// # Errors
    /// A message that names the field.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range_are_named() {
        let average = |decay, steps| WeightRule::MovingAverage {
            decay,
            steps,
            batch: 1,
        };
        assert_eq!(
            average(1.0, 1).check().unwrap_err(),
            "decay must be at least 0 and below 1, not 1"
        );
        assert_eq!(
            average(0.5, 0).check().unwrap_err(),
            "steps must be at least 1, not 0"
        );
        let screened = |standard_errors| WeightRule::ScreenedStacking {
            standard_errors,
            tolerance: 1e-10,
            max_iterations: 500,
            batch: 1,
        };
        assert!(
            screened(-1.0)
                .check()
                .unwrap_err()
                .contains("standard_errors")
        );
        assert_eq!(screened(2.0).unscreened(), screened(3.0).unscreened());
    }
}
