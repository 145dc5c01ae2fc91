//! Columns of draws: their names and supports, and supports that their values suggest.

use density::Support;
use faer::prelude::*;
use serde::{Deserialize, Serialize};

/// A column: its name and its support.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Unique within a density.
    pub name: String,
    /// Where its values lie.
    pub support: Support,
}

impl Column {
    /// An unbounded column.
    pub fn real(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            support: Support::Real,
        }
    }

    /// A column of positive values.
    pub fn positive(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            support: Support::Positive,
        }
    }

    /// A column of values between `low` and `high`.
    pub fn interval(name: impl Into<String>, low: f64, high: f64) -> Self {
        Self {
            name: name.into(),
            support: Support::Interval { low, high },
        }
    }
}

/// The support that a column's values suggest, if they look bounded and no support is given.
///
/// Positive: all values above 0, with a long upper tail (skewness above 1) and the smallest within
/// a tenth of a standard deviation of 0. An interval from 0 to 1: all values strictly inside, and
/// more than 2 % of them, at least ten, within a hundredth of one of the ends. A density on the
/// whole line would put probability outside of the bounds.
#[must_use]
pub fn suggested_support(x: MatRef<'_, f64>, column: usize) -> Option<Support> {
    let values: Vec<f64> = (0..x.nrows()).map(|i| x[(i, column)]).collect();
    let n = values.len() as f64;
    let mean = numerics::math::sum(&values) / n;
    let moment = |p: i32| values.iter().map(|v| (v - mean).powi(p)).sum::<f64>() / n;
    let sd = moment(2).sqrt();
    let smallest = values.iter().copied().fold(f64::INFINITY, f64::min);
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !(smallest > 0.0 && sd > 0.0) {
        return None;
    }
    let near = |p: &dyn Fn(f64) -> bool| values.iter().filter(|v| p(**v)).count() as f64;
    if largest < 1.0 {
        let most = near(&|v| v < 0.01).max(near(&|v| v > 0.99));
        if most >= 10.0 && most > 0.02 * n {
            return Some(Support::Interval {
                low: 0.0,
                high: 1.0,
            });
        }
    }
    let skewed = moment(3) > sd.powi(3);
    (skewed && smallest < 0.1 * sd).then_some(Support::Positive)
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::math::{exp, ln, sigmoid};
    use numerics::random::{standard_normal, stream, uniform};

    #[test]
    fn supports_are_suggested_where_values_hint_at_them() {
        let mut rng = stream(1, "support");
        let mut of = |f: &dyn Fn(&mut numerics::random::Pcg64) -> f64| {
            let x = Mat::from_fn(2000, 1, |_, _| f(&mut rng));
            suggested_support(x.as_ref(), 0)
        };
        let unit = Some(Support::Interval {
            low: 0.0,
            high: 1.0,
        });
        assert_eq!(of(&|r| -ln(uniform(r))), Some(Support::Positive));
        assert_eq!(of(&|r| exp(standard_normal(r))), Some(Support::Positive));
        assert_eq!(of(&|r| sigmoid(3.0 * standard_normal(r))), unit);
        assert_eq!(of(&|r| 0.5 + 0.05 * standard_normal(r)), None);
        assert_eq!(of(&|r| standard_normal(r)), None);
        assert_eq!(of(&|r| 10.0 + standard_normal(r)), None);
    }
}
