//! Marginal Gaussianisation: monotone maps of one variable onto a standard normal.

mod histogram;
mod kernel_density;
mod smooth;
mod spline;

pub use histogram::HistogramMarginal;
pub use smooth::SmoothMarginal;

use crate::Error;
use serde::{Deserialize, Serialize};
use smooth::Bandwidth;

/// How a column is made normal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum MarginalKind {
    /// The piecewise linear distribution function of a histogram; see [`HistogramMarginal`].
    Histogram {
        /// Number of equal bins, >= 1.
        bins: usize,
        /// Share of the data range added on each side of it, >= 0.
        widen: f64,
        /// Probability beyond each edge, and the least share of a bin; in (0, 0.1).
        clamp: f64,
    },
    /// A kernel density with a smooth density everywhere; see [`SmoothMarginal`].
    Smooth {
        /// Bandwidth in standard deviations of the column, in (0, 1]; `None` = by cross-validated
        /// likelihood.
        #[serde(default)]
        bandwidth: Option<f64>,
        /// Factor on the cross-validated bandwidth (up to 1), > 0. Layers are fitted to the same
        /// points in sequence, and the best bandwidth for one column over-fits a chain of layers.
        #[serde(default = "default_oversmooth")]
        oversmooth: f64,
        /// Standard deviation, in those of the column, of the broad component that fills gaps and
        /// margins beyond the data; >= 1.
        #[serde(default = "default_broad_scale")]
        broad_scale: f64,
    },
}

fn default_oversmooth() -> f64 {
    1.3
}

fn default_broad_scale() -> f64 {
    3.0
}

impl MarginalKind {
    /// 50 bins over the data range widened by a tenth on each side, clamped at 1e-6
    /// (arXiv:2510.02056).
    #[must_use]
    pub fn published_histogram() -> Self {
        Self::Histogram {
            bins: 50,
            widen: 0.1,
            clamp: 1e-6,
        }
    }

    /// The smooth marginal with a cross-validated bandwidth.
    #[must_use]
    pub fn smooth() -> Self {
        Self::Smooth {
            bandwidth: None,
            oversmooth: default_oversmooth(),
            broad_scale: default_broad_scale(),
        }
    }

    /// Whether the settings are in range.
    ///
    /// # Errors
    /// [`Error::BadSetting`] names the field.
    pub fn check(&self) -> Result<(), Error> {
        let bad = |field, reason| Err(Error::BadSetting { field, reason });
        match *self {
            Self::Histogram { bins, widen, clamp } => {
                if bins == 0 || bins > 1_000_000 {
                    return bad("bins", "must be between 1 and 1,000,000");
                }
                if !(widen >= 0.0 && widen.is_finite()) {
                    return bad("widen", "must be finite and >= 0");
                }
                if !(clamp > 0.0 && clamp < 0.1) {
                    return bad("clamp", "must lie in (0, 0.1)");
                }
            }
            Self::Smooth {
                bandwidth,
                oversmooth,
                broad_scale,
            } => {
                if !bandwidth.is_none_or(|h| h > 0.0 && h <= 1.0) {
                    return bad("bandwidth", "must lie in (0, 1]");
                }
                if !(oversmooth > 0.0 && oversmooth.is_finite()) {
                    return bad("oversmooth", "must be finite and > 0");
                }
                if !(broad_scale >= 1.0 && broad_scale.is_finite()) {
                    return bad("broad_scale", "must be finite and >= 1");
                }
            }
        }
        Ok(())
    }
}

/// A fitted map of one variable onto a standard normal, increasing and onto the whole line, so that
/// `q(x) = phi(z(x)) dz/dx` is a normalised density.
#[derive(Debug, Clone, PartialEq)]
pub enum Marginal {
    /// From [`MarginalKind::Histogram`].
    Histogram(HistogramMarginal),
    /// From [`MarginalKind::Smooth`].
    Smooth(SmoothMarginal),
}

impl Marginal {
    /// Fits a marginal to at least two values; `weights` need not sum to one.
    ///
    /// # Errors
    /// [`Error::BadSetting`], [`Error::TooFewRows`], [`Error::NotFinite`] and
    /// [`Error::ConstantColumn`] (both with column 0), [`Error::BadWeight`],
    /// [`Error::SizeMismatch`].
    pub fn fit(kind: &MarginalKind, x: &[f64], weights: Option<&[f64]>) -> Result<Self, Error> {
        kind.check()?;
        let sample = Sample::new(x, weights)?;
        Ok(match *kind {
            MarginalKind::Histogram { bins, widen, clamp } => {
                Self::Histogram(HistogramMarginal::fit(&sample, bins, widen, clamp))
            }
            MarginalKind::Smooth {
                bandwidth,
                oversmooth,
                broad_scale,
            } => {
                let bandwidth = match bandwidth {
                    Some(h) => Bandwidth::Fixed(h),
                    None => Bandwidth::CrossValidated(oversmooth),
                };
                Self::Smooth(SmoothMarginal::fit(&sample, bandwidth, broad_scale))
            }
        })
    }

    /// Data -> normal: replaces each x by z(x) and adds `ln dz/dx` to `log_det`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn forward(&self, x: &mut [f64], log_det: &mut [f64]) {
        assert_eq!(x.len(), log_det.len(), "one log-determinant for each value");
        match self {
            Self::Histogram(m) => m.forward(x, log_det),
            Self::Smooth(m) => m.forward(x, log_det),
        }
    }

    /// Normal -> data: replaces each z by x(z) and adds `ln dx/dz` to `log_det`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn inverse(&self, z: &mut [f64], log_det: &mut [f64]) {
        assert_eq!(z.len(), log_det.len(), "one log-determinant for each value");
        match self {
            Self::Histogram(m) => m.inverse(z, log_det),
            Self::Smooth(m) => m.inverse(z, log_det),
        }
    }
}

/// Checked data of one column: sorted distinct values with their shares.
pub(crate) struct Sample {
    /// Distinct values, increasing.
    pub values: Vec<f64>,
    /// The share of the total weight at each value; they sum to one. Values of share zero are left
    /// out.
    pub shares: Vec<f64>,
    /// `(sum w)^2 / sum w^2`.
    pub effective_size: f64,
    /// Weighted mean.
    pub mean: f64,
    /// Weighted standard deviation (divisor: the total weight).
    pub deviation: f64,
}

impl Sample {
    pub fn new(x: &[f64], weights: Option<&[f64]>) -> Result<Self, Error> {
        if let Some(row) = x.iter().position(|v| !v.is_finite()) {
            return Err(Error::NotFinite { column: 0, row });
        }
        if x.len() < 2 {
            return Err(Error::TooFewRows {
                rows: x.len(),
                needed: 2,
            });
        }
        let total = check_weights(x.len(), weights)?;
        let (mut values, mut shares) = (Vec::new(), Vec::new());
        let mut squares = 0.0;
        match weights {
            None => {
                let share = 1.0 / x.len() as f64;
                let mut sorted = x.to_vec();
                sorted.sort_unstable_by(f64::total_cmp);
                values.reserve(x.len());
                shares.reserve(x.len());
                for v in sorted {
                    if values.last() == Some(&v) {
                        *shares.last_mut().expect("as long as values") += share;
                    } else {
                        values.push(v);
                        shares.push(share);
                    }
                }
                squares += share;
            }
            Some(w) => {
                let mut sorted: Vec<(f64, f64)> = x
                    .iter()
                    .zip(w)
                    .filter(|&(_, &w)| w > 0.0)
                    .map(|(&x, &w)| (x, w / total))
                    .collect();
                sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
                for (v, share) in sorted {
                    squares += share * share;
                    if values.last() == Some(&v) {
                        *shares.last_mut().expect("as long as values") += share;
                    } else {
                        values.push(v);
                        shares.push(share);
                    }
                }
            }
        }
        let constant = Error::ConstantColumn { column: 0 };
        let (Some(&low), Some(&high)) = (values.first(), values.last()) else {
            return Err(constant);
        };
        let rounding = 8.0 * f64::EPSILON * low.abs().max(high.abs());
        // A range that overflows cannot be standardised either.
        if high - low <= rounding || !(high - low).is_finite() {
            return Err(constant);
        }
        let (mean, deviation) = moments(&values, &shares);
        if !(deviation > 0.0 && deviation.is_finite()) {
            return Err(constant);
        }
        Ok(Self {
            values,
            shares,
            effective_size: 1.0 / squares,
            mean,
            deviation,
        })
    }

    /// The smallest value below which at least the share `p` lies.
    pub fn quantile(&self, p: f64) -> f64 {
        let mut below = 0.0;
        for (v, s) in self.values.iter().zip(&self.shares) {
            below += s;
            if below >= p {
                return *v;
            }
        }
        *self.values.last().expect("never empty")
    }
}

/// The total weight (the number of rows without weights), after checking every weight.
pub(crate) fn check_weights(rows: usize, weights: Option<&[f64]>) -> Result<f64, Error> {
    let Some(w) = weights else {
        return Ok(rows as f64);
    };
    if w.len() != rows {
        return Err(Error::SizeMismatch {
            what: "weights",
            got: w.len(),
            expected: rows,
        });
    }
    if let Some(row) = w.iter().position(|v| !(*v >= 0.0 && v.is_finite())) {
        return Err(Error::BadWeight { row });
    }
    let total = numerics::math::sum(w);
    if total > 0.0 && total.is_finite() {
        Ok(total)
    } else {
        Err(Error::BadWeight { row: rows })
    }
}

/// Mean and standard deviation under shares that sum to one; the second pass avoids cancellation
/// when the mean is large.
pub(crate) fn moments(values: &[f64], shares: &[f64]) -> (f64, f64) {
    let mean = numerics::math::dot(values, shares);
    let deviations: Vec<f64> = values.iter().map(|v| v - mean).collect();
    let shift = numerics::math::dot(&deviations, shares);
    let squares: Vec<f64> = deviations
        .iter()
        .map(|v| (v - shift) * (v - shift))
        .collect();
    (mean + shift, numerics::math::dot(&squares, shares).sqrt())
}
