//! Modes of test problems whose masses are known.

use numerics::math::{exp, sum};
use std::f64::consts::PI;

type ModeOf = dyn Fn(&[f64]) -> usize + Send + Sync;

/// Regions that split the parameters, one for each mode, with their posterior masses.
pub struct Modes {
    /// Masses, with sum one.
    pub masses: Vec<f64>,
    of: Box<ModeOf>,
}

impl Modes {
    fn new(masses: Vec<f64>, of: impl Fn(&[f64]) -> usize + Send + Sync + 'static) -> Self {
        let of = Box::new(of);
        Self { masses, of }
    }

    /// The number of the mode that theta belongs to.
    #[must_use]
    pub fn of(&self, theta: &[f64]) -> usize {
        (self.of)(theta)
    }

    /// The largest difference of a mode's mass from the truth: of rows theta with weights of sum
    /// one.
    #[must_use]
    pub fn largest_error<'a>(&self, rows: impl Iterator<Item = (&'a [f64], f64)>) -> f64 {
        let mut found = vec![Vec::new(); self.masses.len()];
        for (theta, weight) in rows {
            found[self.of(theta)].push(weight);
        }
        let errors = found
            .iter()
            .zip(&self.masses)
            .map(|(w, m)| (sum(w) - m).abs());
        errors.fold(0.0, f64::max)
    }

    /// The signs of the first `n` coordinates, all alike.
    pub(super) fn signs(n: usize) -> Self {
        let all = 1 << n;
        Self::new(vec![1.0 / all as f64; all], move |theta| {
            let positive = theta[..n].iter().enumerate().filter(|(_, t)| **t > 0.0);
            positive.map(|(j, _)| 1 << j).sum()
        })
    }

    /// Halves of the first two coordinates of the log-gamma mixture. The second is symmetric.
    pub(super) fn halves_of_log_gamma() -> Self {
        // Of a log-gamma at `location`: mass between two points.
        let mass = |location: f64, from: f64, to: f64| {
            let above = |x: f64| exp(-exp(30.0 * (x - location)));
            above(from) - above(to)
        };
        let half = |from, to| mass(1.0 / 3.0, from, to) + mass(2.0 / 3.0, from, to);
        let (low, high) = (half(0.0, 0.5), half(0.5, 1.0));
        let (low, high) = (low / (low + high), high / (low + high));
        Self::new(
            vec![0.5 * low, 0.5 * high, 0.5 * low, 0.5 * high],
            |theta| usize::from(theta[0] > 0.5) + 2 * usize::from(theta[1] > 0.5),
        )
    }

    /// The spike, within a tenth of its centre (ten of its standard deviations; the slab has a mass
    /// below 1e-7 there from five dimensions on), and the rest.
    pub(super) fn spike_and_slab() -> Self {
        Self::new(vec![100.0 / 101.0, 1.0 / 101.0], |theta| {
            let square: f64 = theta.iter().map(|t| (t - 0.2) * (t - 0.2)).sum();
            usize::from(square > 0.01)
        })
    }

    /// The eighteen tops of the eggbox, at multiples of `2 pi` whose sum is even, each with the
    /// diamond about it; half of it is outside at a wall, three quarters in a corner.
    pub(super) fn eggbox() -> Self {
        let inside = |k: usize| if k == 0 || k == 5 { 0.5 } else { 1.0 };
        let tops: Vec<(usize, usize)> = (0..36)
            .map(|i| (i / 6, i % 6))
            .filter(|(a, b)| (a + b) % 2 == 0)
            .collect();
        let parts: Vec<f64> = tops.iter().map(|(a, b)| inside(*a) * inside(*b)).collect();
        let total = sum(&parts);
        let masses = parts.into_iter().map(|p| p / total).collect();
        Self::new(masses, |theta| {
            let (a, b) = (theta[0] / (2.0 * PI), theta[1] / (2.0 * PI));
            // In these coordinates the diamonds are squares about even numbers.
            let (u, v) = ((0.5 * (a + b)).round(), (0.5 * (a - b)).round());
            let clamp = |k: f64| k.clamp(0.0, 5.0) as usize;
            // Every second of the six in a row.
            3 * clamp(u + v) + clamp(u - v) / 2
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::posterior::Canon;
    use faer::prelude::*;
    use numerics::random::{standard_normal, stream};

    /// Masses from draws of the prior, weighted: nothing but the classification and the likelihood.
    #[test]
    fn masses_are_those_of_weighted_draws_of_the_prior() {
        for name in ["eggbox_2", "log_gamma_2", "shells_2", "signs_2"] {
            let canon = Canon::named(name).unwrap();
            let modes = canon.modes.as_ref().unwrap();
            assert!((sum(&modes.masses) - 1.0).abs() < 1e-12, "{name}");
            let mut rng = stream(1, name);
            let n = 200_000;
            let z = Mat::from_fn(n, 2, |_, _| standard_normal(&mut rng));
            let theta = canon.at(z.as_ref());
            let rows: Vec<[f64; 2]> = (0..n).map(|i| [theta[(i, 0)], theta[(i, 1)]]).collect();
            let likelihood: Vec<f64> = rows
                .iter()
                .map(|t| exp(canon.log_likelihood(t) - 240.0 * f64::from(name == "eggbox_2")))
                .collect();
            let total = sum(&likelihood);
            let squares: f64 = likelihood.iter().map(|w| w * w).sum();
            let ess = total * total / squares;
            let weighted = rows.iter().zip(&likelihood);
            let error = modes.largest_error(weighted.map(|(t, w)| (&t[..], w / total)));
            assert!(
                error < 4.0 * (0.25 / ess).sqrt(),
                "{name}: {error}, ESS {ess}"
            );
        }
    }

    #[test]
    fn tops_of_the_eggbox_are_modes_of_their_own() {
        let modes = Modes::eggbox();
        let mut seen = vec![false; 18];
        for a in 0..6 {
            for b in (0..6).filter(|b| (a + b) % 2 == 0) {
                let inwards = |k: i32| 2.0 * PI * f64::from(k) + if k < 3 { 0.1 } else { -0.1 };
                seen[modes.of(&[inwards(a), inwards(b)])] = true;
            }
        }
        assert_eq!(seen, [true; 18]);
    }
}
