//! Columns that are linear combinations of others.

use density::{ColumnError, ColumnProblem};
use faer::MatRef;

/// Rows that are searched for a relation; one that is found is then checked on all rows.
const MOST_ROWS: usize = 2000;

/// The first column that is within `near` of a linear combination of those before it in all `rows`;
/// there must be more rows than columns.
///
/// Columns are centred, scaled to unit length and made orthogonal to those before them
/// (Gram-Schmidt twice, as accurate as Householder reflections: Giraud et al. 2005). The remainder
/// of a column is its component independent of the others.
pub(super) fn find(x: MatRef<'_, f64>, rows: &[usize], near: &[f64]) -> Option<ColumnError> {
    let some: Vec<usize> = rows
        .iter()
        .copied()
        .step_by(rows.len().div_ceil(MOST_ROWS))
        .collect();
    let mut basis: Vec<Vec<f64>> = Vec::new();
    // Each vector of the basis as a combination of centred columns.
    let mut made_of: Vec<Vec<f64>> = Vec::new();
    let means: Vec<f64> = (0..x.ncols())
        .map(|j| {
            let first = x[(some[0], j)];
            let rest = some.iter().map(|&i| x[(i, j)] - first).sum::<f64>();
            first + rest / some.len() as f64
        })
        .collect();
    for j in 0..x.ncols() {
        let mut left: Vec<f64> = some.iter().map(|&i| x[(i, j)] - means[j]).collect();
        let mut own = vec![0.0; j + 1];
        own[j] = 1.0;
        for _ in 0..2 {
            for (q, parts) in basis.iter().zip(&made_of) {
                let along: f64 = q.iter().zip(&left).map(|(q, v)| q * v).sum();
                left.iter_mut().zip(q).for_each(|(v, q)| *v -= along * q);
                own.iter_mut().zip(parts).for_each(|(o, p)| *o -= along * p);
            }
        }
        if left.iter().all(|v| v.abs() <= near[j]) {
            let (on, constant) = relation(j, &own, &means, near);
            let value = |i: usize| {
                let terms = on.iter().map(|(k, c)| c * (x[(i, *k)] - means[*k]));
                means[j] + terms.sum::<f64>()
            };
            // Twice: the coefficients are those of some rows.
            if rows
                .iter()
                .all(|&i| (value(i) - x[(i, j)]).abs() <= 2.0 * near[j])
            {
                let problem = ColumnProblem::Dependent { on, constant };
                return Some(ColumnError { column: j, problem });
            }
        }
        let length = left.iter().map(|v| v * v).sum::<f64>().sqrt();
        if length > 0.0 {
            left.iter_mut().for_each(|v| *v /= length);
            own.iter_mut().for_each(|v| *v /= length);
        }
        basis.push(left);
        made_of.push(own);
    }
    None
}

/// The coefficients and the constant of `x_column` that follow from
/// `0 = sum_k own_k (x_k - mean_k)`, without columns of negligible influence.
fn relation(column: usize, own: &[f64], means: &[f64], near: &[f64]) -> (Vec<(usize, f64)>, f64) {
    let counts = |k: &usize| (own[*k] * near[*k]).abs() > 1e-6 * near[column];
    let on: Vec<(usize, f64)> = (0..column).filter(counts).map(|k| (k, -own[k])).collect();
    let constant = means[column] - on.iter().map(|(k, c)| c * means[*k]).sum::<f64>();
    let constant = if constant.abs() <= near[column] {
        0.0
    } else {
        constant
    };
    (on, constant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use faer::Mat;
    use numerics::random::{standard_normal, stream};

    #[test]
    fn a_relation_is_found_with_its_coefficients_and_noise_hides_it() {
        let mut rng = stream(1, "dependence");
        let n = 5000;
        let mut x = Mat::from_fn(n, 4, |_, j| 1e9 * j as f64 + standard_normal(&mut rng));
        let rows: Vec<usize> = (0..n).collect();
        let near = [1e-6; 4];
        assert_eq!(find(x.as_ref(), &rows, &near), None);
        for i in 0..n {
            x[(i, 3)] = 2.0 * x[(i, 0)] - 0.5 * x[(i, 2)] + 7.0;
        }
        let found = find(x.as_ref(), &rows, &near).unwrap();
        assert_eq!(found.column, 3);
        let ColumnProblem::Dependent { on, constant } = found.problem else {
            panic!("{found:?}");
        };
        assert_eq!(on.iter().map(|o| o.0).collect::<Vec<_>>(), [0, 2]);
        assert!((on[0].1 - 2.0).abs() < 1e-6 && (on[1].1 + 0.5).abs() < 1e-6);
        assert!((constant - 7.0).abs() < 1e3);
        // One row that breaks the relation, among the last that are checked.
        x[(1, 3)] += 1.0;
        assert_eq!(find(x.as_ref(), &rows, &near), None);
        // Wide tables of few rows.
        let x = Mat::from_fn(9, 8, |_, _| standard_normal(&mut rng));
        assert_eq!(
            find(x.as_ref(), &(0..9).collect::<Vec<_>>(), &[1e-6; 8]),
            None
        );
    }
}
