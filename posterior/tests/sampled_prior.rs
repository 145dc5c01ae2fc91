//! Priors that are known by a log-density and draws.

use faer::prelude::*;
use numerics::math::{exp, ln, normal_log_pdf};
use numerics::random::{standard_normal, stream};
use posterior::{Posterior, SampledPrior};
use std::f64::consts::PI;

/// a ~ N(0, 1), b given a ~ N(a^2, 0.5): a banana.
fn log_banana(t: &[f64]) -> f64 {
    normal_log_pdf(t[0]) + normal_log_pdf((t[1] - t[0] * t[0]) / 0.5) - ln(0.5)
}

fn banana(n: usize) -> Mat<f64> {
    let rng = &mut stream(1, "banana");
    let mut draws = Mat::zeros(n, 2);
    for i in 0..n {
        let a = standard_normal(rng);
        draws[(i, 0)] = a;
        draws[(i, 1)] = a * a + 0.5 * standard_normal(rng);
    }
    draws
}

#[test]
fn evidence_under_a_prior_whose_parameters_depend_on_each_other() {
    let prior = SampledPrior::new(["a", "b"], banana(3000).as_ref(), log_banana).unwrap();
    // b was measured as 2 with an error of 0.3.
    let log_likelihood = |t: &[f64]| normal_log_pdf((t[1] - 2.0) / 0.3) - ln(0.3);
    let run = Posterior::new(prior, log_likelihood).evaluations(8000);
    let found = run.ess(3000.0).fit().unwrap();
    // Given a, b is N(a^2, 0.5^2 + 0.3^2): an integral over a alone.
    let sd = 0.34_f64.sqrt();
    let step = 1e-3;
    let z: f64 = (-8000..8000)
        .map(|i| f64::from(i) * step)
        .map(|a| exp(normal_log_pdf(a) + normal_log_pdf((2.0 - a * a) / sd)) / sd * step)
        .sum();
    let got = found.log_evidence();
    assert!(
        (got.value - ln(z)).abs() < 4.0 * got.standard_error && got.standard_error < 0.03,
        "{got:?} for {}",
        ln(z)
    );
    assert!(found.warnings().is_empty(), "{:?}", found.warnings());
}

#[test]
fn the_likelihood_is_never_asked_where_the_prior_is_zero() {
    // The part of N(0, I) with a + b > 0.
    let inside = |t: &[f64]| t[0] + t[1] > 0.0;
    let log_prior = |t: &[f64]| match inside(t) {
        true => ln(2.0) + normal_log_pdf(t[0]) + normal_log_pdf(t[1]),
        false => f64::NEG_INFINITY,
    };
    let rng = &mut stream(1, "half");
    let draws = Mat::from_fn(2000, 2, |_, _| standard_normal(rng));
    let draws = Mat::from_fn(2000, 2, |i, j| {
        let sum = draws[(i, 0)] + draws[(i, 1)];
        draws[(i, j)] * sum.signum()
    });
    let prior = SampledPrior::new(["a", "b"], draws.as_ref(), log_prior).unwrap();
    let log_likelihood = |t: &[f64]| {
        assert!(inside(t), "asked at {t:?}");
        -50.0 * (t[0] - t[1]) * (t[0] - t[1])
    };
    let run = Posterior::new(prior, log_likelihood).evaluations(8000);
    let found = run.ess(2000.0).fit().unwrap();
    // a - b is N(0, 2) by itself: Z = E exp(-50 (a - b)^2) = 1 / sqrt(1 + 200).
    let (got, exact) = (found.log_evidence(), -0.5 * ln(201.0));
    assert!(
        (got.value - exact).abs() < 4.0 * got.standard_error && got.standard_error < 0.05,
        "{got:?} for {exact}"
    );
    let draws = found.sample(500, 1);
    assert!((0..500).all(|i| draws[(i, 0)] + draws[(i, 1)] > 0.0));
}

#[test]
fn what_is_wrong_with_such_a_prior_is_said() {
    let refuse = |draws: &Mat<f64>, log_density: fn(&[f64]) -> f64, says: &str| {
        let error = SampledPrior::new(["a", "b"], draws.as_ref(), log_density);
        let error = error.err().expect("an error");
        assert!(error.contains(says), "{error}");
    };
    let draws = banana(1000);
    refuse(&banana(99), log_banana, "99 draws of the prior are too few");
    refuse(&draws, |t| log_banana(t) + 3.0, "subtract 3.0");
    let somewhere_else = |t: &[f64]| if t[0] > 0.0 { -t[0] } else { f64::NEG_INFINITY };
    refuse(&draws, somewhere_else, "do not belong together");
    refuse(&draws, |_| -ln(2.0 * PI) - 40.0, "not to 1");
    let mut bad = banana(1000);
    bad[(7, 1)] = f64::NAN;
    refuse(&bad, log_banana, "draw 7 of the prior: \"b\" is NaN");
    let error = SampledPrior::new(["a"], draws.as_ref(), log_banana);
    assert!(error.err().unwrap().contains("2 columns for 1 names"));
}
