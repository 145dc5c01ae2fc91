//! The histogram marginal: equal bins, a piecewise linear distribution function, the normal
//! quantile.

use super::Sample;
use crate::parts::{MarginalParts, positive};
use numerics::math::{ln, normal_cdf, normal_log_pdf, normal_quantile};

/// `z = Phi^-1(clamp + (1 - 2 clamp) F(x))`, F piecewise linear over equal bins.
///
/// Bin j has probability `p_j = max(share of the data in it, clamp) / sum`, so that F increases
/// strictly through empty bins. Inside the widened data range the density is
/// `(1 - 2 clamp) p_j / width`. Outside it, z continues as a straight line of slope 1 / (standard
/// deviation of the data) from the edge, so that the probability beyond each edge is exactly
/// `clamp`. The density is therefore positive and normalised on the whole line, with jumps at the
/// edges of the bins.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramMarginal {
    low: f64,
    width: f64,
    clamp: f64,
    tail_slope: f64,
    /// `u` at the lower edge of each bin, and at the upper edge of the last.
    below: Vec<f64>,
    /// `1 - u` at the same places, summed from above: no cancellation in the upper tail.
    above: Vec<f64>,
    /// `u` gained in each bin.
    mass: Vec<f64>,
    /// `Phi^-1(clamp)`; the upper edge is its negative.
    edge: f64,
}

impl HistogramMarginal {
    pub(crate) fn fit(sample: &Sample, bins: usize, widen: f64, clamp: f64) -> Self {
        let (first, last) = (sample.values[0], sample.values[sample.values.len() - 1]);
        let range = last - first;
        let low = first - widen * range;
        let width = range * (1.0 + 2.0 * widen) / bins as f64;
        let mut mass = vec![0.0; bins];
        for (x, share) in sample.values.iter().zip(&sample.shares) {
            mass[(((x - low) / width) as usize).min(bins - 1)] += share;
        }
        for p in &mut mass {
            *p = p.max(clamp);
        }
        let scale = (1.0 - 2.0 * clamp) / mass.iter().sum::<f64>();
        for p in &mut mass {
            *p *= scale;
        }
        Self::new(low, width, clamp, 1.0 / sample.deviation, mass)
    }

    fn new(low: f64, width: f64, clamp: f64, tail_slope: f64, mass: Vec<f64>) -> Self {
        let bins = mass.len();
        let mut below = vec![clamp; bins + 1];
        let mut above = vec![clamp; bins + 1];
        for j in 0..bins {
            below[j + 1] = below[j] + mass[j];
            above[bins - 1 - j] = above[bins - j] + mass[bins - 1 - j];
        }
        Self {
            low,
            width,
            clamp,
            tail_slope,
            below,
            above,
            mass,
            edge: normal_quantile(clamp),
        }
    }

    pub(crate) fn parts(&self) -> MarginalParts {
        MarginalParts::Histogram {
            low: self.low,
            width: self.width,
            clamp: self.clamp,
            tail_slope: self.tail_slope,
            mass: self.mass.clone(),
        }
    }

    pub(crate) fn from_parts(parts: MarginalParts) -> Result<Self, String> {
        let MarginalParts::Histogram {
            low,
            width,
            clamp,
            tail_slope,
            mass,
        } = parts
        else {
            return Err("not a histogram".into());
        };
        let total: f64 = mass.iter().sum();
        let sound = low.is_finite()
            && positive(width)
            && (low + width * mass.len() as f64).is_finite()
            && positive(tail_slope)
            && clamp > 0.0
            && clamp < 0.1
            && mass.iter().all(|&m| positive(m))
            && (total + 2.0 * clamp - 1.0).abs() < 1e-6;
        if !sound {
            return Err(
                "a histogram needs positive bins whose probabilities and tails sum to one".into(),
            );
        }
        Ok(Self::new(low, width, clamp, tail_slope, mass))
    }

    fn high(&self) -> f64 {
        self.low + self.width * self.mass.len() as f64
    }

    pub(crate) fn forward(&self, x: &mut [f64], log_det: &mut [f64]) {
        let (high, log_tail) = (self.high(), ln(self.tail_slope));
        for (x, log_det) in x.iter_mut().zip(log_det) {
            if *x < self.low {
                *x = self.edge + (*x - self.low) * self.tail_slope;
                *log_det += log_tail;
            } else if *x > high {
                *x = -self.edge + (*x - high) * self.tail_slope;
                *log_det += log_tail;
            } else {
                let position = (*x - self.low) / self.width;
                let j = (position as usize).min(self.mass.len() - 1);
                let part = position - j as f64;
                // The tail with full relative accuracy.
                let z = if self.below[j] + part * self.mass[j] < 0.5 {
                    normal_quantile(self.below[j] + part * self.mass[j])
                } else {
                    let left = (1.0 - part) * self.mass[j];
                    -normal_quantile(self.above[j + 1] + left)
                };
                *log_det += ln(self.mass[j] / self.width) - normal_log_pdf(z);
                *x = z;
            }
        }
    }

    pub(crate) fn inverse(&self, z: &mut [f64], log_det: &mut [f64]) {
        let (high, log_tail) = (self.high(), ln(self.tail_slope));
        let last = self.mass.len() - 1;
        for (z, log_det) in z.iter_mut().zip(log_det) {
            if *z < self.edge {
                *z = self.low + (*z - self.edge) / self.tail_slope;
                *log_det -= log_tail;
            } else if *z > -self.edge {
                *z = high + (*z + self.edge) / self.tail_slope;
                *log_det -= log_tail;
            } else {
                let u = normal_cdf(*z);
                let (j, part) = if u < 0.5 {
                    let j = self.below.partition_point(|b| *b <= u).clamp(1, last + 1) - 1;
                    (j, (u - self.below[j]) / self.mass[j])
                } else {
                    let v = normal_cdf(-*z);
                    let j = self.above.partition_point(|a| *a > v).clamp(1, last + 1) - 1;
                    (j, 1.0 - (v - self.above[j + 1]) / self.mass[j])
                };
                *log_det += normal_log_pdf(*z) - ln(self.mass[j] / self.width);
                *z = self.low + (j as f64 + part.clamp(0.0, 1.0)) * self.width;
            }
        }
    }
}
