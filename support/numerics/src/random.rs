//! Seeded random numbers: one `Pcg64` stream for each purpose.
//!
//! A generator is determined by a seed and a label ("banana/train", "init/maf", ...). Draws for one
//! purpose never depend on how many were taken for another, so that adding an expert or a metric
//! changes no other number.

pub use rand_pcg::Pcg64;

use crate::math::{exp, ln, normal_quantile};
use rand::Rng;
use rand::seq::SliceRandom;

/// The generator for `seed` and `label`.
///
/// Both the state and the stream of the generator come from a hash of the two (FNV-1a, then a
/// mixing step), because `Pcg64` streams that share a state are correlated.
#[must_use]
pub fn stream(seed: u64, label: &str) -> Pcg64 {
    let hash = |salt: u64| {
        let mut h = 0xcbf2_9ce4_8422_2325 ^ salt;
        for byte in seed.to_le_bytes().iter().chain(label.as_bytes()) {
            h = (h ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        mix(h)
    };
    let wide = |a: u64, b: u64| (u128::from(hash(a)) << 64) | u128::from(hash(b));
    Pcg64::new(wide(0x51, 0x52), wide(0x53, 0x54))
}

/// The finaliser of SplitMix64: every input bit reaches every output bit.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Uniform on the open interval (0, 1): the midpoints of 2^53 equal cells.
pub fn uniform(rng: &mut Pcg64) -> f64 {
    midpoint(rng.next_u64())
}

/// The midpoint of the cell indexed by the upper 53 bits. That of the last cell would round to 1.
fn midpoint(bits: u64) -> f64 {
    const CELL: f64 = 1.0 / 9_007_199_254_740_992.0;
    (((bits >> 11) as f64 + 0.5) * CELL).min(1.0 - CELL)
}

/// Standard normal, by inversion of one uniform draw: the same bits on every machine.
pub fn standard_normal(rng: &mut Pcg64) -> f64 {
    normal_quantile(uniform(rng))
}

/// Fills a slice with independent standard normal draws.
pub fn fill_standard_normal(rng: &mut Pcg64, out: &mut [f64]) {
    for v in out {
        *v = standard_normal(rng);
    }
}

/// A gamma variable of this shape (> 0) and scale one, by rejection (Marsaglia and Tsang 2000).
pub fn gamma(rng: &mut Pcg64, shape: f64) -> f64 {
    // A variable of a shape below one is one of the next shape times a power of a uniform one.
    let boost = if shape < 1.0 {
        exp(ln(uniform(rng)) / shape)
    } else {
        1.0
    };
    let d = if shape < 1.0 { shape + 1.0 } else { shape } - 1.0 / 3.0;
    loop {
        let x = standard_normal(rng);
        let v = 1.0 + x / (9.0 * d).sqrt();
        if v <= 0.0 {
            continue;
        }
        let v = v * v * v;
        if ln(uniform(rng)) < 0.5 * x * x + d * (1.0 - v + ln(v)) {
            return boost * d * v;
        }
    }
}

/// An index drawn with the given probabilities (they need not sum to one).
///
/// # Panics
/// If `weights` is empty.
pub fn categorical(rng: &mut Pcg64, weights: &[f64]) -> usize {
    let mut left = uniform(rng) * weights.iter().sum::<f64>();
    for (k, w) in weights.iter().enumerate() {
        left -= w;
        if left < 0.0 {
            return k;
        }
    }
    // Rounding can leave a remainder: it goes to the last index that has weight.
    weights
        .iter()
        .rposition(|&w| w > 0.0)
        .unwrap_or(weights.len() - 1)
}

/// A uniformly random order of `0..n`.
pub fn permutation(rng: &mut Pcg64, n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(rng);
    order
}

/// Shuffles a slice in place.
pub fn shuffle<T>(rng: &mut Pcg64, items: &mut [T]) {
    items.shuffle(rng);
}

/// A stream for each purpose under one seed: `streams(seed)("batches")` is `stream(seed, "batches")`.
pub fn streams(seed: u64) -> impl Fn(&str) -> Pcg64 {
    move |purpose| stream(seed, purpose)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::mean_and_standard_error;

    #[test]
    fn uniform_draws_never_reach_the_ends() {
        let (least, most) = (midpoint(0), midpoint(u64::MAX));
        assert!(0.0 < least && most < 1.0, "{least:e} {most}");
        assert!(normal_quantile(least).is_finite() && normal_quantile(most).is_finite());
    }

    #[test]
    fn gamma_variables_have_their_moments() {
        for shape in [0.4, 1.0, 7.5] {
            let mut rng = stream(1, "gamma");
            let draws: Vec<f64> = (0..20_000).map(|_| gamma(&mut rng, shape)).collect();
            let (mean, error) = mean_and_standard_error(&draws);
            assert!((mean - shape).abs() < 4.0 * error, "{shape}: {mean}");
            // The variance is the shape as well; its error is below that of an exponential's.
            let squares: Vec<f64> = draws.iter().map(|g| (g - shape) * (g - shape)).collect();
            let (variance, error) = mean_and_standard_error(&squares);
            assert!(
                (variance - shape).abs() < 4.0 * error,
                "{shape}: {variance}"
            );
        }
    }

    #[test]
    fn streams_are_locked() {
        // A change here would change every number of every report.
        let mut rng = stream(2025, "banana/train");
        let got: Vec<u64> = (0..3).map(|_| rng.next_u64()).collect();
        let locked = [
            9_830_111_082_273_088_339,
            16_178_367_879_291_838_271,
            3_908_812_704_930_676_446,
        ];
        assert_eq!(got, locked);
    }

    #[test]
    fn streams_differ_by_seed_and_label() {
        let first = |s, l| stream(s, l).next_u64();
        assert_ne!(first(1, "a"), first(2, "a"));
        assert_ne!(first(1, "a"), first(1, "b"));
        assert_eq!(first(1, "a"), first(1, "a"));
    }

    #[test]
    fn normal_moments_and_independence_between_streams() {
        let n = 200_000;
        let (mut a, mut b) = (stream(1, "a"), stream(1, "b"));
        let x: Vec<f64> = (0..n).map(|_| standard_normal(&mut a)).collect();
        let y: Vec<f64> = (0..n).map(|_| standard_normal(&mut b)).collect();
        let within = |v: &[f64], expected: f64| {
            let (mean, se) = mean_and_standard_error(v);
            assert!(
                (mean - expected).abs() < 4.0 * se,
                "{mean} +- {se}, not {expected}"
            );
        };
        within(&x, 0.0);
        within(&x.iter().map(|v| v * v).collect::<Vec<_>>(), 1.0);
        within(&x.iter().map(|v| v.powi(4)).collect::<Vec<_>>(), 3.0);
        within(
            &x.iter().zip(&y).map(|(a, b)| a * b).collect::<Vec<_>>(),
            0.0,
        );
        within(&x.windows(2).map(|w| w[0] * w[1]).collect::<Vec<_>>(), 0.0);
    }

    #[test]
    fn categorical_has_the_right_frequencies() {
        let mut rng = stream(3, "categorical");
        let weights = [0.5, 0.0, 1.5];
        let mut counts = [0usize; 3];
        for _ in 0..40_000 {
            counts[categorical(&mut rng, &weights)] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((counts[0] as f64 / 40_000.0 - 0.25).abs() < 0.01);
    }

    #[test]
    fn permutation_holds_every_index_once() {
        let mut p = permutation(&mut stream(5, "p"), 100);
        assert_ne!(p, (0..100).collect::<Vec<_>>());
        p.sort_unstable();
        assert_eq!(p, (0..100).collect::<Vec<_>>());
    }
}
