//! What users of such samplers report and ask for, each a test.

use faer::prelude::*;
use numerics::distribution::Distribution;
use numerics::math::{cos, exp, ln, sin, sum};
use posterior::{Deliver, Inference, Likelihood, Posterior, Prior, UnitCube, Value};
use std::f64::consts::PI;
use std::time::Instant;

fn prior(lines: &[String]) -> Prior {
    Prior::parse(lines.iter().map(String::as_str)).unwrap()
}

fn cube(d: usize) -> Prior {
    prior(
        &(0..d)
            .map(|j| format!("t{j} = uniform(0, 1)"))
            .collect::<Vec<_>>(),
    )
}

/// The weighted share of the draws for which something holds.
fn share(found: &Inference, holds: impl Fn(&[f64]) -> bool) -> f64 {
    let theta = found.theta();
    let row = |i: usize| {
        (0..theta.ncols())
            .map(|j| theta[(i, j)])
            .collect::<Vec<_>>()
    };
    let own = found.weights().iter().enumerate();
    own.filter(|(i, w)| **w > 0.0 && holds(&row(*i)))
        .map(|(_, w)| w)
        .sum()
}

/// Whether ln Z is right within four standard errors (and a tenth of a percent).
#[track_caller]
fn right(found: &Inference, exact: f64) {
    let z = found.log_evidence();
    let error = z.value - exact;
    assert!(
        error.abs() < 4.0 * z.standard_error + 0.001,
        "ln Z wrong by {error} +- {}; {:?}; {:?}",
        z.standard_error,
        found.status(),
        found.warnings()
    );
}

/// Gives the sum and the product of its parameters as well.
struct Blobs(Vec<String>);

impl Likelihood for Blobs {
    fn derived(&self) -> &[String] {
        &self.0
    }

    fn evaluate(&self, theta: MatRef<'_, f64>, deliver: &Deliver<'_>) -> Result<(), String> {
        (0..theta.nrows()).try_for_each(|i| {
            let (a, b) = (theta[(i, 0)], theta[(i, 1)]);
            let log_likelihood = -0.5 * ((a + b - 1.0) / 0.1) * ((a + b - 1.0) / 0.1);
            let derived = vec![a + b, a * b];
            deliver(
                i,
                Value {
                    log_likelihood,
                    derived,
                    failed: false,
                },
            )
        })
    }
}

#[test]
fn derived_quantities_stay_with_their_points() {
    let blobs = || Blobs(vec!["sum".into(), "product".into()]);
    let folder = tempfile::tempdir().unwrap();
    let run = || {
        let run = Posterior::new(cube(2), blobs())
            .evaluations(2000)
            .ess(500.0);
        run.kept_in(folder.path()).fit().unwrap()
    };
    let found = run();
    assert_eq!(found.derived_names(), ["sum", "product"]);
    for (i, derived) in found.derived().iter().enumerate() {
        let (a, b) = (found.theta()[(i, 0)], found.theta()[(i, 1)]);
        assert_eq!(derived[..], [a + b, a * b]);
    }
    // Also those that come from the folder.
    assert_eq!(run().derived(), found.derived());
    let rows = found.resampled(500, &mut numerics::random::stream(1, "rows"));
    let mean = rows.iter().map(|i| found.derived()[*i][0]).sum::<f64>() / 500.0;
    assert!((mean - 1.0).abs() < 0.03, "{mean}");
}

#[test]
fn impossible_regions_inside_of_the_prior_are_no_obstacle() {
    // Possible only in a disc within the square.
    let disc = |t: &[f64]| {
        let (x, y) = (t[0] - 0.5, t[1] - 0.5);
        if x * x + y * y < 0.01 {
            2.0
        } else {
            f64::NEG_INFINITY
        }
    };
    let found = Posterior::new(cube(2), disc)
        .evaluations(8000)
        .ess(3000.0)
        .fit()
        .unwrap();
    right(&found, 2.0 + ln(0.01 * PI));
    assert!(found.warnings().is_empty(), "{:?}", found.warnings());
    // NaN on a tenth of the prior: counted, and the first point named.
    let tenth = |t: &[f64]| {
        let far = -0.5 * ((t[0] - 0.5) / 0.1) * ((t[0] - 0.5) / 0.1);
        if t[1] < 0.1 { f64::NAN } else { far }
    };
    let found = Posterior::new(cube(2), tenth)
        .evaluations(4000)
        .ess(1500.0)
        .fit()
        .unwrap();
    right(&found, ln(0.9 * 0.1 * (2.0 * PI).sqrt()));
    let said = &found.warnings()[0];
    assert!(
        said.contains("NaN at ") && said.contains("t1 = 0.0"),
        "{said}"
    );
}

#[test]
fn a_run_goes_on_with_a_larger_budget_and_is_the_run_of_that_budget() {
    let f = |t: &[f64]| -0.5 * ((t[0] - 0.3) / 0.05) * ((t[0] - 0.3) / 0.05);
    let run = |n: usize, ess: f64| Posterior::new(cube(2), f).evaluations(n).ess(ess);
    let folder = tempfile::tempdir().unwrap();
    run(1500, 400.0).kept_in(folder.path()).fit().unwrap();
    let more = run(4000, 2500.0).kept_in(folder.path()).fit().unwrap();
    let whole = run(4000, 2500.0).fit().unwrap();
    assert_eq!(more.log_evidence(), whole.log_evidence());
    assert_eq!(more.weights(), whole.weights());
    // And what belongs to other data is refused.
    let changed = run(4000, 2500.0)
        .kept_in(folder.path())
        .depends_on("data 2")
        .fit();
    let said = changed.unwrap_err().to_string();
    assert!(said.contains("nothing then, \"data 2\" now"), "{said}");
}

/// A prior transform need not be monotone: it only has to give draws of the prior. It is allowed to
/// fold the cube and to depend on several coordinates.
#[test]
fn transforms_that_fold_the_cube_or_build_hierarchies_give_the_right_evidence() {
    let near = |t: f64, m: f64, s: f64| -0.5 * ((t - m) / s) * ((t - m) / s);
    // |2u - 1| is uniform as well; each theta has two u.
    let folded = UnitCube::new(["a"], |u| vec![(2.0 * u[0] - 1.0).abs()]);
    let run = Posterior::new(folded, |t: &[f64]| near(t[0], 0.4, 0.02));
    right(
        &run.evaluations(6000).ess(2000.0).fit().unwrap(),
        ln(0.02 * (2.0 * PI).sqrt()),
    );
    // The width of b is a parameter.
    let normal = Distribution::Normal { mean: 0.0, sd: 1.0 };
    let quantile = move |u: f64| normal.at(numerics::math::normal_quantile(u));
    let hierarchy = UnitCube::new(["tau", "b"], move |u| {
        let tau = exp(2.0 * u[0] - 1.0);
        vec![tau, tau * quantile(u[1])]
    });
    let run = Posterior::new(hierarchy, |t: &[f64]| near(t[1], 1.0, 0.1));
    let n = 20_000;
    let at = |i: usize| {
        let tau = exp(2.0 * (i as f64 + 0.5) / f64::from(n) - 1.0);
        let s2 = tau * tau + 0.01;
        0.1 / s2.sqrt() * exp(-0.5 / s2)
    };
    let exact = ln(sum(&(0..n as usize).map(at).collect::<Vec<_>>()) / f64::from(n));
    right(&run.evaluations(6000).ess(2000.0).fit().unwrap(), exact);
    // One that gives no number says where.
    let broken = UnitCube::new(["a"], |u| vec![if u[0] > 0.99 { f64::NAN } else { u[0] }]);
    let said = Posterior::new(broken, |_: &[f64]| 0.0)
        .fit()
        .unwrap_err()
        .to_string();
    assert!(said.contains("a = NaN at the point (0.99"), "{said}");
}

#[test]
fn a_likelihood_that_is_highest_in_the_corners_is_integrated_exactly() {
    // Densities: Z = 1. Infinite at the walls; the square can be integrated from exponents of 0.5 on.
    for (d, a, b) in [(1, 0.7, 1.0), (2, 0.7, 0.7), (4, 0.8, 0.7)] {
        let beta = Distribution::Beta { a, b };
        let f = move |t: &[f64]| t.iter().map(|v| beta.log_pdf(*v)).sum();
        let found = Posterior::new(cube(d), f)
            .evaluations(12_000)
            .ess(4000.0)
            .fit()
            .unwrap();
        right(&found, 0.0);
        for i in 0..found.weights().len() {
            assert!((0..d).all(|j| 0.0 < found.theta()[(i, j)] && found.theta()[(i, j)] < 1.0));
        }
        let low = share(&found, |t| t[0] < 0.01);
        let n = 100_000;
        let exact = sum(&(0..n)
            .map(|i| {
                // Substituted t = s^(1/a) 0.01, in which the density is smooth.
                let s = (f64::from(i) + 0.5) / f64::from(n);
                let t = 0.01 * exp(ln(s) / a);
                exp(beta.log_pdf(t)) * t / (a * s)
            })
            .collect::<Vec<_>>())
            / f64::from(n);
        assert!((low - exact).abs() < 0.02, "{d}: {low}, not {exact}");
    }
}

/// A sum of three waves: (A, phi) and (-A, phi + pi) are the same wave, so that there are eight equal
/// modes, and phases wrap around.
#[test]
fn a_fourier_series_with_uniform_phases_keeps_its_eight_modes() {
    const N: usize = 24;
    const SIGMA: f64 = 0.3;
    let truth = [(0.8, 1.0), (0.6, 2.2), (0.7, 0.4)];
    let data: Vec<f64> = (0..N)
        .map(|i| {
            let t = 2.0 * PI * i as f64 / N as f64;
            let waves = truth.iter().enumerate();
            0.2 + waves
                .map(|(k, (a, phi))| a * sin((k + 1) as f64 * t + phi))
                .sum::<f64>()
        })
        .collect();
    let f = |theta: &[f64]| {
        let residuals = (0..N).map(|i| {
            let t = 2.0 * PI * i as f64 / N as f64;
            let wave = |k: usize| theta[2 * k + 1] * sin((k + 1) as f64 * t + theta[2 * k + 2]);
            let r = (data[i] - theta[0] - (0..3).map(wave).sum::<f64>()) / SIGMA;
            -0.5 * r * r
        });
        residuals.sum()
    };
    let mut lines = vec!["offset = uniform(-2, 2)".to_owned()];
    for k in 1..=3 {
        lines.push(format!("amplitude_{k} = uniform(-2, 2)"));
        lines.push(format!("phase_{k} = uniform(0, {:?})", 2.0 * PI));
    }
    // Waves are orthogonal on equal steps: the evidence is a product, each factor by quadrature.
    let offset = ln((2.0 * PI / N as f64).sqrt() * SIGMA / 4.0);
    let one = |(a, phi): (f64, f64)| {
        let n = 800;
        let cell = |i: usize, j: usize| {
            let x = -2.0 + 4.0 * (i as f64 + 0.5) / f64::from(n);
            let p = 2.0 * PI * (j as f64 + 0.5) / f64::from(n);
            let (u, v) = (x * cos(p) - a * cos(phi), x * sin(p) - a * sin(phi));
            exp(-0.25 * N as f64 * (u * u + v * v) / (SIGMA * SIGMA))
        };
        let cells = (0..n as usize).flat_map(|i| (0..n as usize).map(move |j| (i, j)));
        let values: Vec<f64> = cells.map(|(i, j)| cell(i, j)).collect();
        ln(sum(&values) / f64::from(n * n))
    };
    let exact = offset + truth.map(one).iter().sum::<f64>();
    let found = Posterior::new(prior(&lines), f)
        .evaluations(60_000)
        .ess(2000.0)
        .fit()
        .unwrap();
    println!(
        "{} evaluations, ln Z - exact {:.4}, {:?}",
        found.status().evaluations,
        found.log_evidence().value - exact,
        found.log_evidence()
    );
    right(&found, exact);
    for mode in 0..8 {
        let own = |t: &[f64]| (0..3).all(|k| (t[2 * k + 1] > 0.0) == (mode >> k & 1 == 1));
        let mass = share(&found, own);
        assert!((mass - 0.125).abs() < 0.02, "mode {mode}: {mass}");
    }
}

#[test]
fn the_stated_error_of_the_evidence_covers_the_truth() {
    // Two bumps of unequal weight.
    let f = |t: &[f64]| {
        let bump =
            |m: f64, s: f64| -0.5 * t.iter().map(|v| ((v - m) / s) * ((v - m) / s)).sum::<f64>();
        let (a, b) = (bump(0.3, 0.02), bump(0.7, 0.03));
        let top = a.max(b);
        top + ln(exp(a - top) + exp(b - top))
    };
    let exact = ln(2.0 * PI * (0.0004 + 0.0009));
    let (mut covered, mut sum) = (0, 0.0);
    const SEEDS: u64 = 12;
    for seed in 1..=SEEDS {
        let run = Posterior::new(cube(2), f)
            .evaluations(3000)
            .ess(290.0)
            .seed(seed);
        let z = run.fit().unwrap().log_evidence();
        let error = (z.value - exact) / z.standard_error;
        covered += usize::from(error.abs() < 2.0);
        sum += error;
    }
    println!(
        "{covered} of {SEEDS} within two standard errors, mean {:.2} of them",
        sum / SEEDS as f64
    );
    assert!(
        covered >= 9 && (sum / SEEDS as f64).abs() < 1.2,
        "{covered}, {sum}"
    );
}

#[test]
fn a_mode_at_the_ends_of_an_angle_is_one() {
    // Two angles about 0 = 2 pi: Z is the square of the mean of exp(kappa (cos - 1)).
    let kappa = 200.0;
    let f = |t: &[f64]| t.iter().map(|a| kappa * (cos(*a) - 1.0)).sum::<f64>();
    let n = 100_000;
    let mean = (0..n).map(|i| exp(kappa * (cos(2.0 * PI * f64::from(i) / f64::from(n)) - 1.0)));
    let exact = 2.0 * ln(mean.sum::<f64>() / f64::from(n));
    let run = |tail: &str| {
        let lines = ["a", "b"].map(|n| format!("{n} = uniform(0, {}) {tail}", 2.0 * PI));
        let prior = Prior::parse(lines.iter().map(String::as_str)).unwrap();
        Posterior::new(prior, f)
            .evaluations(9000)
            .ess(4000.0)
            .fit()
            .unwrap()
    };
    let (one, four) = (run("periodic"), run(""));
    right(&one, exact);
    right(&four, exact);
    // One normal is enough, where the corners of the square need one each.
    assert!(one.status().components < four.status().components);
    assert!(one.ess() >= 4000.0 && four.ess() >= 4000.0);
}

/// Printed, not judged: machines differ.
#[test]
fn the_overhead_against_a_likelihood_of_a_millisecond() {
    let f = |t: &[f64]| {
        -0.5 * t
            .iter()
            .map(|v| ((v - 0.4) / 0.05) * ((v - 0.4) / 0.05))
            .sum::<f64>()
    };
    let start = Instant::now();
    let found = Posterior::new(cube(5), f)
        .evaluations(15_000)
        .ess(5000.0)
        .fit()
        .unwrap();
    let (own, n) = (start.elapsed().as_secs_f64(), found.status().evaluations);
    println!(
        "{own:.2} s of its own for {n} evaluations: {:.0} % of the time of a likelihood of 1 ms on one core",
        100.0 * own / (1e-3 * n as f64)
    );
    right(&found, 5.0 * ln(0.05 * (2.0 * PI).sqrt()));
}

#[test]
fn no_progress_is_said() {
    // A needle in a plain: nothing leads to it.
    let needle = |t: &[f64]| {
        let inside = t.iter().all(|v| (v - 0.123_456).abs() < 1e-5);
        if inside { 1000.0 } else { 0.0 }
    };
    let found = Posterior::new(cube(2), needle)
        .evaluations(2000)
        .ess(500.0)
        .fit()
        .unwrap();
    // It cannot be known of: the result is that of the plain.
    assert!(found.log_evidence().value.abs() < 0.01);
    // A slope that is too steep for the budget.
    let steep = |t: &[f64]| -1e12 * t.iter().map(|v| (v - 0.2) * (v - 0.2)).sum::<f64>();
    let found = Posterior::new(cube(3), steep)
        .evaluations(1500)
        .ess(500.0)
        .fit()
        .unwrap();
    let said = found.warnings().join("; ");
    assert!(
        said.contains("not enough to reach the posterior (temperature "),
        "{said}"
    );
}
