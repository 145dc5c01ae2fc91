//! Tests of the density and of its fits.

use super::*;
use crate::{Data, EmConfig};
use numerics::math::mean_and_standard_error;
use numerics::random::{standard_normal, stream};

/// Draws of t with nu degrees of freedom in two correlated dimensions.
fn heavy(n: usize, nu: f64, rng: &mut Pcg64) -> Mat<f64> {
    let mut x = Mat::zeros(n, 2);
    for i in 0..n {
        let scale = (0.5 * nu / gamma(rng, 0.5 * nu)).sqrt();
        let (a, b) = (standard_normal(rng), standard_normal(rng));
        x[(i, 0)] = 1.0 + scale * a;
        x[(i, 1)] = scale * (0.8 * a + 0.6 * b);
    }
    x
}

fn fit(x: MatRef<'_, f64>, components: usize) -> StudentMixture {
    let em = EmConfig::default();
    StudentMixture::fit(Data::new(x), components, &em, &mut stream(1, "em")).unwrap()
}

#[test]
fn degrees_of_freedom_and_scales_are_found() {
    for nu in [2.0, 5.0] {
        let x = heavy(5000, nu, &mut stream(1, "heavy"));
        let m = fit(x.as_ref(), 1);
        assert!(
            (m.freedom()[0] / nu - 1.0).abs() < 0.15,
            "{:?}",
            m.freedom()
        );
        let c = &m.shapes.components[0];
        assert!((c.mean[0] - 1.0).abs() < 0.06 && c.mean[1].abs() < 0.06);
        for (found, exact) in c.factor.iter().zip([1.0, 0.0, 0.8, 0.6]) {
            assert!((found - exact).abs() < 0.06, "{:?}", c.factor);
        }
    }
}

#[test]
fn normal_data_give_many_degrees_of_freedom() {
    let mut rng = stream(2, "normal");
    let x = Mat::from_fn(4000, 2, |_, _| standard_normal(&mut rng));
    assert!(fit(x.as_ref(), 1).freedom()[0] > 40.0);
}

#[test]
fn in_one_dimension_the_density_is_student_s_and_integrates_to_one() {
    let shape = crate::MixtureParts {
        weights: vec![1.0],
        means: vec![0.5],
        factors: vec![2.0],
    };
    let shape = GaussianMixture::from_parts(1, &shape).unwrap();
    let m = StudentMixture::new(shape, vec![1.0]).unwrap();
    let x = Mat::from_fn(5, 1, |i, _| [-3.0, 0.5, 1.0, 40.0, 1e200][i]);
    let log_prob = m.log_prob(x.as_ref());
    for (i, l) in log_prob.iter().enumerate().take(4) {
        let y = (x[(i, 0)] - 0.5) / 2.0;
        let cauchy = -ln(PI * 2.0) - ln_1p(y * y);
        assert!((l - cauchy).abs() < 1e-12, "{l} {cauchy}");
    }
    assert_eq!(log_prob[4], f64::NEG_INFINITY);
}

#[test]
fn draws_have_the_density_that_it_says() {
    let x = heavy(1500, 3.0, &mut stream(3, "heavy"));
    let m = fit(x.as_ref(), 3);
    // The mean of q / p over draws of p is one.
    let draws = m.sample(40_000, &mut stream(4, "draws"));
    let other = fit(heavy(1500, 8.0, &mut stream(5, "other")).as_ref(), 2);
    let (p, q) = (m.log_prob(draws.as_ref()), other.log_prob(draws.as_ref()));
    let ratios: Vec<f64> = p.iter().zip(&q).map(|(p, q)| exp(q - p)).collect();
    let (mean, error) = mean_and_standard_error(&ratios);
    assert!((mean - 1.0).abs() < 4.0 * error, "{mean} ± {error}");
}

#[test]
fn the_likelihood_rises_with_each_iteration() {
    let x = heavy(600, 2.5, &mut stream(6, "heavy"));
    let likelihood = |iterations: usize| {
        let em = EmConfig {
            restarts: 1,
            iterations,
            tolerance: 1e-12,
            floor: 0.0,
            prior: 0.0,
        };
        let rng = &mut stream(1, "em");
        let m = StudentMixture::fit(Data::new(x.as_ref()), 2, &em, rng).unwrap();
        sum(&m.log_prob(x.as_ref()))
    };
    let all: Vec<f64> = [1, 2, 3, 5, 10, 30, 100].map(likelihood).into();
    assert!(all.windows(2).all(|w| w[1] >= w[0] - 1e-9), "{all:?}");
}

#[test]
fn bad_degrees_of_freedom_are_refused() {
    let x = heavy(100, 3.0, &mut stream(7, "heavy"));
    let m = fit(x.as_ref(), 1);
    let refuse = |freedom: Vec<f64>| StudentMixture::new(m.shapes.clone(), freedom).unwrap_err();
    assert!(refuse(vec![]).contains("0 degrees of freedom for 1"));
    assert!(refuse(vec![0.5]).contains("from 1 to 200"));
    assert!(refuse(vec![f64::NAN]).contains("from 1 to 200"));
}
