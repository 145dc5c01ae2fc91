//! Nearly collinear columns: fitted along their principal axes.

use super::quartiles::{QUARTILES_OF_A_NORMAL, quartiles};
use density::{Affine, Bijection, ColumnError, ColumnProblem, Data, Rotation};
use numerics::linalg::symmetric_eigen;
use numerics::math::{dot, sum};
use numerics::matrix::{col, col_mut};

/// Below this share of variance left along some axis, layers that act on one column at a time
/// cannot follow the others closely enough, and the floor under the covariances of mixtures (a
/// thousandth of a column's variance) is wider than the data.
const THIN: f64 = 1e-3;
/// With fewer points for each column a covariance looks singular by chance.
const ROWS_FOR_EACH_COLUMN: f64 = 2.0;
/// Columns are clipped at this many standard deviations (from quartiles) from their medians before
/// the axes are computed: otherwise each far row would attract an axis.
const FAR: f64 = 10.0;

/// The standardised principal axes of points that lie near a plane of fewer dimensions; `None` for
/// others.
///
/// # Errors
/// A column that is a combination of others, to rounding.
pub(super) fn principal(train: Data<'_>) -> Result<Option<Bijection>, ColumnError> {
    let (n, d) = (train.points.nrows(), train.points.ncols());
    let shares: Vec<f64> = match train.weights {
        None => vec![1.0 / n as f64; n],
        Some(w) => w.iter().map(|v| v / sum(w)).collect(),
    };
    if d < 2 || 1.0 / dot(&shares, &shares) < ROWS_FOR_EACH_COLUMN * d as f64 {
        return Ok(None);
    }
    let mut x = train.points.to_owned();
    // A standard deviation at rounding level.
    let mut rounding: f64 = 0.0;
    for j in 0..d {
        let x = col_mut(x.as_mut(), j);
        let [low, middle, high] = quartiles(x, train.weights);
        let reach = FAR * (high - low) / QUARTILES_OF_A_NORMAL;
        if reach > 0.0 {
            x.iter_mut()
                .for_each(|v| *v = v.clamp(middle - reach, middle + reach));
        }
    }
    let standardise =
        Affine::standardising(x.as_ref(), train.weights).map_err(|column| ColumnError {
            column,
            problem: ColumnProblem::Constant,
        })?;
    let (shift, scale) = standardise.parts();
    for (m, s) in shift.iter().zip(scale) {
        rounding = rounding.max(f64::EPSILON * (1.0 + m.abs() / s));
    }
    standardise.transform(x.as_mut());
    let mut correlation = vec![0.0; d * d];
    for a in 0..d {
        let weighted: Vec<f64> = col(x.as_ref(), a)
            .iter()
            .zip(&shares)
            .map(|(v, s)| v * s)
            .collect();
        for b in 0..=a {
            correlation[a * d + b] = dot(&weighted, col(x.as_ref(), b));
        }
    }
    let (values, vectors) = symmetric_eigen(correlation, d);
    if values[0] > THIN {
        return Ok(None);
    }
    let shifts_and_scales: Vec<(f64, f64)> =
        shift.iter().copied().zip(scale.iter().copied()).collect();
    let rotation = Rotation::onto_axes(&vectors, d);
    let axes = Bijection::Chain(vec![
        Bijection::Affine(standardise),
        Bijection::Rotation(rotation),
    ]);
    // Small eigenvalues are rounding; the coordinates themselves are not.
    let (along, _) = axes.transform_and_log_det(train.points);
    let thinnest = col(along.as_ref(), 0);
    let square: Vec<f64> = thinnest.iter().map(|v| v * v).collect();
    if dot(&square, &shares).sqrt() <= 8.0 * d as f64 * rounding {
        return Err(dependent(&vectors, &shifts_and_scales));
    }
    Ok(Some(axes))
}

/// The column that is a combination of the others along the thinnest axis (the first eigenvector of
/// the standardised columns).
fn dependent(vectors: &[f64], columns: &[(f64, f64)]) -> ColumnError {
    /// Loadings below this are rounding.
    const NOTHING: f64 = 1e-6;
    let d = columns.len();
    let part = |j: usize| vectors[j * d];
    let column = (0..d).max_by(|&a, &b| part(a).abs().total_cmp(&part(b).abs()));
    let column = column.unwrap_or(0);
    let (shift, scale) = columns[column];
    let others = (0..d).filter(|&k| k != column && part(k).abs() > NOTHING);
    // Rounding aside, relations between columns that people have made are of whole numbers.
    let whole = |v: f64| {
        if (v - v.round()).abs() < NOTHING {
            v.round()
        } else {
            v
        }
    };
    let coefficient = |k: usize| (k, whole(-part(k) * scale / (part(column) * columns[k].1)));
    let on: Vec<(usize, f64)> = others.map(coefficient).collect();
    let constant = shift - on.iter().map(|(k, c)| c * columns[*k].0).sum::<f64>();
    let constant = if constant.abs() < NOTHING * scale {
        0.0
    } else {
        constant
    };
    let problem = ColumnProblem::Dependent { on, constant };
    ColumnError { column, problem }
}

/// Standardised columns, if their standard deviations are more than a thousandfold apart.
pub(super) fn units(train: Data<'_>) -> Option<Bijection> {
    const APART: f64 = 1e3;
    let standardise = Affine::standardising(train.points, train.weights).ok()?;
    let scales = standardise.parts().1.iter();
    let least = scales.clone().fold(f64::INFINITY, |a, b| a.min(*b));
    let most = scales.fold(0.0, |a: f64, b| a.max(*b));
    (most > APART * least).then_some(Bijection::Affine(standardise))
}

#[cfg(test)]
mod tests {
    use super::*;
    use faer::prelude::*;
    use numerics::random::{standard_normal, stream};

    fn pair(n: usize, gap: f64) -> Mat<f64> {
        let mut rng = stream(1, "collinear");
        let mut x = Mat::from_fn(n, 3, |_, _| 5.0 + standard_normal(&mut rng));
        (0..n).for_each(|i| x[(i, 2)] = x[(i, 0)] + gap * standard_normal(&mut rng));
        x
    }

    fn found(x: &Mat<f64>) -> Result<Option<Bijection>, ColumnError> {
        principal(Data::new(x.as_ref()))
    }

    #[test]
    fn thin_points_get_axes_and_others_do_not() {
        assert!(found(&pair(100, 0.3)).unwrap().is_none());
        for gap in [1e-3, 1e-6, 1e-9] {
            let x = pair(100, gap);
            let axes = found(&x).unwrap().unwrap();
            let (u, _) = axes.transform_and_log_det(x.as_ref());
            let spread = col(u.as_ref(), 0)
                .iter()
                .fold(0.0, |m: f64, v| m.max(v.abs()));
            assert!(spread < 3.0 * gap && spread > gap, "{spread}");
        }
        // To rounding.
        let e = found(&pair(100, 0.0)).err().unwrap().to_string();
        assert!(
            e.contains("column 2 is") || e.contains("column 0 is"),
            "{e}"
        );
        // Fewer points than dimensions lie on a plane by themselves.
        assert!(found(&pair(5, 1e-6)).unwrap().is_none());
    }

    #[test]
    fn far_rows_draw_no_axes() {
        let mut x = pair(100, 1.0);
        (0..3).for_each(|j| x[(4, j)] = 1e9);
        assert!(found(&x).unwrap().is_none());
    }
}
