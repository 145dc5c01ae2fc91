//! Priors that are known by a log-density and draws.

use crate::anneal::log_prior;
use crate::prior::PriorMap;
use density::Data;
use faer::prelude::*;
use numerics::math::{exp, ln, sum};
use numerics::matrix::select_rows;
use numerics::random::{permutation, standard_normal, stream};
use rbig::{Rbig, RbigConfig};

/// The fewest draws.
const LEAST: usize = 100;

/// Points at which the integral of the density is estimated.
const POINTS: usize = 20_000;

/// A prior that is known by its log-density and draws of it: coordinates that depend on each other, an
/// earlier posterior, a fitted model.
///
/// A map `theta = T(z)` that carries `N(0, I)` close to the prior is learnt from the draws (by
/// iterative Gaussianisation). What it lacks is made up for exactly: with `r(z) = ln p(T(z)) +
/// ln |det dT/dz| - ln N(z; 0, I)`, `ln L + r` takes the place of `ln L` in all weights. Points where
/// the density is zero are never given to the likelihood.
///
/// ```
/// use faer::Mat;
/// use numerics::random::{standard_normal, stream};
/// use posterior::{Posterior, SampledPrior};
///
/// // a ~ N(0, 1), b given a ~ N(a, 0.5)
/// let log_density = |t: &[f64]| -1.1447 - 0.5 * (t[0] * t[0] + 4.0 * (t[1] - t[0]).powi(2));
/// let mut rng = stream(1, "prior");
/// let mut draws = Mat::zeros(2000, 2);
/// for i in 0..2000 {
///     draws[(i, 0)] = standard_normal(&mut rng);
///     draws[(i, 1)] = draws[(i, 0)] + 0.5 * standard_normal(&mut rng);
/// }
/// let prior = SampledPrior::new(["a", "b"], draws.as_ref(), log_density)?;
/// let found = Posterior::new(prior, |t: &[f64]| -50.0 * (t[1] - 1.0).powi(2))
///     .evaluations(3000)
///     .ess(1000.0)
///     .fit()?;
/// assert!(found.warnings().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SampledPrior<F> {
    names: Vec<String>,
    log_density: F,
    map: Rbig,
}

impl<F: Fn(&[f64]) -> f64 + Sync> SampledPrior<F> {
    /// A prior with the density `exp(log_density(theta))`, which integrates to 1, and draws of it (n x d,
    /// a row each).
    ///
    /// # Errors
    /// Fewer than 100 draws, or not one column for each name; a draw that is not finite, or where the
    /// log-density is not; columns that are constant or depend linearly on others; a density that
    /// integrates to something other than 1, by more than .02 and five standard errors of an estimate
    /// from 20,000 points (a smaller difference shifts ln Z by its logarithm).
    pub fn new<S: Into<String>>(
        names: impl IntoIterator<Item = S>,
        draws: MatRef<'_, f64>,
        log_density: F,
    ) -> Result<Self, String> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let (n, d) = draws.shape();
        if n < LEAST {
            return Err(format!(
                "{n} draws of the prior are too few: give at least {LEAST}"
            ));
        }
        if d != names.len() {
            return Err(format!(
                "the draws of the prior have {d} columns for {} names",
                names.len()
            ));
        }
        for i in 0..n {
            let theta = row(draws, i);
            if let Some(j) = theta.iter().position(|t| !t.is_finite()) {
                return Err(format!(
                    "draw {i} of the prior: \"{}\" is {}",
                    names[j], theta[j]
                ));
            }
            let l = log_density(&theta);
            if !l.is_finite() {
                return Err(format!(
                    "the prior's log-density is {l} at its own draw {i}: the draws and the density do not belong together"
                ));
            }
        }
        let map = gaussianised(draws).map_err(|e| format!("the draws of the prior: {e}"))?;
        let prior = Self {
            names,
            log_density,
            map,
        };
        prior.check_integral()?;
        Ok(prior)
    }

    fn check_integral(&self) -> Result<(), String> {
        let z = standard_normals(POINTS, self.names.len());
        let ratios: Vec<f64> = self.log_ratio(z.as_ref()).into_iter().map(exp).collect();
        let n = POINTS as f64;
        let value = sum(&ratios) / n;
        let squares: Vec<f64> = ratios.iter().map(|r| (r - value) * (r - value)).collect();
        let error = (sum(&squares) / (n * (n - 1.0))).sqrt();
        // NaN is no 1 either.
        if (value - 1.0).abs() <= 5.0 * error + 0.02 {
            return Ok(());
        }
        Err(format!(
            "the prior's density integrates to {value:.3e} +- {error:.0e}, not to 1: if the draws are its own, subtract {:.3} from its logarithm",
            ln(value)
        ))
    }

    /// `ln p(T(z)) + ln |det dT/dz| - ln N(z; 0, I)` of each row.
    fn log_ratio(&self, z: MatRef<'_, f64>) -> Vec<f64> {
        let (theta, log_det) = self.map.inverse_and_log_det(z);
        let base = log_prior(z);
        (0..z.nrows())
            .map(|i| {
                let ratio = (self.log_density)(&row(theta.as_ref(), i)) + log_det[i] - base[i];
                // No number: no prior there.
                if ratio.is_nan() {
                    f64::NEG_INFINITY
                } else {
                    ratio
                }
            })
            .collect()
    }
}

impl<F: Fn(&[f64]) -> f64 + Sync> PriorMap for SampledPrior<F> {
    fn names(&self) -> &[String] {
        &self.names
    }

    fn at(&self, z: MatRef<'_, f64>) -> Mat<f64> {
        self.map.inverse_and_log_det(z).0
    }

    fn log_ratio(&self, z: MatRef<'_, f64>) -> Option<Vec<f64>> {
        Some(self.log_ratio(z))
    }
}

/// A map of the draws to `N(0, I)`; a fifth of the rows chooses its number of layers.
fn gaussianised(draws: MatRef<'_, f64>) -> Result<Rbig, rbig::Error> {
    let order = permutation(&mut stream(0, "prior/rows"), draws.nrows());
    let (valid, train) = order.split_at(draws.nrows() / 5);
    let (train, valid) = (select_rows(draws, train), select_rows(draws, valid));
    Rbig::fit(
        Data::new(train.as_ref()),
        Some(Data::new(valid.as_ref())),
        &RbigConfig::smooth(),
        &mut stream(0, "prior/rotations"),
    )
}

fn standard_normals(n: usize, d: usize) -> Mat<f64> {
    let rng = &mut stream(0, "prior/integral");
    Mat::from_fn(n, d, |_, _| standard_normal(rng))
}

fn row(m: MatRef<'_, f64>, i: usize) -> Vec<f64> {
    (0..m.ncols()).map(|j| m[(i, j)]).collect()
}
