//! KL divergence between Gaussian kernel density estimates.

use super::MetricError;
use super::points::Points;
use faer::MatRef;
use numerics::math::{exp, ln, sum};

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
/// S is the sample's own covariance (divisor n - 1), `f = n^(-1/6)` Scott's factor of the target's
/// size for both. They are evaluated on a 100 x 100 grid over the range that the two samples span
/// together, widened by 10 % of itself on each side (both ends are grid points), raised to at least
/// 1e-10 and not normalised again; the result is
///
/// ```text
/// sum_grid p ln(p / q) dx dy
/// ```
///
/// in nats. It is biased by the smoothing and by the edges, and it saturates where a density meets
/// the floor. The kernels are those of `scipy.stats.gaussian_kde`; source: arXiv:2510.02056.
///
/// Kernels are skipped at grid points where they are so small that all omissions together change no
/// density by more than half a unit in the last place of the floor.
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
        // Cholesky of the Gram matrix by Gram-Schmidt on the columns: nothing is squared, so no
        // digits are lost.
        let l21 = numerics::math::dot(&unit, &y);
        let rest: Vec<f64> = y.iter().zip(&unit).map(|(v, u)| v - l21 * u).collect();
        let l22 = norm(&rest);
        let scale = factor / (n - 1.0).sqrt();
        let regular =
            l11.is_finite() && l21.is_finite() && l22 > 1e-14 * norm(&y) && l22.is_finite();
        if !regular {
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
    /// Along a column of the grid the whitened coordinates of a point are `u`, constant, and
    /// `v_k = v_0 + k delta`. Only the k with `(u^2 + v_k^2) / 2 < cut` count. Where the grid is
    /// finer than the kernel there are many of them, and they are computed from
    ///
    /// ```text
    /// exp(-(v + j delta)^2 / 2) = exp(-v^2 / 2) exp(-v delta)^j exp(-(j delta)^2 / 2)
    /// ```
    ///
    /// for the first LANES, then from one group of LANES to the next by the ratio of neighbours,
    /// whose own ratio is constant: two exponentials a point. At most 13 steps follow each other,
    /// so that rounding stays near 100 units in the last place.
    fn density(&self, points: &Points, x: f64, y: &Axis, out: &mut [f64; GRID]) {
        let norm = 1.0 / (2.0 * std::f64::consts::PI * self.l11 * self.l22);
        // Kernel values below e^-cut add up to less than 2^-54 of the floor. The upper end keeps
        // e^-cut normal.
        let cut = (ln(norm) - ln(FLOOR) + 54.0 * std::f64::consts::LN_2).min(700.0);
        let delta = y.step / self.l22;
        let mut sums = [0.0; GRID + LANES];
        if cut > 0.0 {
            let windows = points
                .column(0)
                .iter()
                .zip(points.column(1))
                .map(|(px, py)| {
                    let u = (x - px) / self.l11;
                    let centre = (py - y.start + self.l21 * u) / self.l22;
                    Window::new(-0.5 * u * u, centre, cut, delta)
                });
            if delta > 1.0 {
                windows.for_each(|w| w.add_directly(delta, &mut sums));
            } else {
                let steps = Steps::new(delta);
                let windows: Vec<Window> = windows.collect();
                windows
                    .iter()
                    .for_each(|w| w.add_by_steps(&steps, &mut sums));
            }
        }
        let scale = norm / points.len() as f64;
        for (o, s) in out.iter_mut().zip(&sums) {
            *o = s * scale;
        }
    }
}

/// Grid points done at a time.
const LANES: usize = 8;

/// The range of a grid column that a kernel reaches.
struct Window {
    /// First grid point, and how many: whole numbers, the second may be negative.
    first: f64,
    count: f64,
    /// Exponent due to the other coordinate.
    height: f64,
    /// Whitened coordinate of the first grid point.
    v: f64,
    /// Kernel at the first grid point.
    value: f64,
    /// `exp(-v delta)`.
    ratio: f64,
}

impl Window {
    #[inline(always)]
    fn new(height: f64, centre: f64, cut: f64, delta: f64) -> Self {
        let left = cut + height;
        let reach = if left > 0.0 { (2.0 * left).sqrt() } else { 0.0 };
        let low = ((centre - reach) / delta).ceil();
        let high = ((centre + reach) / delta).floor() + 1.0;
        let first = if low > 0.0 { low } else { 0.0 };
        let end = if high < GRID as f64 {
            high
        } else {
            GRID as f64
        };
        let v = first * delta - centre;
        Self {
            first,
            count: if left > 0.0 { end - first } else { 0.0 },
            height,
            v,
            value: exp(height - 0.5 * v * v),
            ratio: exp(-v * delta),
        }
    }

    fn add_directly(&self, delta: f64, sums: &mut [f64; GRID + LANES]) {
        if self.count <= 0.0 {
            return;
        }
        let (first, count) = (self.first as usize, self.count as usize);
        for (k, s) in sums[first..first + count].iter_mut().enumerate() {
            let v = self.v + k as f64 * delta;
            *s += exp(self.height - 0.5 * v * v);
        }
    }

    /// Goes up to LANES - 1 grid points beyond the window, where the values are smaller still.
    fn add_by_steps(&self, steps: &Steps, sums: &mut [f64; GRID + LANES]) {
        if self.count <= 0.0 {
            return;
        }
        let (first, count) = (self.first as usize, self.count as usize);
        let r = self.ratio;
        let (r2, r3) = (r * r, r * r * r);
        let r4 = r2 * r2;
        let r8 = r4 * r4;
        let powers = [1.0, r, r2, r3, r4, r4 * r, r4 * r2, r4 * r3];
        let mut f = [0.0; LANES];
        let mut g = [0.0; LANES];
        for j in 0..LANES {
            f[j] = self.value * (powers[j] * steps.within[j]);
            g[j] = r8 * steps.between[j];
        }
        let end = first + count.next_multiple_of(LANES);
        for block in sums[first..end].as_chunks_mut::<LANES>().0 {
            for j in 0..LANES {
                block[j] += f[j];
                f[j] *= g[j];
                g[j] *= steps.again;
            }
        }
    }
}

/// The factors that depend on the grid alone.
struct Steps {
    /// `exp(-(j delta)^2 / 2)`.
    within: [f64; LANES],
    /// `exp(-L delta^2 (j + L / 2))`, L = LANES.
    between: [f64; LANES],
    /// `exp(-(L delta)^2)`.
    again: f64,
}

impl Steps {
    fn new(delta: f64) -> Self {
        let lanes = LANES as f64;
        let square = delta * delta;
        let at = |exponent: &dyn Fn(f64) -> f64| std::array::from_fn(|j| exp(exponent(j as f64)));
        Self {
            within: at(&|j| -0.5 * j * j * square),
            between: at(&|j| -lanes * square * (j + 0.5 * lanes)),
            again: exp(-lanes * lanes * square),
        }
    }
}

fn norm(v: &[f64]) -> f64 {
    numerics::math::dot(v, v).sqrt()
}
