//! Bounded columns on the whole line: a logarithm above or below one end, a logit between two.

use faer::prelude::*;
use numerics::math::{exp, ln, sigmoid};
use numerics::matrix::col_mut;
use serde::{Deserialize, Serialize};

/// The support of a column, and its bijection to the whole line.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Support {
    /// Everywhere.
    #[default]
    Real,
    /// Above 0: modelled as `u = ln x`.
    Positive,
    /// Above an end: modelled as `u = ln (x - low)`.
    Above {
        /// The lower end.
        low: f64,
    },
    /// Below an end: modelled as `u = ln (high - x)`.
    Below {
        /// The upper end.
        high: f64,
    },
    /// Between two ends: modelled as `u = ln (x - low) - ln (high - x)`.
    Interval {
        /// The lower end.
        low: f64,
        /// The upper end.
        high: f64,
    },
}

impl Support {
    /// Checks its ends.
    ///
    /// # Errors
    /// A message.
    pub fn check(self) -> Result<(), String> {
        match self {
            Self::Interval { low, high }
                if !(low < high && (high - low).is_finite() && low.next_up() < high) =>
            {
                Err(format!(
                    "an interval needs a lower end below its upper end and a finite width, not {low:?} and {high:?}"
                ))
            }
            Self::Above { low: end } | Self::Below { high: end } if !end.is_finite() => {
                Err(format!("an end must be a finite number, not {end:?}"))
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
            Self::Above { low } => low < x && x.is_finite(),
            Self::Below { high } => x < high && x.is_finite(),
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
            Self::Above { low } => {
                let u = ln(x - low);
                (u, -u)
            }
            Self::Below { high } => {
                let u = ln(high - x);
                (u, -u)
            }
            Self::Interval { low, high } => {
                let (below, above) = (ln(x - low), ln(high - x));
                (below - above, ln(high - low) - below - above)
            }
        }
    }

    /// The x of a u; inside of the support, also after rounding.
    fn inverse(self, u: f64) -> f64 {
        match self {
            Self::Real => u,
            Self::Positive => exp(u).clamp(f64::MIN_POSITIVE, f64::MAX),
            Self::Above { low } => (low + exp(u)).clamp(low.next_up(), f64::MAX),
            Self::Below { high } => (high - exp(u)).clamp(-f64::MAX, high.next_down()),
            Self::Interval { low, high } => {
                // From the nearer end, which loses fewer digits.
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

/// `(u, ln |det du/dx|)` of each row of x (n x d). The Jacobian of a row outside of the support is
/// minus infinity, which makes its density zero; its coordinates are then arbitrary. NaN stays NaN.
pub(super) fn to_line(supports: &[Support], x: MatRef<'_, f64>) -> (Mat<f64>, Vec<f64>) {
    let mut u = x.to_owned();
    let mut log_det = vec![0.0; x.nrows()];
    for (j, support) in supports.iter().enumerate() {
        for (u, l) in col_mut(u.as_mut(), j).iter_mut().zip(&mut log_det) {
            if u.is_nan() {
                *l = f64::NAN;
            } else if support.contains(*u) {
                let (v, jacobian) = support.to_line(*u);
                (*u, *l) = (v, *l + jacobian);
            } else {
                (*u, *l) = (0.0, *l + f64::NEG_INFINITY);
            }
        }
    }
    (u, log_det)
}

/// The inverse of [`to_line`].
pub(super) fn from_line(supports: &[Support], mut u: Mat<f64>) -> Mat<f64> {
    for (j, support) in supports.iter().enumerate() {
        if *support != Support::Real {
            for v in col_mut(u.as_mut(), j) {
                *v = support.inverse(*v);
            }
        }
    }
    u
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn draws_lie_inside_and_jacobians_are_slopes(u in -1e3..1e3f64, low in -1e6..1e6f64, width in 1e-3..1e6f64) {
            let interval = Support::Interval { low, high: low + width };
            let (above, below) = (Support::Above { low }, Support::Below { high: low });
            for s in [Support::Positive, above, below, interval] {
                prop_assert!(s.contains(s.inverse(u)));
            }
            let u = u / 200.0;
            for s in [Support::Real, Support::Positive, above, below, interval] {
                let x = s.inverse(u);
                let (back, jacobian) = s.to_line(x);
                // The rounding error of x when it is far from 0.
                let digits = 1e-15 * x.abs() * exp(jacobian) + 1e-12;
                prop_assert!((back - u).abs() < 10.0 * digits, "{back} {u}");
                let h = 1e-6;
                let slope = (s.inverse(u + h) - s.inverse(u - h)) / (2.0 * h);
                prop_assert!((ln(slope.abs()) + jacobian).abs() < 1e-4 + 1e7 * digits);
            }
        }
    }

    #[test]
    fn outside_of_the_support_there_is_no_density() {
        let supports = [
            Support::Positive,
            Support::Interval {
                low: -1.0,
                high: 2.0,
            },
        ];
        let rows = [
            [1.0, 0.0],
            [0.0, 0.0],
            [1.0, 2.0],
            [-1.0, 5.0],
            [f64::INFINITY, 0.0],
            [f64::NAN, 7.0],
        ];
        let x = Mat::from_fn(6, 2, |i, j| rows[i][j]);
        let (_, log_det) = to_line(&supports, x.as_ref());
        assert!(log_det[0].is_finite() && log_det[5].is_nan());
        assert!(log_det[1..5].iter().all(|l| *l == f64::NEG_INFINITY));
        for s in [(1.0, 1.0), (2.0, 1.0), (0.0, f64::INFINITY)] {
            let (low, high) = s;
            assert!(Support::Interval { low, high }.check().is_err());
        }
    }
}
