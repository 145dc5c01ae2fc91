//! Shift and scale of each column.

use crate::archive::{Reader, Writer};
use crate::trial::SMALLEST_SCALE;
use faer::prelude::*;
use numerics::math;
use numerics::matrix::{col, col_mut};
use serde::{Deserialize, Serialize};

/// `y = (x - shift) / scale`, column by column; `ln |det dy/dx| = - sum ln scale`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Affine {
    shift: Vec<f64>,
    scale: Vec<f64>,
}

impl Affine {
    /// The identity on d columns.
    #[must_use]
    pub fn identity(d: usize) -> Self {
        Self {
            shift: vec![0.0; d],
            scale: vec![1.0; d],
        }
    }

    /// From given values; `None` unless every scale is positive and everything finite.
    #[must_use]
    pub fn new(shift: Vec<f64>, scale: Vec<f64>) -> Option<Self> {
        let sound = shift.len() == scale.len()
            && shift.iter().all(|v| v.is_finite())
            && scale.iter().all(|v| *v > 0.0 && v.is_finite());
        sound.then_some(Self { shift, scale })
    }

    /// To mean 0 and standard deviation 1: from the mean and standard deviation of each column,
    /// with optional weights; `Err(j)` when column j is constant.
    ///
    /// # Errors
    /// The index of the first column whose standard deviation is zero or not finite.
    pub fn standardising(x: MatRef<'_, f64>, weights: Option<&[f64]>) -> Result<Self, usize> {
        let d = x.ncols();
        let mut this = Self::identity(d);
        for j in 0..d {
            let x = col(x, j);
            let average = |f: &dyn Fn(f64) -> f64| match weights {
                None => x.iter().map(|&v| f(v)).sum::<f64>() / x.len() as f64,
                Some(w) => x.iter().zip(w).map(|(&v, w)| w * f(v)).sum::<f64>() / math::sum(w),
            };
            let mean = average(&|v| v);
            let sd = average(&|v| (v - mean) * (v - mean)).sqrt();
            // A standard deviation at the level of rounding counts as zero.
            if !(sd.is_finite() && sd > 1e-14 * mean.abs()) {
                return Err(j);
            }
            (this.shift[j], this.scale[j]) = (mean, sd);
        }
        Ok(this)
    }

    /// Writes its numbers as two arrays.
    pub fn write(&self, w: &mut Writer, shift: &str, scale: &str) {
        w.vector(shift, &self.shift);
        w.vector(scale, &self.scale);
    }

    /// The inverse of [`Self::write`].
    ///
    /// # Errors
    /// A sentence that says what is wrong with the arrays.
    pub fn read(r: &Reader<'_>, shift: &str, scale: &str) -> Result<Self, String> {
        let (shift, scales) = (r.vector(shift)?, r.vector(scale)?);
        let columns = shift.len();
        Self::new(shift, scales)
            .filter(|a| a.dim() > 0 && a.scale.iter().all(|v| *v >= SMALLEST_SCALE))
            .ok_or_else(|| format!("{scale} needs {columns} positive numbers"))
    }

    /// Number of columns.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.shift.len()
    }

    /// The shifts and scales.
    #[must_use]
    pub fn parts(&self) -> (&[f64], &[f64]) {
        (&self.shift, &self.scale)
    }

    /// `ln |det dy/dx|`.
    #[must_use]
    pub fn log_det(&self) -> f64 {
        -self.scale.iter().map(|&s| math::ln(s)).sum::<f64>()
    }

    /// Forward, in place.
    pub fn transform(&self, mut x: MatMut<'_, f64>) {
        for j in 0..x.ncols() {
            let (shift, scale) = (self.shift[j], self.scale[j]);
            for v in col_mut(x.rb_mut(), j) {
                *v = (*v - shift) / scale;
            }
        }
    }

    /// Inverse, in place.
    pub fn inverse(&self, mut y: MatMut<'_, f64>) {
        for j in 0..y.ncols() {
            let (shift, scale) = (self.shift[j], self.scale[j]);
            for v in col_mut(y.rb_mut(), j) {
                *v = *v * scale + shift;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weighted_moments_equal_those_of_repeated_rows() {
        let x = Mat::from_fn(3, 1, |i, _| [1.0, 2.0, 7.0][i]);
        let repeated = Mat::from_fn(6, 1, |i, _| [1.0, 2.0, 2.0, 7.0, 7.0, 7.0][i]);
        let a = Affine::standardising(x.as_ref(), Some(&[1.0, 2.0, 3.0])).unwrap();
        let b = Affine::standardising(repeated.as_ref(), None).unwrap();
        assert!((a.shift[0] - b.shift[0]).abs() < 1e-14 && (a.scale[0] - b.scale[0]).abs() < 1e-14);
        let mut y = repeated.clone();
        a.transform(y.as_mut());
        assert!((0..6).map(|i| y[(i, 0)]).sum::<f64>().abs() < 1e-13);
        a.inverse(y.as_mut());
        assert!((&y - &repeated).norm_max() < 1e-14);
    }

    #[test]
    fn a_constant_column_is_named() {
        let x = Mat::from_fn(5, 2, |i, j| if j == 0 { i as f64 } else { 3.3 });
        assert_eq!(Affine::standardising(x.as_ref(), None), Err(1));
        assert_eq!(Affine::new(vec![0.0], vec![-1.0]), None);
    }
}
