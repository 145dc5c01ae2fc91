//! The exact posterior of the sign-degenerate simulator.

use super::prior;
use super::problem::{ExactPosterior, InverseProblem, bisect, check_share};
use super::sign_coordinate::{DEPTH, SignCoordinate};
use faer::{Mat, MatRef};
use numerics::math::sin;
use numerics::random::Pcg64;
use std::f64::consts::FRAC_PI_2;
use std::sync::OnceLock;

/// The posterior of [`SignDegenerate`](super::SignDegenerate) for one observation `y`.
///
/// It is the product over the coordinates of `p(theta_j | y_j)`, proportional to `exp(-(theta_j^2 -
/// u_j)^2 / (2 sigma^2))` with `u_j = y_j - sigma^2 / 2`: an even function with modes at
/// `-sqrt(u_j)` and `sqrt(u_j)` where `u_j > 0`, and a single one at 0 elsewhere. With `k` split
/// coordinates there are `2^k` modes of equal mass, the orthants of these coordinates: bit `i` of a
/// mode's index is set where the `i`-th split coordinate is negative, so that mode 0 has all of
/// them positive.
///
/// Evidence is a product of one-dimensional integrals, exact to rounding; draws invert the
/// distribution function, one uniform number for each coordinate.
#[derive(Clone, Debug)]
pub struct SignPosterior {
    y: Vec<f64>,
    coordinates: Vec<SignCoordinate>,
    /// The share of the posterior within an energy of `r^2 / 2` in all coordinates but the last, on
    /// a grid of `r`.
    all_but_last: OnceLock<Vec<f64>>,
}

/// Intervals of `r` in tables, up to `LARGEST_R`.
const INTERVALS: usize = 2048;

/// Steps of the integral over one coordinate.
const STEPS: usize = 256;

fn grid_step() -> f64 {
    (2.0 * DEPTH).sqrt() / INTERVALS as f64
}

impl SignPosterior {
    pub(super) fn new(y: &[f64], sigma: f64) -> Self {
        Self {
            y: y.to_vec(),
            coordinates: y.iter().map(|&y| SignCoordinate::new(y, sigma)).collect(),
            all_but_last: OnceLock::new(),
        }
    }

    /// The observation.
    #[must_use]
    pub fn observation(&self) -> &[f64] {
        &self.y
    }

    /// The indices of the coordinates with two modes, one of each sign.
    fn split(&self) -> Vec<usize> {
        (0..self.y.len())
            .filter(|&j| self.coordinates[j].is_split())
            .collect()
    }

    /// The share with an energy of at most `r^2 / 2`, the log-density's depth below its greatest.
    fn mass_within(&self, r: f64) -> f64 {
        let (last, others) = self.coordinates.split_last().expect("d >= 1");
        if others.is_empty() {
            return last.mass_within(0.5 * r * r);
        }
        let table = self.all_but_last.get_or_init(|| mass_table(others));
        convolve(|r| last.mass_within(0.5 * r * r), table, r)
    }
}

/// The share within an energy of `r^2 / 2`, coordinate after coordinate.
fn mass_table(coordinates: &[SignCoordinate]) -> Vec<f64> {
    let radius = |i: usize| i as f64 * grid_step();
    let of_one = |c: &SignCoordinate| -> Vec<f64> {
        (0..=INTERVALS)
            .map(|i| c.mass_within(0.5 * radius(i) * radius(i)))
            .collect()
    };
    let mut table = of_one(&coordinates[0]);
    for coordinate in &coordinates[1..] {
        let one = of_one(coordinate);
        table = (0..=INTERVALS)
            .map(|i| convolve(|r| interpolate(&one, r), &table, radius(i)))
            .collect();
    }
    table
}

/// The share of a sum of two energies up to `r^2 / 2`, from the shares of each: the integral of
/// `table((r^2 - q^2)^(1/2))` over `d one(q)`, with `q = r sin(t)`.
fn convolve(one: impl Fn(f64) -> f64, table: &[f64], r: f64) -> f64 {
    let step = FRAC_PI_2 / STEPS as f64;
    let (mut total, mut before) = (0.0, 0.0);
    for k in 0..STEPS {
        let up_to = one(r * sin((k as f64 + 1.0) * step));
        // cos(t) at the middle of the step.
        let rest = sin(FRAC_PI_2 - (k as f64 + 0.5) * step);
        total += (up_to - before) * interpolate(table, r * rest);
        before = up_to;
    }
    total
}

fn interpolate(table: &[f64], r: f64) -> f64 {
    let at = r / grid_step();
    let k = (at as usize).min(INTERVALS - 1);
    let part = (at - k as f64).min(1.0);
    table[k] + part * (table[k + 1] - table[k])
}

impl InverseProblem for SignPosterior {
    fn dim(&self) -> usize {
        self.y.len()
    }

    fn at(&self, z: MatRef<'_, f64>) -> Mat<f64> {
        z.to_owned()
    }

    fn log_prior(&self, theta: MatRef<'_, f64>) -> Vec<f64> {
        prior::log_density(theta, self.dim())
    }

    fn log_likelihood(&self, theta: MatRef<'_, f64>) -> Vec<f64> {
        prior::check_columns(theta, self.dim());
        let of = |i: usize| {
            let terms = self.coordinates.iter().enumerate();
            terms.map(|(j, c)| c.log_likelihood(theta[(i, j)])).sum()
        };
        (0..theta.nrows()).map(of).collect()
    }
}

impl ExactPosterior for SignPosterior {
    fn log_evidence(&self) -> f64 {
        let terms = self.coordinates.iter();
        terms.map(SignCoordinate::log_evidence).sum()
    }

    fn sample_posterior(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        let mut theta = Mat::zeros(n, self.dim());
        for i in 0..n {
            for (j, coordinate) in self.coordinates.iter().enumerate() {
                theta[(i, j)] = coordinate.draw(rng);
            }
        }
        theta
    }

    fn num_modes(&self) -> usize {
        1 << self.split().len()
    }

    fn mode_masses(&self) -> Vec<f64> {
        let modes = self.num_modes();
        vec![1.0 / modes as f64; modes]
    }

    fn mode_of(&self, theta: MatRef<'_, f64>) -> Vec<usize> {
        prior::check_columns(theta, self.dim());
        let split = self.split();
        let of = |i: usize| {
            let bits = split.iter().enumerate();
            bits.map(|(bit, &j)| usize::from(theta[(i, j)] < 0.0) << bit)
                .sum()
        };
        (0..theta.nrows()).map(of).collect()
    }

    fn hdr_level(&self, share: f64) -> f64 {
        check_share(share);
        let peak: f64 = self.coordinates.iter().map(SignCoordinate::log_peak).sum();
        let r = bisect(0.0, (2.0 * DEPTH).sqrt(), share, |r| self.mass_within(r));
        peak - 0.5 * r * r
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::math::exp;

    /// Energies and masses of the cells of a fine grid over `[0, 2.5]`, which stands for both
    /// signs.
    fn cells(y: f64, sigma: f64, n: usize) -> Vec<(f64, f64)> {
        let centre = y - 0.5 * sigma * sigma;
        let energy = |k: usize| {
            let t = 2.5 * (k as f64 + 0.5) / n as f64;
            let least = centre.min(0.0);
            let well = t * t - centre;
            (well * well - least * least) / (2.0 * sigma * sigma)
        };
        let total: f64 = (0..n).map(|k| exp(-energy(k))).sum();
        let weigh = |k: usize| (energy(k), exp(-energy(k)) / total);
        (0..n).map(weigh).filter(|cell| cell.1 > 1e-12).collect()
    }

    #[test]
    fn masses_within_energies_by_counting() {
        let sigma = 0.25;
        for y in [
            vec![1.0, 1.0],
            vec![0.05, 0.05],
            vec![0.1, -0.3],
            vec![0.031_25, 1.5],
            vec![1.0, 0.4, -0.2],
            vec![0.06, 0.05, 0.2],
        ] {
            let n = if y.len() == 2 { 8000 } else { 800 };
            let grids: Vec<_> = y.iter().map(|&y| cells(y, sigma, n)).collect();
            let one = vec![(0.0, 1.0)];
            let third = grids.get(2).unwrap_or(&one);
            let energies = [0.1, 0.7, 2.0, 7.0];
            let mut exact = [0.0; 4];
            for a in &grids[0] {
                for b in &grids[1] {
                    for c in third {
                        let (energy, mass) = (a.0 + b.0 + c.0, a.1 * b.1 * c.1);
                        for (exact, most) in exact.iter_mut().zip(energies) {
                            *exact += if energy <= most { mass } else { 0.0 };
                        }
                    }
                }
            }
            let posterior = SignPosterior::new(&y, sigma);
            for (exact, most) in exact.into_iter().zip(energies) {
                let got = posterior.mass_within((2.0_f64 * most).sqrt());
                assert!(
                    (got - exact).abs() < 7e-5,
                    "{y:?}, {most}: {got}, not {exact}"
                );
            }
        }
    }
}
