//! The smooth marginal: a kernel density as a monotone spline.

use super::kernel_density::Atoms;
use super::spline::Spline;
use super::{Sample, moments};
use crate::parts::{MarginalParts, positive};
use numerics::math::{dot, exp_m1, ln, ln_1p};

/// `z = S((w(x) - centre) / scale)` with a density that is continuous, positive and finite on the
/// whole line.
///
/// S is a monotone C1 spline through `Phi^-1(F)` of the variance-preserving kernel density F of the
/// standardised data, with straight tails of slope 1 or more from half a standard deviation beyond
/// the data (a flatter slope would be multiplied from layer to layer, and draws would have far
/// outliers); F has a cross-validated bandwidth h (leave-one-value-out likelihood). At h = 1 F is
/// normal and S is the identity. The transform w is the identity, or for columns with far outliers
/// `asinh((x - median) / robust scale)` when the cross-validated likelihood prefers it: it acts as
/// a bandwidth that grows with the distance. The density `phi(z) dz/dx` integrates to exactly one
/// for any spline.
#[derive(Debug, Clone, PartialEq)]
pub struct SmoothMarginal {
    warp: Option<Warp>,
    centre: f64,
    scale: f64,
    bandwidth: f64,
    spline: Option<Spline>,
}

/// The choice of the bandwidth.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bandwidth {
    Fixed(f64),
    /// Leave-one-out likelihood, then times this factor.
    CrossValidated(f64),
}

/// `asinh((x - centre) / scale)`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Warp {
    centre: f64,
    scale: f64,
}

impl Warp {
    /// The arcsinh transform is tried if a point is farther out than this many robust standard
    /// deviations.
    const FAR: f64 = 8.0;

    /// The robust centre and scale, if the data have points far out.
    fn candidate(sample: &Sample) -> Option<Self> {
        // Quartiles of a normal are 1.349 standard deviations apart.
        let scale = (sample.quantile(0.75) - sample.quantile(0.25)) / 1.349;
        let centre = sample.quantile(0.5);
        let last = sample.values[sample.values.len() - 1];
        let reach = (sample.values[0] - centre).abs().max(last - centre);
        (scale > 0.0 && reach > Self::FAR * scale && reach < 1e100 * scale)
            .then_some(Self { centre, scale })
    }

    fn forward(&self, x: f64) -> f64 {
        let t = (x - self.centre) / self.scale;
        let a = t.abs();
        ln_1p(a + a * a / (1.0 + (a * a + 1.0).sqrt())).copysign(t)
    }

    fn inverse(&self, y: f64) -> f64 {
        let e = exp_m1(y.abs());
        self.centre + (0.5 * (e + e / (e + 1.0))).copysign(y) * self.scale
    }

    /// `ln dw/dx` at x.
    fn log_slope(&self, x: f64) -> f64 {
        let t = (x - self.centre) / self.scale;
        -0.5 * ln_1p(t * t) - ln(self.scale)
    }
}

impl SmoothMarginal {
    pub(super) fn fit(sample: &Sample, bandwidth: Bandwidth, broad_scale: f64) -> Self {
        let (mut fitted, score) = Self::fit_warped(sample, None, bandwidth, broad_scale);
        if let Some(warp) = Warp::candidate(sample) {
            let (warped, its_score) = Self::fit_warped(sample, Some(warp), bandwidth, broad_scale);
            if its_score > score {
                fitted = warped;
            }
        }
        fitted
    }

    /// A fit and its cross-validated mean log-likelihood.
    fn fit_warped(
        sample: &Sample,
        warp: Option<Warp>,
        bandwidth: Bandwidth,
        broad_scale: f64,
    ) -> (Self, f64) {
        let (warped, centre, scale, jacobian) = match warp {
            None => (sample.values.clone(), sample.mean, sample.deviation, 0.0),
            Some(w) => {
                let warped: Vec<f64> = sample.values.iter().map(|x| w.forward(*x)).collect();
                let (centre, scale) = moments(&warped, &sample.shares);
                let slopes: Vec<f64> = sample.values.iter().map(|x| w.log_slope(*x)).collect();
                (warped, centre, scale, dot(&slopes, &sample.shares))
            }
        };
        let standard: Vec<f64> = warped.iter().map(|y| (y - centre) / scale).collect();
        let atoms = Atoms::new(
            &standard,
            &sample.shares,
            sample.effective_size,
            broad_scale,
        );
        let (bandwidth, score) = match bandwidth {
            Bandwidth::Fixed(h) => (h, atoms.score(h)),
            Bandwidth::CrossValidated(factor) => {
                let (h, score) = atoms.best_bandwidth();
                ((factor * h).clamp(atoms.least_bandwidth(), 1.0), score)
            }
        };
        let spline = (bandwidth < 1.0).then(|| {
            let k = atoms.knots(bandwidth);
            Spline::new(k.first, k.step, k.values, k.slopes)
        });
        let fitted = Self {
            warp,
            centre,
            scale,
            bandwidth,
            spline,
        };
        (fitted, score + jacobian - ln(scale))
    }

    pub(crate) fn parts(&self) -> MarginalParts {
        MarginalParts::Smooth {
            warp: self.warp.map(|w| (w.centre, w.scale)),
            centre: self.centre,
            scale: self.scale,
            bandwidth: self.bandwidth,
            spline: self.spline.as_ref().map(Spline::parts),
        }
    }

    pub(crate) fn from_parts(parts: MarginalParts) -> Result<Self, String> {
        let MarginalParts::Smooth {
            warp,
            centre,
            scale,
            bandwidth,
            spline,
        } = parts
        else {
            return Err("not a smooth marginal".into());
        };
        let sound = centre.is_finite()
            && positive(scale)
            && bandwidth > 0.0
            && bandwidth <= 1.0
            && warp.is_none_or(|(centre, scale)| centre.is_finite() && positive(scale));
        if !sound {
            return Err("a smooth marginal needs finite centres and positive scales".into());
        }
        Ok(Self {
            warp: warp.map(|(centre, scale)| Warp { centre, scale }),
            centre,
            scale,
            bandwidth,
            spline: spline.map(Spline::from_parts).transpose()?,
        })
    }

    /// The bandwidth, in standard deviations of the (transformed) data; 1 for a normal fit.
    #[must_use]
    pub fn bandwidth(&self) -> f64 {
        self.bandwidth
    }

    pub(crate) fn forward(&self, x: &mut [f64], log_det: &mut [f64]) {
        const BLOCK: usize = 256;
        let log_scale = ln(self.scale);
        let mut slope = [0.0; BLOCK];
        for (x, log_det) in x.chunks_mut(BLOCK).zip(log_det.chunks_mut(BLOCK)) {
            if let Some(warp) = &self.warp {
                for (x, l) in x.iter_mut().zip(&mut *log_det) {
                    *l += warp.log_slope(*x);
                    *x = warp.forward(*x);
                }
            }
            for x in &mut *x {
                *x = (*x - self.centre) / self.scale;
            }
            let Some(spline) = &self.spline else {
                for l in log_det {
                    *l -= log_scale;
                }
                continue;
            };
            let slope = &mut slope[..x.len()];
            for (x, s) in x.iter_mut().zip(&mut *slope) {
                (*x, *s) = spline.forward(*x);
            }
            for (l, s) in log_det.iter_mut().zip(&*slope) {
                *l += ln(*s) - log_scale;
            }
        }
    }

    pub(crate) fn inverse(&self, z: &mut [f64], log_det: &mut [f64]) {
        let log_scale = ln(self.scale);
        for (z, l) in z.iter_mut().zip(log_det) {
            if let Some(spline) = &self.spline {
                let (x, slope) = spline.inverse(*z);
                *z = x;
                *l -= ln(slope);
            }
            *z = self.centre + *z * self.scale;
            *l += log_scale;
            if let Some(warp) = &self.warp {
                *z = warp.inverse(*z);
                *l -= warp.log_slope(*z);
            }
        }
    }
}
