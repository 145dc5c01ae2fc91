//! Linear frames for flows.

use crate::archive::{self, Description, NotSavable, Writer};
use crate::experts::Expert;
use faer::prelude::*;
use numerics::math::sin_cos;
use numerics::random::Pcg64;
use serde::{Deserialize, Serialize};

/// The coordinates in which a flow works.
///
/// Layers that shift and scale one coordinate given the others cannot change the shape of a coordinate that is independent of the others, and at the
/// identity nothing draws them away from it: where modes are products along the axes, and lie behind each other along them, a flow
/// on a matched base stays at the base. Turned to a general position, each mode has its own place on every axis and its coordinates depend on each
/// other, and the flow can bend it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub enum Frame {
    /// The parameters, standardised.
    #[default]
    Given,
    /// The parameters, standardised and then turned by so many radians in the plane of each pair of coordinates, one after the other.
    Turned(f64),
}

/// A density in a frame of its own: `q(theta) = p(R S theta) |det S|`, S the standardisation and R orthogonal.
pub(crate) struct Framed<E> {
    pub standardise: flows::Standardise,
    /// R, or nothing for the identity.
    pub rotation: Option<Mat<f64>>,
    pub density: E,
}

impl Frame {
    /// R of d coordinates, if it is not the identity.
    pub(super) fn rotation(self, d: usize) -> Option<Mat<f64>> {
        let Self::Turned(angle) = self else {
            return None;
        };
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
        Some(r)
    }
}

/// Rows of x times R transposed, or R for the way back; plain loops, for the matrix is tiny.
pub(super) fn rotate(x: MatRef<'_, f64>, rotation: MatRef<'_, f64>, back: bool) -> Mat<f64> {
    let d = x.ncols();
    let entry = |i: usize, j: usize| {
        if back {
            rotation[(j, i)]
        } else {
            rotation[(i, j)]
        }
    };
    Mat::from_fn(x.nrows(), d, |n, i| {
        (0..d).map(|j| entry(i, j) * x[(n, j)]).sum()
    })
}

impl<E> Framed<E> {
    /// `R S x`.
    pub fn enter(&self, x: MatRef<'_, f64>) -> Mat<f64> {
        let mut z = x.to_owned();
        self.standardise.transform(z.as_mut());
        match &self.rotation {
            Some(r) => rotate(z.as_ref(), r.as_ref(), false),
            None => z,
        }
    }

    /// The inverse of [`Self::enter`].
    pub fn leave(&self, z: Mat<f64>) -> Mat<f64> {
        let mut x = match &self.rotation {
            Some(r) => rotate(z.as_ref(), r.as_ref(), true),
            None => z,
        };
        self.standardise.inverse(x.as_mut());
        x
    }
}

impl Framed<()> {
    /// The frame around a density.
    pub fn around<E>(self, density: E) -> Framed<E> {
        Framed {
            standardise: self.standardise,
            rotation: self.rotation,
            density,
        }
    }
}

impl<E: Expert> Expert for Framed<E> {
    fn dim(&self) -> usize {
        self.density.dim()
    }

    fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
        let mut out = self.density.log_prob(self.enter(x).as_ref());
        out.iter_mut()
            .for_each(|l| *l += self.standardise.log_det());
        out
    }

    fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        self.leave(self.density.sample(n, rng))
    }

    fn write(&self, w: &mut Writer) -> Result<Description, NotSavable> {
        archive::write_framed(self, w)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flows::{Data, EmConfig, GaussianMixture, Standardise};
    use numerics::random::{standard_normal, stream};

    #[test]
    fn rotations_are_orthogonal_and_mix() {
        for d in 2..6 {
            let r = Frame::Turned(0.5).rotation(d).unwrap();
            let product = &r * r.transpose();
            assert!((product - Mat::<f64>::identity(d, d)).norm_max() < 1e-14);
            // Every coordinate has a part in every other.
            assert!((0..d * d).all(|k| r[(k / d, k % d)].abs() > 0.01));
        }
        assert!(Frame::Given.rotation(3).is_none());
    }

    #[test]
    fn a_density_in_a_frame_is_normalised_and_its_draws_follow_it() {
        let mut rng = stream(1, "frame");
        let x = Mat::from_fn(2000, 2, |i, j| {
            let centre = if i % 3 == 0 { 2.0 } else { -1.0 };
            centre + (0.3 + j as f64) * standard_normal(&mut rng)
        });
        let standardise = Standardise::fit(x.as_ref(), None).unwrap();
        let em = EmConfig::default();
        let fit = |z: MatRef<'_, f64>| {
            GaussianMixture::fit(Data::new(z), 2, &em, &mut stream(1, "em")).unwrap()
        };
        let empty = Framed {
            standardise,
            rotation: Frame::Turned(0.5).rotation(2),
            density: fit(x.as_ref()),
        };
        let density = fit(empty.enter(x.as_ref()).as_ref());
        let q = Framed { density, ..empty };
        // A mixture fitted in the frame is the one fitted outside.
        let (inside, outside) = (q.log_prob(x.as_ref()), fit(x.as_ref()).log_prob(x.as_ref()));
        let gap: f64 = inside
            .iter()
            .zip(&outside)
            .map(|(a, b)| (a - b) / 2000.0)
            .sum();
        assert!(gap.abs() < 0.01, "{gap}");
        let draws = q.sample(2000, &mut rng);
        let mean = |x: &Mat<f64>, j: usize| x.col(j).iter().sum::<f64>() / 2000.0;
        for j in 0..2 {
            assert!((mean(&draws, j) - mean(&x, j)).abs() < 0.15);
        }
        let back = rotate(
            rotate(x.as_ref(), q.rotation.as_ref().unwrap().as_ref(), false).as_ref(),
            q.rotation.as_ref().unwrap().as_ref(),
            true,
        );
        assert!((back - &x).norm_max() < 1e-13);
    }
}
