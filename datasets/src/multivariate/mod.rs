//! Targets of one to eight dimensions, with exact densities, to compare models in various
//! dimensions.

mod autoregressive;
mod crescents;
mod funnel;
mod gaussians;
mod gumbel;
mod student_t;

use faer::{Mat, MatRef};
use numerics::random::Pcg64;

/// A density with seeded draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Multivariate {
    /// One dimension, skewed: the standard Gumbel distribution.
    Gumbel,
    /// Two dimensions, two thin half circles.
    Crescents,
    /// Three dimensions whose scale spans orders of magnitude: Neal's funnel (2003).
    Funnel,
    /// Five dimensions, correlated, with heavy tails: Student's t with 4 degrees of freedom.
    StudentT,
    /// Eight dimensions: four Gaussians of different weights and correlations.
    Gaussians,
}

impl Multivariate {
    /// All of them, by dimension.
    pub const ALL: [Self; 5] = [
        Self::Gumbel,
        Self::Crescents,
        Self::Funnel,
        Self::StudentT,
        Self::Gaussians,
    ];

    /// Name in tables and labels of random streams.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gumbel => "gumbel",
            Self::Crescents => "crescents",
            Self::Funnel => "funnel",
            Self::StudentT => "student_t",
            Self::Gaussians => "gaussians",
        }
    }

    /// The dimension d.
    #[must_use]
    pub fn dim(self) -> usize {
        match self {
            Self::Gumbel => 1,
            Self::Crescents => crescents::DIM,
            Self::Funnel => funnel::DIM,
            Self::StudentT => student_t::DIM,
            Self::Gaussians => gaussians::DIM,
        }
    }

    /// Independent draws, n x d.
    #[must_use]
    pub fn sample(self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        let mut out = Mat::zeros(n, self.dim());
        let mut x = vec![0.0; self.dim()];
        for i in 0..n {
            match self {
                Self::Gumbel => x[0] = gumbel::draw(rng),
                Self::Crescents => crescents::draw(rng, &mut x),
                Self::Funnel => funnel::draw(rng, &mut x),
                Self::StudentT => student_t::draw(rng, &mut x),
                Self::Gaussians => gaussians::draw(rng, &mut x),
            }
            for (j, v) in x.iter().enumerate() {
                out[(i, j)] = *v;
            }
        }
        out
    }

    /// The exact log-density of each row of `x` (n x d), in nats.
    #[must_use]
    pub fn log_prob(self, x: MatRef<'_, f64>) -> Vec<f64> {
        let row = |i| -> Vec<f64> { x.row(i).iter().copied().collect() };
        let log_density = |x: Vec<f64>| match self {
            Self::Gumbel => gumbel::log_density(x[0]),
            Self::Crescents => crescents::log_density(&x),
            Self::Funnel => funnel::log_density(&x),
            Self::StudentT => student_t::log_density(&x),
            Self::Gaussians => gaussians::log_density(&x),
        };
        (0..x.nrows()).map(|i| log_density(row(i))).collect()
    }
}
