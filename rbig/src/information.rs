//! Information measures from samples, in nats, by cross-fitted Gaussianisation.
//!
//! The rows are cut into two random halves. A model (smooth marginals, principal axes then random rotations, held-out
//! number of layers) is fitted to one half and its log-densities are averaged over the other, then the halves change
//! places: no row is judged by a model that saw it. The standard error is that of the mean over the rows; it does
//! not count what the models lack, which lowers estimates of information and raises those of entropy.

use crate::model::{LayerRule, Rbig, RbigConfig};
use crate::{Error, MarginalKind, RotationKind};
use autodiff::math::mean_and_standard_error;
use autodiff::random::{Pcg64, permutation};
use faer::{Mat, MatRef};

/// An estimate in nats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// The standard error of its mean over the rows.
    pub standard_error: f64,
}

/// Fewest rows for an estimate: each half is cut again for the number of layers.
const LEAST_ROWS: usize = 40;

/// `TC(x) = sum_i H(x_i) - H(x) = KL(p || prod p_i)`, the dependence between the columns of x (n x d).
///
/// Estimated by `mean(ln q(x) - ln q_1(x))`, q_1 being the product of the marginals of the first layer.
///
/// # Errors
/// Those of [`Rbig::fit`], and [`Error::TooFewRows`] below 40 rows.
pub fn total_correlation(x: MatRef<'_, f64>, rng: &mut Pcg64) -> Result<Estimate, Error> {
    let folds = folds(x.nrows(), rng)?;
    cross(&folds, |fit, score| {
        let model = fit_rows(x, fit, rng)?;
        let x = take(x, score);
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
    let minus = cross(&folds, |fit, score| {
        Ok(fit_rows(x, fit, rng)?.log_prob(take(x, score).as_ref()))
    })?;
    Ok(Estimate {
        value: -minus.value,
        ..minus
    })
}

/// The mutual information `I(x; y) = H(x) + H(y) - H(x, y)` between paired rows of x (n x d) and y (n x e).
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
    let both = Mat::from_fn(x.nrows(), x.ncols() + y.ncols(), |i, j| {
        if j < x.ncols() {
            x[(i, j)]
        } else {
            y[(i, j - x.ncols())]
        }
    });
    let folds = folds(x.nrows(), rng)?;
    cross(&folds, |fit, score| {
        let mut log_prob = |data: MatRef<'_, f64>| -> Result<Vec<f64>, Error> {
            Ok(fit_rows(data, fit, rng)?.log_prob(take(data, score).as_ref()))
        };
        let joint = log_prob(both.as_ref())?;
        let joint = subtract(joint, &log_prob(x)?);
        Ok(subtract(joint, &log_prob(y)?))
    })
}

/// The divergence `KL(p || r) = E_p ln(p / r)` from samples x (n x d) of p and y (m x d) of r.
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
    // Every row of y may serve both folds: none of them is averaged over.
    let other_rows = permutation(rng, y.nrows());
    if y.nrows() < LEAST_ROWS / 2 {
        return Err(Error::TooFewRows {
            rows: y.nrows(),
            needed: LEAST_ROWS / 2,
        });
    }
    let other = fit_rows(y, &other_rows, rng)?;
    let folds = folds(x.nrows(), rng)?;
    cross(&folds, |fit, score| {
        let own = fit_rows(x, fit, rng)?;
        let x = take(x, score);
        Ok(subtract(
            own.log_prob(x.as_ref()),
            &other.log_prob(x.as_ref()),
        ))
    })
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

/// The mean, over both folds, of what `score(rows to fit, rows to score)` gives for each row.
fn cross(
    folds: &[Vec<usize>; 2],
    mut score: impl FnMut(&[usize], &[usize]) -> Result<Vec<f64>, Error>,
) -> Result<Estimate, Error> {
    let mut each = score(&folds[0], &folds[1])?;
    each.extend(score(&folds[1], &folds[0])?);
    let (value, standard_error) = mean_and_standard_error(&each);
    Ok(Estimate {
        value,
        standard_error,
    })
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
        take(x, fit).as_ref(),
        None,
        Some((check.as_ref(), None)),
        &config,
        &mut rng.clone(),
    )?;
    config.layers = LayerRule::Count(chosen.num_layers());
    Rbig::fit(take(x, rows).as_ref(), None, None, &config, rng)
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
