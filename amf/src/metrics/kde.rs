//! KL divergence between Gaussian kernel density estimates.

use super::MetricError;
use super::points::Points;
use autodiff::math::{exp, ln, sum};
use faer::MatRef;

/// Grid points along each axis.
const GRID: usize = 100;
/// Densities below this are raised to it.
const FLOOR: f64 = 1e-10;
/// Share of the joint range added on each side.
const MARGIN: f64 = 0.1;

/// A two-dimensional target sample and its kernel density estimate, ready for models.
///
/// Both densities are sums of Gaussians at the points of the sample,
///
/// ```text
/// p(x) = 1/n sum_i N(x; x_i, f^2 S)
/// ```
///
/// S is the sample's own covariance (divisor n - 1), `f = n^(-1/6)` Scott's factor of the target's size for both. They are
/// evaluated on a 100 x 100 grid over the range that the two samples span together, widened by 10 % of itself on each
/// side (both ends are grid points), raised to at least 1e-10 and not normalised again; the result is
///
/// ```text
/// sum_grid p ln(p / q) dx dy
/// ```
///
/// in nats. It is biased by the smoothing and by the edges, and it saturates where a density meets the floor. The kernels are
/// those of `scipy.stats.gaussian_kde`; source: arXiv:2510.02056.
///
/// A kernel is left out of a grid point where it is so small that all such omissions together change no density by more
/// than half a unit in the last place of the floor.
#[derive(Debug, Clone)]
pub struct TargetKde {
    target: Points,
    kernel: Kernel,
    factor: f64,
}

impl TargetKde {
    /// Prepares a target sample `n x 2`.
    ///
    /// # Errors
    /// Fewer than two points, points that are not two-dimensional, finite and off a common line.
    pub fn new(target: MatRef<'_, f64>) -> Result<Self, MetricError> {
        Self::from_points(Points::new(target, "target", 2)?)
    }

    pub(super) fn from_points(target: Points) -> Result<Self, MetricError> {
        if target.dim() != 2 {
            let got = target.dim();
            return Err(MetricError::Dimension { needed: 2, got });
        }
        let factor = exp(-ln(target.len() as f64) / 6.0);
        let kernel = Kernel::new(&target, factor, "target")?;
        Ok(Self {
            target,
            kernel,
            factor,
        })
    }

    /// `KL(target || model)` in nats for a model sample `m x 2`, by the two density estimates.
    ///
    /// # Errors
    /// Fewer than two points, points that are not two-dimensional, finite and off a common line.
    pub fn kl(&self, model: MatRef<'_, f64>) -> Result<f64, MetricError> {
        self.kl_points(&Points::new(model, "model", 2)?)
    }

    pub(super) fn kl_points(&self, model: &Points) -> Result<f64, MetricError> {
        self.target.check_dimension(model)?;
        let kernel = Kernel::new(model, self.factor, "model")?;
        let [x, y] = [0, 1].map(|j| Axis::covering(self.target.column(j), model.column(j)));
        let mut p = [0.0; GRID];
        let mut q = [0.0; GRID];
        let mut total = 0.0;
        for i in 0..GRID {
            self.kernel.density(&self.target, x.at(i), &y, &mut p);
            kernel.density(model, x.at(i), &y, &mut q);
            for (p, q) in p.iter_mut().zip(&q) {
                let (a, b) = (p.max(FLOOR), q.max(FLOOR));
                *p = a * ln(a / b);
            }
            total += sum(&p);
        }
        Ok(total * x.step * y.step)
    }
}

/// Equally spaced grid points, both ends included.
#[derive(Debug, Clone, Copy)]
struct Axis {
    start: f64,
    step: f64,
}

impl Axis {
    fn covering(a: &[f64], b: &[f64]) -> Self {
        let mut low = f64::INFINITY;
        let mut high = f64::NEG_INFINITY;
        for &v in a.iter().chain(b) {
            low = low.min(v);
            high = high.max(v);
        }
        let margin = MARGIN * (high - low);
        let start = low - margin;
        let step = (high + margin - start) / (GRID - 1) as f64;
        Self { start, step }
    }

    fn at(&self, i: usize) -> f64 {
        self.start + i as f64 * self.step
    }
}

/// A Gaussian kernel by the Cholesky factor of its covariance.
#[derive(Debug, Clone, Copy)]
struct Kernel {
    /// Lower factor `[[l11, 0], [l21, l22]]`.
    l11: f64,
    l21: f64,
    l22: f64,
}

impl Kernel {
    fn new(points: &Points, factor: f64, set: &'static str) -> Result<Self, MetricError> {
        let n = points.len() as f64;
        let centred = |j: usize| {
            let column = points.column(j);
            let mean = sum(column) / n;
            column.iter().map(|v| v - mean).collect::<Vec<_>>()
        };
        let (x, y) = (centred(0), centred(1));
        let l11 = norm(&x);
        let unit: Vec<f64> = x.iter().map(|v| v / l11).collect();
        // Cholesky of the Gram matrix by Gram-Schmidt on the columns: it squares nothing, so it loses no digits.
        let l21 = autodiff::math::dot(&unit, &y);
        let rest: Vec<f64> = y.iter().zip(&unit).map(|(v, u)| v - l21 * u).collect();
        let l22 = norm(&rest);
        let scale = factor / (n - 1.0).sqrt();
        let singular =
            !(l11.is_finite() && l21.is_finite()) || !(l22 > 1e-14 * norm(&y) && l22.is_finite());
        if singular {
            return Err(MetricError::Singular { set });
        }
        Ok(Self {
            l11: l11 * scale,
            l21: l21 * scale,
            l22: l22 * scale,
        })
    }

    /// The density at `(x, y_k)` for every k.
    ///
    /// Along a column of the grid the whitened coordinates of a point are `u`, constant, and `v_k`, linear in k.
    fn density(&self, points: &Points, x: f64, y: &Axis, out: &mut [f64; GRID]) {
        let norm = 1.0 / (2.0 * std::f64::consts::PI * self.l11 * self.l22);
        // Kernel values below e^-cut add up to less than 2^-54 of the floor.
        let cut = ln(norm) - ln(FLOOR) + 54.0 * std::f64::consts::LN_2;
        out.fill(0.0);
        let mut grid = [0.0; GRID];
        let step = y.step / self.l22;
        for (k, g) in grid.iter_mut().enumerate() {
            *g = k as f64 * step;
        }
        let per_step = 1.0 / step;
        for (px, py) in points.column(0).iter().zip(points.column(1)) {
            let u = (x - px) / self.l11;
            let height = -0.5 * u * u;
            let left = cut + height;
            if left <= 0.0 {
                continue;
            }
            let centre = (py - y.start + self.l21 * u) / self.l22;
            let reach = (2.0 * left).sqrt();
            // Casts saturate.
            let first = ((centre - reach) * per_step).ceil().max(0.0) as usize;
            let end = (((centre + reach) * per_step).floor() + 1.0).max(0.0) as usize;
            let end = end.min(GRID);
            if first >= end {
                continue;
            }
            for (o, g) in out[first..end].iter_mut().zip(&grid[first..end]) {
                let v = g - centre;
                *o += exp(height - 0.5 * v * v);
            }
        }
        let scale = norm / points.len() as f64;
        for o in out.iter_mut() {
            *o *= scale;
        }
    }
}

fn norm(v: &[f64]) -> f64 {
    autodiff::math::dot(v, v).sqrt()
}
