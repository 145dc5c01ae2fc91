//! Columns that are linear combinations of others.

use faer::MatRef;

/// Rows in which a relation is looked for; one that is found is then held against all rows.
const MOST_ROWS: usize = 2000;

/// `column = sum_k c_k x_k + constant`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Relation {
    pub column: usize,
    /// Columns before it, with their coefficients.
    pub of: Vec<(usize, f64)>,
    pub constant: f64,
}

/// The first column that is within `near` of a linear combination of those before it in all `rows`, of which there are more than columns.
///
/// Columns are centred, brought to unit length and made orthogonal to those before them (Gram and Schmidt, each twice, which is as good as Householder's
/// reflections: Giraud et al. 2005); what is left of a column is what the others do not tell.
pub(super) fn find(x: MatRef<'_, f64>, rows: &[usize], near: &[f64]) -> Option<Relation> {
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
            let relation = of(j, &own, &means, near);
            let value = |i: usize| {
                let terms = relation
                    .of
                    .iter()
                    .map(|(k, c)| c * (x[(i, *k)] - means[*k]));
                means[j] + terms.sum::<f64>()
            };
            // Twice: the coefficients are those of some rows.
            if rows
                .iter()
                .all(|&i| (value(i) - x[(i, j)]).abs() <= 2.0 * near[j])
            {
                return Some(relation);
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

/// The relation behind `0 = sum_k own_k (x_k - mean_k)`, without columns that have next to no part in it.
fn of(column: usize, own: &[f64], means: &[f64], near: &[f64]) -> Relation {
    let counts = |k: &usize| (own[*k] * near[*k]).abs() > 1e-6 * near[column];
    let of: Vec<(usize, f64)> = (0..column).filter(counts).map(|k| (k, -own[k])).collect();
    let constant = means[column] - of.iter().map(|(k, c)| c * means[*k]).sum::<f64>();
    let constant = if constant.abs() <= near[column] {
        0.0
    } else {
        constant
    };
    Relation {
        column,
        of,
        constant,
    }
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
        assert_eq!(found.of.iter().map(|o| o.0).collect::<Vec<_>>(), [0, 2]);
        assert!((found.of[0].1 - 2.0).abs() < 1e-6 && (found.of[1].1 + 0.5).abs() < 1e-6);
        assert!((found.constant - 7.0).abs() < 1e3);
        // One row that does not follow, among those that are looked at last.
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
