//! Changes to Gaussian mixtures: other frames, wider components.

use density::Rotation;
use density::{GaussianMixture, MixtureParts};
use faer::prelude::*;

/// The components of a [`GaussianMixture`], one by one.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    dim: usize,
    components: Vec<Part>,
}

#[derive(Debug, Clone)]
struct Part {
    weight: f64,
    mean: Vec<f64>,
    /// Lower Cholesky factor of the covariance, row by row.
    factor: Vec<f64>,
}

impl Parts {
    pub fn of(mixture: &GaussianMixture) -> Self {
        let (dim, parts) = (mixture.dim(), mixture.parts());
        let means = parts.means.chunks_exact(dim);
        let factors = parts.factors.chunks_exact(dim * dim);
        let component = |((&weight, mean), factor): ((&f64, &[f64]), &[f64])| Part {
            weight,
            mean: mean.to_vec(),
            factor: factor.to_vec(),
        };
        let components = parts.weights.iter().zip(means).zip(factors).map(component);
        Self {
            dim,
            components: components.collect(),
        }
    }

    pub fn build(&self) -> GaussianMixture {
        let parts = MixtureParts {
            weights: self.components.iter().map(|c| c.weight).collect(),
            means: self
                .components
                .iter()
                .flat_map(|c| c.mean.clone())
                .collect(),
            factors: self
                .components
                .iter()
                .flat_map(|c| c.factor.clone())
                .collect(),
        };
        GaussianMixture::from_parts(self.dim, &parts)
            .expect("orthogonal maps and positive scales keep a mixture sound")
    }

    pub fn len(&self) -> usize {
        self.components.len()
    }

    /// Adds those of another mixture, with this share of the whole.
    pub fn add(&mut self, other: &GaussianMixture, share: f64) {
        self.components
            .iter_mut()
            .for_each(|c| c.weight *= 1.0 - share);
        let mut new = Self::of(other).components;
        new.iter_mut().for_each(|c| c.weight *= share);
        self.components.extend(new);
    }

    /// The `count` components with the largest weights.
    pub fn heaviest(mut self, count: usize) -> Self {
        let order = |a: &Part, b: &Part| b.weight.total_cmp(&a.weight);
        self.components.sort_by(order);
        self.components.truncate(count);
        self.normalised()
    }

    /// With weights in proportion to the square roots of theirs.
    pub fn evened(mut self) -> Self {
        self.components
            .iter_mut()
            .for_each(|c| c.weight = c.weight.sqrt());
        self.normalised()
    }

    fn normalised(mut self) -> Self {
        let total: f64 = self.components.iter().map(|c| c.weight).sum();
        self.components.iter_mut().for_each(|c| c.weight /= total);
        self
    }

    /// Components that lie at a wall of the prior, where the posterior has the tail of `N(0, 1)` beyond
    /// some coordinate, get a twin with that tail, for a share of their weight.
    ///
    /// A normal beyond c has a standard deviation of nearly 1 / c, and one fitted to it has a tail
    /// that is far too light.
    pub fn with_walls(mut self, share: f64) -> Self {
        let d = self.dim;
        let mut twins = Vec::new();
        for c in &mut self.components {
            let mut twin = c.clone();
            let mut at_wall = false;
            for (row, m) in twin.factor.chunks_exact_mut(d).zip(&c.mean) {
                let sd = row.iter().map(|v| v * v).sum::<f64>().sqrt();
                if m.abs() > 1.0 && sd < 1.0 && sd * m.abs() > 0.5 {
                    at_wall = true;
                    row.iter_mut().for_each(|v| *v /= sd);
                }
            }
            if at_wall {
                c.weight *= 1.0 - share;
                twin.weight *= share;
                twins.push(twin);
            }
        }
        self.components.extend(twins);
        self
    }

    /// The law of `R x`, R orthogonal.
    pub fn rotated(mut self, rotation: &Rotation) -> Self {
        let (d, rotation) = (self.dim, rotation.matrix());
        for c in &mut self.components {
            c.mean = (0..d)
                .map(|i| (0..d).map(|j| rotation[(i, j)] * c.mean[j]).sum())
                .collect();
            // R L is a factor of the covariance, if not a triangular one.
            let factor = Mat::from_fn(d, d, |i, k| {
                (k..d)
                    .map(|j| rotation[(i, j)] * c.factor[j * d + k])
                    .sum::<f64>()
            });
            c.factor = triangular(factor);
        }
        self
    }

    /// Every component as the sum of itself and, with a share of its weight, one whose standard
    /// deviations are `scale` times as large.
    pub fn with_tails(mut self, share: f64, scale: f64) -> Self {
        let mut wide = self.components.clone();
        for c in &mut self.components {
            c.weight *= 1.0 - share;
        }
        for c in &mut wide {
            c.weight *= share;
            c.factor.iter_mut().for_each(|v| *v *= scale);
        }
        self.components.extend(wide);
        self
    }
}

/// The lower triangular L (row by row, positive diagonal) with `L L^T = A A^T`: rows of A are made
/// orthonormal one after the other, by modified Gram-Schmidt, which never squares the condition.
fn triangular(mut a: Mat<f64>) -> Vec<f64> {
    let d = a.nrows();
    let mut l = vec![0.0; d * d];
    for i in 0..d {
        let norm = (0..d).map(|k| a[(i, k)] * a[(i, k)]).sum::<f64>().sqrt();
        l[i * d + i] = norm;
        (0..d).for_each(|k| a[(i, k)] /= norm);
        for j in i + 1..d {
            let along: f64 = (0..d).map(|k| a[(i, k)] * a[(j, k)]).sum();
            l[j * d + i] = along;
            (0..d).for_each(|k| a[(j, k)] -= along * a[(i, k)]);
        }
    }
    l
}

#[cfg(test)]
mod tests {
    use super::*;
    use density::{Data, EmConfig};
    use density::{Density, Rotation};
    use numerics::math::ln;
    use numerics::random::{standard_normal, stream};

    #[test]
    fn rotated_mixtures_and_those_with_tails_have_the_densities_that_follow() {
        let mut rng = stream(1, "parts");
        for d in [2, 3] {
            let x = Mat::from_fn(900, d, |i, j| {
                let centre = [2.0, -1.0, 0.5][i % 3] * (1.0 + j as f64);
                centre + (0.3 + 0.2 * j as f64) * standard_normal(&mut rng)
            });
            let (data, em) = (Data::new(x.as_ref()), EmConfig::default());
            let mixture = GaussianMixture::fit(data, 3, &em, &mut rng).unwrap();
            let exact = mixture.log_prob(x.as_ref());
            let close = |got: &[f64], shift: f64| {
                got.iter()
                    .zip(&exact)
                    .all(|(a, b)| (a - b - shift).abs() < 1e-10)
            };
            assert_eq!(Parts::of(&mixture).build(), mixture);
            let r = Rotation::of_each_plane(0.5, d);
            let rotated = Parts::of(&mixture).rotated(&r).build();
            let z = r.transform(x.as_ref());
            assert!(close(&rotated.log_prob(z.as_ref()), 0.0));
            let tails = Parts::of(&mixture).with_tails(0.2, 2.0).build();
            let at = Mat::from_fn(1, d, |_, j| mixture.mean(0)[j]);
            let (alone, joint) = (
                mixture.joint_log_prob(at.as_ref()),
                tails.joint_log_prob(at.as_ref()),
            );
            // At a mean the density of the wide component is less by 2^-d.
            let wide = joint[(0, 3)] - alone[(0, 0)];
            assert!((joint[(0, 0)] - alone[(0, 0)] - ln(0.8)).abs() < 1e-12);
            assert!((wide - ln(0.2) + d as f64 * ln(2.0)).abs() < 1e-12);
        }
    }
}
