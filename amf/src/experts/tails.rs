//! Columns with rows far out: fitted on a scale that is a logarithm there.

use super::Expert;
use super::coordinates::Coordinates;
use super::suitable::{QUARTILES_OF_A_NORMAL, quartiles};
use crate::archive::{self, Description, NotSavable, Writer};
use faer::prelude::*;
use flows::Data;
use numerics::math::{dot, exp_m1, ln, ln_1p, sum};
use numerics::matrix::{col, col_mut};
use numerics::random::Pcg64;

/// A column is warped where a normal law of the warped column is better than one of the column itself by so many nats a row.
///
/// The standard deviation of such a column is that of a few rows: standardised by it, the others may lie so close together that layers with bounded
/// scales cannot tell them apart, and rows farther out than any so far have a density of e^-10000.
const CLEARLY: f64 = 0.5;

/// `u = asinh((x - centre) / scale)`, with the median for centre and a scale from the quartiles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Warp {
    pub centre: f64,
    pub scale: f64,
}

/// The coordinates of a density: a warp for some of its columns.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tails(pub Vec<Option<Warp>>);

/// A density of warped columns: `q(u(x)) |det du/dx|`.
pub(crate) struct Warped {
    pub tails: Tails,
    pub density: Box<dyn Expert>,
}

impl Warp {
    /// The warp of a column that is better for it, if it clearly is.
    fn of(x: &[f64], weights: Option<&[f64]>) -> Option<Self> {
        let [low, centre, high] = quartiles(x, weights);
        let scale = (high - low) / QUARTILES_OF_A_NORMAL;
        if scale <= 0.0 {
            return None;
        }
        let warp = Self { centre, scale };
        let shares: Vec<f64> = match weights {
            None => vec![1.0 / x.len() as f64; x.len()],
            Some(w) => w.iter().map(|v| v / sum(w)).collect(),
        };
        let deviation = |values: &[f64]| {
            let mean = dot(values, &shares);
            let squares: Vec<f64> = values.iter().map(|v| (v - mean) * (v - mean)).collect();
            dot(&squares, &shares).sqrt()
        };
        let (warped, slopes): (Vec<f64>, Vec<f64>) = x.iter().map(|&x| warp.forward(x)).unzip();
        let gain = ln(deviation(x)) - ln(deviation(&warped)) + dot(&slopes, &shares);
        (gain > CLEARLY).then_some(warp)
    }

    /// `u` and `ln du/dx`.
    fn forward(&self, x: f64) -> (f64, f64) {
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

    /// The largest finite number instead of infinity.
    fn inverse(&self, u: f64) -> f64 {
        let e = exp_m1(u.abs());
        let t = if e < 1e300 {
            0.5 * (e + e / (e + 1.0))
        } else {
            e
        };
        (self.centre + t.copysign(u) * self.scale).clamp(-f64::MAX, f64::MAX)
    }
}

impl Tails {
    /// The warps of points, if any of their columns needs one.
    pub(super) fn of(data: Data<'_>) -> Option<Self> {
        let warps = (0..data.points.ncols()).map(|j| Warp::of(col(data.points, j), data.weights));
        let warps: Vec<_> = warps.collect();
        warps.iter().any(Option::is_some).then_some(Self(warps))
    }
}

impl Coordinates for Tails {
    fn enter(&self, x: MatRef<'_, f64>) -> (Mat<f64>, Vec<f64>) {
        let (mut u, mut log_det) = (x.to_owned(), vec![0.0; x.nrows()]);
        for (j, warp) in self.0.iter().enumerate() {
            let Some(warp) = warp else { continue };
            for (v, l) in col_mut(u.as_mut(), j).iter_mut().zip(&mut log_det) {
                let (to, slope) = warp.forward(*v);
                (*v, *l) = (to, *l + slope);
            }
        }
        (u, log_det)
    }

    fn around(self, density: Box<dyn Expert>) -> Box<dyn Expert> {
        Box::new(Warped {
            tails: self,
            density,
        })
    }
}

impl Expert for Warped {
    fn dim(&self) -> usize {
        self.density.dim()
    }

    fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
        let (u, log_det) = self.tails.enter(x);
        let mut out = self.density.log_prob(u.as_ref());
        out.iter_mut().zip(&log_det).for_each(|(l, j)| *l += j);
        out
    }

    fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        let mut x = self.density.sample(n, rng);
        for (j, warp) in self.tails.0.iter().enumerate() {
            if let Some(warp) = warp {
                for v in col_mut(x.as_mut(), j) {
                    *v = warp.inverse(*v);
                }
            }
        }
        x
    }

    fn write(&self, w: &mut Writer) -> Result<Description, NotSavable> {
        archive::write_warped(self, w)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::random::{standard_normal, stream};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn warps_invert_and_slopes_are_theirs(t in -1e3..1e3f64, far in -300.0..300.0f64, centre in -10.0..10.0f64, scale in 1e-3..1e3f64) {
            let warp = Warp { centre, scale };
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

    #[test]
    fn far_rows_ask_for_a_warp_and_ordinary_ones_do_not() {
        let mut rng = stream(1, "tails");
        let mut of = |f: &mut dyn FnMut(f64, f64) -> f64| {
            let x: Vec<f64> = (0..400)
                .map(|_| f(standard_normal(&mut rng), standard_normal(&mut rng)))
                .collect();
            Warp::of(&x, None)
        };
        assert_eq!(of(&mut |a, _| a), None);
        assert_eq!(of(&mut |a, _| a * a), None);
        assert_eq!(of(&mut |a, b| if b > 2.0 { 10.0 + a } else { a }), None);
        assert!(of(&mut |a, b| a / b).is_some());
        let mut first = true;
        let outlier = of(&mut |a, _| if std::mem::take(&mut first) { 1e15 } else { a }).unwrap();
        assert!(outlier.centre.abs() < 0.2 && (outlier.scale - 1.0).abs() < 0.2);
        assert_eq!(of(&mut |_, b| f64::from(u8::from(b > 2.0))), None);
    }
}
