//! Fitting conditional flows: known posteriors are found, weights honoured, results reproducible,
//! errors clear.

use autodiff::{AdamConfig, Schedule};
use density::{Data, Density, EmConfig, FitContext, GaussianMixture};
use faer::prelude::*;
use flows::{
    Activation, Architecture, Base, Batch, FitConfig, Flow, LogScale, Nets, Ordering, Termination,
};
use numerics::math;
use numerics::random::{self, standard_normal};
use testing::ends_after;

fn realnvp(activation: Activation) -> Architecture {
    Architecture::RealNvp {
        couplings: 4,
        hidden: vec![16, 16],
        activation,
        nets: Nets::Shared,
        log_scale: LogScale {
            bound: 2.0,
            knee: 2.0,
        },
        output_gain: 0.0,
    }
}

fn maf(activation: Activation) -> Architecture {
    Architecture::Maf {
        layers: 3,
        hidden: vec![24, 24],
        activation,
        ordering: Ordering::Reversed,
        log_scale: LogScale {
            bound: 5.0,
            knee: 5.0,
        },
        output_gain: 0.0,
    }
}

fn config(steps: usize) -> FitConfig {
    FitConfig {
        steps,
        batch: Batch::Size(200),
        learning_rate: 5e-3,
        schedule: Schedule::Cosine { floor: 0.0 },
        adam: AdamConfig::default(),
        clip_norm: Some(5.0),
        evaluate_every: 50,
        patience: None,
    }
}

/// Pairs with the exact log-density of each point given its context.
struct Pairs {
    points: Mat<f64>,
    contexts: Mat<f64>,
    exact: Vec<f64>,
}

impl Pairs {
    fn data(&self) -> Data<'_> {
        Data::new(self.points.as_ref()).conditioned(self.contexts.as_ref())
    }

    /// `E_y KL(p(. | y) || q(. | y))`, estimated on these pairs.
    fn mean_kl(&self, flow: &Flow) -> f64 {
        let log_q = flow.log_prob_given(self.points.as_ref(), self.contexts.as_ref());
        (math::sum(&self.exact) - math::sum(&log_q)) / self.exact.len() as f64
    }
}

/// `theta ~ N(3 y, s(y)^2)` with `ln s(y) = -1 + y / 2`, y uniform on (-1, 1), in units far from
/// one.
fn spread_by_context(n: usize, label: &str) -> Pairs {
    let mut rng = random::stream(3, label);
    let mut pairs = Pairs {
        points: Mat::zeros(n, 1),
        contexts: Mat::zeros(n, 1),
        exact: vec![0.0; n],
    };
    for i in 0..n {
        let y = 2.0 * random::uniform(&mut rng) - 1.0;
        let (ln_s, e) = (-1.0 + 0.5 * y, standard_normal(&mut rng));
        pairs.contexts[(i, 0)] = 1e4 + 100.0 * y;
        pairs.points[(i, 0)] = 1e-3 * (3.0 * y + math::exp(ln_s) * e);
        pairs.exact[i] = math::normal_log_pdf(e) - ln_s - math::ln(1e-3);
    }
    pairs
}

/// The linear Gaussian inverse problem: `theta ~ N(0, I_2)`, `y = A theta + 0.5 e` in R^3; the
/// posterior is normal.
fn linear_gaussian(n: usize, label: &str) -> Pairs {
    const A: [[f64; 2]; 3] = [[1.0, 0.5], [0.0, 1.0], [-0.5, 0.3]];
    const VARIANCE: f64 = 0.25;
    let mut rng = random::stream(3, label);
    let points = Mat::from_fn(n, 2, |_, _| standard_normal(&mut rng));
    let contexts = Mat::from_fn(n, 3, |i, j| {
        let mean = A[j][0] * points[(i, 0)] + A[j][1] * points[(i, 1)];
        mean + VARIANCE.sqrt() * standard_normal(&mut rng)
    });
    // Precision P = I + A^T A / v, mean P^-1 A^T y / v.
    let product = |f: &dyn Fn(usize) -> f64| (0..3).map(f).sum::<f64>() / VARIANCE;
    let p = |a: usize, b: usize| {
        let own = product(&|j| A[j][a] * A[j][b]);
        own + if a == b { 1.0 } else { 0.0 }
    };
    let (p00, p01, p11) = (p(0, 0), p(0, 1), p(1, 1));
    let det = p00 * p11 - p01 * p01;
    let exact = (0..n).map(|i| {
        let b = [0, 1].map(|a| product(&|j| A[j][a] * contexts[(i, j)]));
        let mean = [
            (p11 * b[0] - p01 * b[1]) / det,
            (p00 * b[1] - p01 * b[0]) / det,
        ];
        let r = [points[(i, 0)] - mean[0], points[(i, 1)] - mean[1]];
        let square = p00 * r[0] * r[0] + 2.0 * p01 * r[0] * r[1] + p11 * r[1] * r[1];
        0.5 * math::ln(det) - math::LN_2PI - 0.5 * square
    });
    let exact = exact.collect();
    Pairs {
        points,
        contexts,
        exact,
    }
}

/// Two modes for every y: `theta = +-2 + y + 0.3 e` in the first coordinate, `N(+-y, 0.5^2)` in the
/// second.
fn two_modes(n: usize, label: &str) -> Pairs {
    let mut rng = random::stream(3, label);
    let mut pairs = Pairs {
        points: Mat::zeros(n, 2),
        contexts: Mat::zeros(n, 1),
        exact: vec![0.0; n],
    };
    for i in 0..n {
        let y = standard_normal(&mut rng);
        let side = if i % 2 == 0 { 1.0 } else { -1.0 };
        let (a, b) = (standard_normal(&mut rng), standard_normal(&mut rng));
        let x = [2.0 * side + y + 0.3 * a, side * y + 0.5 * b];
        let mode = |s: f64| {
            let (a, b) = ((x[0] - 2.0 * s - y) / 0.3, (x[1] - s * y) / 0.5);
            math::normal_log_pdf(a) + math::normal_log_pdf(b) - math::ln(0.3 * 0.5 * 2.0)
        };
        pairs.exact[i] = math::ln_sum_exp2(mode(1.0), mode(-1.0));
        pairs.contexts[(i, 0)] = y;
        (pairs.points[(i, 0)], pairs.points[(i, 1)]) = (x[0], x[1]);
    }
    pairs
}

fn start(architecture: &Architecture, pairs: &Pairs, base: Base) -> Flow {
    let (points, contexts) = pairs.data().standardise().unwrap();
    let rng = &mut random::stream(1, "init");
    Flow::builder(architecture, points)
        .conditioned(contexts)
        .on_base(base)
        .build(rng)
        .unwrap()
}

fn fit(flow: &mut Flow, pairs: &Pairs, config: &FitConfig) {
    let rng = &mut random::stream(1, "fit");
    flow.fit(pairs.data(), None, config, rng, &FitContext::default())
        .unwrap();
}

#[test]
fn a_spread_that_depends_on_the_context_is_found() {
    let train = spread_by_context(4000, "train");
    let test = spread_by_context(20_000, "test");
    // Rectified networks of the one context take the way by segments.
    for activation in [Activation::Tanh, Activation::Relu] {
        for architecture in [realnvp(activation), maf(activation)] {
            let mut flow = start(&architecture, &train, Base::StandardNormal);
            let before = test.mean_kl(&flow);
            fit(&mut flow, &train, &config(500));
            let after = test.mean_kl(&flow);
            assert!(before > 0.5 && after < 0.01, "{before} {after}");
            // Mean and standard deviation at y = 0.6, in units of the data: 1.8e-3 and e^-0.7 1e-3.
            let draws = flow
                .condition(&[1e4 + 60.0])
                .sample(4000, &mut random::stream(1, "draws"));
            let x: Vec<f64> = draws.col(0).iter().copied().collect();
            let mean = math::sum(&x) / 4000.0;
            let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 4000.0;
            let sd = 1e-3 * math::exp(-0.7);
            assert!((mean - 1.8e-3).abs() < 0.1 * sd, "{mean}");
            assert!((variance.sqrt() / sd - 1.0).abs() < 0.1, "{variance}");
        }
    }
}

#[test]
fn the_posterior_of_the_linear_gaussian_problem_is_found() {
    let train = linear_gaussian(10_000, "train");
    let test = linear_gaussian(20_000, "test");
    for architecture in [realnvp(Activation::Tanh), maf(Activation::Tanh)] {
        let mut flow = start(&architecture, &train, Base::StandardNormal);
        fit(&mut flow, &train, &config(800));
        let kl = test.mean_kl(&flow);
        assert!((-0.005..0.02).contains(&kl), "{kl}");
    }
}

#[test]
fn a_mixture_base_carries_two_modes_for_every_context() {
    let (train, test) = (two_modes(6000, "train"), two_modes(10_000, "test"));
    let (standardise, _) = train.data().standardise().unwrap();
    let mut points = train.points.clone();
    standardise.transform(points.as_mut());
    let em = EmConfig::default();
    let data = density::Data::new(points.as_ref());
    let start_at = GaussianMixture::fit(data, 2, &em, &mut random::stream(1, "em")).unwrap();
    let fitted = |base: Base| {
        let mut flow = start(&maf(Activation::Tanh), &train, base);
        fit(&mut flow, &train, &config(1500));
        flow
    };
    let normal = test.mean_kl(&fitted(Base::StandardNormal));
    let fixed = test.mean_kl(&fitted(Base::GaussianMixture(start_at.clone())));
    let flow = fitted(Base::TrainedGaussianMixture {
        start: start_at.clone(),
        train_weights: true,
    });
    let trained = test.mean_kl(&flow);
    assert!(
        fixed < 0.13 && trained < 0.06 && normal > 1.5 * fixed,
        "normal {normal}, fixed {fixed}, trained {trained}"
    );
    let means = flow.base_mixture().unwrap().1;
    assert!((0..2).any(|k| means[(k, 0)] != start_at.mean(k)[0]));
    // Half of the draws on each side, hardly any between.
    let draws = flow
        .condition(&[0.5])
        .sample(4000, &mut random::stream(1, "draws"));
    let share = |from: f64, to: f64| {
        let inside = draws.col(0).iter().filter(|x| (from..to).contains(*x));
        inside.count() as f64 / 4000.0
    };
    assert!((share(0.5, 9.0) - 0.5).abs() < 0.05);
    assert!(share(-0.3, 1.3) < 0.02, "bridge {}", share(-0.3, 1.3));
}

#[test]
fn integer_weights_equal_repeated_rows() {
    let pairs = linear_gaussian(60, "weights");
    let weights: Vec<f64> = (0..60).map(|i| f64::from(i % 3)).collect();
    let ids: Vec<usize> = (0..60).flat_map(|i| vec![i; i % 3]).collect();
    let select = |m: &Mat<f64>| numerics::matrix::select_rows(m.as_ref(), &ids);
    let (points, contexts) = (select(&pairs.points), select(&pairs.contexts));
    let weighted = pairs.data().weighted(&weights[..]);
    let repeated = Data::new(points.as_ref()).conditioned(contexts.as_ref());
    let settings = FitConfig {
        batch: Batch::Full,
        ..config(30)
    };
    let fit = |data: Data<'_>| {
        let (points, contexts) = data.standardise().unwrap();
        let rng = &mut random::stream(1, "init");
        let base = Base::StandardNormal;
        let architecture = realnvp(Activation::Tanh);
        let mut flow = Flow::builder(&architecture, points)
            .conditioned(contexts)
            .on_base(base)
            .build(rng)
            .unwrap();
        flow.fit(
            data,
            None,
            &settings,
            &mut random::stream(1, "fit"),
            &FitContext::default(),
        )
        .unwrap();
        (
            data.mean_nll(&flow.log_prob_given(data.points, data.contexts.unwrap())),
            flow,
        )
    };
    let ((a_nll, a), (b_nll, b)) = (fit(weighted), fit(repeated));
    assert!((a_nll - b_nll).abs() < 1e-9);
    for (a, b) in a.params().iter().zip(b.params()) {
        // Steps of Adam blow up what rounding does to a gradient near zero.
        assert!((a - b).abs() < 1e-7, "{a} {b}");
    }
}

#[test]
fn early_stopping_restores_the_best_parameters_and_the_observer_can_end_a_fit() {
    let (train, valid) = (linear_gaussian(50, "small"), linear_gaussian(500, "valid"));
    let settings = FitConfig {
        batch: Batch::Full,
        learning_rate: 2e-2,
        schedule: Schedule::Constant,
        evaluate_every: 20,
        patience: Some(5),
        ..config(5000)
    };
    let mut flow = start(&maf(Activation::Tanh), &train, Base::StandardNormal);
    let rng = &mut random::stream(1, "fit");
    let report = flow
        .fit(
            train.data(),
            Some(valid.data()),
            &settings,
            rng,
            &FitContext::default(),
        )
        .unwrap();
    assert_eq!(report.termination, Termination::EarlyStop);
    assert_eq!(report.steps, report.best_step + 5 * 20);
    let held_out = report.history.iter().map(|e| e.held_out_nll.unwrap());
    let best = held_out.fold(f64::INFINITY, f64::min);
    let log_q = flow.log_prob_given(valid.points.as_ref(), valid.contexts.as_ref());
    assert!((valid.data().mean_nll(&log_q) - best).abs() < 1e-12);

    let observer = ends_after(44);
    let context = FitContext::default().observed_by(&observer);
    let report = flow.fit(train.data(), None, &config(1000), rng, &context);
    let report = report.unwrap();
    assert_eq!(report.termination, Termination::Interrupted);
    assert_eq!(report.steps, 45);
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let (line, plane) = (
        spread_by_context(2500, "threads"),
        linear_gaussian(2500, "threads"),
    );
    for (architecture, train) in [
        (maf(Activation::Tanh), &plane),
        (maf(Activation::Relu), &plane),
        (realnvp(Activation::Relu), &plane),
        (maf(Activation::Relu), &line),
        (realnvp(Activation::Tanh), &line),
    ] {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                let mut flow = start(&architecture, train, Base::StandardNormal);
                let settings = FitConfig {
                    batch: Batch::Full,
                    ..config(20)
                };
                fit(&mut flow, train, &settings);
                let scores = flow.log_prob_given(train.points.as_ref(), train.contexts.as_ref());
                let draws = flow.sample_given(train.contexts.as_ref(), &mut random::stream(1, "s"));
                (flow.params().to_vec(), scores, draws)
            })
        };
        let one = run(1);
        assert_eq!(one, run(2));
        assert_eq!(one, run(3));
    }
}

#[test]
fn saved_and_loaded_flows_give_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    let pairs = linear_gaussian(300, "save");
    let x = pairs.points.as_ref();
    let em = EmConfig::default();
    let rng = &mut random::stream(1, "em");
    let mixture = GaussianMixture::fit(density::Data::new(x), 2, &em, rng).unwrap();
    let trained = Base::TrainedGaussianMixture {
        start: mixture.clone(),
        train_weights: false,
    };
    for (architecture, base) in [
        (realnvp(Activation::Tanh), trained),
        (maf(Activation::Relu), Base::GaussianMixture(mixture)),
        (maf(Activation::Tanh), Base::StandardNormal),
    ] {
        let mut flow = start(&architecture, &pairs, base);
        fit(&mut flow, &pairs, &config(10));
        let path = dir.path().join("flow.safetensors");
        flow.save(&path).unwrap();
        let loaded = Flow::load(&path).unwrap();
        let scores = |f: &Flow| f.log_prob_given(x, pairs.contexts.as_ref());
        let draws = |f: &Flow| {
            f.condition(&[0.1, -0.2, 0.3])
                .sample(9, &mut random::stream(1, "s"))
        };
        for same in [&loaded, &flow.clone()] {
            assert_eq!(scores(same), scores(&flow));
            assert_eq!(draws(same), draws(&flow));
            assert_eq!(same.base_mixture(), flow.base_mixture());
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);

        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes, flow.to_bytes());
        for cut in [0, 7, 8, bytes.len() / 2, bytes.len() - 1] {
            let cut = Flow::from_bytes(&bytes[..cut]);
            assert!(cut.is_err(), "a damaged file was read");
        }
        let mut poisoned = bytes.clone();
        let at = poisoned.len() - 8;
        poisoned[at..].copy_from_slice(&f64::NAN.to_le_bytes());
        assert!(Flow::from_bytes(&poisoned).is_err());
    }
}

#[test]
fn bad_data_are_refused_with_a_reason() {
    let pairs = linear_gaussian(20, "bad");
    let data = pairs.data();
    let mut flow = start(&maf(Activation::Tanh), &pairs, Base::StandardNormal);
    let before = flow.params().to_vec();
    let mut refused = |train: Data<'_>, validation: Option<Data<'_>>| {
        let rng = &mut random::stream(1, "fit");
        flow.fit(train, validation, &config(5), rng, &FitContext::default())
            .unwrap_err()
            .to_string()
    };
    let short = pairs.contexts.subrows(0, 19).to_owned();
    let mismatched = Data::new(data.points).conditioned(short.as_ref());
    let message = refused(mismatched, None);
    assert_eq!(message, "training data: 19 contexts for 20 points");
    let message = refused(data, Some(mismatched));
    assert_eq!(message, "validation data: 19 contexts for 20 points");
    let narrow = Data::new(data.points).conditioned(pairs.contexts.as_ref().subcols(0, 2));
    assert_eq!(
        refused(narrow, None),
        "training data: 2 columns of contexts where the density has 3"
    );
    let mut hole = pairs.contexts.clone();
    hole[(4, 1)] = f64::INFINITY;
    let broken = Data::new(data.points).conditioned(hole.as_ref());
    let message = "inf in row 4, column 1 of the contexts";
    assert_eq!(refused(broken, None), format!("training data: {message}"));
    assert_eq!(broken.standardise().unwrap_err().to_string(), message);
    let mut hole = pairs.points.clone();
    hole[(7, 0)] = f64::NAN;
    let broken = Data::new(hole.as_ref()).conditioned(pairs.contexts.as_ref());
    let message = "training data: NaN in row 7, column 0";
    assert_eq!(refused(broken, None), message);
    let weights = [1.0; 3];
    let unequal = data.weighted(&weights[..]);
    let message = "training data: 3 weights for 20 rows";
    assert_eq!(refused(unequal, None), message);
    assert_eq!(flow.params(), before);

    let mut constant = pairs.contexts.clone();
    (0..20).for_each(|i| constant[(i, 2)] = 0.1);
    let constant = Data::new(data.points).conditioned(constant.as_ref());
    assert_eq!(
        constant.standardise().unwrap_err().to_string(),
        "column 2 of the contexts is constant: it tells nothing, leave it out"
    );
}
