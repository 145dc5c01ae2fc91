//! A simulator that hides signs.

use super::prior;
use super::sign_posterior::SignPosterior;
use faer::{Mat, MatRef};
use numerics::random::{Pcg64, standard_normal};
use serde::{Deserialize, Serialize};

/// `theta ~ N(0, I)` in `R^d`, `y_j = theta_j^2 + sigma e_j` with `e ~ N(0, I)`: the data determine
/// the size of each parameter, not its sign.
///
/// The posterior has up to `2^d` modes of equal mass, and is known for every observation: see
/// [`SignPosterior`]. It serves as a test of amortised inference, where `q(theta | y)` is learnt
/// from pairs of prior draws and simulated data and evaluated at unseen observations. Where `y_j`
/// falls below `sigma^2 / 2`, the two modes of a coordinate merge into one.
///
/// ```
/// use numerics::random::stream;
/// use datasets::posterior::{ExactPosterior, SignDegenerate};
///
/// let simulator = SignDegenerate { dim: 2, sigma: 0.25 };
/// let theta = simulator.sample_prior(100, &mut stream(1, "prior"));
/// let y = simulator.simulate(theta.as_ref(), &mut stream(1, "noise"));
/// let posterior = simulator.posterior(&[y[(0, 0)], y[(0, 1)]]);
/// assert!(posterior.log_posterior(theta.as_ref().subrows(0, 1))[0].is_finite());
/// assert_eq!(simulator.posterior(&[1.0, 1.0]).num_modes(), 4);
/// assert_eq!(simulator.posterior(&[1.0, -1.0]).num_modes(), 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignDegenerate {
    /// The number of parameters and of data, at least 1; the exact posterior serves up to 16.
    pub dim: usize,
    /// The standard deviation of the noise, positive.
    pub sigma: f64,
}

impl SignDegenerate {
    /// `n` independent draws of the prior, `n x d`, the rows in order.
    #[must_use]
    pub fn sample_prior(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        prior::sample(n, self.dim, rng)
    }

    /// Data for each row of `theta` (`n x d`): `n x d`.
    ///
    /// # Panics
    /// If `theta` has not `d` columns.
    #[must_use]
    pub fn simulate(&self, theta: MatRef<'_, f64>, rng: &mut Pcg64) -> Mat<f64> {
        prior::check_columns(theta, self.dim);
        let mut y = Mat::zeros(theta.nrows(), self.dim);
        for i in 0..theta.nrows() {
            for j in 0..self.dim {
                let t = theta[(i, j)];
                y[(i, j)] = t * t + self.sigma * standard_normal(rng);
            }
        }
        y
    }

    /// The exact posterior given one observation of `d` values, of whatever sign.
    ///
    /// # Panics
    /// If `d` is not from 1 to 16 (there are up to `2^d` modes), if `y` has not `d` values, if
    /// `sigma` is not positive and finite, or if a value is not within `1e9 sigma` of 0: beyond,
    /// `f64` cannot resolve the points of a mode.
    #[must_use]
    pub fn posterior(&self, y: &[f64]) -> SignPosterior {
        assert!(
            (1..=16).contains(&self.dim),
            "exact posteriors have 1 to 16 parameters, not {}",
            self.dim
        );
        assert_eq!(y.len(), self.dim, "one value for each parameter");
        assert!(
            self.sigma > 0.0 && self.sigma.is_finite(),
            "sigma is positive, not {}",
            self.sigma
        );
        assert!(
            y.iter().all(|y| y.abs() <= 1e9 * self.sigma),
            "an observation is within 1e9 sigma of zero, not {y:?}"
        );
        SignPosterior::new(y, self.sigma)
    }
}
