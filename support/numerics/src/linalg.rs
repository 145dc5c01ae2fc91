//! Small dense linear algebra with sums in a fixed order.
//!
//! Matrices are slices, row by row. Written out because the order of a library's reductions, and so
//! the last bits, depend on the width of the vector registers.

/// Eigenvalues in ascending order and eigenvectors (columns, row by row) of a symmetric d x d
/// matrix given by its lower triangle, row by row; by cyclic Jacobi rotations.
///
/// # Panics
/// If there are fewer than d x d entries.
#[must_use]
pub fn symmetric_eigen(mut a: Vec<f64>, d: usize) -> (Vec<f64>, Vec<f64>) {
    let mut v = vec![0.0; d * d];
    for i in 0..d {
        v[i * d + i] = 1.0;
        for j in 0..i {
            a[j * d + i] = a[i * d + j];
        }
    }
    // Convergence is quadratic; a dozen sweeps are ample for any size in use.
    for _ in 0..12 {
        let mut rotated = false;
        for p in 0..d {
            for q in p + 1..d {
                let off = a[p * d + q];
                if off.abs() <= 1e-17 * (a[p * d + p].abs() + a[q * d + q].abs()) {
                    continue;
                }
                rotated = true;
                let theta = (a[q * d + q] - a[p * d + p]) / (2.0 * off);
                let t = 1.0_f64.copysign(theta) / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for k in 0..d {
                    let (x, y) = (a[k * d + p], a[k * d + q]);
                    (a[k * d + p], a[k * d + q]) = (c * x - s * y, s * x + c * y);
                }
                for k in 0..d {
                    let (x, y) = (a[p * d + k], a[q * d + k]);
                    (a[p * d + k], a[q * d + k]) = (c * x - s * y, s * x + c * y);
                    let (x, y) = (v[k * d + p], v[k * d + q]);
                    (v[k * d + p], v[k * d + q]) = (c * x - s * y, s * x + c * y);
                }
            }
        }
        if !rotated {
            break;
        }
    }
    let mut order: Vec<usize> = (0..d).collect();
    order.sort_by(|&i, &j| a[i * d + i].total_cmp(&a[j * d + j]));
    let values = order.iter().map(|&j| a[j * d + j]).collect();
    let vectors = (0..d * d).map(|i| v[i / d * d + order[i % d]]).collect();
    (values, vectors)
}

/// Lower Cholesky factor of a symmetric matrix given by its lower triangle, row by row; `None`
/// unless positive definite.
#[must_use]
pub fn cholesky(mut a: Vec<f64>, d: usize) -> Option<Vec<f64>> {
    for i in 0..d {
        for j in 0..=i {
            let mut v = a[i * d + j];
            for k in 0..j {
                v -= a[i * d + k] * a[j * d + k];
            }
            if i == j {
                if !(v > 0.0 && v.is_finite()) {
                    return None;
                }
                a[i * d + i] = v.sqrt();
            } else {
                a[i * d + j] = v / a[j * d + j];
            }
        }
        a[i * d + i + 1..(i + 1) * d].fill(0.0);
    }
    Some(a)
}

/// Solves `A x = b` for a symmetric positive definite A given by its lower triangle, row by row;
/// `None` unless it is positive definite.
#[must_use]
pub fn solve_positive_definite(a: Vec<f64>, mut b: Vec<f64>) -> Option<Vec<f64>> {
    let m = b.len();
    let l = cholesky(a, m)?;
    for i in 0..m {
        for k in 0..i {
            b[i] -= l[i * m + k] * b[k];
        }
        b[i] /= l[i * m + i];
    }
    for i in (0..m).rev() {
        for k in i + 1..m {
            b[i] -= l[k * m + i] * b[k];
        }
        b[i] /= l[i * m + i];
    }
    Some(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{standard_normal, stream};

    #[test]
    fn eigenvalues_and_axes_rebuild_the_matrix() {
        let d = 5;
        let mut rng = stream(9, "eigen");
        let b: Vec<f64> = (0..d * d).map(|_| standard_normal(&mut rng)).collect();
        let entry = |i: usize, j: usize| (0..d).map(|k| b[i * d + k] * b[j * d + k]).sum::<f64>();
        let a: Vec<f64> = (0..d * d).map(|i| entry(i / d, i % d)).collect();
        let (values, axes) = symmetric_eigen(a.clone(), d);
        assert!(values.is_sorted() && values[0] > 0.0);
        for i in 0..d {
            for j in 0..d {
                let again: f64 = (0..d)
                    .map(|k| values[k] * axes[i * d + k] * axes[j * d + k])
                    .sum();
                assert!((again - a[i * d + j]).abs() < 1e-12, "{i} {j}");
                let product: f64 = (0..d).map(|k| axes[k * d + i] * axes[k * d + j]).sum();
                assert!((product - f64::from(i == j)).abs() < 1e-13);
            }
        }
    }

    #[test]
    fn solutions_solve_and_indefinite_matrices_have_none() {
        let mut rng = stream(1, "solve");
        for d in 1..6 {
            let m: Vec<f64> = (0..d * d).map(|_| standard_normal(&mut rng)).collect();
            let entry = |i: usize, j: usize| -> f64 {
                let inner: f64 = (0..d).map(|k| m[i * d + k] * m[j * d + k]).sum();
                inner + if i == j { 0.5 } else { 0.0 }
            };
            let a: Vec<f64> = (0..d * d).map(|k| entry(k / d, k % d)).collect();
            let b: Vec<f64> = (0..d).map(|_| standard_normal(&mut rng)).collect();
            let x = solve_positive_definite(a.clone(), b.clone()).unwrap();
            for i in 0..d {
                let got: f64 = (0..d).map(|j| a[i * d + j] * x[j]).sum();
                assert!((got - b[i]).abs() < 1e-9, "{got} {}", b[i]);
            }
            let mut indefinite = a;
            indefinite[d * d - 1] = -1.0;
            assert_eq!(solve_positive_definite(indefinite, b), None);
        }
    }
}
