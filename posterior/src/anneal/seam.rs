//! Periodic coordinates: circles that are cut open where there is least.

use density::Density;
use faer::prelude::*;
use numerics::math::{normal_cdf, normal_log_pdf, normal_quantile};
use numerics::random::Pcg64;
use std::sync::Arc;

/// Bins of a circle.
const BINS: usize = 32;

/// Where the circle of each periodic coordinate is cut.
///
/// A coordinate z with `u = Phi(z)` on a circle of length one becomes `z' = Phi^-1(u - s mod 1)`, which
/// keeps the prior `N(0, 1)`. A mode at the ends of u, which are the same point, is in one piece.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seams {
    /// For each coordinate, whether it is periodic and where its circle is cut.
    cuts: Vec<Option<f64>>,
}

impl Seams {
    /// Cut at the ends of the prior.
    pub fn new(periodic: &[bool]) -> Self {
        Self {
            cuts: periodic.iter().map(|p| p.then_some(0.0)).collect(),
        }
    }

    /// Cut where weighted points have least; a cut where there is little stays.
    pub fn moved(&self, z: MatRef<'_, f64>, weights: &[f64]) -> Self {
        let total: f64 = weights.iter().sum();
        let cut = |j: usize, old: f64| {
            let mut bins = [0.0; BINS];
            for (i, w) in weights.iter().enumerate() {
                let u = normal_cdf(z[(i, j)]);
                bins[((u * BINS as f64) as usize).min(BINS - 1)] += w / total;
            }
            // The edge between two bins, by what is in both on either side.
            let near =
                |edge: usize| -> f64 { (0..4).map(|k| bins[(edge + BINS + k - 2) % BINS]).sum() };
            let edge = (old * BINS as f64).round() as usize % BINS;
            let best = (0..BINS).min_by(|a, b| near(*a).total_cmp(&near(*b)));
            let best = best.unwrap_or(edge);
            if near(edge) > 2.0 * near(best) + 0.01 {
                best as f64 / BINS as f64
            } else {
                old
            }
        };
        let cuts = self.cuts.iter().enumerate();
        Self {
            cuts: cuts.map(|(j, s)| s.map(|old| cut(j, old))).collect(),
        }
    }

    /// Whether all circles are cut at the ends of the prior.
    pub fn is_identity(&self) -> bool {
        self.cuts.iter().flatten().all(|s| *s == 0.0)
    }

    fn turned(&self, z: MatRef<'_, f64>, sign: f64) -> Mat<f64> {
        let mut out = z.to_owned();
        for (j, cut) in self.cuts.iter().enumerate() {
            let Some(s) = cut.filter(|s| *s > 0.0) else {
                continue;
            };
            for i in 0..out.nrows() {
                let u = normal_cdf(out[(i, j)]) + sign * s;
                // Never the ends themselves, which are infinitely far out.
                let u = (u - u.floor()).clamp(f64::EPSILON, 1.0 - f64::EPSILON);
                out[(i, j)] = normal_quantile(u);
            }
        }
        out
    }

    /// z'.
    pub fn cut(&self, z: MatRef<'_, f64>) -> Mat<f64> {
        self.turned(z, -1.0)
    }

    /// z from z'.
    pub fn closed(&self, z: MatRef<'_, f64>) -> Mat<f64> {
        self.turned(z, 1.0)
    }
}

/// A density of z', as a density of z.
pub(super) struct Cut {
    pub seams: Seams,
    pub density: Arc<dyn Density>,
}

impl Density for Cut {
    fn dim(&self) -> usize {
        self.density.dim()
    }

    fn log_prob(&self, z: MatRef<'_, f64>) -> Vec<f64> {
        let turned = self.seams.cut(z);
        let mut out = self.density.log_prob(turned.as_ref());
        for (i, o) in out.iter_mut().enumerate() {
            // |du/dz| is the prior's density on both sides.
            for j in 0..z.ncols() {
                *o += normal_log_pdf(z[(i, j)]) - normal_log_pdf(turned[(i, j)]);
            }
        }
        out
    }

    fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        self.seams.closed(self.density.sample(n, rng).as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use density::{Data, EmConfig, GaussianMixture};
    use numerics::math::exp;
    use numerics::random::{standard_normal, stream};

    #[test]
    fn a_mode_at_the_ends_is_in_one_piece_and_its_density_integrates_to_one() {
        let mut rng = stream(1, "seam");
        // A narrow mode about u = 0 = 1.
        let z = Mat::from_fn(2000, 1, |_, _| {
            let u = 0.03 * standard_normal(&mut rng);
            normal_quantile(u - u.floor())
        });
        let seams = Seams::new(&[true]).moved(z.as_ref(), &[1.0; 2000]);
        let cut = seams.cut(z.as_ref());
        let far = cut.col(0).iter().filter(|v| v.abs() > 1.5).count();
        assert!(far == 0, "{seams:?}");
        let back = seams.closed(cut.as_ref());
        assert!((0..2000).all(|i| (back[(i, 0)] - z[(i, 0)]).abs() < 1e-9));
        let em = EmConfig::default();
        let mixture = GaussianMixture::fit(Data::new(cut.as_ref()), 1, &em, &mut rng).unwrap();
        let q = Cut {
            seams: seams.clone(),
            density: Arc::new(mixture),
        };
        let h = 1e-3;
        let grid = Mat::from_fn(16_000, 1, |i, _| -8.0 + h * (i as f64 + 0.5));
        let mass: f64 = q.log_prob(grid.as_ref()).iter().map(|l| exp(*l) * h).sum();
        assert!((mass - 1.0).abs() < 1e-3, "{mass}");
        // Nothing in the way: the cut stays.
        assert_eq!(seams.moved(z.as_ref(), &[1.0; 2000]), seams);
    }
}
