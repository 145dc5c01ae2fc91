//! Hamiltonian Monte Carlo (Neal 2011): draws of a smooth density known up to a constant.

use numerics::math::{exp, ln};
use numerics::random::{Pcg64, standard_normal, uniform};

/// A sampler whose trajectories have between one and `leapfrogs` steps, at random, so that no
/// trajectory returns to its start.
///
/// The first half of the warm-up tunes a step size; then each coordinate is scaled by its standard
/// deviation so far, and the second half tunes the step size again. The returned draws come after,
/// with both fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hamiltonian {
    /// Trajectories before the first draw.
    pub warm_up: usize,
    /// Draws that are returned.
    pub draws: usize,
    /// Trajectories from one draw to the next.
    pub thin: usize,
    /// Steps of a trajectory at most.
    pub leapfrogs: usize,
}

/// Draws of one chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// One after the other.
    pub draws: Vec<Vec<f64>>,
    /// The share of trajectories that was accepted after the warm-up.
    pub acceptance: f64,
}

/// A log-density that writes its gradient into its second argument.
pub type LogDensity<'a> = &'a dyn Fn(&[f64], &mut [f64]) -> f64;

/// The target acceptance of the step size.
const TARGET: f64 = 0.8;

impl Hamiltonian {
    /// One chain from `start`, where the log-density must be finite.
    #[must_use]
    pub fn run(&self, log_density: LogDensity<'_>, start: &[f64], rng: &mut Pcg64) -> Chain {
        let mut state = State::new(log_density, start);
        let half = self.warm_up / 2;
        let mut visited = Vec::with_capacity(half);
        for t in 0..self.warm_up {
            if t == half && half >= 20 {
                // Early draws may not have reached the bulk yet.
                state.scales = deviations(&visited[half / 2..]);
                state.log_step = ln(0.5);
            }
            let accepted = state.advance(self.leapfrogs, rng).0;
            let since = if t < half { t } else { t - half };
            // Step sizes whose sum diverges and whose squares have a finite sum (Robbins and
            // Monro).
            let gain = exp(-0.6 * ln(since as f64 + 5.0));
            state.log_step += 2.0 * gain * (accepted - TARGET);
            if t < half {
                visited.push(state.x.clone());
            }
        }
        let (mut draws, mut moved) = (Vec::with_capacity(self.draws), 0);
        for _ in 0..self.draws {
            for _ in 0..self.thin {
                moved += usize::from(state.advance(self.leapfrogs, rng).1);
            }
            draws.push(state.x.clone());
        }
        let trajectories = (self.draws * self.thin).max(1);
        Chain {
            draws,
            acceptance: moved as f64 / trajectories as f64,
        }
    }
}

struct State<'a> {
    log_density: LogDensity<'a>,
    x: Vec<f64>,
    gradient: Vec<f64>,
    log_p: f64,
    scales: Vec<f64>,
    log_step: f64,
}

impl<'a> State<'a> {
    fn new(log_density: LogDensity<'a>, start: &[f64]) -> Self {
        let mut gradient = vec![0.0; start.len()];
        Self {
            log_p: log_density(start, &mut gradient),
            log_density,
            x: start.to_vec(),
            gradient,
            scales: vec![1.0; start.len()],
            log_step: ln(0.1),
        }
    }

    /// One trajectory: its chance to be accepted, and whether it was.
    fn advance(&mut self, leapfrogs: usize, rng: &mut Pcg64) -> (f64, bool) {
        let steps = 1 + (uniform(rng) * leapfrogs as f64) as usize;
        let step = exp(self.log_step);
        // Momenta in units in which every coordinate has the scale one.
        let mut p: Vec<f64> = self.x.iter().map(|_| standard_normal(rng)).collect();
        let (mut x, mut gradient) = (self.x.clone(), self.gradient.clone());
        let kinetic = |p: &[f64]| 0.5 * p.iter().map(|v| v * v).sum::<f64>();
        let before = self.log_p - kinetic(&p);
        let kick = |p: &mut [f64], gradient: &[f64], by: f64| {
            for ((p, g), s) in p.iter_mut().zip(gradient).zip(&self.scales) {
                *p += by * s * g;
            }
        };
        let mut log_p = self.log_p;
        kick(&mut p, &gradient, 0.5 * step);
        for k in 0..steps {
            for ((x, p), s) in x.iter_mut().zip(&p).zip(&self.scales) {
                *x += step * s * p;
            }
            log_p = (self.log_density)(&x, &mut gradient);
            let last = k + 1 == steps;
            kick(&mut p, &gradient, if last { 0.5 * step } else { step });
        }
        let gain = log_p - kinetic(&p) - before;
        // A trajectory that overflows is never accepted.
        let chance = if gain.is_nan() {
            0.0
        } else {
            exp(gain.min(0.0))
        };
        let accepted = uniform(rng) < chance;
        if accepted {
            (self.x, self.gradient, self.log_p) = (x, gradient, log_p);
        }
        (chance, accepted)
    }
}

/// The standard deviation of each coordinate.
fn deviations(draws: &[Vec<f64>]) -> Vec<f64> {
    let n = draws.len() as f64;
    (0..draws[0].len())
        .map(|j| {
            let mean = draws.iter().map(|x| x[j]).sum::<f64>() / n;
            let variance = draws
                .iter()
                .map(|x| (x[j] - mean) * (x[j] - mean))
                .sum::<f64>()
                / n;
            variance.sqrt().max(1e-6)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::random::stream;

    #[test]
    fn moments_of_a_stretched_and_correlated_normal() {
        // x ~ N(3, 100^2), y | x ~ N(x / 100, 0.5^2).
        let log_density = |u: &[f64], g: &mut [f64]| {
            let (a, b) = ((u[0] - 3.0) / 100.0, (u[1] - u[0] / 100.0) / 0.5);
            g[0] = -a / 100.0 + b / 50.0;
            g[1] = -b / 0.5;
            -0.5 * (a * a + b * b)
        };
        let sampler = Hamiltonian {
            warm_up: 2000,
            draws: 20_000,
            thin: 2,
            leapfrogs: 10,
        };
        let chain = sampler.run(&log_density, &[0.0, 0.0], &mut stream(1, "chain"));
        assert!(
            (0.6..0.98).contains(&chain.acceptance),
            "{}",
            chain.acceptance
        );
        let n = chain.draws.len() as f64;
        let mean = |f: &dyn Fn(&Vec<f64>) -> f64| chain.draws.iter().map(f).sum::<f64>() / n;
        assert!((mean(&|u| u[0]) - 3.0).abs() < 4.0);
        assert!((mean(&|u| (u[0] - 3.0) * (u[0] - 3.0)) / 1e4 - 1.0).abs() < 0.07);
        assert!((mean(&|u| (u[1] - 0.03) * (u[1] - 0.03)) / 1.25 - 1.0).abs() < 0.07);
        assert!((mean(&|u| (u[0] - 3.0) * (u[1] - 0.03)) / 100.0 - 1.0).abs() < 0.07);
    }
}
