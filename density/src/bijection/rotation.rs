//! Rotations.

use faer::prelude::*;
use numerics::math::sin_cos;

/// `u = R x` with R orthogonal; its log-determinant is zero.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotation {
    matrix: Mat<f64>,
}

impl Rotation {
    /// By an orthogonal matrix (d x d).
    ///
    /// # Errors
    /// A sentence, when it is not orthogonal.
    pub fn new(matrix: Mat<f64>) -> Result<Self, String> {
        let d = matrix.ncols();
        let gap = |i: usize, j: usize| {
            let inner: f64 = (0..d).map(|k| matrix[(i, k)] * matrix[(j, k)]).sum();
            (inner - if i == j { 1.0 } else { 0.0 }).abs()
        };
        // Written so that NaN fails the test.
        let orthogonal = |i: usize| (0..=i).all(|j| gap(i, j) <= 1e-9);
        if matrix.nrows() != d || d == 0 || !(0..d).all(orthogonal) {
            return Err(format!("the rotation is not orthogonal in {d} columns"));
        }
        Ok(Self { matrix })
    }

    /// By an angle (radians) in the plane of each pair of d coordinates in turn: every coordinate
    /// enters every other.
    #[must_use]
    pub fn of_each_plane(angle: f64, d: usize) -> Self {
        let (sin, cos) = sin_cos(angle);
        let mut r = Mat::identity(d, d);
        for i in 0..d {
            for j in i + 1..d {
                for k in 0..d {
                    let (a, b): (f64, f64) = (r[(i, k)], r[(j, k)]);
                    (r[(i, k)], r[(j, k)]) = (cos * a - sin * b, sin * a + cos * b);
                }
            }
        }
        Self { matrix: r }
    }

    /// Onto axes given as the columns of an orthogonal d x d matrix, row by row (as
    /// [`numerics::linalg::symmetric_eigen`] gives them).
    #[must_use]
    pub fn onto_axes(axes: &[f64], d: usize) -> Self {
        Self {
            matrix: Mat::from_fn(d, d, |i, j| axes[j * d + i]),
        }
    }

    /// R, d x d.
    #[must_use]
    pub fn matrix(&self) -> MatRef<'_, f64> {
        self.matrix.as_ref()
    }

    /// `R x` of each row of x (n x d).
    #[must_use]
    pub fn transform(&self, x: MatRef<'_, f64>) -> Mat<f64> {
        multiply(x, |i, j| self.matrix[(i, j)])
    }

    /// `R^T u` of each row of u (n x d).
    #[must_use]
    pub fn inverse(&self, u: MatRef<'_, f64>) -> Mat<f64> {
        multiply(u, |i, j| self.matrix[(j, i)])
    }
}

/// Plain loops: the matrix is tiny.
fn multiply(x: MatRef<'_, f64>, entry: impl Fn(usize, usize) -> f64) -> Mat<f64> {
    let d = x.ncols();
    Mat::from_fn(x.nrows(), d, |n, i| {
        (0..d).map(|j| entry(i, j) * x[(n, j)]).sum()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::random::{standard_normal, stream};

    #[test]
    fn rotations_are_orthogonal_mix_and_invert() {
        let mut rng = stream(1, "rotation");
        for d in 2..6 {
            let r = Rotation::of_each_plane(0.5, d);
            let product = &r.matrix * r.matrix.transpose();
            assert!((product - Mat::<f64>::identity(d, d)).norm_max() < 1e-14);
            // Every coordinate enters every other.
            assert!((0..d * d).all(|k| r.matrix[(k / d, k % d)].abs() > 0.01));
            assert_eq!(Rotation::new(r.matrix.clone()).unwrap(), r);
            let x = Mat::from_fn(20, d, |_, _| standard_normal(&mut rng));
            let back = r.inverse(r.transform(x.as_ref()).as_ref());
            assert!((back - &x).norm_max() < 1e-13);
        }
        for bad in [
            Mat::zeros(2, 2),
            Mat::identity(2, 3),
            Mat::full(1, 1, f64::NAN),
        ] {
            assert!(Rotation::new(bad).is_err());
        }
    }
}
