//! Tests of densities that were read from a file.

use crate::Density;
use faer::prelude::*;
use numerics::random::stream;

/// The largest magnitude of a number that a model from a file may hold or draw: squares of such
/// numbers do not overflow.
pub const LARGEST: f64 = 1e150;
/// The smallest scale that it may have.
pub const SMALLEST_SCALE: f64 = 1e-150;

/// Whether a number from a file is one that a model can have.
#[must_use]
pub fn in_range(v: f64) -> bool {
    // Written so that NaN is refused.
    v.abs() <= LARGEST
}

/// Number of draws that a density from a file is tested on.
pub const TRIAL_DRAWS: usize = 8;

/// Every number in a file can be valid and the density still overflow: products of weights of 1e140
/// do, and infinity minus infinity is NaN. So a density from a file is tested: its draws (n x d)
/// must be within [`LARGEST`], and their log-densities pass [`try_log_prob`].
///
/// # Errors
/// A sentence.
pub fn try_out(
    draws: MatRef<'_, f64>,
    log_prob: impl Fn(MatRef<'_, f64>) -> Vec<f64>,
) -> Result<(), String> {
    for j in 0..draws.ncols() {
        if let Some(v) = draws.col(j).iter().find(|v| !in_range(**v)) {
            return Err(format!("damaged numbers (a draw is {v:e})"));
        }
    }
    try_log_prob(draws, log_prob)
}

/// Checks that log-densities are finite, or minus infinity where the density underflows: at draws
/// (n x d), at mixtures of their coordinates, at points a few times farther out, and about zero.
///
/// # Errors
/// A sentence.
pub fn try_log_prob(
    draws: MatRef<'_, f64>,
    log_prob: impl Fn(MatRef<'_, f64>) -> Vec<f64>,
) -> Result<(), String> {
    let (n, d) = draws.shape();
    let mixed = Mat::from_fn(n, d, |i, j| draws[((i + j) % n, j)]);
    let farther = Mat::from_fn(n, d, |i, j| {
        let centre = draws[(0, j)];
        centre + 3.0 * (draws[(i, j)] - centre)
    });
    let zero = about_zero(n, d);
    for x in [draws, mixed.as_ref(), farther.as_ref(), zero.as_ref()] {
        let l = log_prob(x)
            .into_iter()
            .find(|l| l.is_nan() || *l == f64::INFINITY);
        if let Some(l) = l {
            return Err(format!("damaged numbers (a log-density is {l:e})"));
        }
    }
    Ok(())
}

/// Checks a density from a file by [`try_out`] at its own draws.
///
/// # Errors
/// A sentence.
pub fn must_work(density: &dyn Density) -> Result<(), String> {
    let draws = density.sample(TRIAL_DRAWS, &mut stream(0, "archive"));
    try_out(draws.as_ref(), |x| density.log_prob(x))
}

/// Values that a user who does not know a model's units may try.
pub const ABOUT_ZERO: [f64; 5] = [0.0, 0.5, -1.0, 3.0, -20.0];

/// n rows of d such values.
#[must_use]
pub fn about_zero(n: usize, d: usize) -> Mat<f64> {
    Mat::from_fn(n, d, |i, j| ABOUT_ZERO[(i + j) % ABOUT_ZERO.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_density_must_work_about_zero_wherever_its_draws_are() {
        let draws = Mat::from_fn(8, 2, |i, _| 1e140 + i as f64);
        let nan_about_zero = |x: MatRef<'_, f64>| -> Vec<f64> {
            let of = |i: usize| {
                if x[(i, 0)].abs() < 100.0 {
                    f64::NAN
                } else {
                    -1.0
                }
            };
            (0..x.nrows()).map(of).collect()
        };
        assert!(try_log_prob(draws.as_ref(), nan_about_zero).is_err());
        assert!(try_log_prob(draws.as_ref(), |x| vec![-1.0; x.nrows()]).is_ok());
    }
}
