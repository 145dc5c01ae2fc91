//! The coordinates in which flows work.

use density::{Affine, Bijection, Rotation};
use serde::{Deserialize, Serialize};

/// The coordinates in which a flow works.
///
/// Layers that shift and scale one coordinate given the others cannot change the shape of a
/// coordinate that is independent of the others, and at the identity their gradient is zero: if
/// modes are products along the axes and overlap in projection, a flow on a matched base stays at
/// the base. After a rotation to a general position, each mode has its own place on every axis and
/// its coordinates depend on each other, so that the flow can bend it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub enum Frame {
    /// The parameters, standardised.
    #[default]
    Given,
    /// The parameters, standardised and then rotated by this many radians in the plane of each pair
    /// of coordinates in turn.
    Turned(f64),
}

impl Frame {
    /// The rotation of d coordinates, if there is one.
    pub(super) fn rotation(self, d: usize) -> Option<Rotation> {
        match self {
            Self::Given => None,
            Self::Turned(angle) => Some(Rotation::of_each_plane(angle, d)),
        }
    }

    /// The map from parameters to these coordinates.
    pub(super) fn bijection(self, standardise: &Affine) -> Bijection {
        let affine = Bijection::Affine(standardise.clone());
        match self.rotation(standardise.dim()) {
            None => affine,
            Some(r) => Bijection::Chain(vec![affine, Bijection::Rotation(r)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use density::Transformed;
    use density::{Data, Density, EmConfig, GaussianMixture};
    use faer::prelude::*;
    use numerics::random::{standard_normal, stream};

    #[test]
    fn a_density_in_a_frame_is_normalised_and_its_draws_follow_it() {
        let mut rng = stream(1, "frame");
        let x = Mat::from_fn(2000, 2, |i, j| {
            let centre = if i % 3 == 0 { 2.0 } else { -1.0 };
            centre + (0.3 + j as f64) * standard_normal(&mut rng)
        });
        let standardise = Affine::standardising(x.as_ref(), None).unwrap();
        let em = EmConfig::default();
        let fit = |z: MatRef<'_, f64>| {
            GaussianMixture::fit(Data::new(z), 2, &em, &mut stream(1, "em")).unwrap()
        };
        let bijection = Frame::Turned(0.5).bijection(&standardise);
        let density = fit(bijection.transform_and_log_det(x.as_ref()).0.as_ref());
        let q = Transformed { bijection, density };
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
    }
}
