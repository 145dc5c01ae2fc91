//! Fitting: it finds the maximum likelihood, honours weights, stops early, restores the best
//! parameters, and is reproducible.

use autodiff::{AdamConfig, Schedule};
use density::{Affine, Data, Density, EmConfig, FitContext, GaussianMixture};
use faer::prelude::*;
use flows::{
    Activation, Architecture, Base, Batch, FitConfig, FitError, Flow, LogScale, Nets, Ordering,
    Termination,
};
use numerics::math;
use numerics::random::{self, standard_normal};
use testing::ends_after;

fn realnvp() -> Architecture {
    Architecture::RealNvp {
        couplings: 4,
        hidden: vec![16, 16],
        activation: Activation::Tanh,
        nets: Nets::Shared,
        log_scale: LogScale {
            bound: 2.0,
            knee: 2.0,
        },
        output_gain: 0.0,
    }
}

fn maf() -> Architecture {
    Architecture::Maf {
        layers: 3,
        hidden: vec![16, 16],
        activation: Activation::Tanh,
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
        batch: Batch::Full,
        learning_rate: 5e-3,
        schedule: Schedule::Constant,
        adam: AdamConfig::default(),
        clip_norm: None,
        evaluate_every: 20,
        patience: None,
    }
}

/// Correlated normal draws: x2 = 2 + 0.8 x1 + 0.6 e.
fn correlated(n: usize, label: &str) -> Mat<f64> {
    let mut rng = random::stream(3, label);
    let mut x = Mat::zeros(n, 2);
    for i in 0..n {
        x[(i, 0)] = standard_normal(&mut rng);
        x[(i, 1)] = 2.0 + 0.8 * x[(i, 0)] + 0.6 * standard_normal(&mut rng);
    }
    x
}

fn mean_nll(flow: &Flow, x: &Mat<f64>) -> f64 {
    -math::sum(&flow.log_prob(x.as_ref())) / x.nrows() as f64
}

fn start(architecture: &Architecture, x: &Mat<f64>) -> Flow {
    let standardise = Affine::standardising(x.as_ref(), None).unwrap();
    Flow::builder(architecture, standardise)
        .build(&mut random::stream(1, "init"))
        .unwrap()
}

#[test]
fn a_correlated_normal_is_fitted_to_its_entropy() {
    let (train, test) = (correlated(2000, "train"), correlated(20_000, "test"));
    // Entropy of the pair: ln(2 pi e) + ln 0.6.
    let entropy = math::LN_2PI + 1.0 + math::ln(0.6);
    for architecture in [realnvp(), maf()] {
        let mut flow = start(&architecture, &train);
        let before = mean_nll(&flow, &test);
        let report = flow
            .fit(
                Data::new(train.as_ref()),
                None,
                &config(300),
                &mut random::stream(1, "fit"),
                &FitContext::default(),
            )
            .unwrap();
        let gap = mean_nll(&flow, &test) - entropy;
        assert!(before - entropy > 0.1 && gap < 0.02, "{gap}");
        assert_eq!(
            (report.termination, report.steps),
            (Termination::StepLimit, 300)
        );
        let last = report.history.last().unwrap();
        // The loss reported for the last steps is the training likelihood in data units.
        assert!((last.train_nll - mean_nll(&flow, &train)).abs() < 0.02);
    }
}

#[test]
fn integer_weights_equal_repeated_rows() {
    let x = correlated(60, "weights");
    let weights: Vec<f64> = (0..60).map(|i| f64::from(i % 3)).collect();
    let ids: Vec<usize> = (0..60).flat_map(|i| vec![i; i % 3]).collect();
    let repeated = numerics::matrix::select_rows(x.as_ref(), &ids);
    let fit = |points: &Mat<f64>, weights: Option<&[f64]>| {
        let mut flow = start(&realnvp(), &x);
        let data = Data::new(points.as_ref()).weighted(weights);
        flow.fit(
            data,
            None,
            &config(30),
            &mut random::stream(1, "fit"),
            &FitContext::default(),
        )
        .unwrap();
        flow
    };
    let (a, b) = (fit(&x, Some(&weights)), fit(&repeated, None));
    for (a, b) in a.params().iter().zip(b.params()) {
        assert!((a - b).abs() < 1e-9, "{a} {b}");
    }
}

#[test]
fn early_stopping_restores_the_best_parameters() {
    let (train, valid) = (correlated(40, "small"), correlated(400, "valid"));
    let mut flow = start(&maf(), &train);
    let settings = FitConfig {
        learning_rate: 2e-2,
        patience: Some(5),
        ..config(5000)
    };
    let report = flow
        .fit(
            Data::new(train.as_ref()),
            Some(Data::new(valid.as_ref())),
            &settings,
            &mut random::stream(1, "fit"),
            &FitContext::default(),
        )
        .unwrap();
    assert_eq!(report.termination, Termination::EarlyStop);
    assert_eq!(report.steps, report.best_step + 5 * 20);
    let best = report
        .history
        .iter()
        .map(|e| e.held_out_nll.unwrap())
        .fold(f64::INFINITY, f64::min);
    assert!((mean_nll(&flow, &valid) - best).abs() < 1e-12);
    let worst = report.history.last().unwrap().held_out_nll.unwrap();
    assert!(
        worst > best,
        "the small set was never over-fitted: the test shows nothing"
    );
}

#[test]
fn mini_batches_see_every_point_once_an_epoch_and_reach_the_optimum() {
    let (train, test) = (correlated(1000, "train"), correlated(5000, "test"));
    let mut flow = start(&realnvp(), &train);
    let settings = FitConfig {
        batch: Batch::Size(100),
        clip_norm: Some(5.0),
        schedule: Schedule::Cosine { floor: 0.0 },
        ..config(500)
    };
    flow.fit(
        Data::new(train.as_ref()),
        None,
        &settings,
        &mut random::stream(1, "fit"),
        &FitContext::default(),
    )
    .unwrap();
    let entropy = math::LN_2PI + 1.0 + math::ln(0.6);
    assert!(mean_nll(&flow, &test) - entropy < 0.03);
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    // Smooth units in the plane, and rectified ones in six dimensions: matrix products; rectified
    // ones in the plane: segments.
    let mut rng = random::stream(3, "threads");
    let wide = Mat::from_fn(2500, 6, |_, _| standard_normal(&mut rng));
    let plane = correlated(2500, "threads");
    let relu = |mut architecture: Architecture| {
        match &mut architecture {
            Architecture::Maf { activation, .. } | Architecture::RealNvp { activation, .. } => {
                *activation = Activation::Relu;
            }
        }
        architecture
    };
    for (architecture, train) in [
        (maf(), &plane),
        (relu(maf()), &plane),
        (relu(realnvp()), &plane),
        (relu(maf()), &wide),
        (relu(realnvp()), &wide),
    ] {
        let fit = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                let mut flow = start(&architecture, train);
                flow.fit(
                    Data::new(train.as_ref()),
                    None,
                    &config(20),
                    &mut random::stream(1, "fit"),
                    &FitContext::default(),
                )
                .unwrap();
                let scores = flow.log_prob(train.as_ref());
                (flow.params().to_vec(), scores)
            })
        };
        let one = fit(1);
        assert_eq!(one, fit(2));
        assert_eq!(one, fit(3));
    }
}

#[test]
fn the_observer_can_end_a_fit() {
    let train = correlated(100, "stop");
    let mut flow = start(&realnvp(), &train);
    let report = flow
        .fit(
            Data::new(train.as_ref()),
            None,
            &config(1000),
            &mut random::stream(1, "fit"),
            &FitContext::default().observed_by(&ends_after(44)),
        )
        .unwrap();
    assert_eq!(
        (report.termination, report.steps, report.best_step),
        (Termination::Interrupted, 45, 40)
    );
}

#[test]
fn bad_data_and_settings_are_refused_with_a_reason() {
    let mut x = correlated(10, "bad");
    let mut flow = start(&realnvp(), &x);
    let run = |flow: &mut Flow, data: Data<'_>, config: &FitConfig| {
        flow.fit(
            data,
            None,
            config,
            &mut random::stream(1, "fit"),
            &FitContext::default(),
        )
        .unwrap_err()
        .to_string()
    };
    let message = run(
        &mut flow,
        Data::new(x.as_ref()),
        &FitConfig {
            learning_rate: -1.0,
            ..config(5)
        },
    );
    assert_eq!(message, "learning_rate must be positive, not -1");
    let message = run(
        &mut flow,
        Data::new(x.as_ref()),
        &FitConfig {
            patience: Some(3),
            ..config(5)
        },
    );
    assert_eq!(message, "patience needs a validation set");
    let weights = [-1.0; 10];
    let message = run(
        &mut flow,
        Data::new(x.as_ref()).weighted(&weights[..]),
        &config(5),
    );
    assert_eq!(message, "training data: weight -1 in row 0");
    x[(7, 1)] = f64::NAN;
    let before = flow.params().to_vec();
    let message = run(&mut flow, Data::new(x.as_ref()), &config(5));
    assert_eq!(message, "training data: NaN in row 7, column 1");
    assert_eq!(flow.params(), before);
}

#[test]
fn a_diverging_fit_is_an_error_that_names_the_step() {
    let x = correlated(50, "diverge");
    let mut flow = start(&maf(), &x);
    let settings = FitConfig {
        learning_rate: 1e200,
        ..config(50)
    };
    let error = flow
        .fit(
            Data::new(x.as_ref()),
            None,
            &settings,
            &mut random::stream(1, "fit"),
            &FitContext::default(),
        )
        .unwrap_err();
    assert!(
        matches!(error, FitError::Diverged { step: 2.., .. }),
        "{error}"
    );
    assert!(mean_nll(&flow, &x).is_finite());
}

#[test]
fn a_flow_on_a_mixture_base_starts_as_the_mixture_and_improves_on_it() {
    let x = correlated(400, "base");
    // A banana: one normal component is far from it.
    let bent = Mat::from_fn(400, 2, |i, j| {
        x[(i, j)] + if j == 1 { x[(i, 0)] * x[(i, 0)] } else { 0.0 }
    });
    let standardise = Affine::standardising(bent.as_ref(), None).unwrap();
    let mut points = bent.clone();
    standardise.transform(points.as_mut());
    let em = EmConfig::default();
    let mixture = GaussianMixture::fit(
        Data::new(points.as_ref()),
        2,
        &em,
        &mut random::stream(1, "em"),
    )
    .unwrap();
    let alone = -math::sum(&mixture.log_prob(points.as_ref())) / 400.0 - standardise.log_det();
    let base = Base::GaussianMixture(mixture);
    let mut flow = Flow::builder(&realnvp(), standardise)
        .on_base(base)
        .build(&mut random::stream(1, "init"))
        .unwrap();
    assert!((mean_nll(&flow, &bent) - alone).abs() < 1e-12);
    flow.fit(
        Data::new(bent.as_ref()),
        None,
        &config(200),
        &mut random::stream(1, "fit"),
        &FitContext::default(),
    )
    .unwrap();
    assert!(mean_nll(&flow, &bent) < alone - 0.02);
    let loaded = Flow::from_bytes(&flow.to_bytes()).unwrap();
    assert_eq!(loaded.log_prob(bent.as_ref()), flow.log_prob(bent.as_ref()));
}

/// Three narrow, equally heavy normals.
fn three_modes(n: usize, label: &str) -> Mat<f64> {
    let mut rng = random::stream(3, label);
    let centres = [(-3.0, 0.0), (3.0, 1.0), (0.0, 4.0)];
    let mut x = Mat::zeros(n, 2);
    for i in 0..n {
        let (a, b) = centres[i % 3];
        x[(i, 0)] = a + 0.5 * standard_normal(&mut rng);
        x[(i, 1)] = b + 0.5 * standard_normal(&mut rng);
    }
    x
}

#[test]
fn trained_means_and_weights_find_the_modes_that_a_poor_start_misses() {
    let (train, test) = (three_modes(1500, "train"), three_modes(6000, "test"));
    let standardise = Affine::standardising(train.as_ref(), None).unwrap();
    let mut points = train.clone();
    standardise.transform(points.as_mut());
    // The right covariances, each mode moved elsewhere, and no layers: nothing but the base can
    // bring them back.
    let moved = [[0.6, 0.3], [-0.5, 0.4], [0.3, -0.6]];
    let shifted = Mat::from_fn(600, 2, |i, j| points[(i, j)] + moved[i % 3][j]);
    let em = EmConfig::default();
    let rng = &mut random::stream(1, "em");
    let start = GaussianMixture::fit(Data::new(shifted.as_ref()), 3, &em, rng).unwrap();
    let base = Base::TrainedGaussianMixture {
        start: start.clone(),
        train_weights: true,
    };
    let mut trained = Flow::from_layers(standardise, Affine::identity(0), vec![], base).unwrap();
    let settings = FitConfig {
        schedule: Schedule::Cosine { floor: 0.0 },
        learning_rate: 5e-2,
        ..config(300)
    };
    let rng = &mut random::stream(1, "fit");
    let data = Data::new(train.as_ref());
    trained
        .fit(data, None, &settings, rng, &FitContext::default())
        .unwrap();
    let means = trained.base_mixture().unwrap().1;
    assert!((0..3).any(|k| (means[(k, 0)] - start.mean(k)[0]).abs() > 0.05));
    // Entropy of the modes: ln 3 + ln(2 pi e) + 2 ln 0.5.
    let entropy = math::ln(3.0) + math::LN_2PI + 1.0 + 2.0 * math::ln(0.5);
    let gap = mean_nll(&trained, &test) - entropy;
    assert!(gap < 0.03, "{gap}");
    // What was fitted is what is saved, drawn from and evaluated.
    let loaded = Flow::from_bytes(&trained.to_bytes()).unwrap();
    assert_eq!(
        loaded.log_prob(test.as_ref()),
        trained.log_prob(test.as_ref())
    );
    let draws = |flow: &Flow| flow.sample(500, &mut random::stream(1, "s"));
    assert_eq!(draws(&loaded), draws(&trained));
    assert_eq!(draws(&trained.clone()), draws(&trained));
    assert_eq!(loaded.base_mixture(), trained.base_mixture());
}

#[test]
fn weights_that_are_not_trained_stay() {
    let train = three_modes(300, "train");
    let em = EmConfig::default();
    let rng = &mut random::stream(1, "em");
    let start = GaussianMixture::fit(Data::new(train.as_ref()), 2, &em, rng).unwrap();
    let base = Base::TrainedGaussianMixture {
        start: start.clone(),
        train_weights: false,
    };
    let identity = Affine::identity(2);
    let mut flow = Flow::from_layers(identity, Affine::identity(0), vec![], base).unwrap();
    assert_eq!((flow.params().len(), flow.trainable().len()), (4, 4));
    let data = Data::new(train.as_ref());
    let rng = &mut random::stream(1, "fit");
    let before = mean_nll(&flow, &train);
    let moved = FitConfig {
        learning_rate: 0.05,
        ..config(200)
    };
    // Away from the optimum and back.
    flow.params_mut().copy_from_slice(&[0.8, -0.5, 0.4, 0.9]);
    let away = mean_nll(&flow, &train);
    flow.fit(data, None, &moved, rng, &FitContext::default())
        .unwrap();
    let after = mean_nll(&flow, &train);
    assert!(
        away > before + 0.1 && (after - before).abs() < 1e-3,
        "{before} {away} {after}"
    );
    let (weights, means) = flow.base_mixture().unwrap();
    assert_eq!(weights, start.weights().collect::<Vec<_>>());
    for k in 0..2 {
        for j in 0..2 {
            assert!((means[(k, j)] - start.mean(k)[j]).abs() < 0.05);
        }
    }
}

#[test]
fn saved_and_loaded_flows_give_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    let x = correlated(50, "save");
    for architecture in [realnvp(), maf()] {
        let mut flow = start(&architecture, &x);
        flow.fit(
            Data::new(x.as_ref()),
            None,
            &config(10),
            &mut random::stream(1, "fit"),
            &FitContext::default(),
        )
        .unwrap();
        let path = dir.path().join("flow.safetensors");
        flow.save(&path).unwrap();
        let loaded = Flow::load(&path).unwrap();
        assert_eq!(loaded.log_prob(x.as_ref()), flow.log_prob(x.as_ref()));
        assert_eq!(
            loaded.sample(9, &mut random::stream(1, "s")),
            flow.sample(9, &mut random::stream(1, "s"))
        );
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);

        let bytes = std::fs::read(&path).unwrap();
        for cut in [0, 7, 8, bytes.len() / 2, bytes.len() - 1] {
            assert!(
                Flow::from_bytes(&bytes[..cut]).is_err(),
                "a file cut at {cut} was read"
            );
        }
        let mut poisoned = bytes.clone();
        let at = poisoned.len() - 8;
        poisoned[at..].copy_from_slice(&f64::NAN.to_le_bytes());
        assert!(Flow::from_bytes(&poisoned).is_err());
    }
    let missing = Flow::load(dir.path().join("none")).unwrap_err().to_string();
    assert!(missing.contains("none"), "{missing}");
}
