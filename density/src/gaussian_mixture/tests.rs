//! Tests of the density and of its fits.

use super::*;
use crate::{Data, EmConfig};
use numerics::linalg::symmetric_eigen;
use numerics::math::sum;
use numerics::random::{standard_normal, stream};

/// Three well separated normals.
fn three(n: usize) -> Mat<f64> {
    let mut rng = stream(4, "three");
    let centres = [(-4.0, 0.0), (4.0, 1.0), (0.0, 5.0)];
    let mut x = Mat::zeros(n, 2);
    for i in 0..n {
        let (a, b) = centres[i % 3];
        let (u, v) = (standard_normal(&mut rng), standard_normal(&mut rng));
        x[(i, 0)] = a + 0.7 * u;
        x[(i, 1)] = b + 0.5 * u + 0.4 * v;
    }
    x
}

#[test]
fn parts_make_the_same_mixture_and_bad_ones_are_refused() {
    let x = three(200);
    let em = EmConfig::default();
    let m = GaussianMixture::fit(Data::new(x.as_ref()), 3, &em, &mut stream(1, "em")).unwrap();
    let parts = m.parts();
    assert_eq!(GaussianMixture::from_parts(2, &parts).unwrap(), m);
    let refuse = |change: &dyn Fn(&mut MixtureParts)| {
        let mut bad = parts.clone();
        change(&mut bad);
        GaussianMixture::from_parts(2, &bad).unwrap_err()
    };
    assert!(refuse(&|p| p.weights[0] = 0.9).contains("simplex"));
    assert!(refuse(&|p| p.means[1] = f64::NAN).contains("finite"));
    assert!(refuse(&|p| p.factors[1] = 0.1).contains("triangular"));
    assert!(refuse(&|p| p.factors[0] = -1.0).contains("positive"));
    assert!(refuse(&|p| p.factors.truncate(11)).contains("no mixture"));
}

#[test]
fn bic_finds_the_components_and_the_density_is_right() {
    let x = three(900);
    let m = GaussianMixture::fit_by_bic(
        Data::new(x.as_ref()),
        10,
        2,
        &EmConfig::default(),
        &mut stream(1, "em"),
    )
    .unwrap();
    assert_eq!(m.len(), 3);
    assert!(m.weights().all(|w| (w - 1.0 / 3.0).abs() < 0.01));
    let test = three(9000);
    let nll = -sum(&m.log_prob(test.as_ref())) / 9000.0;
    let entropy = ln(3.0) + LN_2PI + 1.0 + ln(0.7 * 0.4);
    assert!((nll - entropy).abs() < 0.03, "{nll} {entropy}");
}

/// A band of constant width along a circle.
fn band(n: usize) -> Mat<f64> {
    let mut rng = stream(6, "band");
    let mut x = Mat::zeros(n, 2);
    for i in 0..n {
        let angle = std::f64::consts::TAU * numerics::random::uniform(&mut rng);
        let radius = 3.0 + 0.2 * standard_normal(&mut rng);
        x[(i, 0)] = radius * numerics::math::cos(angle);
        x[(i, 1)] = radius * numerics::math::sin(angle);
    }
    x
}

#[test]
fn a_prior_on_the_shape_draws_the_eigenvalues_together_and_helps_on_a_band() {
    let (train, test) = (band(400), band(8000));
    let test = test.as_ref().subrows(400, 7600);
    let fit = |prior: f64| {
        let em = EmConfig {
            prior,
            floor: 1e-4,
            ..EmConfig::default()
        };
        let data = Data::new(train.as_ref());
        GaussianMixture::fit(data, 16, &em, &mut stream(2, "em")).unwrap()
    };
    let spread = |m: &GaussianMixture| {
        let small = m.components.iter().map(|c| {
            let f = &c.factor;
            let cov = vec![f[0] * f[0], 0.0, f[2] * f[0], f[2] * f[2] + f[3] * f[3]];
            symmetric_eigen(cov, 2).0[0]
        });
        let small: Vec<f64> = small.collect();
        small.iter().fold(0.0f64, |a, b| a.max(*b)) / small.iter().fold(1e9f64, |a, b| a.min(*b))
    };
    let nll = |m: &GaussianMixture| -sum(&m.log_prob(test)) / test.nrows() as f64;
    let (free, drawn, shared) = (fit(0.0), fit(20.0), fit(1e9));
    // The floor differs a little between the columns.
    assert!(spread(&shared) < 1.01, "{}", spread(&shared));
    assert!(spread(&drawn) < spread(&free));
    assert!(
        nll(&shared) < nll(&free) - 0.02,
        "{} {}",
        nll(&shared),
        nll(&free)
    );
    assert!(nll(&drawn) < nll(&free));
    // The moments of the mixture are unchanged: only the shapes are shared.
    let total: f64 = shared.weights().sum();
    assert!((total - 1.0).abs() < 1e-12);
}

#[test]
fn one_component_has_the_sample_moments_and_integer_weights_repeat_rows() {
    let x = three(60);
    let w: Vec<f64> = (0..60).map(|i| f64::from(i % 4)).collect();
    let ids: Vec<usize> = (0..60).flat_map(|i| vec![i; i % 4]).collect();
    let repeated = numerics::matrix::select_rows(x.as_ref(), &ids);
    let config = EmConfig {
        floor: 0.0,
        ..EmConfig::default()
    };
    let a = GaussianMixture::fit(
        Data::new(x.as_ref()).weighted(&w[..]),
        1,
        &config,
        &mut stream(1, "em"),
    )
    .unwrap();
    let b = GaussianMixture::fit(
        Data::new(repeated.as_ref()),
        1,
        &config,
        &mut stream(1, "em"),
    )
    .unwrap();
    for (a, b) in a.log_prob(x.as_ref()).iter().zip(b.log_prob(x.as_ref())) {
        assert!((a - b).abs() < 1e-10);
    }
    let mean = (0..ids.len()).map(|i| repeated[(i, 0)]).sum::<f64>() / ids.len() as f64;
    assert!((b.mean(0)[0] - mean).abs() < 1e-12);
}

#[test]
fn draws_follow_the_density_and_the_gradient_is_right() {
    let x = three(300);
    let m = GaussianMixture::fit(
        Data::new(x.as_ref()),
        3,
        &EmConfig::default(),
        &mut stream(1, "em"),
    )
    .unwrap();
    let draws = m.sample(20_000, &mut stream(2, "draws"));
    let again = GaussianMixture::fit(
        Data::new(draws.as_ref()),
        3,
        &EmConfig::default(),
        &mut stream(1, "em"),
    )
    .unwrap();
    let (a, b) = (m.log_prob(draws.as_ref()), again.log_prob(draws.as_ref()));
    let gap = (sum(&b) - sum(&a)) / 20_000.0;
    assert!(gap.abs() < 0.002, "{gap}");
    let points = x.as_ref().subrows(0, 9);
    let joint = m.joint_log_prob(points);
    let total = row_ln_sum_exp(joint.as_ref());
    let mut grad = Mat::zeros(9, 2);
    m.add_gradient(points, joint.as_ref(), &total, &[1.0; 9], grad.as_mut());
    for i in 0..9 {
        for j in 0..2 {
            let at = |h: f64| {
                let p = Mat::from_fn(1, 2, |_, c| points[(i, c)] + if c == j { h } else { 0.0 });
                m.log_prob(p.as_ref())[0]
            };
            let numeric = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!(
                (grad[(i, j)] - numeric).abs() < 1e-6 * (1.0 + numeric.abs()),
                "{} {numeric}",
                grad[(i, j)]
            );
        }
    }
}

#[test]
fn impossible_fits_are_refused() {
    let x = three(5);
    let fit = |k: usize| {
        GaussianMixture::fit(
            Data::new(x.as_ref()),
            k,
            &EmConfig::default(),
            &mut stream(1, "em"),
        )
    };
    assert!(matches!(
        fit(6),
        Err(EmError::Components {
            components: 6,
            points: 5
        })
    ));
    assert!(fit(0).is_err());
    let flat = Mat::from_fn(9, 2, |i, j| if j == 0 { i as f64 } else { 1.0 });
    let result = GaussianMixture::fit(
        Data::new(flat.as_ref()),
        1,
        &EmConfig::default(),
        &mut stream(1, "em"),
    );
    assert_eq!(result, Err(EmError::Singular));
    // Ties and repeated points do not fail.
    let ties = Mat::from_fn(40, 2, |i, j| ((i + j) % 3 + j * (i % 2)) as f64);
    assert!(
        GaussianMixture::fit(
            Data::new(ties.as_ref()),
            5,
            &EmConfig::default(),
            &mut stream(1, "em")
        )
        .is_ok()
    );
}
