//! A monotone rational-quadratic spline on equally spaced knots.

use crate::parts::{SplineParts, positive};

/// An increasing C1 map of the whole line onto itself: Gregory and Delbourgo's (1982) rational
/// quadratic between knots, straight lines with the end slopes beyond them.
///
/// Between knots of values z0, z1 and slopes d0, d1, with `t` in [0, 1] and `s = (z1 - z0) / step`:
/// `z = z0 + (z1 - z0) (s t^2 + d0 t (1 - t)) / b`, `b = s + (d0 + d1 - 2 s) t (1 - t)`, and
/// `dz/dx = s^2 (d1 t^2 + 2 s t (1 - t) + d0 (1 - t)^2) / b^2`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spline {
    first: f64,
    step: f64,
    values: Vec<f64>,
    slopes: Vec<f64>,
}

impl Spline {
    /// Knots at `first + k step`, at least two; values increasing, slopes positive.
    pub fn new(first: f64, step: f64, values: Vec<f64>, slopes: Vec<f64>) -> Self {
        debug_assert!(values.len() >= 2 && values.len() == slopes.len());
        debug_assert!(values.windows(2).all(|w| w[0] < w[1]));
        debug_assert!(slopes.iter().all(|s| *s > 0.0 && s.is_finite()));
        Self {
            first,
            step,
            values,
            slopes,
        }
    }

    pub fn parts(&self) -> SplineParts {
        SplineParts {
            first: self.first,
            step: self.step,
            values: self.values.clone(),
            slopes: self.slopes.clone(),
        }
    }

    pub fn from_parts(parts: SplineParts) -> Result<Self, String> {
        let SplineParts {
            first,
            step,
            values,
            slopes,
        } = parts;
        let sound = values.len() >= 2
            && values.len() == slopes.len()
            && first.is_finite()
            && positive(step)
            && (first + step * values.len() as f64).is_finite()
            && values.iter().all(|v| v.is_finite())
            && values.windows(2).all(|w| w[0] < w[1])
            && slopes.iter().all(|&s| positive(s));
        if !sound {
            return Err(
                "a spline needs at least two knots, rising values and positive slopes".into(),
            );
        }
        Ok(Self::new(first, step, values, slopes))
    }

    /// The value and the slope at x.
    #[inline]
    pub fn forward(&self, x: f64) -> (f64, f64) {
        let cells = self.values.len() - 1;
        let position = (x - self.first) / self.step;
        if position <= 0.0 {
            let slope = self.slopes[0];
            return (self.values[0] + (x - self.first) * slope, slope);
        }
        if position >= cells as f64 {
            let slope = self.slopes[cells];
            let end = self.first + cells as f64 * self.step;
            return (self.values[cells] + (x - end) * slope, slope);
        }
        let k = position as usize;
        let t = position - k as f64;
        let (z0, d0, d1) = (self.values[k], self.slopes[k], self.slopes[k + 1]);
        let rise = self.values[k + 1] - z0;
        let s = rise / self.step;
        let c = t * (1.0 - t);
        let b = 1.0 / (s + (d0 + d1 - 2.0 * s) * c);
        let z = z0 + rise * (s * t * t + d0 * c) * b;
        let sb = s * b;
        let slope = sb * sb * (d1 * t * t + 2.0 * s * c + d0 * (1.0 - t) * (1.0 - t));
        (z, slope)
    }

    /// The x whose value is z, and the slope `dz/dx` there.
    pub fn inverse(&self, z: f64) -> (f64, f64) {
        let cells = self.values.len() - 1;
        if z <= self.values[0] {
            let slope = self.slopes[0];
            return (self.first + (z - self.values[0]) / slope, slope);
        }
        if z >= self.values[cells] {
            let slope = self.slopes[cells];
            let end = self.first + cells as f64 * self.step;
            return (end + (z - self.values[cells]) / slope, slope);
        }
        let k = self.values.partition_point(|v| *v <= z).clamp(1, cells) - 1;
        let (z0, d0, d1) = (self.values[k], self.slopes[k], self.slopes[k + 1]);
        let rise = self.values[k + 1] - z0;
        let s = rise / self.step;
        let up = z - z0;
        let bend = up * (d0 + d1 - 2.0 * s);
        // a t^2 + b t + c = 0 with the root in [0, 1], in the form without cancellation.
        let (a, b, c) = (rise * (s - d0) + bend, rise * d0 - bend, -s * up);
        let root = (b * b - 4.0 * a * c).max(0.0).sqrt();
        let t = (2.0 * c / (-b - root)).clamp(0.0, 1.0);
        let c = t * (1.0 - t);
        let sb = s / (s + (d0 + d1 - 2.0 * s) * c);
        let slope = sb * sb * (d1 * t * t + 2.0 * s * c + d0 * (1.0 - t) * (1.0 - t));
        (self.first + (k as f64 + t) * self.step, slope)
    }
}
