//! The arcsinh transform, a logarithmic scale for far values: `u = arcsinh((x - centre) / scale)`.

use faer::prelude::*;
use numerics::math::{exp_m1, ln, ln_1p};
use numerics::matrix::col_mut;

/// The transform of one column: linear within a scale of the centre, logarithmic beyond.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArcsinhColumn {
    /// The centre, where the transform is steepest.
    pub centre: f64,
    /// Half-width of the linear range; positive.
    pub scale: f64,
}

/// The transform of some columns; the others are unchanged.
#[derive(Debug, Clone, PartialEq)]
pub struct Arcsinh {
    /// One for each column.
    pub columns: Vec<Option<ArcsinhColumn>>,
}

impl ArcsinhColumn {
    /// `u` and `ln du/dx`.
    #[must_use]
    pub fn forward(&self, x: f64) -> (f64, f64) {
        let t = (x - self.centre) / self.scale;
        let a = t.abs();
        // ln (a + sqrt(1 + a^2)) and ln sqrt(1 + a^2), without squares that overflow.
        let (u, length) = if a < 1e8 {
            let root = (a * a + 1.0).sqrt();
            (ln_1p(a + a * a / (1.0 + root)), 0.5 * ln_1p(a * a))
        } else {
            (ln(a) + std::f64::consts::LN_2, ln(a))
        };
        (u.copysign(t), -length - ln(self.scale))
    }

    /// x of u; the largest finite number instead of infinity.
    #[must_use]
    pub fn inverse(&self, u: f64) -> f64 {
        let e = exp_m1(u.abs());
        let t = if e < 1e300 {
            0.5 * (e + e / (e + 1.0))
        } else {
            e
        };
        (self.centre + t.copysign(u) * self.scale).clamp(-f64::MAX, f64::MAX)
    }
}

impl Arcsinh {
    pub(super) fn transform_and_log_det(&self, x: MatRef<'_, f64>) -> (Mat<f64>, Vec<f64>) {
        let (mut u, mut log_det) = (x.to_owned(), vec![0.0; x.nrows()]);
        for (j, column) in self.columns.iter().enumerate() {
            let Some(column) = column else { continue };
            for (v, l) in col_mut(u.as_mut(), j).iter_mut().zip(&mut log_det) {
                let (to, slope) = column.forward(*v);
                (*v, *l) = (to, *l + slope);
            }
        }
        (u, log_det)
    }

    pub(super) fn inverse(&self, mut u: Mat<f64>) -> Mat<f64> {
        for (j, column) in self.columns.iter().enumerate() {
            if let Some(column) = column {
                for v in col_mut(u.as_mut(), j) {
                    *v = column.inverse(*v);
                }
            }
        }
        u
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_inverts_and_slopes_are_its_own(t in -1e3..1e3f64, far in -300.0..300.0f64, centre in -10.0..10.0f64, scale in 1e-3..1e3f64) {
            let warp = ArcsinhColumn { centre, scale };
            let x = centre + scale * t;
            let (u, slope) = warp.forward(x);
            prop_assert!((warp.inverse(u) - x).abs() < 1e-9 * (1.0 + x.abs()));
            let h = 1e-5 * scale * (1.0 + t.abs());
            let numeric = ln((warp.forward(x + h).0 - warp.forward(x - h).0) / (2.0 * h));
            prop_assert!((slope - numeric).abs() < 1e-5, "{slope} {numeric}");
            let huge = numerics::math::exp(far * std::f64::consts::LN_10);
            let (u, slope) = warp.forward(huge);
            prop_assert!(u.is_finite() && slope.is_finite());
            prop_assert!((warp.inverse(u) / huge - 1.0).abs() < 1e-9 || huge < 1e9);
            prop_assert!(warp.inverse(10.0 * far).is_finite());
        }
    }
}
