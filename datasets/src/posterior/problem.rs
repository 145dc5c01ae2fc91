//! Traits of inverse problems, and of those with a known posterior.

use faer::{Mat, MatRef};
use numerics::random::{Pcg64, standard_normal};

/// A prior over parameters and the likelihood of observed data.
///
/// With parameters `theta` in `R^d`, a normalised prior density `p(theta)` and fixed data `y`, the
/// posterior is
///
/// `p(theta | y) = p(theta) L(theta) / Z`, `L(theta) = p(y | theta)`,
/// `Z = integral p(theta) L(theta) dtheta`.
///
/// Likelihood-weighted inference needs only this trait: draws `theta_i` of the prior with weights
/// `w_i` proportional to `L(theta_i)` represent the posterior, and `sum_i w_i f(theta_i)` tends to
/// the posterior mean of `f`. Their effective sample size `1 / sum_i w_i^2`, with `sum_i w_i = 1`,
/// divided by their number tends to `1 / E[L'^2]`, the mean over the prior of `L' = L / Z`.
///
/// Points are the rows of an `n x d` matrix, and log-densities are in nats. To implement it for a
/// problem of your own:
///
/// ```
/// use numerics::math::normal_log_pdf;
/// use numerics::random::stream;
/// use datasets::posterior::InverseProblem;
/// use faer::{Mat, MatRef};
///
/// /// `theta ~ N(0, 1)`, `y | theta ~ N(|theta|, 1)`.
/// struct Distance {
///     y: f64,
/// }
///
/// impl InverseProblem for Distance {
///     fn dim(&self) -> usize {
///         1
///     }
///     fn at(&self, z: MatRef<'_, f64>) -> Mat<f64> {
///         z.to_owned()
///     }
///     fn log_prior(&self, theta: MatRef<'_, f64>) -> Vec<f64> {
///         (0..theta.nrows()).map(|i| normal_log_pdf(theta[(i, 0)])).collect()
///     }
///     fn log_likelihood(&self, theta: MatRef<'_, f64>) -> Vec<f64> {
///         (0..theta.nrows()).map(|i| normal_log_pdf(self.y - theta[(i, 0)].abs())).collect()
///     }
/// }
///
/// let problem = Distance { y: 3.0 };
/// let theta = problem.sample_prior(10, &mut stream(1, "prior"));
/// assert!(problem.log_likelihood(theta.as_ref()).iter().all(|l| l.is_finite()));
/// ```
pub trait InverseProblem: Send + Sync {
    /// The number of parameters, `d`.
    fn dim(&self) -> usize;

    /// The parameters at rows `z` (`n x d`): draws of the prior, when `z` are draws of `N(0, I)`.
    fn at(&self, z: MatRef<'_, f64>) -> Mat<f64>;

    /// `n` independent draws of the prior, `n x d`.
    ///
    /// Rows are drawn in order: a shorter sample is the beginning of a longer one from an equal
    /// generator.
    fn sample_prior(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        let z = Mat::from_fn(self.dim(), n, |_, _| standard_normal(rng));
        self.at(z.transpose())
    }

    /// `ln p(theta)` of each row of `theta` (`n x d`), normalised.
    ///
    /// # Panics
    /// If `theta` has not `d` columns.
    fn log_prior(&self, theta: MatRef<'_, f64>) -> Vec<f64>;

    /// `ln L(theta)` of each row of `theta` (`n x d`).
    ///
    /// The constant is fixed by the problem, since [`ExactPosterior::log_evidence`] depends on it.
    /// The value may be -infinity, where the data are impossible; a row with a NaN gives NaN.
    ///
    /// # Panics
    /// If `theta` has not `d` columns.
    fn log_likelihood(&self, theta: MatRef<'_, f64>) -> Vec<f64>;
}

/// An inverse problem whose answer is known.
///
/// Its modes are the cells of a fixed partition of `R^d`, one about each bump of the posterior:
/// every point belongs to exactly one.
pub trait ExactPosterior: InverseProblem {
    /// `ln Z`, in nats, to 1e-6 or better.
    fn log_evidence(&self) -> f64;

    /// `ln p(theta | y)` of each row of `theta` (`n x d`), normalised:
    /// `ln p(theta) + ln L(theta) - ln Z`.
    ///
    /// # Panics
    /// If `theta` has not `d` columns.
    fn log_posterior(&self, theta: MatRef<'_, f64>) -> Vec<f64> {
        let log_evidence = self.log_evidence();
        self.log_prior(theta)
            .into_iter()
            .zip(self.log_likelihood(theta))
            .map(|(prior, likelihood)| prior + likelihood - log_evidence)
            .collect()
    }

    /// `n` independent draws of the posterior, `n x d`: exact, not those of a Markov chain.
    ///
    /// Rows are drawn in order: a shorter sample is the beginning of a longer one from an equal
    /// generator.
    fn sample_posterior(&self, n: usize, rng: &mut Pcg64) -> Mat<f64>;

    /// The number of modes.
    fn num_modes(&self) -> usize;

    /// The share of the posterior in each mode, to 1e-6. They sum to one.
    fn mode_masses(&self) -> Vec<f64>;

    /// The mode of each row of `theta` (`n x d`), an index below [`num_modes`](Self::num_modes).
    ///
    /// # Panics
    /// If `theta` has not `d` columns.
    fn mode_of(&self, theta: MatRef<'_, f64>) -> Vec<usize>;

    /// The log-density `l` for which the region `{theta: ln p(theta | y) >= l}` holds the given
    /// share of the posterior, to 1e-4: the smallest region that does.
    ///
    /// A model's mass outside the region of share 0.999 is where the posterior has almost none, for
    /// example on bridges between modes.
    ///
    /// # Panics
    /// If `share` is not between 0 and 1, both excluded.
    fn hdr_level(&self, share: f64) -> f64;
}

/// `{x in [lo, hi]: f(x) >= target}` for an increasing `f` begins at the value returned, to the
/// spacing of `f64`.
pub(super) fn bisect(mut lo: f64, mut hi: f64, target: f64, f: impl Fn(f64) -> f64) -> f64 {
    for _ in 0..200 {
        let middle = 0.5 * (lo + hi);
        if middle <= lo || middle >= hi {
            break;
        }
        if f(middle) < target {
            lo = middle;
        } else {
            hi = middle;
        }
    }
    hi
}

pub(super) fn check_share(share: f64) {
    assert!(
        share > 0.0 && share < 1.0,
        "a share of the mass is between 0 and 1, not {share}"
    );
}
