//! A ring in space.

use super::parts::Part;
use numerics::math::{LN_2PI, exp_m1, ln, normal_cdf, normal_quantile, sin_cos};
use numerics::random::{Pcg64, standard_normal, uniform};
use std::f64::consts::{PI, TAU};

/// The term `exp(-(s - R^2)^2 / (8 R^2 t^2) - (z - h)^2 / (2 t^2))`, `s = x^2 + y^2`: a ring of
/// radius `R` about the third axis at the height `h`, Gaussian across with standard deviation `t`
/// (near `s = R^2` the first exponent is `-(sqrt(s) - R)^2 / (2 t^2)`), and smooth everywhere.
///
/// Under the standard normal prior `s`, the angle and `z` are independent: the angle is uniform,
/// `z ~ N(h, t^2) / (1 + t^2)` as for every Gaussian term, and `s`, on which the prior is
/// `e^{-s/2} / 2`, is `N(R^2 - v / 2, v)` cut off at 0, with `v = 4 R^2 t^2`. Volume is
/// `ds dz dphi / 2`, so that in `(s, z)` the density is a Gaussian's, and its levels are ellipses.
pub(super) struct Ring {
    squared_radius: f64,
    height: f64,
    /// Of `z`, and of `s`.
    variance: [f64; 2],
    log_evidence: f64,
    /// The posterior of `s` before the cut.
    s_mean: f64,
    s_sd: f64,
    /// The share of it below 0.
    cut: f64,
    z_mean: f64,
    z_sd: f64,
}

impl Ring {
    /// If `radius / width` is at least about 8, the cut changes levels by less than 1e-4.
    pub(super) fn new(radius: f64, height: f64, width: f64) -> Self {
        let (square, z_variance) = (radius * radius, width * width);
        let v = 4.0 * square * z_variance;
        let (s_mean, s_sd) = (square - 0.5 * v, v.sqrt());
        let cut = normal_cdf(-s_mean / s_sd);
        let in_s = -0.5 * square + 0.125 * v + 0.5 * (LN_2PI + ln(v)) + ln(0.5 * (1.0 - cut));
        let shrink = 1.0 + z_variance;
        let in_z = 0.5 * ln(z_variance / shrink) - 0.5 * height * height / shrink;
        Self {
            squared_radius: square,
            height,
            variance: [z_variance, v],
            log_evidence: in_s + in_z,
            s_mean,
            s_sd,
            cut,
            z_mean: height / shrink,
            z_sd: width / shrink.sqrt(),
        }
    }
}

impl Part<3> for Ring {
    fn log_likelihood(&self, [x, y, z]: [f64; 3]) -> f64 {
        let ds = x * x + y * y - self.squared_radius;
        let dz = z - self.height;
        -0.5 * (dz * dz / self.variance[0] + ds * ds / self.variance[1])
    }

    fn log_evidence(&self) -> f64 {
        self.log_evidence
    }

    fn draw(&self, rng: &mut Pcg64) -> [f64; 3] {
        let above = self.cut + (1.0 - self.cut) * uniform(rng);
        let s = self.s_mean + self.s_sd * normal_quantile(above);
        let (sin, cos) = sin_cos(TAU * uniform(rng));
        let radius = s.max(0.0).sqrt();
        let z = self.z_mean + self.z_sd * standard_normal(rng);
        [radius * cos, radius * sin, z]
    }

    fn log_peak(&self) -> f64 {
        -LN_2PI - ln(PI * self.s_sd * self.z_sd * (1.0 - self.cut))
    }

    fn mass_above(&self, level: f64) -> f64 {
        // The share of an ellipse of a Gaussian in the plane, neglecting the cut.
        (-exp_m1((level - self.log_peak()).min(0.0)) / (1.0 - self.cut)).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::math::{exp, normal_log_pdf};

    /// Evidence and the masses above levels on a grid of `(s, z)`, on which volume is `pi ds dz`.
    #[test]
    fn evidence_and_masses_by_a_grid() {
        let ring = Ring::new(1.2, -0.5, 0.12);
        let levels = [1.0, 0.0, -3.0, -6.4].map(|depth| ring.log_peak() - 1.0 + depth);
        let (ds, dz) = (0.001, 0.001);
        let (mut total, mut above) = (0.0, [0.0; 4]);
        for i in 0..4000 {
            let s: f64 = (f64::from(i) + 0.5) * ds;
            for k in 0..2000 {
                let z = (f64::from(k) + 0.5) * dz - 1.5;
                let x = s.sqrt();
                let prior = 2.0 * normal_log_pdf(0.0) - 0.5 * s + normal_log_pdf(z);
                let log_joint = prior + ring.log_likelihood([x, 0.0, z]);
                let mass = exp(log_joint) * PI * ds * dz;
                total += mass;
                for (above, level) in above.iter_mut().zip(levels) {
                    if log_joint - ring.log_evidence() >= level {
                        *above += mass;
                    }
                }
            }
        }
        assert!((ln(total) - ring.log_evidence()).abs() < 1e-6);
        for (above, level) in above.iter().zip(levels) {
            let got = ring.mass_above(level);
            assert!((got - above / total).abs() < 1e-5, "{got}, not {above}");
        }
        assert_eq!(ring.mass_above(ring.log_peak() + 1e-9), 0.0);
    }
}
