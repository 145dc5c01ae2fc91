//! Information measures from samples, in nats, by cross-fitted Gaussianisation.
//!
//! The rows are split into two random halves. A model (smooth marginals, principal axes then random
//! rotations, held-out number of layers) is fitted to one half and its log-densities are averaged
//! over the other, then the halves are swapped: no row is scored by a model that saw it.
//!
//! The standard error combines the error of the mean over the rows with the models' error, taken as
//! half the difference between the estimates from fitted and from held-out rows. Without it the
//! error would vanish faster than the bias when there is no dependence or no divergence at all: the
//! bias (downwards for information, upwards for entropy) is then of the order of that half
//! difference.
//!
//! Total correlation and mutual information do not change when a column is mapped by an increasing
//! function, so they are estimated from normal scores: each value becomes `Phi^-1` of its rank.
//! Then no marginal needs to be learnt.

use crate::{Error, LayerRule, MarginalKind, Rbig, RbigConfig, RotationKind};
use density::{Data, Density};
use faer::{Mat, MatRef};
use numerics::Estimate;
use numerics::math::{exp, ln, ln_sum_exp, mean_and_standard_error, normal_quantile};
use numerics::random::{Pcg64, permutation};

/// From the value and its error over the rows, and the value `seen` at the fitted rows.
fn estimate(value: f64, error_rows: f64, seen: f64) -> Estimate {
    /// Rounding error of a difference of equal log-densities.
    const ROUNDING: f64 = 1e-12;
    let optimism = 0.5 * (seen - value);
    Estimate {
        value,
        standard_error: (error_rows * error_rows + optimism * optimism).sqrt() + ROUNDING,
    }
}

/// Fewest rows for an estimate: each half is split again to choose the number of layers.
const LEAST_ROWS: usize = 40;

/// `TC(x) = sum_i H(x_i) - H(x) = KL(p || prod p_i)`, the dependence between the columns of x (n x
/// d).
///
/// Estimated by `mean(ln q(z) - ln q_1(z))` of the normal scores z, q_1 being the product of the
/// marginals of the first layer.
///
/// # Errors
/// Those of [`Rbig::fit`], and [`Error::TooFewRows`] below 40 rows.
pub fn total_correlation(x: MatRef<'_, f64>, rng: &mut Pcg64) -> Result<Estimate, Error> {
    let scores = normal_scores(x)?;
    let x = scores.as_ref();
    let folds = folds(x.nrows(), rng)?;
    cross(&folds, |fit, all| {
        let model = fit_rows(x, fit, rng)?;
        let x = take(x, all);
        let whole = model.log_prob(x.as_ref());
        let product = model.log_prob_of_first(1, x.as_ref());
        Ok(subtract(whole, &product))
    })
}

/// The differential entropy `H(x) = -E ln p(x)` of the rows of x (n x d).
///
/// # Errors
/// As [`total_correlation`].
pub fn entropy(x: MatRef<'_, f64>, rng: &mut Pcg64) -> Result<Estimate, Error> {
    let folds = folds(x.nrows(), rng)?;
    let minus = cross(&folds, |fit, all| {
        Ok(fit_rows(x, fit, rng)?.log_prob(take(x, all).as_ref()))
    })?;
    Ok(Estimate {
        value: -minus.value,
        ..minus
    })
}

/// The mutual information `I(x; y) = H(x) + H(y) - H(x, y)` between paired rows of x (n x d) and y
/// (n x e).
///
/// # Errors
/// As [`total_correlation`], and [`Error::SizeMismatch`] when the numbers of rows differ.
pub fn mutual_information(
    x: MatRef<'_, f64>,
    y: MatRef<'_, f64>,
    rng: &mut Pcg64,
) -> Result<Estimate, Error> {
    if x.nrows() != y.nrows() {
        return Err(Error::SizeMismatch {
            what: "rows of y",
            got: y.nrows(),
            expected: x.nrows(),
        });
    }
    let (x, y) = (normal_scores(x)?, normal_scores(y)?);
    let (x, y) = (x.as_ref(), y.as_ref());
    let both = Mat::from_fn(x.nrows(), x.ncols() + y.ncols(), |i, j| {
        if j < x.ncols() {
            x[(i, j)]
        } else {
            y[(i, j - x.ncols())]
        }
    });
    let folds = folds(x.nrows(), rng)?;
    cross(&folds, |fit, all| {
        let mut log_prob = |data: MatRef<'_, f64>| -> Result<Vec<f64>, Error> {
            Ok(fit_rows(data, fit, rng)?.log_prob(take(data, all).as_ref()))
        };
        let joint = log_prob(both.as_ref())?;
        let joint = subtract(joint, &log_prob(x)?);
        Ok(subtract(joint, &log_prob(y)?))
    })
}

/// The divergence `KL(p || r) = E_p ln(p / r)` from samples x (n x d) of p and y (m x d) of r.
///
/// With `T = ln q_x - ln q_y` the estimate is Donsker and Varadhan's `mean_x T - ln mean_y e^T`: a
/// lower bound on KL for every T, in which the errors of q_x and q_y cancel to first order, and
/// whose standard error counts both samples. When few rows of y lie where x does, the second mean
/// depends on few rows, and the estimate and its error are unreliable.
///
/// # Errors
/// As [`total_correlation`], and [`Error::SizeMismatch`] when the numbers of columns differ.
pub fn kl_divergence(
    x: MatRef<'_, f64>,
    y: MatRef<'_, f64>,
    rng: &mut Pcg64,
) -> Result<Estimate, Error> {
    if x.ncols() != y.ncols() {
        return Err(Error::SizeMismatch {
            what: "columns of y",
            got: y.ncols(),
            expected: x.ncols(),
        });
    }
    let (of_x, of_y) = (folds(x.nrows(), rng)?, folds(y.nrows(), rng)?);
    // Values of T at held-out rows, and at fitted ones.
    let [mut fresh_x, mut fresh_y, mut seen_x, mut seen_y] = [const { Vec::new() }; 4];
    for (fit, score) in [(0, 1), (1, 0)] {
        let own = fit_rows(x, &of_x[fit], rng)?;
        let other = fit_rows(y, &of_y[fit], rng)?;
        let ratio = |rows: Mat<f64>| {
            let rows = rows.as_ref();
            subtract(own.log_prob(rows), &other.log_prob(rows))
        };
        fresh_x.extend(ratio(take(x, &of_x[score])));
        fresh_y.extend(ratio(take(y, &of_y[score])));
        seen_x.extend(ratio(take(x, &of_x[fit])));
        seen_y.extend(ratio(take(y, &of_y[fit])));
    }
    let log_mean_exp = |t: &[f64]| ln_sum_exp(t) - ln(t.len() as f64);
    let (mean, error_x) = mean_and_standard_error(&fresh_x);
    let level = log_mean_exp(&fresh_y);
    let relative: Vec<f64> = fresh_y.iter().map(|t| exp(t - level)).collect();
    let (_, error_y) = mean_and_standard_error(&relative);
    let seen = mean_and_standard_error(&seen_x).0 - log_mean_exp(&seen_y);
    let error_rows = (error_x * error_x + error_y * error_y).sqrt();
    Ok(estimate(mean - level, error_rows, seen))
}

/// `Phi^-1((rank - 1/2) / n)` in each column; equal values share the mean of their ranks.
fn normal_scores(x: MatRef<'_, f64>) -> Result<Mat<f64>, Error> {
    let n = x.nrows();
    let mut scores = Mat::zeros(n, x.ncols());
    for column in 0..x.ncols() {
        if let Some(row) = (0..n).find(|&i| !x[(i, column)].is_finite()) {
            return Err(Error::NotFinite { column, row });
        }
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| x[(a, column)].total_cmp(&x[(b, column)]));
        let mut first = 0;
        for group in order.chunk_by(|&a, &b| x[(a, column)] == x[(b, column)]) {
            let middle = first as f64 + 0.5 * group.len() as f64;
            for &i in group {
                scores[(i, column)] = normal_quantile(middle / n as f64);
            }
            first += group.len();
        }
    }
    Ok(scores)
}

fn folds(rows: usize, rng: &mut Pcg64) -> Result<[Vec<usize>; 2], Error> {
    if rows < LEAST_ROWS {
        return Err(Error::TooFewRows {
            rows,
            needed: LEAST_ROWS,
        });
    }
    let mut first = permutation(rng, rows);
    let second = first.split_off(rows / 2);
    Ok([first, second])
}

/// The mean over both folds of `values(rows to fit, rows)` at the held-out rows; `rows` are the
/// fitted rows, then the held-out ones.
fn cross(
    folds: &[Vec<usize>; 2],
    mut values: impl FnMut(&[usize], &[usize]) -> Result<Vec<f64>, Error>,
) -> Result<Estimate, Error> {
    let (mut seen, mut fresh) = (Vec::new(), Vec::new());
    for (fit, score) in [(0, 1), (1, 0)] {
        let all = [folds[fit].as_slice(), &folds[score]].concat();
        let values = values(&folds[fit], &all)?;
        let (a, b) = values.split_at(folds[fit].len());
        seen.extend_from_slice(a);
        fresh.extend_from_slice(b);
    }
    let (value, error_rows) = mean_and_standard_error(&fresh);
    let (seen, _) = mean_and_standard_error(&seen);
    Ok(estimate(value, error_rows, seen))
}

/// The number of layers is chosen with a fifth of the rows held out, then all of them are fitted.
fn fit_rows(x: MatRef<'_, f64>, rows: &[usize], rng: &mut Pcg64) -> Result<Rbig, Error> {
    let mut config = RbigConfig {
        layers: LayerRule::HeldOut {
            max_layers: 40,
            patience: 6,
            min_gain: 1e-3,
        },
        marginal: MarginalKind::smooth(),
        rotation: RotationKind::PcaThenRandom,
    };
    let (fit, check) = rows.split_at(rows.len() * 4 / 5);
    let check = take(x, check);
    let chosen = Rbig::fit(
        Data::new(take(x, fit).as_ref()),
        Some(Data::new(check.as_ref())),
        &config,
        &mut rng.clone(),
    )?;
    config.layers = LayerRule::Count(chosen.num_layers());
    Rbig::fit(Data::new(take(x, rows).as_ref()), None, &config, rng)
}

fn take(x: MatRef<'_, f64>, rows: &[usize]) -> Mat<f64> {
    Mat::from_fn(rows.len(), x.ncols(), |i, j| x[(rows[i], j)])
}

fn subtract(mut a: Vec<f64>, b: &[f64]) -> Vec<f64> {
    for (a, b) in a.iter_mut().zip(b) {
        *a -= b;
    }
    a
}
