//! Convergence and effective sample size of Markov chains (Vehtari, Gelman, Simpson, Carpenter and
//! Buerkner 2021, arXiv:1903.08008), as Stan's `posterior` package defines them.

use crate::math::{ln, normal_quantile, sum};
use serde::{Deserialize, Serialize};

/// Fewer rows of each half chain say nothing about dependence.
const FEWEST: usize = 4;
/// The quantiles whose effective sample sizes make that of the tails.
const TAILS: [f64; 2] = [0.05, 0.95];

/// How far draws of one quantity can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainDiagnostics {
    /// The larger of the split R-hats of rank-normalised draws and of folded ones; near 1 where the
    /// chains agree.
    pub r_hat: f64,
    /// Effective sample size of rank-normalised draws: for means and densities.
    pub ess_bulk: f64,
    /// The smaller of the effective sample sizes of the 5 and 95 % quantiles.
    pub ess_tail: f64,
    /// Autocorrelation of neighbouring rank-normalised draws.
    pub neighbours: f64,
}

impl ChainDiagnostics {
    /// Of the draws of one quantity, chain by chain in the order they were made. Chains are cut to
    /// the length of the shortest, and each is split into halves.
    ///
    /// `None` if a half has fewer than four draws, or all draws are equal.
    ///
    /// ```
    /// use numerics::ChainDiagnostics;
    /// use numerics::random::{standard_normal, stream};
    ///
    /// let mut rng = stream(1, "example");
    /// let mut at = 0.0;
    /// let mut step = || { at = 0.9 * at + standard_normal(&mut rng); at };
    /// let chain: Vec<f64> = (0..10_000).map(|_| step()).collect();
    /// let found = ChainDiagnostics::of(&[&chain]).unwrap();
    /// // n (1 - a) / (1 + a) = 526.
    /// assert!((400.0..700.0).contains(&found.ess_bulk) && found.r_hat < 1.02);
    /// ```
    #[must_use]
    pub fn of(chains: &[&[f64]]) -> Option<Self> {
        let length = chains.iter().map(|c| c.len()).min()?;
        let half = length / 2;
        if half < FEWEST {
            return None;
        }
        // The middle draw of an odd number belongs to neither half.
        let halves: Vec<f64> = chains
            .iter()
            .flat_map(|c| [&c[..half], &c[length - half..length]])
            .flatten()
            .copied()
            .collect();
        if halves.iter().all(|v| *v == halves[0]) {
            return None;
        }
        let mut sorted = halves.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let normal = normal_scores(&halves, &sorted);
        let median = quantile(&sorted, 0.5);
        let folded: Vec<f64> = halves.iter().map(|v| (v - median).abs()).collect();
        let mut sorted_folded = folded.clone();
        sorted_folded.sort_unstable_by(f64::total_cmp);
        let folded = normal_scores(&folded, &sorted_folded);
        let tails = TAILS.map(|q| {
            let cut = quantile(&sorted, q);
            let below: Vec<f64> = halves
                .iter()
                .map(|v| f64::from(u8::from(*v <= cut)))
                .collect();
            // Of as many draws as there are if all lie on one side.
            effective(&below, half).unwrap_or(halves.len() as f64)
        });
        let r_hat = potential_scale_reduction(&normal, half);
        let moments = Moments::of(&normal, half);
        Some(Self {
            r_hat: r_hat.max(potential_scale_reduction(&folded, half)),
            ess_bulk: effective(&normal, half)?,
            ess_tail: tails[0].min(tails[1]),
            neighbours: moments.autocorrelation(&normal, half, 1),
        })
    }
}

/// `Phi^-1((rank - 3/8) / (n + 1/4))`, equal values with the mean of their ranks (Blom 1958).
fn normal_scores(values: &[f64], sorted: &[f64]) -> Vec<f64> {
    let n = values.len() as f64;
    let rank = |v: &f64| {
        let below = sorted.partition_point(|s| s < v);
        let not_above = sorted.partition_point(|s| s <= v);
        0.5 * (below + 1 + not_above) as f64
    };
    let score = |v| normal_quantile((rank(v) - 0.375) / (n + 0.25));
    values.iter().map(score).collect()
}

/// The quantile of sorted values, linear between them (type 7 of Hyndman and Fan 1996).
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let (low, part) = (at.floor() as usize, at.fract());
    let high = sorted[(low + 1).min(sorted.len() - 1)];
    sorted[low] + part * (high - sorted[low])
}

/// Means of chains of this length, the mean of their variances W, and `(n - 1) / n W + B / n`.
struct Moments {
    means: Vec<f64>,
    within: f64,
    pooled: f64,
}

impl Moments {
    fn of(values: &[f64], length: usize) -> Self {
        let n = length as f64;
        let means: Vec<f64> = values.chunks(length).map(|c| sum(c) / n).collect();
        let m = means.len() as f64;
        let squares = values.chunks(length).zip(&means).map(|(chain, mean)| {
            let squares: Vec<f64> = chain.iter().map(|v| (v - mean) * (v - mean)).collect();
            sum(&squares)
        });
        let within = squares.sum::<f64>() / (m * (n - 1.0));
        let grand = sum(&means) / m;
        let apart: f64 = means.iter().map(|v| (v - grand) * (v - grand)).sum();
        let pooled = within * (n - 1.0) / n + apart / (m - 1.0);
        Self {
            means,
            within,
            pooled,
        }
    }

    /// Of draws so many steps apart in chains of this length.
    fn autocorrelation(&self, values: &[f64], length: usize, lag: usize) -> f64 {
        let of = values.chunks(length).zip(&self.means).map(|(c, mean)| {
            let terms = c
                .iter()
                .zip(&c[lag..])
                .map(|(a, b)| (a - mean) * (b - mean));
            terms.sum::<f64>() / length as f64
        });
        let covariance = of.sum::<f64>() / self.means.len() as f64;
        1.0 - (self.within - covariance) / self.pooled
    }
}

/// R-hat of chains of this length: `sqrt(pooled / within)`.
fn potential_scale_reduction(values: &[f64], length: usize) -> f64 {
    let moments = Moments::of(values, length);
    if moments.within > 0.0 {
        (moments.pooled / moments.within).sqrt()
    } else if moments.pooled > 0.0 {
        f64::INFINITY
    } else {
        1.0
    }
}

/// Effective sample size of the mean of chains of this length, by Geyer's (1992) initial monotone
/// sequence of their autocorrelations; `None` if all values are equal.
fn effective(values: &[f64], length: usize) -> Option<f64> {
    let moments = Moments::of(values, length);
    if moments.pooled.is_nan() || moments.pooled <= 0.0 {
        return None;
    }
    let rho = |lag: usize| moments.autocorrelation(values, length, lag);
    // Sums of two neighbours, not negative and falling.
    let mut pair = 1.0 + rho(1);
    let (mut total, mut lag, mut rest) = (0.0, 0, 0.0);
    let mut last = f64::INFINITY;
    while pair > 0.0 {
        last = pair.min(last);
        total += last;
        lag += 2;
        if lag + 1 >= length.saturating_sub(2) {
            break;
        }
        let even = rho(lag);
        pair = even + rho(lag + 1);
        rest = even.max(0.0);
    }
    let all = values.len() as f64;
    let tau = (2.0 * total - 1.0 + rest).max(core::f64::consts::LN_10 / ln(all));
    Some(all / tau)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{standard_normal, stream};

    /// An autoregressive chain with this coefficient and standard deviation one.
    fn chain(a: f64, n: usize, label: &str) -> Vec<f64> {
        let mut rng = stream(1, label);
        let mut at = standard_normal(&mut rng);
        let mut step = || {
            at = a * at + (1.0 - a * a).sqrt() * standard_normal(&mut rng);
            at
        };
        (0..n).map(|_| step()).collect()
    }

    #[test]
    fn autoregressive_chains_have_the_sample_size_that_theory_gives() {
        for (a, tolerance) in [(0.0, 0.1), (0.5, 0.15), (0.9, 0.2), (-0.5, 0.15)] {
            let chains: Vec<Vec<f64>> = (0..4)
                .map(|c| chain(a, 5000, &format!("{a} {c}")))
                .collect();
            let refs: Vec<&[f64]> = chains.iter().map(Vec::as_slice).collect();
            let found = ChainDiagnostics::of(&refs).unwrap();
            let exact = 20_000.0 * (1.0 - a) / (1.0 + a);
            let off = (found.ess_bulk / exact - 1.0).abs();
            assert!(off < tolerance, "{a}: {found:?} {exact}");
            assert!(found.r_hat < 1.01, "{a}: {found:?}");
        }
    }

    #[test]
    fn chains_that_disagree_in_place_or_scale_are_found() {
        let mut chains: Vec<Vec<f64>> = (0..4).map(|c| chain(0.0, 500, &c.to_string())).collect();
        chains[0].iter_mut().for_each(|v| *v += 3.0);
        let refs: Vec<&[f64]> = chains.iter().map(Vec::as_slice).collect();
        let found = ChainDiagnostics::of(&refs).unwrap();
        assert!(found.r_hat > 1.3 && found.ess_bulk < 30.0, "{found:?}");
        chains[0].iter_mut().for_each(|v| *v = 10.0 * (*v - 3.0));
        let refs: Vec<&[f64]> = chains.iter().map(Vec::as_slice).collect();
        assert!(ChainDiagnostics::of(&refs).unwrap().r_hat > 1.1);
    }

    #[test]
    fn heavy_tails_and_monotone_maps_change_nothing_in_the_bulk() {
        let normal = chain(0.8, 4000, "map");
        let mapped: Vec<f64> = normal.iter().map(|v| crate::math::exp(3.0 * v)).collect();
        let (a, b) = (
            ChainDiagnostics::of(&[&normal]).unwrap(),
            ChainDiagnostics::of(&[&mapped]).unwrap(),
        );
        assert!((a.ess_bulk - b.ess_bulk).abs() < 1e-6 * a.ess_bulk);
        assert!((a.ess_tail - b.ess_tail).abs() < 1e-6 * a.ess_tail);
    }

    #[test]
    fn too_few_or_equal_draws_have_no_diagnostics() {
        assert_eq!(ChainDiagnostics::of(&[]), None);
        assert_eq!(ChainDiagnostics::of(&[&[1.0; 7]]), None);
        assert_eq!(ChainDiagnostics::of(&[&[2.0; 100]]), None);
        // Two values: ranks with ties.
        let two: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
        let found = ChainDiagnostics::of(&[&two]).unwrap();
        assert!(found.ess_bulk > 100.0 && found.ess_tail.is_finite());
    }
}
