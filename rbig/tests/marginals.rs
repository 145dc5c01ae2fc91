//! Marginals as bijections of the line with normalised densities.

use numerics::math::{exp, normal_log_pdf};
use numerics::random::{Pcg64, standard_normal, stream, uniform};
use proptest::prelude::*;
use rbig::{Error, Marginal, MarginalKind};

const KINDS: [fn() -> MarginalKind; 2] = [MarginalKind::published_histogram, MarginalKind::smooth];

fn mixture(n: usize, rng: &mut Pcg64) -> Vec<f64> {
    (0..n)
        .map(|_| {
            let at = if uniform(rng) < 0.3 { -2.0 } else { 3.0 };
            at + 0.4 * standard_normal(rng)
        })
        .collect()
}

fn cauchy(n: usize, rng: &mut Pcg64) -> Vec<f64> {
    (0..n)
        .map(|_| standard_normal(rng) / standard_normal(rng).abs())
        .collect()
}

fn log_density(m: &Marginal, x: &[f64]) -> Vec<f64> {
    let (mut z, mut log_det) = (x.to_vec(), vec![0.0; x.len()]);
    m.forward(&mut z, &mut log_det);
    z.iter()
        .zip(&log_det)
        .map(|(z, l)| normal_log_pdf(*z) + l)
        .collect()
}

/// The integral of the density, by the midpoint rule.
fn integral(m: &Marginal, from: f64, to: f64, cells: usize) -> f64 {
    let step = (to - from) / cells as f64;
    let x: Vec<f64> = (0..cells).map(|i| from + (i as f64 + 0.5) * step).collect();
    step * log_density(m, &x).iter().map(|l| exp(*l)).sum::<f64>()
}

/// The data at given normal values.
fn at(m: &Marginal, z: f64) -> f64 {
    let mut x = [z];
    m.inverse(&mut x, &mut [0.0]);
    x[0]
}

#[test]
fn densities_integrate_to_one_with_their_tails() {
    let mut rng = stream(1, "marginals");
    for data in [
        mixture(500, &mut rng),
        (0..500).map(|_| standard_normal(&mut rng)).collect(),
    ] {
        let smooth = Marginal::fit(&MarginalKind::smooth(), &data, None).unwrap();
        let total = integral(&smooth, at(&smooth, -12.0), at(&smooth, 12.0), 400_000);
        assert!((total - 1.0).abs() < 1e-6, "smooth: {total}");

        // Each bin and each tail by itself: the midpoint rule is exact in a bin.
        let kind = MarginalKind::Histogram {
            bins: 50,
            widen: 0.1,
            clamp: 1e-4,
        };
        let histogram = Marginal::fit(&kind, &data, None).unwrap();
        let low = data.iter().copied().fold(f64::INFINITY, f64::min);
        let high = data.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let edge = 0.1 * (high - low);
        let inside = integral(&histogram, low - edge, high + edge, 50);
        assert!((inside - (1.0 - 2e-4)).abs() < 1e-12, "histogram: {inside}");
        let tail = integral(&histogram, high + edge, at(&histogram, 12.0), 200_000);
        assert!((tail - 1e-4).abs() < 1e-9, "histogram: {tail}");
    }
}

#[test]
fn the_smooth_density_is_continuous_and_follows_the_data() {
    let mut rng = stream(2, "marginals");
    let data = mixture(2000, &mut rng);
    let m = Marginal::fit(&MarginalKind::smooth(), &data, None).unwrap();
    let x: Vec<f64> = (0..20_000).map(|i| -5.0 + i as f64 * 6e-4).collect();
    let l = log_density(&m, &x);
    // Steep beside the clusters, but without jumps.
    let jump = l
        .windows(2)
        .map(|w| (w[0] - w[1]).abs())
        .fold(0.0, f64::max);
    assert!(jump < 0.2, "{jump}");
    // Both modes are resolved.
    let exact = |x: f64| {
        let one = |at: f64| exp(normal_log_pdf((x - at) / 0.4)) / 0.4;
        0.3 * one(-2.0) + 0.7 * one(3.0)
    };
    for (x, l) in x.iter().zip(&l) {
        assert!(
            (exp(*l) - exact(*x)).abs() < 0.12,
            "at {x}: {} {}",
            exp(*l),
            exact(*x)
        );
    }
}

#[test]
fn normal_data_give_a_nearly_straight_line() {
    let mut rng = stream(3, "marginals");
    let data: Vec<f64> = (0..3000)
        .map(|_| 7.0 + 2.0 * standard_normal(&mut rng))
        .collect();
    let m = Marginal::fit(&MarginalKind::smooth(), &data, None).unwrap();
    for z in [-4.0, -1.0, 0.0, 2.5] {
        assert!(
            (at(&m, z) - (7.0 + 2.0 * z)).abs() < 0.35 + 0.1 * f64::abs(z),
            "{z}: {}",
            at(&m, z)
        );
    }
}

#[test]
fn far_outliers_do_not_blur_the_rest() {
    let mut rng = stream(4, "marginals");
    let (mut data, test) = (cauchy(2000, &mut rng), cauchy(2000, &mut rng));
    data.push(1e9);
    let m = Marginal::fit(&MarginalKind::smooth(), &data, None).unwrap();
    // The entropy of this distribution (Cauchy): ln(4 pi).
    let nll = -log_density(&m, &test).iter().sum::<f64>() / 2000.0;
    assert!((nll - 2.531).abs() < 0.15, "{nll}");
}

#[test]
fn weights_replace_repetition() {
    let mut rng = stream(5, "marginals");
    let data = mixture(300, &mut rng);
    let weights: Vec<f64> = (0..300).map(|i| (i % 4) as f64).collect();
    let repeated: Vec<f64> = data
        .iter()
        .zip(&weights)
        .flat_map(|(x, w)| std::iter::repeat_n(*x, *w as usize))
        .collect();
    let kind = MarginalKind::published_histogram();
    let a = Marginal::fit(&kind, &data, Some(&weights)).unwrap();
    let b = Marginal::fit(&kind, &repeated, None).unwrap();
    let x: Vec<f64> = (0..100).map(|i| -4.0 + 0.1 * i as f64).collect();
    for (a, b) in log_density(&a, &x).iter().zip(log_density(&b, &x)) {
        assert!((a - b).abs() < 1e-9);
    }
    // Equal weights are no weights.
    for kind in KINDS {
        let a = Marginal::fit(&kind(), &data, Some(&[2.0; 300])).unwrap();
        let b = Marginal::fit(&kind(), &data, None).unwrap();
        for (a, b) in log_density(&a, &x).iter().zip(log_density(&b, &x)) {
            assert!((a - b).abs() < 1e-9);
        }
    }
}

#[test]
fn errors_name_their_place() {
    let fit = |x: &[f64], w| Marginal::fit(&MarginalKind::smooth(), x, w).unwrap_err();
    assert_eq!(
        fit(&[1.0, f64::NAN], None),
        Error::NotFinite { column: 0, row: 1 }
    );
    assert_eq!(fit(&[1.5; 9], None), Error::ConstantColumn { column: 0 });
    assert_eq!(fit(&[1.0], None), Error::TooFewRows { rows: 1, needed: 2 });
    assert_eq!(
        fit(&[1.0, 2.0], Some(&[1.0, -1.0])),
        Error::BadWeight { row: 1 }
    );
    assert_eq!(
        fit(&[1.0, 2.0], Some(&[0.0, 0.0])),
        Error::BadWeight { row: 2 }
    );
    assert_eq!(
        fit(&[1.0, 2.0], Some(&[0.0, 1.0])),
        Error::ConstantColumn { column: 0 }
    );
    assert!(matches!(
        fit(&[1.0, 2.0], Some(&[1.0])),
        Error::SizeMismatch { .. }
    ));
    let kind = MarginalKind::Histogram {
        bins: 0,
        widen: 0.1,
        clamp: 1e-6,
    };
    let e = Marginal::fit(&kind, &[1.0, 2.0], None).unwrap_err();
    assert!(matches!(e, Error::BadSetting { field: "bins", .. }));
}

/// Clusters, ties and outliers.
fn awkward() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        4 => -3.0..3.0,
        2 => (-3i32..3).prop_map(f64::from),
        2 => 9.99..10.01,
        1 => -1e4..1e4,
    ];
    prop::collection::vec(value, 2..200)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn maps_increase_and_invert(data in awkward(), smooth in any::<bool>()) {
        let kind = KINDS[usize::from(smooth)]();
        let Ok(m) = Marginal::fit(&kind, &data, None) else {
            prop_assert!(data.iter().all(|x| *x == data[0]));
            return Ok(());
        };
        let low = data.iter().copied().fold(f64::INFINITY, f64::min);
        let high = data.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let range = high - low;
        let mut x: Vec<f64> = (0..=400).map(|i| low + range * (i as f64 / 200.0 - 0.5)).collect();
        x.extend(&data);
        x.sort_by(f64::total_cmp);
        x.dedup();
        let (mut z, mut log_det) = (x.clone(), vec![0.0; x.len()]);
        m.forward(&mut z, &mut log_det);
        // Strictly up to rounding, wherever neighbours are apart.
        for (x, z) in x.windows(2).zip(z.windows(2)) {
            prop_assert!(z[1] > z[0] || x[1] - x[0] < 1e-9 * range, "{x:?} -> {z:?}");
        }
        let mut back = z.clone();
        m.inverse(&mut back, &mut log_det);
        for ((x, b), l) in x.iter().zip(&back).zip(&log_det) {
            prop_assert!((x - b).abs() <= 1e-9 * range, "{x} came back as {b}");
            // A point on the edge of a bin may come back in the next one.
            prop_assert!(!smooth || l.abs() < 1e-4, "log-determinants leave {l}");
        }
    }
}
