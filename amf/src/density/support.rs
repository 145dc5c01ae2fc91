//! Columns, and the bijections that take bounded ones to the whole line.

use faer::prelude::*;
use numerics::math::{exp, ln, sigmoid};
use numerics::matrix::col_mut;
use serde::{Deserialize, Serialize};

/// Where a column has its values.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Support {
    /// Everywhere.
    #[default]
    Real,
    /// Above 0: modelled as `u = ln x`.
    Positive,
    /// Between two ends: modelled as `u = ln (x - low) - ln (high - x)`.
    Interval {
        /// The lower end.
        low: f64,
        /// The upper end.
        high: f64,
    },
}

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

impl Support {
    /// What is wrong with its ends, if anything.
    ///
    /// # Errors
    /// A sentence.
    pub fn check(self) -> Result<(), String> {
        match self {
            Self::Interval { low, high }
                if !(low < high && (high - low).is_finite() && low.next_up() < high) =>
            {
                Err(format!(
                    "an interval needs a lower end below its upper end, not {low} and {high}"
                ))
            }
            _ => Ok(()),
        }
    }

    /// Whether the density at x is above zero.
    #[must_use]
    pub fn contains(self, x: f64) -> bool {
        match self {
            Self::Real => x.is_finite(),
            Self::Positive => x > 0.0 && x.is_finite(),
            Self::Interval { low, high } => low < x && x < high,
        }
    }

    /// `(u, ln du/dx)` at an x of the support.
    fn to_line(self, x: f64) -> (f64, f64) {
        match self {
            Self::Real => (x, 0.0),
            Self::Positive => {
                let u = ln(x);
                (u, -u)
            }
            Self::Interval { low, high } => {
                let (below, above) = (ln(x - low), ln(high - x));
                (below - above, ln(high - low) - below - above)
            }
        }
    }

    /// The x of a u, inside of the support whatever the rounding.
    fn inverse(self, u: f64) -> f64 {
        match self {
            Self::Real => u,
            Self::Positive => exp(u).clamp(f64::MIN_POSITIVE, f64::MAX),
            Self::Interval { low, high } => {
                // From the nearer end, for the digits.
                let x = if u < 0.0 {
                    low + (high - low) * sigmoid(u)
                } else {
                    high - (high - low) * sigmoid(-u)
                };
                x.clamp(low.next_up(), high.next_down())
            }
        }
    }
}

/// `(u, ln |det du/dx|)` of each row of x (n x d). The Jacobian of a row outside of the support is minus infinity, which makes its density zero; its
/// coordinates are then arbitrary. NaN stays NaN.
pub(crate) fn to_line(columns: &[Column], x: MatRef<'_, f64>) -> (Mat<f64>, Vec<f64>) {
    let mut u = x.to_owned();
    let mut log_det = vec![0.0; x.nrows()];
    for (j, c) in columns.iter().enumerate() {
        for (u, l) in col_mut(u.as_mut(), j).iter_mut().zip(&mut log_det) {
            if u.is_nan() {
                *l = f64::NAN;
            } else if c.support.contains(*u) {
                let (v, jacobian) = c.support.to_line(*u);
                (*u, *l) = (v, *l + jacobian);
            } else {
                (*u, *l) = (0.0, *l + f64::NEG_INFINITY);
            }
        }
    }
    (u, log_det)
}

/// The inverse of [`to_line`].
pub(crate) fn from_line(columns: &[Column], mut u: Mat<f64>) -> Mat<f64> {
    for (j, c) in columns.iter().enumerate() {
        if c.support != Support::Real {
            for v in col_mut(u.as_mut(), j) {
                *v = c.support.inverse(*v);
            }
        }
    }
    u
}

/// What a column's values hint at, if they look bounded and are not said to be.
///
/// Positive: all values above 0, with a long upper tail (skewness above 1) and the smallest nearer to 0 than a tenth of a standard deviation.
/// An interval from 0 to 1: all values strictly inside, and within a hundredth of one of the ends lie more than 2 %, at least ten of them. A density on the whole line
/// would put probability where no value can be.
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
    use numerics::random::{standard_normal, stream, uniform};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn draws_lie_inside_and_jacobians_are_slopes(u in -1e3..1e3f64, low in -1e6..1e6f64, width in 1e-3..1e6f64) {
            let interval = Support::Interval { low, high: low + width };
            for s in [Support::Positive, interval] {
                prop_assert!(s.contains(s.inverse(u)));
            }
            let u = u / 200.0;
            for s in [Support::Real, Support::Positive, interval] {
                let x = s.inverse(u);
                let (back, jacobian) = s.to_line(x);
                // How much of x is rounding when it is far from 0.
                let digits = 1e-15 * x.abs() * exp(jacobian) + 1e-12;
                prop_assert!((back - u).abs() < 10.0 * digits, "{back} {u}");
                let h = 1e-6;
                let slope = (s.inverse(u + h) - s.inverse(u - h)) / (2.0 * h);
                prop_assert!((ln(slope) + jacobian).abs() < 1e-4 + 1e7 * digits);
            }
        }
    }

    #[test]
    fn outside_of_the_support_there_is_no_density() {
        let columns = [Column::positive("a"), Column::interval("b", -1.0, 2.0)];
        let rows = [
            [1.0, 0.0],
            [0.0, 0.0],
            [1.0, 2.0],
            [-1.0, 5.0],
            [f64::INFINITY, 0.0],
            [f64::NAN, 7.0],
        ];
        let x = Mat::from_fn(6, 2, |i, j| rows[i][j]);
        let (_, log_det) = to_line(&columns, x.as_ref());
        assert!(log_det[0].is_finite() && log_det[5].is_nan());
        assert!(log_det[1..5].iter().all(|l| *l == f64::NEG_INFINITY));
        for s in [(1.0, 1.0), (2.0, 1.0), (0.0, f64::INFINITY)] {
            let (low, high) = s;
            assert!(Support::Interval { low, high }.check().is_err());
        }
    }

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
