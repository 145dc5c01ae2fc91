//! One contract for every implementation of `Density`: shapes, finiteness, an integral of one,
//! draws that follow it, files that hold it to the bit.

use amf::archive::KINDS;
use amf::{Column, Draws, ExpertConfig, NamedExpert, Recipe};
use density::{
    Affine, Arcsinh, ArcsinhColumn, Bijection, Data, Density, EmConfig, FitContext,
    GaussianMixture, Kde, Mixture, Rotation, StudentMixture, Support, Transformed, archive,
};
use faer::prelude::*;
use flows::{Architecture, Base, Flow};
use numerics::math::{exp, mean_and_standard_error};
use numerics::random::{standard_normal, stream, uniform};
use rbig::{Rbig, RbigConfig};

/// Two clumps in d columns, all within about 6 of zero.
fn points(n: usize, d: usize) -> Mat<f64> {
    let mut rng = stream(1, "contract");
    Mat::from_fn(n, d, |i, j| {
        let side = if i % 3 == 0 { 1.5 } else { -1.0 };
        side + (0.5 + 0.2 * j as f64) * standard_normal(&mut rng)
    })
}

fn mixture(d: usize) -> GaussianMixture {
    let x = points(300, d);
    let em = EmConfig::default();
    GaussianMixture::fit(Data::new(x.as_ref()), 2, &em, &mut stream(1, "em")).unwrap()
}

fn students(d: usize) -> StudentMixture {
    let x = points(300, d);
    let em = EmConfig::default();
    StudentMixture::fit(Data::new(x.as_ref()), 2, &em, &mut stream(1, "em")).unwrap()
}

/// A flow that does something: its parameters are drawn.
fn flow(mut architecture: Architecture, d: usize, c: usize, base: Base) -> Flow {
    let (Architecture::Maf { output_gain, .. } | Architecture::RealNvp { output_gain, .. }) =
        &mut architecture;
    *output_gain = 0.5;
    let scale = Affine::new(vec![0.2; d], vec![0.8; d]).unwrap();
    let builder = Flow::builder(&architecture, scale).on_base(base);
    let builder = builder.conditioned(Affine::identity(c));
    builder.build(&mut stream(1, "init")).unwrap()
}

fn behind(bijection: Bijection) -> Box<dyn Density> {
    let density = mixture(bijection.dim());
    Box::new(Transformed { bijection, density })
}

fn gaussianisation(d: usize, config: &RbigConfig) -> Rbig {
    let x = points(300, d);
    Rbig::fit(Data::new(x.as_ref()), None, config, &mut stream(1, "rbig")).unwrap()
}

fn fitted(d: usize) -> Box<dyn Density> {
    let x = points(120, d);
    let x = Mat::from_fn(120, d, |i, j| {
        if j == 0 {
            exp(0.5 * x[(i, j)])
        } else {
            x[(i, j)]
        }
    });
    let columns = [Column::positive("a"), Column::real("b")];
    let experts = [
        (
            "gmm",
            ExpertConfig::gaussian_mixture(amf::experts::Components::Fixed(2)),
        ),
        ("kde", ExpertConfig::kde()),
    ];
    let recipe = Recipe::default().with_experts(experts.map(|(n, kind)| NamedExpert::new(n, kind)));
    let draws = Draws::new(&columns[..d], x.as_ref());
    Box::new(recipe.fit(&draws, 1, &FitContext::default()).unwrap())
}

/// Every kind of density in d columns; of flows with contexts the density for one context.
fn every(d: usize) -> Vec<(&'static str, Box<dyn Density>)> {
    let (maf, realnvp) = (Architecture::maf(2, &[8]), Architecture::realnvp(2, &[8]));
    let trained = Base::TrainedGaussianMixture {
        start: mixture(d),
        train_weights: true,
    };
    let x = points(200, d);
    let kde = Kde::fit(Data::new(x.as_ref()), &mut stream(1, "kde")).unwrap();
    let arcsinh = ArcsinhColumn {
        centre: 0.3,
        scale: 0.7,
    };
    let affine = Bijection::Affine(Affine::new(vec![0.5; d], vec![2.0; d]).unwrap());
    let rotation = Bijection::Rotation(Rotation::of_each_plane(0.5, d));
    let interval = Support::Interval {
        low: -2.0,
        high: 3.0,
    };
    let wide = Support::Interval {
        low: -5.0,
        high: 9.0,
    };
    let supports = [interval, wide];
    let columns = (0..d).map(|j| (j == 0).then_some(arcsinh)).collect();
    let average: Vec<Box<dyn Density>> = vec![Box::new(mixture(d)), Box::new(kde.clone())];
    // Flows with contexts live longer than the densities that borrow them.
    let given: &'static Flow = Box::leak(Box::new(flow(maf.clone(), d, 2, Base::StandardNormal)));
    vec![
        ("gaussian mixture", Box::new(mixture(d))),
        ("student mixture", Box::new(students(d))),
        ("kernel density", Box::new(kde)),
        ("mixture", Box::new(Mixture::new(average, vec![0.3, 0.7]))),
        ("affine", behind(affine.clone())),
        ("rotation", behind(rotation.clone())),
        ("arcsinh", behind(Bijection::Arcsinh(Arcsinh { columns }))),
        (
            "supports",
            behind(Bijection::Supports(supports[..d].to_vec())),
        ),
        ("chain", behind(Bijection::Chain(vec![affine, rotation]))),
        ("maf", Box::new(flow(maf, d, 0, Base::StandardNormal))),
        (
            "realnvp on a mixture",
            Box::new(flow(
                realnvp.clone(),
                d,
                0,
                Base::GaussianMixture(mixture(d)),
            )),
        ),
        (
            "realnvp on a trained mixture",
            Box::new(flow(realnvp, d, 0, trained)),
        ),
        (
            "maf given a context",
            Box::new(given.condition(&[0.4, -1.0])),
        ),
        (
            "rbig as published",
            Box::new(gaussianisation(d, &RbigConfig::published())),
        ),
        ("fitted density", fitted(d)),
    ]
}

#[test]
fn shapes_are_right_and_log_densities_are_finite_or_minus_infinity() {
    for d in [1, 2] {
        for (name, q) in every(d) {
            assert_eq!(q.dim(), d, "{name}");
            let far = Mat::from_fn(6, d, |i, j| [0.0, 1.0, -4.0, 30.0, -1e4, 1e8][(i + j) % 6]);
            let log_prob = q.log_prob(far.as_ref());
            assert_eq!(log_prob.len(), 6, "{name}");
            assert!(
                log_prob.iter().all(|l| *l < f64::INFINITY),
                "{name}: {log_prob:?}"
            );
            let draws = q.sample(500, &mut stream(2, "draws"));
            assert_eq!(draws.shape(), (500, d), "{name}");
            assert!(
                q.log_prob(draws.as_ref()).iter().all(|l| l.is_finite()),
                "{name}"
            );
            assert_eq!(q.sample(500, &mut stream(2, "draws")), draws, "{name}");
            assert!(q.log_prob(Mat::zeros(0, d).as_ref()).is_empty(), "{name}");
            assert_eq!(
                q.sample(0, &mut stream(2, "none")).shape(),
                (0, d),
                "{name}"
            );
        }
    }
}

/// Midpoints of the cells of a grid over `[-20, 20]^d`, and the volume of a cell.
fn grid(d: usize) -> (Mat<f64>, f64) {
    let side = if d == 1 { 40_000usize } else { 1000 };
    let h = 40.0 / side as f64;
    let n = side.pow(d as u32);
    let x = Mat::from_fn(n, d, |i, j| {
        let k = if j == 0 { i % side } else { i / side };
        -20.0 + (k as f64 + 0.5) * h
    });
    (x, h.powi(d as i32))
}

#[test]
fn densities_integrate_to_one_in_one_and_two_dimensions() {
    for d in [1, 2] {
        let (x, cell) = grid(d);
        for (name, q) in every(d) {
            let log_prob = q.log_prob(x.as_ref());
            let total = log_prob.iter().map(|l| exp(*l)).sum::<f64>() * cell;
            // Histograms have steps, and a logarithm leaves a little beyond the grid.
            let most = if name == "rbig as published" || name == "fitted density" {
                0.02
            } else {
                2e-3
            };
            assert!((total - 1.0).abs() < most, "{name}, d = {d}: {total}");
        }
    }
}

/// The share of draws in random half-planes is the integral of the density over them.
#[test]
fn draws_follow_the_density() {
    let (x, cell) = grid(2);
    for (name, q) in every(2) {
        let n = 4000;
        let draws = q.sample(n, &mut stream(3, "draws"));
        let mass: Vec<f64> = q
            .log_prob(x.as_ref())
            .iter()
            .map(|l| cell * exp(*l))
            .collect();
        let mut rng = stream(3, "half-planes");
        for _ in 0..8 {
            let (a, b) = (standard_normal(&mut rng), standard_normal(&mut rng));
            let c = 2.0 * uniform(&mut rng) - 1.0;
            let inside = |m: &Mat<f64>, i: usize| a * m[(i, 0)] + b * m[(i, 1)] > c;
            let exact: f64 = (0..mass.len())
                .filter(|&i| inside(&x, i))
                .map(|i| mass[i])
                .sum();
            let found: Vec<f64> = (0..n)
                .map(|i| f64::from(u8::from(inside(&draws, i))))
                .collect();
            let (share, error) = mean_and_standard_error(&found);
            let gap = (share - exact).abs();
            assert!(
                gap < 4.5 * error + 0.01,
                "{name}: {share} of the draws, {exact} of the mass"
            );
        }
    }
}

#[test]
fn what_is_saved_is_read_again_to_the_bit() {
    for d in [1, 2] {
        let x = points(100, d);
        for (name, q) in every(d) {
            let bytes = match archive::to_bytes(&q) {
                // A flow with contexts is saved whole, not for one of them.
                Err(e) => {
                    assert!(name.contains("context"), "{name}: {e}");
                    continue;
                }
                Ok(bytes) => bytes,
            };
            let again =
                archive::from_bytes(&bytes, KINDS).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(again.log_prob(x.as_ref()), q.log_prob(x.as_ref()), "{name}");
            let draw = |q: &dyn Density| q.sample(100, &mut stream(4, "draws"));
            assert_eq!(draw(&again), draw(&q), "{name}");
            assert_eq!(archive::to_bytes(&again).unwrap(), bytes, "{name}");
        }
    }
}
