//! Mixtures of Gaussians with equal weights.

use crate::target::{Rectangle, Target};
use numerics::math::{LN_2PI, ln, ln_sum_exp};
use numerics::random::{Pcg64, standard_normal, uniform};
use std::sync::LazyLock;

/// `p(x) = (1/K) sum_k N(x; m_k, S_k + s^2 I)`.
pub(crate) struct GaussianMixture {
    components: Vec<Component>,
    window: Rectangle,
}

/// One Gaussian, with the Cholesky factor `[[l11, 0], [l21, l22]]` of its covariance.
struct Component {
    mean: [f64; 2],
    l11: f64,
    l21: f64,
    l22: f64,
    /// `-ln(2 pi) - ln det(L) - ln K`.
    log_scale: f64,
}

/// A mean, and the variances and covariance `[S11, S21, S22]` about it.
type Part = ([f64; 2], [f64; 3]);

impl GaussianMixture {
    /// The parts with noise of standard deviation `noise` added to each coordinate.
    fn new(parts: &[Part], noise: f64, window: Rectangle) -> Self {
        let component = |&(mean, [s11, s21, s22]): &Part| {
            let l11 = (s11 + noise * noise).sqrt();
            let l21 = s21 / l11;
            let l22 = (s22 + noise * noise - l21 * l21).sqrt();
            Component {
                mean,
                l11,
                l21,
                l22,
                log_scale: -LN_2PI - ln(l11 * l22) - ln(parts.len() as f64),
            }
        };
        Self {
            components: parts.iter().map(component).collect(),
            window,
        }
    }
}

impl Component {
    fn weighted_log_density(&self, x: [f64; 2]) -> f64 {
        let a = (x[0] - self.mean[0]) / self.l11;
        let b = (x[1] - self.mean[1] - self.l21 * a) / self.l22;
        self.log_scale - 0.5 * (a * a + b * b)
    }
}

const MOST_COMPONENTS: usize = 5;

impl Target for GaussianMixture {
    fn draw(&self, rng: &mut Pcg64) -> [f64; 2] {
        let k = (uniform(rng) * self.components.len() as f64) as usize;
        // Rounding can lift the product to the number of components.
        let c = &self.components[k.min(self.components.len() - 1)];
        let (a, b) = (standard_normal(rng), standard_normal(rng));
        [c.mean[0] + c.l11 * a, c.mean[1] + c.l21 * a + c.l22 * b]
    }

    fn log_density(&self, x: [f64; 2]) -> f64 {
        let mut terms = [f64::NEG_INFINITY; MOST_COMPONENTS];
        for (term, c) in terms.iter_mut().zip(&self.components) {
            *term = c.weighted_log_density(x);
        }
        ln_sum_exp(&terms[..self.components.len()])
    }

    fn window(&self) -> Rectangle {
        self.window
    }

    fn grid(&self) -> (Rectangle, f64) {
        // Ten standard deviations about every mean; a step of a fraction of the narrowest principal
        // axis, which is at least l11 l22 / (l11^2 + l21^2 + l22^2)^(1/2) wide.
        const REACH: f64 = 10.0;
        let mut rectangle = [(f64::INFINITY, f64::NEG_INFINITY); 2];
        let mut narrowest = f64::INFINITY;
        for c in &self.components {
            let sd = [c.l11, (c.l21 * c.l21 + c.l22 * c.l22).sqrt()];
            for (d, (lo, hi)) in rectangle.iter_mut().enumerate() {
                *lo = lo.min(c.mean[d] - REACH * sd[d]);
                *hi = hi.max(c.mean[d] + REACH * sd[d]);
            }
            let trace = sd[0] * sd[0] + sd[1] * sd[1];
            narrowest = narrowest.min(c.l11 * c.l22 / trace.sqrt());
        }
        (rectangle, narrowest / 8.0)
    }
}

const fn isotropic(mean: [f64; 2], variance: f64) -> Part {
    (mean, [variance, 0.0, variance])
}

pub(crate) static X_SHAPE: LazyLock<GaussianMixture> = LazyLock::new(|| {
    let parts = [
        ([0.0, 0.0], [2.0, 1.8, 2.0]),
        ([0.0, 0.0], [2.0, -1.8, 2.0]),
    ];
    GaussianMixture::new(&parts, 0.1, [(-5.0, 5.0); 2])
});

pub(crate) static BIMODAL: LazyLock<GaussianMixture> = LazyLock::new(|| {
    let parts = [
        ([-3.0, -1.0], [0.8, 0.2, 0.3]),
        ([3.0, 1.0], [0.3, -0.1, 0.6]),
    ];
    GaussianMixture::new(&parts, 0.2, [(-6.5, 5.5), (-3.5, 4.5)])
});

pub(crate) static FIVE_MODE: LazyLock<GaussianMixture> = LazyLock::new(|| {
    let parts = [
        isotropic([-0.5, -1.0], 0.7),
        isotropic([0.5, 1.0], 0.3),
        isotropic([2.0, 2.5], 1.0),
        isotropic([0.5, -1.0], 0.7),
        isotropic([-0.5, 1.0], 0.3),
    ];
    GaussianMixture::new(&parts, 0.1, [(-3.5, 5.5), (-4.0, 6.0)])
});

pub(crate) static BIMODAL_SHARED: LazyLock<GaussianMixture> = LazyLock::new(|| {
    let parts = [isotropic([-1.5, 0.0], 0.5), isotropic([1.5, 0.0], 0.5)];
    GaussianMixture::new(&parts, 0.3, [(-4.5, 4.5), (-3.0, 3.0)])
});

pub(crate) static THREE_MODE: LazyLock<GaussianMixture> = LazyLock::new(|| {
    let parts = [
        isotropic([-2.0, -1.0], 0.3),
        isotropic([2.0, 1.0], 0.3),
        isotropic([0.0, 2.5], 0.3),
    ];
    GaussianMixture::new(&parts, 0.1, [(-4.0, 4.0), (-3.0, 4.5)])
});

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::math::exp;

    #[test]
    fn density_by_the_textbook_formula() {
        let x = [-2.6, 0.4];
        let normal = |m: [f64; 2], [s11, s21, s22]: [f64; 3]| {
            let (a, b) = (x[0] - m[0], x[1] - m[1]);
            let det = s11 * s22 - s21 * s21;
            let square = (s22 * a * a - 2.0 * s21 * a * b + s11 * b * b) / det;
            exp(-0.5 * square) / (std::f64::consts::TAU * det.sqrt())
        };
        let left = normal([-3.0, -1.0], [0.84, 0.2, 0.34]);
        let right = normal([3.0, 1.0], [0.34, -0.1, 0.64]);
        let exact = ln(0.5 * left + 0.5 * right);
        assert!((BIMODAL.log_density(x) - exact).abs() < 1e-14);
    }

    #[test]
    fn far_tails_stay_exact() {
        // Along its long axis the nearer component alone is left: variance 3.81 in the direction
        // (1, 1).
        let t = 1e6;
        let got = X_SHAPE.log_density([t, t]);
        let exact = -t * t / 3.81 - LN_2PI - 0.5 * ln(3.81 * 0.21) - ln(2.0);
        assert!((got / exact - 1.0).abs() < 1e-14);
    }
}
