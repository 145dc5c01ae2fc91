//! The search for a Gaussian mixture: how many components, and where they start.

use crate::parts::Parts;
use density::{Data, Density, EmConfig, EmError, GaussianMixture};
use numerics::math::{dot, ln};
use numerics::matrix::select_rows;
use numerics::random::{Pcg64, categorical};
use rayon::prelude::*;

pub(super) const EM: EmConfig = EmConfig {
    restarts: 1,
    iterations: 100,
    tolerance: 1e-5,
    floor: 1e-6,
    // Small components look like the others until they have points.
    prior: 3.0,
};

/// The most components that fill gaps, and the smallest share of the points that is a gap.
const GAPS: usize = 12;
const SMALLEST_GAP: f64 = 0.003;
const LN_8: f64 = 2.079_441_541_679_836;

/// Starts of each number of components.
const TRIES: usize = 2;

/// A search for the mixture with the smallest BIC, `p ln n - 2 ln L`, n the effective sample size.
///
/// Mixtures grow: new components start where the density falls short of the target, which is known
/// at each point (as in incremental mixture importance sampling, Raftery and Bao 2010). From centres
/// that are drawn at random, expectation-maximisation loses some of twenty modes in most starts.
pub(super) struct Search<'a> {
    pub data: Data<'a>,
    /// `ln` of the target density at each point.
    pub log_target: &'a [f64],
    /// The most components.
    pub most: usize,
    /// The stream for a purpose.
    pub rng: &'a (dyn Fn(&str) -> Pcg64 + Sync),
}

type Scored = (f64, GaussianMixture);

impl Search<'_> {
    /// The mixture; one of the round before, on other points, is a good start.
    pub fn run(&self, previous: Option<&GaussianMixture>) -> Result<GaussianMixture, EmError> {
        let d = self.data.points.ncols();
        let n = self.effective();
        // A component wants more points than it has directions.
        let most = ((n / (d as f64 + 2.0)) as usize).clamp(1, self.most);
        let start = previous.map_or(1, GaussianMixture::len).min(most);
        let mut best = self.best(|t| match previous {
            Some(p) if t == 0 && p.len() == start => p.refined(self.data, &EM),
            _ => self.afresh(start, t),
        })?;
        let first = best.1.len();
        let mut step = best.1.len().div_ceil(2);
        loop {
            let more = (best.1.len() + step).min(most);
            if more == best.1.len() {
                break;
            }
            match self.best(|t| self.grown(&best.1, more, t)) {
                Ok(next) if next.0 < best.0 => {
                    step = step.max(next.1.len().div_ceil(4));
                    best = next;
                }
                _ if step == 1 => break,
                _ => step = step.div_ceil(4).min(step - 1),
            }
        }
        while best.1.len() <= first && best.1.len() > 1 {
            let fewer = best.1.len() - best.1.len().div_ceil(5);
            match self.best(|t| match t {
                0 => without_the_lightest(&best.1, fewer).refined(self.data, &EM),
                _ => self.afresh(fewer, t),
            }) {
                Ok(next) if next.0 < best.0 => best = next,
                _ => break,
            }
        }
        self.filled(best.1)
    }

    /// With wide components at points where the density is far below the target: parts of the
    /// posterior with too few points for a component that BIC would want are not lost.
    fn filled(&self, mut mixture: GaussianMixture) -> Result<GaussianMixture, EmError> {
        let shares = self.data.shares();
        // In many dimensions a point's neighbours are everywhere.
        if 20 * self.num_neighbours() > shares.len() {
            return Ok(mixture);
        }
        for _ in 0..GAPS {
            let log_prob = mixture.log_prob(self.data.points);
            let far = |i: usize| self.log_target[i] - log_prob[i] > LN_8;
            let missing: Vec<f64> = (0..shares.len())
                .map(|i| if far(i) { shares[i] } else { 0.0 })
                .collect();
            let total: f64 = missing.iter().sum();
            let heaviest = (0..missing.len()).max_by(|a, b| missing[*a].total_cmp(&missing[*b]));
            let Some(centre) = heaviest.filter(|_| total > SMALLEST_GAP) else {
                break;
            };
            let near = self.neighbours(centre);
            let share: f64 = near.iter().map(|&i| missing[i]).sum();
            let mut parts = Parts::of(&mixture);
            parts.add(&self.around(&near)?, share);
            mixture = parts.build();
        }
        Ok(mixture)
    }

    /// A normal of some of the points.
    fn around(&self, near: &[usize]) -> Result<GaussianMixture, EmError> {
        let shares = self.data.shares();
        let points = select_rows(self.data.points, near);
        let weights: Vec<f64> = near.iter().map(|&i| shares[i]).collect();
        let local = Data::new(points.as_ref()).weighted(&weights[..]);
        GaussianMixture::fit(local, 1, &EM, &mut (self.rng)("mixture/one"))
    }

    fn effective(&self) -> f64 {
        let shares = self.data.shares();
        1.0 / dot(&shares, &shares)
    }

    /// The try with the smallest BIC.
    fn best(
        &self,
        fit: impl Fn(usize) -> Result<GaussianMixture, EmError> + Sync,
    ) -> Result<Scored, EmError> {
        let (shares, n) = (self.data.shares(), self.effective());
        let tries: Vec<Result<Scored, EmError>> = (0..TRIES)
            .into_par_iter()
            .map(|t| {
                let m = fit(t)?;
                let log_prob = m.log_prob(self.data.points);
                let bic = m.num_free() as f64 * ln(n) - 2.0 * n * dot(&log_prob, &shares);
                Ok((bic, m))
            })
            .collect();
        let mut error = EmError::Singular;
        let mut best: Option<Scored> = None;
        for found in tries {
            match found {
                Ok(next) if best.as_ref().is_none_or(|b| next.0 < b.0) => best = Some(next),
                Ok(_) => {}
                Err(e) => error = e,
            }
        }
        best.ok_or(error)
    }

    fn afresh(&self, components: usize, t: usize) -> Result<GaussianMixture, EmError> {
        let mut rng = (self.rng)(&format!("mixture/{components}/{t}"));
        GaussianMixture::fit(self.data, components, &EM, &mut rng)
    }

    /// With more components, which start at points drawn in proportion to what they add to
    /// `KL(target || mixture)`.
    fn grown(
        &self,
        mixture: &GaussianMixture,
        components: usize,
        t: usize,
    ) -> Result<GaussianMixture, EmError> {
        let mut rng = (self.rng)(&format!("mixture/grown/{components}/{t}"));
        let shares = self.data.shares();
        let log_prob = mixture.log_prob(self.data.points);
        let mut chances: Vec<f64> = (0..shares.len())
            .map(|i| shares[i] * (self.log_target[i] - log_prob[i]).max(0.0))
            .collect();
        let mut parts = Parts::of(mixture);
        while parts.len() < components {
            if !chances.iter().any(|c| *c > 0.0) {
                return Err(EmError::Singular);
            }
            let centre = categorical(&mut rng, &chances);
            let near = self.neighbours(centre);
            // One component for each gap.
            near.iter().for_each(|&i| chances[i] = 0.0);
            let share = near.iter().map(|&i| shares[i]).sum();
            parts.add(&self.around(&near)?, share);
        }
        parts.build().refined(self.data, &EM)
    }

    fn num_neighbours(&self) -> usize {
        4 * (self.data.points.ncols() + 2)
    }

    /// The nearest points of one, enough for a covariance.
    fn neighbours(&self, centre: usize) -> Vec<usize> {
        let (x, d) = (self.data.points, self.data.points.ncols());
        let distance = |i: usize| -> f64 {
            (0..d)
                .map(|j| {
                    let v = x[(i, j)] - x[(centre, j)];
                    v * v
                })
                .sum()
        };
        let mut all: Vec<(f64, usize)> = (0..x.nrows()).map(|i| (distance(i), i)).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        all.truncate(self.num_neighbours());
        all.into_iter().map(|a| a.1).collect()
    }
}

fn without_the_lightest(mixture: &GaussianMixture, components: usize) -> GaussianMixture {
    Parts::of(mixture).heaviest(components).build()
}
