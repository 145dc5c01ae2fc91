//! The metrics against closed forms, values worked out independently, and their invariances.

use datasets::Family;
use faer::prelude::*;
use metrics::{
    MetricError, SampleMetrics, TargetKde, TargetMmd, TargetSet, TargetSliced, assign, kl_exact,
    nll, wasserstein2,
};
use numerics::math::{
    LN_2PI, exp, ln, mean_and_standard_error, normal_log_pdf, normal_quantile, sin_cos,
};
use numerics::matrix::select_rows;
use numerics::random::{Pcg64, permutation, standard_normal, stream, uniform};
use proptest::prelude::*;

fn close(got: f64, expected: f64, tolerance: f64) {
    let scale = expected.abs().max(1e-3);
    assert!(
        (got - expected).abs() <= tolerance * scale,
        "{got}, not {expected}"
    );
}

fn normals(n: usize, d: usize, rng: &mut Pcg64) -> Mat<f64> {
    Mat::from_fn(n, d, |_, _| standard_normal(rng))
}

fn shifted(x: &Mat<f64>, shift: &[f64]) -> Mat<f64> {
    Mat::from_fn(x.nrows(), x.ncols(), |i, j| x[(i, j)] + shift[j])
}

/// The first two coordinates turned by an angle.
fn turned(x: &Mat<f64>, angle: f64) -> Mat<f64> {
    let (s, c) = sin_cos(angle);
    Mat::from_fn(x.nrows(), x.ncols(), |i, j| match j {
        0 => c * x[(i, 0)] - s * x[(i, 1)],
        1 => s * x[(i, 0)] + c * x[(i, 1)],
        _ => x[(i, j)],
    })
}

fn shuffled(x: &Mat<f64>, rng: &mut Pcg64) -> Mat<f64> {
    select_rows(x.as_ref(), &permutation(rng, x.nrows()))
}

fn w2(x: &Mat<f64>, y: &Mat<f64>) -> f64 {
    wasserstein2(x.as_ref(), y.as_ref()).unwrap()
}

fn squared_distance(x: &Mat<f64>, i: usize, y: &Mat<f64>, j: usize) -> f64 {
    (0..x.ncols())
        .map(|k| (x[(i, k)] - y[(j, k)]) * (x[(i, k)] - y[(j, k)]))
        .sum()
}

// ---- likelihood
// ----------------------------------------------------------------------------------------------------

#[test]
fn nll_is_minus_the_mean_with_its_error() {
    let e = nll(&[-1.0, -2.0, -3.0, -6.0]);
    assert_eq!(e.value, 3.0);
    // Sample variance (4 + 1 + 0 + 9) / 3, over 4.
    close(e.standard_error, (14.0f64 / 12.0).sqrt(), 1e-15);
    assert_eq!(nll(&[-1.0, f64::NEG_INFINITY]).value, f64::INFINITY);
    assert!(nll(&[0.0, f64::NAN]).value.is_nan() && nll(&[]).value.is_nan());
    assert!(nll(&[1.0]).standard_error.is_nan());
}

#[test]
fn kl_exact_of_two_gaussians() {
    // KL(N(0, 1) || N(m, s^2)) = ln s + (1 + m^2) / (2 s^2) - 1/2; the mean of ln p is -(ln 2 pi +
    // 1) / 2.
    let (m, s) = (0.5, 1.5);
    let mut rng = stream(1, "kl");
    let x: Vec<f64> = (0..50_000).map(|_| standard_normal(&mut rng)).collect();
    let log_p: Vec<f64> = x.iter().map(|&x| normal_log_pdf(x)).collect();
    let log_q: Vec<f64> = x
        .iter()
        .map(|&x| normal_log_pdf((x - m) / s) - ln(s))
        .collect();
    let kl = kl_exact(&log_p, &log_q);
    let expected = ln(s) + (1.0 + m * m) / (2.0 * s * s) - 0.5;
    assert!((kl.value - expected).abs() < 4.0 * kl.standard_error && kl.standard_error < 0.005);
    let entropy = nll(&log_p);
    assert!((entropy.value - 0.5 * (LN_2PI + 1.0)).abs() < 4.0 * entropy.standard_error);
    assert_eq!(kl_exact(&log_p, &log_p).value, 0.0);
}

// ---- golden values
// -------------------------------------------------------------------------------------------------

/// t = (37 i mod 101) / 101, s = ((53 i + 7) mod 97) / 97 for i < n;
/// target (4t - 2, (4t - 2)^2 / 2 + 2s - 1), model spread * (5s - 2.5, t + s / 2).
fn golden_sets(n: usize, spread: f64) -> (Mat<f64>, Mat<f64>) {
    let t = |i: usize| (i * 37 % 101) as f64 / 101.0;
    let s = |i: usize| ((i * 53 + 7) % 97) as f64 / 97.0;
    let target = Mat::from_fn(n, 2, |i, j| {
        let x = 4.0 * t(i) - 2.0;
        if j == 0 {
            x
        } else {
            x * x / 2.0 + 2.0 * s(i) - 1.0
        }
    });
    let model = Mat::from_fn(n, 2, |i, j| {
        spread
            * if j == 0 {
                5.0 * s(i) - 2.5
            } else {
                t(i) + 0.5 * s(i)
            }
    });
    (target, model)
}

/// numpy 2 and scipy 1: `gaussian_kde` (the model's with `bw_method` the target's factor) on two
/// `linspace(_, _, 100)`, `linear_sum_assignment`, sums over all pairs, and sorted projections on
/// 128 angles.
#[test]
fn every_sampled_metric_matches_numpy_and_scipy() {
    let golden = [
        (
            1.0,
            4.772196138323984,
            0.7533335275043416,
            [0.20535549713166773, 0.25205742797893027],
            0.36281670608806216,
        ),
        // The grid is coarser than the target's kernel.
        (
            40.0,
            8.239616335165527,
            64.72577105537427,
            [0.5830978803128609, 0.6063577758976919],
            45.70150905355078,
        ),
        // The model's kernel is far smaller than the target's.
        (
            0.03,
            19.009367789467728,
            1.4825992415235378,
            [0.6347174282412886, 0.6433656645549028],
            1.0461771663034185,
        ),
    ];
    for (spread, kl, w2, [unbiased, biased], sliced) in golden {
        let (x, y) = golden_sets(60, spread);
        let got = TargetSet::new(x.as_ref())
            .unwrap()
            .compare(y.as_ref())
            .unwrap();
        close(got.kl_kde.unwrap(), kl, 1e-11);
        close(got.w2, w2, 1e-13);
        close(got.sliced_w2, sliced, 1e-13);
        close(got.mmd_unbiased, unbiased, 1e-12);
        close(got.mmd_biased, biased, 1e-12);
    }
}

#[test]
fn unequal_sizes_match_numpy_and_scipy() {
    let (x, y) = golden_sets(60, 1.0);
    let y = y.submatrix(0, 0, 40, 2);
    let kl = TargetKde::new(x.as_ref()).unwrap().kl(y).unwrap();
    close(kl, 4.881195894251454, 1e-11);
    let mmd = TargetMmd::new(x.as_ref(), 0.7).unwrap().compare(y).unwrap();
    close(mmd.unbiased, 0.23173372312635546, 1e-12);
    close(mmd.biased, 0.2924886408096659, 1e-12);
}

// ---- KL between density estimates
// ----------------------------------------------------------------------------------

#[test]
fn kde_divergence_of_a_shift_is_the_smoothed_one() {
    // Smoothing makes the variance 1 + f^2, f = n^(-1/6): KL of a shift m is about m^2 / (2 (1 +
    // f^2)).
    let (n, m) = (4000, 1.0);
    let lattice = |offset: f64| {
        Mat::from_fn(n, 2, |i, j| {
            let step = if j == 0 {
                1.0 / n as f64
            } else {
                0.618_033_988_749_895
            };
            normal_quantile(((i as f64 + offset) * step).fract())
        })
    };
    let (x, y) = (lattice(0.3), lattice(0.7));
    let kde = TargetKde::new(x.as_ref()).unwrap();
    let kl = kde.kl(shifted(&y, &[m, 0.0]).as_ref()).unwrap();
    let smoothed = m * m / (2.0 * (1.0 + exp(-ln(n as f64) / 3.0)));
    close(kl, smoothed, 0.05);
    assert!(kde.kl(y.as_ref()).unwrap() < 0.01);
    assert_eq!(kde.kl(x.as_ref()).unwrap(), 0.0);
}

#[test]
fn kde_follows_a_common_change_of_units_and_origin() {
    // Until a density meets the floor, the divergence has no units; the offset costs the digits
    // that it takes.
    let mut rng = stream(3, "kde");
    let (x, y) = (normals(300, 2, &mut rng), normals(300, 2, &mut rng));
    let kl =
        |x: &Mat<f64>, y: &Mat<f64>| TargetKde::new(x.as_ref()).unwrap().kl(y.as_ref()).unwrap();
    let far = [1e6, -3e5];
    close(kl(&shifted(&x, &far), &shifted(&y, &far)), kl(&x, &y), 1e-8);
    let small = |x: &Mat<f64>| Mat::from_fn(300, 2, |i, j| 1e-3 * x[(i, j)]);
    close(kl(&small(&x), &small(&y)), kl(&x, &y), 1e-5);
}

#[test]
fn an_outlier_of_the_model_leaves_the_divergence_finite() {
    let mut rng = stream(4, "kde");
    let (x, mut y) = (normals(200, 2, &mut rng), normals(200, 2, &mut rng));
    for far in [1e2, 1e5, 1e12, 1e100] {
        y[(0, 1)] = far;
        let kl = TargetKde::new(x.as_ref()).unwrap().kl(y.as_ref()).unwrap();
        assert!(kl.is_finite(), "{far:e}: {kl}");
    }
}

#[test]
fn points_on_a_line_have_no_density() {
    let mut rng = stream(5, "kde");
    let x = normals(50, 2, &mut rng);
    let line = Mat::from_fn(50, 2, |i, j| {
        if j == 0 {
            x[(i, 0)]
        } else {
            2.0 * x[(i, 0)] - 1.0
        }
    });
    let same = Mat::from_fn(50, 2, |_, _| 0.3);
    for flat in [line, same] {
        let target = TargetKde::new(flat.as_ref()).unwrap_err();
        assert_eq!(target, MetricError::Singular { set: "target" });
        let kde = TargetKde::new(x.as_ref()).unwrap();
        let model = kde.kl(flat.as_ref()).unwrap_err();
        assert_eq!(model, MetricError::Singular { set: "model" });
    }
}

// ---- assignment and W2
// ---------------------------------------------------------------------------------------------

/// The prices prove the assignment optimal: no pair costs less than its two prices, and the prices
/// add up to the cost.
fn assert_optimal(cost: &[f64], n: usize) -> f64 {
    let a = assign(cost, n).unwrap();
    let largest = cost.iter().fold(0.0f64, |m, c| m.max(c.abs()));
    let mut seen = vec![false; n];
    for (i, &j) in a.column_of_row.iter().enumerate() {
        assert!(!std::mem::replace(&mut seen[j], true), "column {j} twice");
        let tight = cost[i * n + j] - a.row_duals[i] - a.column_duals[j];
        assert!(
            tight.abs() <= 1e-13 * largest,
            "row {i} is not tight: {tight:e}"
        );
    }
    for i in 0..n {
        for j in 0..n {
            let slack = cost[i * n + j] - a.row_duals[i] - a.column_duals[j];
            assert!(
                slack >= -1e-12 * largest,
                "({i}, {j}): slack {slack:e} of {largest}"
            );
        }
    }
    let primal: f64 = (0..n).map(|i| cost[i * n + a.column_of_row[i]]).sum();
    let dual: f64 = a.row_duals.iter().chain(&a.column_duals).sum();
    close(a.cost, primal, 1e-12);
    assert!(
        (primal - dual).abs() <= 1e-12 * largest * n as f64,
        "{primal} {dual}"
    );
    a.cost
}

fn costs(x: &Mat<f64>, y: &Mat<f64>) -> Vec<f64> {
    let n = x.nrows();
    (0..n * n)
        .map(|k| squared_distance(x, k / n, y, k % n))
        .collect()
}

fn brute_force(cost: &[f64], n: usize) -> f64 {
    fn best(cost: &[f64], n: usize, row: usize, used: u32) -> f64 {
        if row == n {
            return 0.0;
        }
        (0..n)
            .filter(|j| used & (1 << j) == 0)
            .map(|j| cost[row * n + j] + best(cost, n, row + 1, used | (1 << j)))
            .fold(f64::INFINITY, f64::min)
    }
    best(cost, n, 0, 0)
}

#[test]
fn assignment_equals_brute_force() {
    let mut rng = stream(6, "assign");
    for n in 1..=7 {
        for case in 0..60 {
            // Negative costs, and many ties in every other case.
            let cost: Vec<f64> = (0..n * n)
                .map(|_| match case % 2 {
                    0 => standard_normal(&mut rng),
                    _ => (uniform(&mut rng) * 4.0).floor(),
                })
                .collect();
            let expected = brute_force(&cost, n);
            assert!((assert_optimal(&cost, n) - expected).abs() < 1e-12);
        }
    }
    assert_eq!(assign(&[], 0).unwrap().cost, 0.0);
}

#[test]
fn assignment_is_optimal_for_samples_of_the_families() {
    for (k, family) in Family::PAPER.iter().enumerate() {
        let mut rng = stream(7, "assign");
        // Sizes on both sides of the lists' groups, and models near and far.
        let n = [40, 64, 65, 130, 400, 701][k];
        let x = family.sample(n, &mut rng);
        let y = family.sample(n, &mut rng);
        assert_optimal(&costs(&x, &y), n);
        let noise = normals(n, 2, &mut rng);
        let y = Mat::from_fn(n, 2, |i, j| 1.5 * y[(i, j)] + 3.0 + 0.5 * noise[(i, j)]);
        assert_optimal(&costs(&x, &y), n);
    }
}

#[test]
fn assignment_is_optimal_for_costs_without_geometry() {
    let mut rng = stream(8, "assign");
    let n = 300;
    let random: Vec<f64> = (0..n * n).map(|_| uniform(&mut rng)).collect();
    assert_optimal(&random, n);
    let ties: Vec<f64> = random.iter().map(|c| (c * 10.0).floor()).collect();
    assert_optimal(&ties, n);
    let few_good: Vec<f64> = random
        .iter()
        .map(|c| if *c < 0.02 { *c } else { 1e6 })
        .collect();
    assert_optimal(&few_good, n);
    // c_ij = i j is the classic hard case; the best is to pair large with small.
    let products: Vec<f64> = (0..n * n).map(|k| ((k / n) * (k % n)) as f64).collect();
    let expected: f64 = (0..n).map(|i| (i * (n - 1 - i)) as f64).sum();
    assert_eq!(assert_optimal(&products, n), expected);
    assert_eq!(assert_optimal(&vec![2.5; n * n], n), 2.5 * n as f64);
    let few_points: Vec<f64> = (0..n * n)
        .map(|k| ((k / n % 3) as f64 - (k % n % 4) as f64).powi(2))
        .collect();
    assert_optimal(&few_points, n);
}

#[test]
fn w2_in_one_dimension_is_the_sorted_coupling() {
    for n in [1, 2, 63, 200, 501] {
        let mut rng = stream(9, "w2");
        let (x, y) = (normals(n, 1, &mut rng), normals(n, 1, &mut rng));
        let y = Mat::from_fn(n, 1, |i, _| exp(y[(i, 0)]));
        let sorted = |m: &Mat<f64>| {
            let mut v: Vec<f64> = (0..n).map(|i| m[(i, 0)]).collect();
            v.sort_by(f64::total_cmp);
            v
        };
        let squares = sorted(&x).into_iter().zip(sorted(&y));
        let mean = squares.map(|(a, b)| (a - b) * (a - b)).sum::<f64>() / n as f64;
        close(w2(&x, &y), mean.sqrt(), 1e-12);
        let sliced = TargetSliced::new(x.as_ref()).unwrap();
        close(sliced.compare(y.as_ref()).unwrap(), mean.sqrt(), 1e-13);
    }
}

#[test]
fn w2_and_sliced_w2_of_a_translation() {
    for (d, n) in [(1, 70), (2, 500), (3, 150), (10, 200)] {
        let mut rng = stream(10, "w2");
        let x = normals(n, d, &mut rng);
        let shift: Vec<f64> = (0..d).map(|j| 0.3 * (j as f64) - 1.0).collect();
        let length = shift.iter().map(|s| s * s).sum::<f64>().sqrt();
        let y = shuffled(&shifted(&x, &shift), &mut rng);
        close(w2(&x, &y), length, 1e-12);
        let sliced = TargetSliced::new(x.as_ref()).unwrap();
        let sw2 = sliced.compare(y.as_ref()).unwrap();
        close(sw2, length / (d as f64).sqrt(), 1e-12);
    }
}

#[test]
fn w2_and_sliced_w2_of_a_stretch() {
    // W2(X, a X) = |a - 1| sqrt(E |X|^2), because the stretch is the gradient of a convex function;
    // each projection is stretched too, and the mean of (theta . x)^2 over the directions is |x|^2
    // / d.
    let mut rng = stream(11, "w2");
    let (n, d) = (300, 3);
    let x = normals(n, d, &mut rng);
    let y = shuffled(&Mat::from_fn(n, d, |i, j| 1.7 * x[(i, j)]), &mut rng);
    let zero = Mat::zeros(1, d);
    let size = (0..n)
        .map(|i| squared_distance(&x, i, &zero, 0))
        .sum::<f64>()
        / n as f64;
    close(w2(&x, &y), 0.7 * size.sqrt(), 1e-12);
    let sw2 = TargetSliced::new(x.as_ref()).unwrap().compare(y.as_ref());
    close(sw2.unwrap(), 0.7 * (size / d as f64).sqrt(), 1e-12);
}

#[test]
fn samples_that_cannot_be_compared_are_errors() {
    let x = normals(20, 2, &mut stream(12, "errors"));
    let set = TargetSet::new(x.as_ref()).unwrap();
    let few = x.submatrix(0, 0, 19, 2);
    let unequal = MetricError::UnequalSizes {
        target: 20,
        model: 19,
    };
    assert_eq!(wasserstein2(x.as_ref(), few).unwrap_err(), unequal);
    assert_eq!(set.compare(few).unwrap_err(), unequal);
    assert_eq!(
        wasserstein2(x.as_ref(), x.submatrix(0, 0, 20, 1)).unwrap_err(),
        MetricError::UnequalDimensions {
            target: 2,
            model: 1
        }
    );
    let none = Mat::<f64>::zeros(0, 2);
    assert_eq!(
        wasserstein2(none.as_ref(), none.as_ref()).unwrap_err(),
        MetricError::TooFew {
            set: "target",
            needed: 1,
            got: 0
        }
    );
    for bad in [f64::NAN, f64::INFINITY] {
        let mut y = x.clone();
        y[(7, 1)] = bad;
        let error = MetricError::NonFinite {
            set: "model",
            row: 7,
            column: 1,
        };
        assert_eq!(set.compare(y.as_ref()).unwrap_err(), error);
        assert_eq!(wasserstein2(x.as_ref(), y.as_ref()).unwrap_err(), error);
    }
    let mut y = x.clone();
    y[(0, 0)] = 1e200;
    assert_eq!(
        wasserstein2(x.as_ref(), y.as_ref()).unwrap_err(),
        MetricError::Overflow
    );
    for sigma in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(
            TargetMmd::new(x.as_ref(), sigma).unwrap_err(),
            MetricError::Width
        );
    }
    let text = unequal.to_string();
    assert_eq!(
        text,
        "the samples differ in size: 20 target points, 19 model points"
    );
}

// ---- MMD
// -----------------------------------------------------------------------------------------------------------

#[test]
fn mmd_equals_the_double_loop() {
    for (d, m, n, sigma) in [
        (1, 2, 3, 1.0),
        (2, 37, 300, 0.5),
        (3, 301, 20, 2.0),
        (7, 40, 41, 1.0),
    ] {
        let mut rng = stream(13, "mmd");
        let (x, y) = (normals(m, d, &mut rng), normals(n, d, &mut rng));
        let k = |a: &Mat<f64>, i, b: &Mat<f64>, j| {
            exp(-squared_distance(a, i, b, j) / (2.0 * sigma * sigma))
        };
        let total = |a: &Mat<f64>, b: &Mat<f64>, skip: bool| -> f64 {
            let pairs = (0..a.nrows()).flat_map(|i| (0..b.nrows()).map(move |j| (i, j)));
            pairs
                .filter(|(i, j)| !skip || i != j)
                .map(|(i, j)| k(a, i, b, j))
                .sum()
        };
        let (fm, fn_) = (m as f64, n as f64);
        let cross = 2.0 * total(&x, &y, false) / (fm * fn_);
        let unbiased =
            total(&x, &x, true) / (fm * (fm - 1.0)) + total(&y, &y, true) / (fn_ * (fn_ - 1.0));
        let biased = total(&x, &x, false) / (fm * fm) + total(&y, &y, false) / (fn_ * fn_);
        let target = TargetMmd::new(x.as_ref(), sigma).unwrap();
        let got = target.squared(y.as_ref()).unwrap();
        assert!((got.unbiased - (unbiased - cross)).abs() < 1e-13);
        assert!((got.biased - (biased - cross)).abs() < 1e-13);
        let roots = target.compare(y.as_ref()).unwrap();
        assert_eq!(roots.unbiased, got.unbiased.max(0.0).sqrt());
        assert_eq!(roots.biased, got.biased.sqrt());
    }
}

/// `MMD^2` between N(0, I) and N(m, I): with `c = (s^2 / (s^2 + 2))^(d/2)`,
/// `2 c (1 - exp(-|m|^2 / (2 (s^2 + 2))))`. The unbiased estimate has that mean, zero for equal
/// laws.
#[test]
fn unbiased_mmd_has_the_closed_form_as_its_mean() {
    let (n, d, sigma) = (100, 2, 1.0);
    for shift in [0.0, 0.5] {
        let squares: Vec<f64> = (0..200)
            .map(|repeat| {
                let mut rng = stream(repeat, "mmd/closed-form");
                let (x, y) = (normals(n, d, &mut rng), normals(n, d, &mut rng));
                let target = TargetMmd::new(x.as_ref(), sigma).unwrap();
                let squared = target.squared(shifted(&y, &[shift, -shift]).as_ref());
                squared.unwrap().unbiased
            })
            .collect();
        let wide = sigma * sigma + 2.0;
        let expected = 2.0 * (sigma * sigma / wide) * (1.0 - exp(-shift * shift / wide));
        let (mean, error) = mean_and_standard_error(&squares);
        assert!(
            (mean - expected).abs() < 4.0 * error,
            "{mean} +- {error}, not {expected}"
        );
        assert!(error < 2e-3);
    }
}

// ---- all at once
// ---------------------------------------------------------------------------------------------------

#[test]
fn a_target_set_gives_what_each_metric_gives() {
    for d in [1, 2, 3] {
        let mut rng = stream(14, "set");
        let (x, y) = (normals(90, d, &mut rng), normals(90, d, &mut rng));
        let mmd = TargetMmd::new(x.as_ref(), 1.0).unwrap();
        let mmd = mmd.compare(y.as_ref()).unwrap();
        let sliced = TargetSliced::new(x.as_ref()).unwrap();
        let kde = TargetKde::new(x.as_ref());
        assert_eq!(kde.is_ok(), d == 2);
        let expected = SampleMetrics {
            kl_kde: kde.ok().map(|kde| kde.kl(y.as_ref()).unwrap()),
            w2: w2(&x, &y),
            sliced_w2: sliced.compare(y.as_ref()).unwrap(),
            mmd_unbiased: mmd.unbiased,
            mmd_biased: mmd.biased,
        };
        let set = TargetSet::new(x.as_ref()).unwrap();
        assert_eq!(set.compare(y.as_ref()).unwrap(), expected);
        // Rows of a larger matrix are not contiguous as a whole; a transpose is not column-major.
        let wide = Mat::from_fn(95, d, |i, j| if i < 90 { y[(i, j)] } else { 9.0 });
        assert_eq!(set.compare(wide.submatrix(0, 0, 90, d)).unwrap(), expected);
        let transposed = y.transpose().to_owned();
        assert_eq!(set.compare(transposed.transpose()).unwrap(), expected);
    }
}

/// The same bits everywhere: a change here changes every number of every report.
#[test]
fn bits_are_locked() {
    let (x, y) = golden_sets(60, 1.0);
    let got = TargetSet::new(x.as_ref())
        .unwrap()
        .compare(y.as_ref())
        .unwrap();
    let bits = [
        got.kl_kde.unwrap(),
        got.w2,
        got.sliced_w2,
        got.mmd_unbiased,
        got.mmd_biased,
    ]
    .map(f64::to_bits);
    assert_eq!(bits, LOCKED, "{bits:#x?}");
}

const LOCKED: [u64; 5] = [
    0x401316ba95a0cbd5,
    0x3fe81b4ee9f3911c,
    0x3fd738638fc5cd8d,
    0x3fca4916c41dfea4,
    0x3fd021b57a78894d,
];

fn sample_pair() -> impl Strategy<Value = (Mat<f64>, Mat<f64>, u64)> {
    (
        2usize..90,
        2usize..4,
        0.2f64..3.0,
        -2.0f64..2.0,
        any::<u64>(),
    )
        .prop_map(|(n, d, scale, shift, seed)| {
            let mut rng = stream(seed, "pair");
            let x = normals(n, d, &mut rng);
            let y = Mat::from_fn(n, d, |_, _| {
                let z = normal_quantile(uniform(&mut rng));
                shift + scale * z + 0.2 * z * z
            });
            (x, y, seed)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn invariances((x, y, seed) in sample_pair(), angle in 0.0f64..6.0, far in -50.0f64..50.0) {
        let mut rng = stream(seed, "invariances");
        let d = x.ncols();
        let distances = |x: &Mat<f64>, y: &Mat<f64>| {
            let mmd = TargetMmd::new(x.as_ref(), 1.0).unwrap().squared(y.as_ref()).unwrap();
            let sliced = TargetSliced::new(x.as_ref()).unwrap().compare(y.as_ref()).unwrap();
            [w2(x, y), mmd.unbiased, mmd.biased, sliced]
        };
        let base = distances(&x, &y);
        let same = |got: [f64; 4], which: usize| {
            for (g, b) in got.iter().zip(&base).take(which) {
                assert!((g - b).abs() < 1e-11, "{got:?} {base:?}");
            }
        };
        same(distances(&shuffled(&x, &mut rng), &shuffled(&y, &mut rng)), 4);
        same(distances(&y, &x), 4);
        let shift = vec![far; d];
        same(distances(&shifted(&x, &shift), &shifted(&y, &shift)), 4);
        // The directions of the sliced distance do not turn with the points.
        same(distances(&turned(&x, angle), &turned(&y, angle)), 3);
        // Frames of directions: d projections together cannot exceed the whole.
        prop_assert!(base[0] * base[0] >= d as f64 * base[3] * base[3] - 1e-12);
        // Both are at least the distance between the means.
        let gap: f64 = (0..d).map(|j| {
            let difference: f64 = (0..x.nrows()).map(|i| x[(i, j)] - y[(i, j)]).sum();
            (difference / x.nrows() as f64) * (difference / x.nrows() as f64)
        }).sum();
        prop_assert!(base[0] * base[0] >= gap - 1e-12);
        prop_assert!(base[2] >= -1e-12);
        let zero = distances(&x, &shuffled(&x, &mut rng));
        prop_assert!(zero[0] < 1e-12 && zero[2].abs() < 1e-13 && zero[3] < 1e-12);
        prop_assert_eq!(w2(&x, &x), 0.0);
    }

    #[test]
    fn assignments_are_optimal((x, y, _) in sample_pair()) {
        assert_optimal(&costs(&x, &y), x.nrows());
    }

    #[test]
    fn kde_divergence_ignores_the_order_of_points((x, y, seed) in sample_pair()) {
        prop_assume!(x.ncols() == 2 && x.nrows() > 4);
        let mut rng = stream(seed, "order");
        let kl = |x: &Mat<f64>, y: &Mat<f64>| TargetKde::new(x.as_ref()).unwrap().kl(y.as_ref()).unwrap();
        let (a, b) = (kl(&x, &y), kl(&shuffled(&x, &mut rng), &shuffled(&y, &mut rng)));
        prop_assert!((a - b).abs() < 1e-10 * (1.0 + a.abs()), "{} {}", a, b);
    }
}

/// Times on one core; run with
/// `cargo test --release -p amf --test metrics -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn times_at_two_thousand_points() {
    let n = 2000;
    for family in Family::PAPER {
        let x = family.sample(n, &mut stream(1, "x"));
        let y = family.sample(n, &mut stream(1, "y"));
        let noise = normals(n, 2, &mut stream(1, "noise"));
        let y = Mat::from_fn(n, 2, |i, j| y[(i, j)] + 0.1 * noise[(i, j)]);
        let timed = |name: &str, f: &dyn Fn() -> f64| {
            let start = std::time::Instant::now();
            let value = f();
            let ms = 1e3 * start.elapsed().as_secs_f64();
            println!("{family} {name}: {ms:.1} ms, {value}");
        };
        timed("W2", &|| w2(&x, &y));
        let kde = TargetKde::new(x.as_ref()).unwrap();
        timed("KL(KDE)", &|| kde.kl(y.as_ref()).unwrap());
        let mmd = TargetMmd::new(x.as_ref(), 1.0).unwrap();
        timed("MMD", &|| mmd.compare(y.as_ref()).unwrap().unbiased);
        let sliced = TargetSliced::new(x.as_ref()).unwrap();
        timed("sliced W2", &|| sliced.compare(y.as_ref()).unwrap());
    }
}
