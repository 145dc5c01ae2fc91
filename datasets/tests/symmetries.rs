//! Symmetries that the definitions imply, anywhere in the plane.

use datasets::Family;
use faer::Mat;
use numerics::math::sin_cos;
use proptest::prelude::*;

fn log_prob(family: Family, a: f64, b: f64) -> f64 {
    family.log_prob(Mat::from_fn(1, 2, |_, d| if d == 0 { a } else { b }).as_ref())[0]
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-11 * (1.0 + a.abs())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mirrors(a in -30.0..30.0f64, b in -30.0..30.0f64) {
        for (family, image) in [
            (Family::Banana, [-a, b]),
            (Family::XShape, [-a, b]),
            (Family::XShape, [a, -b]),
            (Family::XShape, [b, a]),
            (Family::TwoMoons, [1.0 - a, 0.5 - b]),
            (Family::BimodalShared, [-a, b]),
            (Family::BimodalShared, [a, -b]),
        ] {
            let (p, q) = (log_prob(family, a, b), log_prob(family, image[0], image[1]));
            prop_assert!(same(p, q), "{family}: {p} and {q}");
        }
    }

    #[test]
    fn rings_are_round(r in 1e-6..20.0f64, angle in 0.0..7.0f64) {
        let (sin, cos) = sin_cos(angle);
        let (p, q) = (log_prob(Family::Rings, r, 0.0), log_prob(Family::Rings, r * cos, r * sin));
        prop_assert!(same(p, q), "{p} and {q}");
    }

    #[test]
    fn log_prob_is_finite_and_smooth(a in -200.0..200.0f64, b in -200.0..200.0f64) {
        // No jump where an integration limit or a count of wells changes.
        for family in Family::ALL {
            let h = 1e-7;
            let (p, q) = (log_prob(family, a, b), log_prob(family, a + h, b - h));
            let slope = 300.0 * (a.abs() + b.abs() + 10.0);
            prop_assert!(p.is_finite() && (p - q).abs() < h * slope + 1e-11 * p.abs(), "{family}: {p} and {q}");
        }
    }

    #[test]
    fn rows_do_not_see_each_other(points in prop::collection::vec((-9.0..9.0f64, -9.0..9.0f64), 0..9)) {
        for family in Family::ALL {
            let x = Mat::from_fn(points.len(), 2, |i, d| if d == 0 { points[i].0 } else { points[i].1 });
            let together = family.log_prob(x.as_ref());
            let alone: Vec<f64> = points.iter().map(|p| log_prob(family, p.0, p.1)).collect();
            prop_assert_eq!(together, alone);
        }
    }
}
