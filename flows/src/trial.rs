//! A density that was read from a file is tried before it is used.

use faer::prelude::*;

/// How many draws a density from a file is tried on.
pub const TRIAL_DRAWS: usize = 8;

/// Numbers can each be sound, and a density of them still beyond the range of the arithmetic: weights of 1e200, one behind the other, overflow, and
/// infinity less infinity is no number. Whether a density works is therefore tried, on draws of its own (n x d), on mixtures of their coordinates, and on points
/// a few times farther out.
///
/// # Errors
/// A sentence, if a draw is not finite, or a log-density is NaN or infinite.
pub fn try_out(
    draws: MatRef<'_, f64>,
    log_prob: impl Fn(MatRef<'_, f64>) -> Vec<f64>,
) -> Result<(), String> {
    let (n, d) = draws.shape();
    let finite = (0..d).all(|j| draws.col(j).iter().all(|v| v.is_finite()));
    if !finite {
        return Err("damaged numbers (some draws are not finite)".into());
    }
    let mixed = Mat::from_fn(n, d, |i, j| draws[((i + j) % n, j)]);
    let farther = Mat::from_fn(n, d, |i, j| {
        let centre = draws[(0, j)];
        centre + 3.0 * (draws[(i, j)] - centre)
    });
    for x in [draws, mixed.as_ref(), farther.as_ref()] {
        // Minus infinity is where the density is smaller than any number.
        let bad = log_prob(x).into_iter().find(|l| !(*l < f64::INFINITY));
        if let Some(l) = bad {
            return Err(format!("damaged numbers (a log-density is {l})"));
        }
    }
    Ok(())
}
