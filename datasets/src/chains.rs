//! Convergence of chains and their effective sample size (Gelman et al., Bayesian Data Analysis 3,
//! 11.4-11.5).

/// The potential scale reduction of a quantity along several chains, each split into halves: near 1
/// if they agree.
///
/// # Panics
/// If there is no chain, or a chain has fewer than four draws.
#[must_use]
pub fn r_hat(chains: &[Vec<f64>]) -> f64 {
    let halves: Vec<&[f64]> = chains
        .iter()
        .flat_map(|c| [&c[..c.len() / 2], &c[c.len() - c.len() / 2..]])
        .collect();
    let s = Spread::of(&halves);
    (s.total / s.within).sqrt()
}

/// The effective sample size: the number of independent draws whose mean is as precise as that of
/// all these draws.
///
/// Autocorrelations are summed in pairs for as long as the pairs are positive (Geyer's initial
/// positive sequence).
///
/// # Panics
/// As [`r_hat`].
#[must_use]
pub fn effective_size(chains: &[Vec<f64>]) -> f64 {
    let slices: Vec<&[f64]> = chains.iter().map(Vec::as_slice).collect();
    let s = Spread::of(&slices);
    let shortest = slices.iter().map(|c| c.len()).min().unwrap_or(0);
    // By the mean squared difference of draws a lag apart, over all chains.
    let correlation = |lag: usize| {
        let (mut sum, mut count) = (0.0, 0);
        for c in &slices {
            sum += c
                .iter()
                .zip(&c[lag..])
                .map(|(a, b)| (a - b) * (a - b))
                .sum::<f64>();
            count += c.len() - lag;
        }
        1.0 - sum / count as f64 / (2.0 * s.total)
    };
    let mut time = -1.0;
    for lag in (0..shortest.saturating_sub(1)).step_by(2) {
        let pair = correlation(lag) + correlation(lag + 1);
        if pair <= 0.0 {
            break;
        }
        time += 2.0 * pair;
    }
    let n: usize = slices.iter().map(|c| c.len()).sum();
    n as f64 / time.max(1.0 / (n as f64))
}

/// Variances of several chains.
struct Spread {
    /// Mean variance within a chain.
    within: f64,
    /// Variance of all draws, which is too large before the chains mix.
    total: f64,
}

impl Spread {
    fn of(chains: &[&[f64]]) -> Self {
        let n = chains.iter().map(|c| c.len()).min().unwrap_or(0) as f64;
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let variance = |v: &[f64]| {
            let m = mean(v);
            v.iter().map(|x| (x - m) * (x - m)).sum::<f64>() / (v.len() - 1) as f64
        };
        let within = mean(&chains.iter().map(|c| variance(c)).collect::<Vec<_>>());
        let means: Vec<f64> = chains.iter().map(|c| mean(c)).collect();
        let between = if means.len() > 1 {
            variance(&means)
        } else {
            0.0
        };
        Self {
            within,
            total: within * (n - 1.0) / n + between,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::random::{standard_normal, stream};

    /// Chains `x_t = r x_{t-1} + sqrt(1 - r^2) noise` of variance one, moved by `shift` each.
    fn chains(r: f64, shift: f64) -> Vec<Vec<f64>> {
        let chain = |k: usize| {
            let mut rng = stream(1, &format!("chain {k}"));
            let mut x = standard_normal(&mut rng);
            let mut next = || {
                x = r * x + (1.0 - r * r).sqrt() * standard_normal(&mut rng);
                x + shift * k as f64
            };
            (0..5000).map(|_| next()).collect()
        };
        (0..4).map(chain).collect()
    }

    #[test]
    fn autoregressive_chains_are_worth_what_theory_says() {
        for r in [0.0, 0.5, 0.9] {
            let exact = 20_000.0 * (1.0 - r) / (1.0 + r);
            let size = effective_size(&chains(r, 0.0));
            assert!(
                (size / exact - 1.0).abs() < 0.15,
                "{r}: {size}, not {exact}"
            );
            assert!((r_hat(&chains(r, 0.0)) - 1.0).abs() < 0.02);
        }
    }

    #[test]
    fn chains_that_have_not_met_are_seen() {
        assert!(r_hat(&chains(0.5, 1.0)) > 1.2);
        assert!(effective_size(&chains(0.5, 1.0)) < 200.0);
    }
}
