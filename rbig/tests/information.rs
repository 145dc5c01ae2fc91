//! Information measures against the closed forms of normal distributions.

use faer::Mat;
use numerics::Estimate;
use numerics::math::{LN_2PI, ln};
use numerics::random::{Pcg64, standard_normal, stream};
use rbig::{entropy, kl_divergence, mutual_information, total_correlation};

/// Columns that share one factor: every pair has correlation r; some scales and shifts.
fn equicorrelated(n: usize, d: usize, r: f64, rng: &mut Pcg64) -> Mat<f64> {
    let mut x = Mat::zeros(n, d);
    for i in 0..n {
        let common = standard_normal(rng);
        for j in 0..d {
            let z = r.sqrt() * common + (1.0 - r).sqrt() * standard_normal(rng);
            x[(i, j)] = j as f64 + z * (1.0 + j as f64);
        }
    }
    x
}

/// `ln det` of the correlation matrix.
fn log_det(d: usize, r: f64) -> f64 {
    (d as f64 - 1.0) * ln(1.0 - r) + ln(1.0 + (d as f64 - 1.0) * r)
}

fn assert_near(what: &str, got: Estimate, exact: f64) {
    let error = got.value - exact;
    assert!(
        error.abs() <= 3.0 * got.standard_error,
        "{what}: {got:?}, not {exact}"
    );
}

#[test]
fn normal_distributions_with_common_factor() {
    let n = 3000;
    for (d, r) in [(2, 0.6), (3, 0.5), (5, 0.4)] {
        let mut rng = stream(d, "information");
        let d = d as usize;
        let x = equicorrelated(n, d, r, &mut rng);
        let tc = total_correlation(x.as_ref(), &mut rng).unwrap();
        assert_near(&format!("TC {d}"), tc, -0.5 * log_det(d, r));

        let scales: f64 = (1..=d).map(|j| ln(j as f64)).sum();
        let exact = 0.5 * d as f64 * (1.0 + LN_2PI) + 0.5 * log_det(d, r) + scales;
        assert_near(
            &format!("H {d}"),
            entropy(x.as_ref(), &mut rng).unwrap(),
            exact,
        );

        let (first, rest) = (x.as_ref().subcols(0, 1), x.as_ref().subcols(1, d - 1));
        let mi = mutual_information(first, rest, &mut rng).unwrap();
        assert_near(
            &format!("MI {d}"),
            mi,
            0.5 * (log_det(d - 1, r) - log_det(d, r)),
        );

        // KL of N(0, C) from N(m, C): m' C^-1 m / 2, here m = the scales times 1/2: 1/8 1' R^-1 1.
        let mut y = equicorrelated(n, d, r, &mut rng);
        for i in 0..n {
            for j in 0..d {
                y[(i, j)] += 0.5 * (1.0 + j as f64);
            }
        }
        let kl = kl_divergence(x.as_ref(), y.as_ref(), &mut rng).unwrap();
        let exact = 0.125 * d as f64 / (1.0 + (d as f64 - 1.0) * r);
        assert_near(&format!("KL {d}"), kl, exact);
    }
}

#[test]
fn independent_columns_share_nothing() {
    for d in [2, 3, 5] {
        let mut rng = stream(d, "independent");
        let d = d as usize;
        let x = Mat::from_fn(3000, d, |_, j| {
            let z = standard_normal(&mut rng);
            if j % 2 == 0 { z } else { z * z * z }
        });
        let tc = total_correlation(x.as_ref(), &mut rng).unwrap();
        assert_near(&format!("TC {d}"), tc, 0.0);
        let (a, b) = (x.as_ref().subcols(0, 1), x.as_ref().subcols(1, d - 1));
        assert_near(
            &format!("MI {d}"),
            mutual_information(a, b, &mut rng).unwrap(),
            0.0,
        );
        let other = Mat::from_fn(3000, d, |_, _| standard_normal(&mut rng));
        let same = Mat::from_fn(3000, d, |_, _| standard_normal(&mut rng));
        let kl = kl_divergence(other.as_ref(), same.as_ref(), &mut rng).unwrap();
        assert_near(&format!("KL {d}"), kl, 0.0);
    }
}
