//! Draws and densities of the multivariate targets agree.

use datasets::multivariate::Multivariate;
use faer::Mat;
use numerics::math::{exp, mean_and_standard_error};
use numerics::random::stream;

/// With `g` a density whose draws are known, the mean of `g / p` over draws of p is one: p is
/// normalised and is what is drawn.
///
/// `g` is p itself moved by a small amount, for which the ratio has a finite variance.
#[test]
fn draws_follow_the_density() {
    for target in Multivariate::ALL {
        let x = target.sample(40_000, &mut stream(5, target.name()));
        let log_p = target.log_prob(x.as_ref());
        for (j, shift) in (0..target.dim()).flat_map(|j| [(j, 0.1), (j, -0.2)]) {
            // The crescents are a hundredth as wide as they are long.
            let thin = target == Multivariate::Crescents;
            let shift = if thin { 0.02 * shift } else { shift };
            let moved = Mat::from_fn(x.nrows(), x.ncols(), |i, k| {
                x[(i, k)] + if k == j { shift } else { 0.0 }
            });
            let log_g = target.log_prob(moved.as_ref());
            // In the throat of the funnel a shift is many standard deviations: compared where it is
            // not.
            let usable = |i: usize| target != Multivariate::Funnel || j == 0 || x[(i, 0)] > 0.0;
            let ratio = |i: usize| {
                if usable(i) {
                    exp(log_g[i] - log_p[i])
                } else {
                    0.0
                }
            };
            let ratios: Vec<f64> = (0..x.nrows()).map(ratio).collect();
            let share = (0..x.nrows()).filter(|i| usable(*i)).count() as f64 / x.nrows() as f64;
            let (mean, error) = mean_and_standard_error(&ratios);
            assert!(
                (mean - share).abs() < 5.0 * error + 0.005,
                "{target:?} {j}: {mean} ± {error}, not {share}"
            );
        }
    }
}

/// The integral over a grid, where there are few dimensions.
#[test]
fn the_gumbel_density_is_normalised() {
    let h = 0.01;
    let grid = Mat::from_fn(4000, 1, |i, _| -8.0 + h * (i as f64 + 0.5));
    let total: f64 = Multivariate::Gumbel
        .log_prob(grid.as_ref())
        .into_iter()
        .map(|l| h * exp(l))
        .sum();
    assert!((total - 1.0).abs() < 1e-6, "{total}");
}

/// NLL of draws against the entropies in closed form.
#[test]
fn entropies() {
    use numerics::math::ln;
    use std::f64::consts::{E, PI};
    let normal = 0.5 * ln(2.0 * PI * E);
    // Gumbel: 1 + Euler's constant. Funnel: three normals, ln 3, and no mean of v / 2.
    let exact = [
        (Multivariate::Gumbel, 1.577_215_664_901_533),
        (Multivariate::Funnel, 3.0 * normal + ln(3.0)),
    ];
    for (target, entropy) in exact {
        let x = target.sample(100_000, &mut stream(6, target.name()));
        let (mean, error) = mean_and_standard_error(&target.log_prob(x.as_ref()));
        assert!(
            (mean + entropy).abs() < 4.0 * error,
            "{target:?}: {} ± {error}, not {entropy}",
            -mean
        );
    }
}
