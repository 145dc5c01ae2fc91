//! Sliced Wasserstein distance.

use super::MetricError;
use super::points::Points;
use faer::MatRef;
use numerics::math::{sin_cos, sum};
use numerics::random::{standard_normal, stream};

/// Directions projected on (in more than two dimensions: the next multiple of the dimension).
const DIRECTIONS: usize = 128;

/// A target sample with its sorted projections, precomputed for comparisons.
///
/// For unit vectors `theta_l`, l < L, and `x_(i)` the i-th smallest of the projections `theta . x`,
///
/// ```text
/// SW2^2 = 1/L sum_l 1/n sum_i ((theta_l . x)_(i) - (theta_l . y)_(i))^2
/// ```
///
/// which is the mean over the directions of the exact squared one-dimensional distance. In two
/// dimensions the L = 128 directions have equal angles `pi l / L`; in d > 2 they are random
/// orthonormal frames, always the same ones, the first multiple of d that reaches 128; in one
/// dimension there is a single direction. In each case the mean of `theta theta^T` is `I / d`: the
/// distance of a set from its translate by s is `|s| / sqrt(d)`, and SW2 is at most `W2 / sqrt(d)`.
///
/// Source: Bonneel et al. (2015), J. Math. Imaging Vis. 51.
#[derive(Debug, Clone)]
pub struct TargetSliced {
    target: Points,
    /// One after the other, d numbers each.
    directions: Vec<f64>,
    /// One sorted run of n projections for each direction.
    projections: Vec<f64>,
}

impl TargetSliced {
    /// Prepares a target sample `n x d`.
    ///
    /// # Errors
    /// No points, or a coordinate that is not finite.
    pub fn new(target: MatRef<'_, f64>) -> Result<Self, MetricError> {
        Ok(Self::from_points(Points::new(target, "target", 1)?))
    }

    pub(super) fn from_points(target: Points) -> Self {
        let (n, d) = (target.len(), target.dim());
        let directions = directions(d);
        let mut projections = vec![0.0; directions.len() / d * n];
        for (theta, out) in directions
            .chunks_exact(d)
            .zip(projections.chunks_exact_mut(n))
        {
            project_and_sort(&target, theta, out);
        }
        Self {
            target,
            directions,
            projections,
        }
    }

    /// The distance SW2 of a model sample `n x d`, in the units of the coordinates.
    ///
    /// # Errors
    /// Another number of points or another dimension than the target's, a coordinate that is not
    /// finite, distances whose squares overflow.
    pub fn compare(&self, model: MatRef<'_, f64>) -> Result<f64, MetricError> {
        self.compare_points(&Points::new(model, "model", 1)?)
    }

    pub(super) fn compare_points(&self, model: &Points) -> Result<f64, MetricError> {
        self.target.check_shape(model)?;
        let (n, d) = (model.len(), model.dim());
        let mut projected = vec![0.0; n];
        let squares: Vec<f64> = self
            .directions
            .chunks_exact(d)
            .zip(self.projections.chunks_exact(n))
            .map(|(theta, target)| {
                project_and_sort(model, theta, &mut projected);
                for (p, t) in projected.iter_mut().zip(target) {
                    *p = (*p - t) * (*p - t);
                }
                sum(&projected) / n as f64
            })
            .collect();
        let distance = (sum(&squares) / squares.len() as f64).sqrt();
        if distance.is_finite() {
            Ok(distance)
        } else {
            Err(MetricError::Overflow)
        }
    }
}

fn project_and_sort(points: &Points, theta: &[f64], out: &mut [f64]) {
    out.fill(0.0);
    for (c, column) in theta.iter().zip(points.columns()) {
        for (o, x) in out.iter_mut().zip(column) {
            *o += c * x;
        }
    }
    out.sort_unstable_by(f64::total_cmp);
}

/// Unit vectors in d dimensions, one after the other.
fn directions(d: usize) -> Vec<f64> {
    match d {
        1 => vec![1.0],
        2 => (0..DIRECTIONS)
            .flat_map(|l| {
                let (sin, cos) = sin_cos(std::f64::consts::PI * l as f64 / DIRECTIONS as f64);
                [cos, sin]
            })
            .collect(),
        _ => {
            let mut rng = stream(0, "metrics/sliced-w2/directions");
            (0..DIRECTIONS.div_ceil(d))
                .flat_map(|_| random_frame(d, || standard_normal(&mut rng)))
                .collect()
        }
    }
}

/// d orthonormal vectors with the uniform law on the orthogonal group: Gram-Schmidt, twice for
/// accuracy.
fn random_frame(d: usize, mut normal: impl FnMut() -> f64) -> Vec<f64> {
    let mut frame: Vec<f64> = Vec::with_capacity(d * d);
    while frame.len() < d * d {
        let mut v: Vec<f64> = (0..d).map(|_| normal()).collect();
        for _ in 0..2 {
            for e in frame.chunks_exact(d) {
                let along: f64 = e.iter().zip(&v).map(|(a, b)| a * b).sum();
                for (x, a) in v.iter_mut().zip(e) {
                    *x -= along * a;
                }
            }
            let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
            for x in &mut v {
                *x /= norm;
            }
        }
        frame.extend(v);
    }
    frame
}
