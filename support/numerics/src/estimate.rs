//! Estimates with errors.

use crate::math::{dot, mean_and_standard_error, sum};
use serde::{Deserialize, Serialize};

/// An estimate by sampling, and its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// Its standard error, in the same unit.
    pub standard_error: f64,
}

impl Estimate {
    /// The mean of n values, with standard error `sd / sqrt(n)` (sd with n - 1): NaN for one value.
    ///
    /// ```
    /// let mean = numerics::Estimate::of_mean(&[1.0, 2.0, 3.0]);
    /// assert_eq!(mean.value, 2.0);
    /// assert!((mean.standard_error - 1.0 / 3f64.sqrt()).abs() < 1e-15);
    /// ```
    #[must_use]
    pub fn of_mean(values: &[f64]) -> Self {
        let (value, standard_error) = mean_and_standard_error(values);
        Self {
            value,
            standard_error,
        }
    }

    /// The mean of values under shares w of sum one, with standard error `sqrt(sum_i w_i^2 (v_i -
    /// mean)^2 / (1 - sum_i w_i^2))`, infinite when one value has all of the weight. Values of
    /// share zero are ignored, even NaN.
    ///
    /// # Panics
    /// If the lengths differ.
    #[must_use]
    pub fn of_weighted_mean(values: &[f64], shares: &[f64]) -> Self {
        assert_eq!(values.len(), shares.len(), "one share for each value");
        let weighted = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
            let pairs = values.iter().zip(shares);
            let terms = pairs.map(|(&v, &w)| if w == 0.0 { 0.0 } else { f(v, w) });
            sum(&terms.collect::<Vec<f64>>())
        };
        let value = weighted(&|v, w| v * w);
        let squares = weighted(&|v, w| (w * (v - value)) * (w * (v - value)));
        let left = 1.0 - dot(shares, shares);
        let standard_error = if left > 0.0 {
            (squares / left).sqrt()
        } else {
            f64::INFINITY
        };
        Self {
            value,
            standard_error,
        }
    }
}

impl std::fmt::Display for Estimate {
    /// `value +- error`, to the precision of the format string (4 digits after the point without
    /// one).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = f.precision().unwrap_or(4);
        let (value, error) = (self.value, self.standard_error);
        write!(f, "{value:.digits$} +- {error:.digits$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_shares_give_the_plain_mean_and_zero_shares_do_not_count() {
        let values = [1.0, 4.0, 2.0, 7.0];
        let plain = Estimate::of_mean(&values);
        let near = |a: Estimate, b: Estimate| {
            (a.value - b.value).abs() < 1e-14 && (a.standard_error - b.standard_error).abs() < 1e-14
        };
        assert!(near(Estimate::of_weighted_mean(&values, &[0.25; 4]), plain));
        let more = [1.0, 4.0, f64::NAN, 2.0, 7.0];
        let shares = [0.25, 0.25, 0.0, 0.25, 0.25];
        assert!(near(Estimate::of_weighted_mean(&more, &shares), plain));
        let one = Estimate::of_weighted_mean(&[3.0, 5.0], &[0.0, 1.0]);
        assert_eq!((one.value, one.standard_error), (5.0, f64::INFINITY));
        assert_eq!(format!("{plain:.2}"), "3.50 +- 1.32");
    }
}
