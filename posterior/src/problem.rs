//! Inverse problems from closures.

use datasets::posterior::InverseProblem;
use faer::prelude::*;
use numerics::math::{ln, normal_log_pdf};
use numerics::random::{Pcg64, standard_normal, uniform};
use rayon::prelude::*;

/// A prior with independent coordinates.
#[derive(Debug, Clone, PartialEq)]
pub enum Prior {
    /// Normal, with the given means and standard deviations.
    Normal {
        /// Of each coordinate.
        mean: Vec<f64>,
        /// Of each coordinate, positive.
        sd: Vec<f64>,
    },
    /// Uniform on a box. A flow ignores the bounds: where the posterior is high at one, the mass of
    /// q beyond it is lost.
    Uniform {
        /// Lower ends.
        low: Vec<f64>,
        /// Upper ends, above the lower ones.
        high: Vec<f64>,
    },
}

impl Prior {
    /// `N(0, I)` in `dim` coordinates.
    #[must_use]
    pub fn standard_normal(dim: usize) -> Self {
        Self::Normal {
            mean: vec![0.0; dim],
            sd: vec![1.0; dim],
        }
    }

    /// Number of coordinates d.
    #[must_use]
    pub fn dim(&self) -> usize {
        match self {
            Self::Normal { mean, .. } => mean.len(),
            Self::Uniform { low, .. } => low.len(),
        }
    }

    /// Checks the numbers.
    ///
    /// # Errors
    /// A message that names the field.
    pub fn check(&self) -> Result<(), String> {
        let (a, b, names) = match self {
            Self::Normal { mean, sd } => (mean, sd, ("mean", "sd")),
            Self::Uniform { low, high } => (low, high, ("low", "high")),
        };
        if a.is_empty() || a.len() != b.len() {
            return Err(format!(
                "{} and {} must have one value for each parameter, not {} and {}",
                names.0,
                names.1,
                a.len(),
                b.len()
            ));
        }
        if let Some(v) = a.iter().chain(b).find(|v| !v.is_finite()) {
            return Err(format!(
                "{} and {} must be finite, not {v}",
                names.0, names.1
            ));
        }
        match self {
            Self::Normal { sd, .. } => sd
                .iter()
                .find(|s| **s <= 0.0)
                .map_or(Ok(()), |s| Err(format!("sd must be positive, not {s}"))),
            Self::Uniform { low, high } => low
                .iter()
                .zip(high)
                .find(|(l, h)| l >= h)
                .map_or(Ok(()), |(l, h)| {
                    Err(format!("high must be above low, not {h} with {l}"))
                }),
        }
    }

    fn draw(&self, j: usize, rng: &mut Pcg64) -> f64 {
        match self {
            Self::Normal { mean, sd } => mean[j] + sd[j] * standard_normal(rng),
            Self::Uniform { low, high } => low[j] + (high[j] - low[j]) * uniform(rng),
        }
    }

    fn log_density(&self, j: usize, t: f64) -> f64 {
        match self {
            Self::Normal { mean, sd } => normal_log_pdf((t - mean[j]) / sd[j]) - ln(sd[j]),
            Self::Uniform { low, high } => {
                if t.is_nan() {
                    t
                } else if (low[j]..=high[j]).contains(&t) {
                    -ln(high[j] - low[j])
                } else {
                    f64::NEG_INFINITY
                }
            }
        }
    }
}

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
/// })?;
/// let settings = PosteriorConfig::quick(2000);
/// let posterior = settings.fit(&problem, 1, &FitContext::default())?;
/// let draws = posterior.q().sample(1000, &mut stream(1, "draws"));
/// let positive = (0..1000).filter(|&i| draws[(i, 0)] > 0.0).count();
/// assert!((350..650).contains(&positive));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A message about the prior, when it makes no sense.
pub fn from_fn<F>(prior: Prior, log_likelihood: F) -> Result<FnProblem<F>, String>
where
    F: Fn(&[f64]) -> f64 + Send + Sync,
{
    prior.check()?;
    Ok(FnProblem {
        prior,
        log_likelihood,
    })
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

    fn sample_prior(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        let mut theta = Mat::zeros(n, self.dim());
        for i in 0..n {
            for j in 0..self.dim() {
                theta[(i, j)] = self.prior.draw(j, rng);
            }
        }
        theta
    }

    fn log_prior(&self, theta: MatRef<'_, f64>) -> Vec<f64> {
        assert_eq!(theta.ncols(), self.dim(), "one column for each parameter");
        let term = |i: usize, j: usize| self.prior.log_density(j, theta[(i, j)]);
        (0..theta.nrows())
            .map(|i| (0..self.dim()).map(|j| term(i, j)).sum())
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
    use numerics::random::stream;

    #[test]
    fn draws_and_densities_belong_together() {
        let uniform = Prior::Uniform {
            low: vec![-1.0, 2.0],
            high: vec![1.0, 2.5],
        };
        let normal = Prior::Normal {
            mean: vec![1.0],
            sd: vec![0.5],
        };
        let problem = from_fn(uniform, |t| t[0] - t[1]).unwrap();
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
        let problem = from_fn(normal, |_| 0.0).unwrap();
        let at_mean = Mat::from_fn(1, 1, |_, _| 1.0);
        let peak = problem.log_prior(at_mean.as_ref())[0];
        assert!((peak - (normal_log_pdf(0.0) + ln(2.0))).abs() < 1e-14);
    }

    #[test]
    fn priors_that_make_no_sense_are_refused() {
        let refuse = |p: Prior| from_fn(p, |_| 0.0).err().unwrap();
        let normal = |mean, sd| Prior::Normal { mean, sd };
        assert!(refuse(normal(vec![0.0], vec![])).contains("one value for each"));
        assert!(refuse(normal(vec![0.0], vec![0.0])).contains("sd must be positive"));
        assert!(refuse(normal(vec![f64::NAN], vec![1.0])).contains("finite"));
        let (low, high) = (vec![1.0], vec![1.0]);
        assert!(refuse(Prior::Uniform { low, high }).contains("high must be above low"));
    }
}
