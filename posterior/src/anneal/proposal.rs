//! What a round draws from.

use density::Density;
use faer::prelude::*;
use numerics::math::{ln, ln_sum_exp2, normal_log_pdf};
use numerics::matrix::col;
use numerics::random::{Pcg64, standard_normal};
use std::sync::Arc;

/// A mixture of learnt densities and the prior, with exact numbers of draws from each part.
#[derive(Clone)]
pub(super) struct Proposal {
    dim: usize,
    /// Learnt densities, and the number of draws from each.
    parts: Vec<(Arc<dyn Density>, usize)>,
    from_prior: usize,
    /// How much a draw counts in estimates, fixed before anything is drawn.
    pub trust: f64,
}

impl Proposal {
    /// n draws of the prior alone.
    pub fn prior(dim: usize, n: usize) -> Self {
        Self {
            dim,
            parts: Vec::new(),
            from_prior: n,
            trust: 1.0 / n as f64,
        }
    }

    /// Draws of `density`, of earlier densities and of the prior.
    pub fn new(parts: Vec<(Arc<dyn Density>, usize)>, from_prior: usize, trust: f64) -> Self {
        Self {
            dim: parts[0].0.dim(),
            parts,
            from_prior,
            trust,
        }
    }

    /// The density that was fitted for it.
    pub fn fitted(&self) -> Option<&Arc<dyn Density>> {
        self.parts.first().map(|p| &p.0)
    }

    /// The number of draws of the prior.
    pub fn prior_draws(&self) -> usize {
        self.from_prior
    }

    /// The number of draws.
    pub fn draws(&self) -> usize {
        self.from_prior + self.parts.iter().map(|p| p.1).sum::<usize>()
    }

    /// The draws.
    pub fn sample(&self, rng: &mut Pcg64) -> Mat<f64> {
        let mut z = Mat::zeros(self.draws(), self.dim);
        let mut first = 0;
        for (density, n) in &self.parts {
            z.subrows_mut(first, *n)
                .copy_from(finite(density.as_ref(), *n, rng));
            first += n;
        }
        for i in first..z.nrows() {
            (0..self.dim).for_each(|j| z[(i, j)] = standard_normal(rng));
        }
        z
    }

    /// `ln q(z)` of each row.
    pub fn log_prob(&self, z: MatRef<'_, f64>) -> Vec<f64> {
        let all = self.draws() as f64;
        let mut out = log_prior(z);
        let share = ln(self.from_prior as f64 / all);
        out.iter_mut().for_each(|l| *l += share);
        for (density, n) in self.parts.iter().filter(|p| p.1 > 0) {
            let share = ln(*n as f64 / all);
            for (o, l) in out.iter_mut().zip(density.log_prob(z)) {
                // A learnt density that overflows has no mass there.
                if !l.is_nan() && l < f64::INFINITY {
                    *o = ln_sum_exp2(*o, share + l);
                }
            }
        }
        out
    }
}

/// n draws of a density, those again that overflow (far out, where no posterior is).
fn finite(density: &dyn Density, n: usize, rng: &mut Pcg64) -> Mat<f64> {
    let mut z = density.sample(n, rng);
    let d = z.ncols();
    for _ in 0..20 {
        let bad: Vec<usize> = (0..n)
            .filter(|&i| (0..d).any(|j| !z[(i, j)].is_finite()))
            .collect();
        if bad.is_empty() {
            return z;
        }
        let again = density.sample(bad.len(), rng);
        for (k, i) in bad.into_iter().enumerate() {
            (0..d).for_each(|j| z[(i, j)] = again[(k, j)]);
        }
    }
    // A density of nothing else.
    for i in 0..n {
        for j in 0..d {
            if !z[(i, j)].is_finite() {
                z[(i, j)] = 0.0;
            }
        }
    }
    z
}

/// `ln N(z; 0, I)` of each row.
pub(crate) fn log_prior(z: MatRef<'_, f64>) -> Vec<f64> {
    let mut out = vec![0.0; z.nrows()];
    for j in 0..z.ncols() {
        for (o, v) in out.iter_mut().zip(col(z, j)) {
            *o += normal_log_pdf(*v);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::random::stream;

    /// A third of its draws overflow.
    struct Overflowing;

    impl Density for Overflowing {
        fn dim(&self) -> usize {
            2
        }
        fn log_prob(&self, z: MatRef<'_, f64>) -> Vec<f64> {
            log_prior(z)
        }
        fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
            Mat::from_fn(n, 2, |i, j| match (i + j) % 6 {
                0 => f64::NAN,
                5 => f64::INFINITY,
                _ => standard_normal(rng),
            })
        }
    }

    #[test]
    fn draws_are_finite() {
        let parts: Vec<(Arc<dyn Density>, usize)> = vec![(Arc::new(Overflowing), 100)];
        let z = Proposal::new(parts, 10, 1.0).sample(&mut stream(1, "draws"));
        assert_eq!(z.nrows(), 110);
        assert!((0..110).all(|i| (0..2).all(|j| z[(i, j)].is_finite())));
    }
}
