//! Inverse problems from closures.

use crate::prior::{Prior, PriorMap};
use datasets::posterior::InverseProblem;
use faer::prelude::*;
use rayon::prelude::*;

/// An inverse problem from a prior and a function that gives `ln L(theta)`, nats, for one theta.
///
/// The function is called for many points at a time, on all threads of the current pool.
///
/// ```
/// use density::{Density, FitContext};
/// use posterior::{PosteriorConfig, Prior, from_fn};
/// use numerics::random::stream;
///
/// // theta ~ N(0, I), and theta_1^2 was measured as 1 with an error of 0.3: the sign is open.
/// let problem = from_fn(Prior::standard_normal(2), |theta| {
///     -0.5 * ((theta[0] * theta[0] - 1.0) / 0.3).powi(2)
/// });
/// let settings = PosteriorConfig::quick(2000);
/// let posterior = settings.fit(&problem, 1, &FitContext::default())?;
/// let draws = posterior.q().sample(1000, &mut stream(1, "draws"));
/// let positive = (0..1000).filter(|&i| draws[(i, 0)] > 0.0).count();
/// assert!((350..650).contains(&positive));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn from_fn<F>(prior: Prior, log_likelihood: F) -> FnProblem<F>
where
    F: Fn(&[f64]) -> f64 + Send + Sync,
{
    FnProblem {
        prior,
        log_likelihood,
    }
}

/// See [`from_fn`].
#[derive(Debug, Clone)]
pub struct FnProblem<F> {
    prior: Prior,
    log_likelihood: F,
}

impl<F: Fn(&[f64]) -> f64 + Send + Sync> InverseProblem for FnProblem<F> {
    fn dim(&self) -> usize {
        self.prior.dim()
    }

    fn at(&self, z: MatRef<'_, f64>) -> Mat<f64> {
        self.prior.at(z)
    }

    fn log_prior(&self, theta: MatRef<'_, f64>) -> Vec<f64> {
        assert_eq!(theta.ncols(), self.dim(), "one column for each parameter");
        let row = |i: usize| (0..self.dim()).map(|j| theta[(i, j)]).collect::<Vec<f64>>();
        (0..theta.nrows())
            .map(|i| self.prior.log_density(&row(i)))
            .collect()
    }

    fn log_likelihood(&self, theta: MatRef<'_, f64>) -> Vec<f64> {
        assert_eq!(theta.ncols(), self.dim(), "one column for each parameter");
        (0..theta.nrows())
            .into_par_iter()
            .map_init(
                || vec![0.0; self.dim()],
                |row, i| {
                    for (j, t) in row.iter_mut().enumerate() {
                        *t = theta[(i, j)];
                    }
                    (self.log_likelihood)(row)
                },
            )
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::math::{ln, normal_log_pdf};
    use numerics::random::stream;

    #[test]
    fn draws_and_densities_belong_together() {
        let uniform = Prior::parse(["a = uniform(-1, 1)", "b = uniform(2, 2.5)"]).unwrap();
        let normal = Prior::parse(["a = normal(1, 0.5)"]).unwrap();
        let problem = from_fn(uniform, |t| t[0] - t[1]);
        let theta = problem.sample_prior(1000, &mut stream(1, "prior"));
        assert!(
            problem
                .log_prior(theta.as_ref())
                .iter()
                .all(|l| l.abs() < 1e-12)
        );
        for (i, l) in problem.log_likelihood(theta.as_ref()).iter().enumerate() {
            assert_eq!(*l, theta[(i, 0)] - theta[(i, 1)]);
        }
        let outside = Mat::from_fn(1, 2, |_, _| 3.0);
        assert_eq!(problem.log_prior(outside.as_ref()), [f64::NEG_INFINITY]);
        let problem = from_fn(normal, |_| 0.0);
        let at_mean = Mat::from_fn(1, 1, |_, _| 1.0);
        let peak = problem.log_prior(at_mean.as_ref())[0];
        assert!((peak - (normal_log_pdf(0.0) + ln(2.0))).abs() < 1e-14);
    }
}
