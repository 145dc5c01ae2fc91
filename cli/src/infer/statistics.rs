//! Mean, standard deviation and quantiles of draws with weights.

use numerics::math::{atan2, sin_cos};
use std::f64::consts::TAU;

/// Mean, standard deviation, and the quantiles of 5, 50 and 95 %.
pub fn numbers(mut pairs: Vec<(f64, f64)>) -> [f64; 5] {
    let total: f64 = pairs.iter().map(|(_, w)| w).sum();
    if pairs.is_empty() {
        return [f64::NAN; 5];
    }
    pairs.iter_mut().for_each(|(_, w)| *w /= total);
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mean: f64 = pairs.iter().map(|(v, w)| v * w).sum();
    let variance: f64 = pairs.iter().map(|(v, w)| w * (v - mean) * (v - mean)).sum();
    let quantile = |p: f64| {
        let mut sum = 0.0;
        let found = pairs.iter().find(|(_, w)| {
            sum += w;
            sum >= p
        });
        found.or(pairs.last()).map_or(f64::NAN, |p| p.0)
    };
    let (low, median, high) = (quantile(0.05), quantile(0.5), quantile(0.95));
    [mean, variance.sqrt(), low, median, high]
}

/// The values of a periodic parameter: both ends are the same point.
#[derive(Debug, Clone, Copy)]
pub struct Circle {
    pub low: f64,
    pub high: f64,
}

impl Circle {
    /// Circular mean, and standard deviation and quantiles of the difference to it, wrapped to half a
    /// period: a mode at the ends is one.
    pub fn numbers(self, mut pairs: Vec<(f64, f64)>) -> [f64; 5] {
        let period = self.high - self.low;
        let (mut x, mut y) = (0.0, 0.0);
        for (v, w) in &pairs {
            let (sin, cos) = sin_cos((v - self.low) / period * TAU);
            x += w * cos;
            y += w * sin;
        }
        let mean = self.low + atan2(y, x) / TAU * period;
        for (v, _) in &mut pairs {
            let turns = (*v - mean) / period;
            *v = (turns - turns.round()) * period;
        }
        let [middle, sd, low, median, high] = numbers(pairs);
        // The standard deviation is about the circular mean.
        let sd = (sd * sd + middle * middle).sqrt();
        let wrapped = |difference: f64| {
            let turns = (mean + difference - self.low) / period;
            self.low + (turns - turns.floor()) * period
        };
        [
            wrapped(0.0),
            sd,
            wrapped(low),
            wrapped(median),
            wrapped(high),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_the_line_and_on_the_circle() {
        let pairs = || vec![(3.0, 0.1), (1.0, 0.1), (2.0, 0.2)];
        let [mean, _, low, median, high] = numbers(pairs());
        assert_eq!((mean, low, median, high), (2.0, 1.0, 2.0, 3.0));
        // Far from the ends both agree.
        let circle = Circle {
            low: -50.0,
            high: 60.0,
        };
        for (line, round) in numbers(pairs()).iter().zip(circle.numbers(pairs())) {
            assert!((line - round).abs() < 1e-9, "{line} {round}");
        }
        // Across them: 350, 0 and 10 degrees.
        let circle = Circle {
            low: 0.0,
            high: 360.0,
        };
        let found = circle.numbers(vec![(350.0, 1.0), (1e-9, 1.0), (10.0, 1.0)]);
        let sd = (200.0_f64 / 3.0).sqrt();
        for (found, exact) in found.iter().zip([0.0, sd, 350.0, 0.0, 10.0]) {
            let turns = (found - exact) / 360.0;
            assert!((turns - turns.round()).abs() < 1e-9, "{found} {exact}");
        }
        assert!(circle.numbers(Vec::new())[0].is_nan() || circle.numbers(Vec::new())[1].is_nan());
    }
}
