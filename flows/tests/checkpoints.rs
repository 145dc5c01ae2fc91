//! Fits that are interrupted end in the same bits as those that are not, and diverging ones come
//! back.

use autodiff::{AdamConfig, Schedule};
use density::{Affine, Data, Density, FitContext};
use faer::prelude::*;
use flows::{
    Activation, Architecture, Base, Batch, FitConfig, FitError, FitReport, Flow, LogScale, Nets,
    Termination,
};
use numerics::random::{Pcg64, standard_normal, stream};
use proptest::prelude::*;
use store::{CheckpointMemory, CheckpointStore};
use testing::ends_after;

fn architecture() -> Architecture {
    Architecture::RealNvp {
        couplings: 2,
        hidden: vec![8],
        activation: Activation::Tanh,
        nets: Nets::Shared,
        log_scale: LogScale {
            bound: 2.0,
            knee: 2.0,
        },
        output_gain: 0.5,
    }
}

fn settings(steps: usize) -> FitConfig {
    FitConfig {
        steps,
        batch: Batch::Size(30),
        learning_rate: 1e-2,
        schedule: Schedule::Cosine { floor: 0.1 },
        adam: AdamConfig::default(),
        clip_norm: Some(5.0),
        evaluate_every: 7,
        patience: Some(3),
    }
}

fn points(n: usize, label: &str) -> Mat<f64> {
    let mut rng = stream(1, label);
    let mut x = Mat::from_fn(n, 2, |_, _| standard_normal(&mut rng));
    for i in 0..n {
        x[(i, 1)] += x[(i, 0)] * x[(i, 0)];
    }
    x
}

fn new_flow() -> Flow {
    let standardise = Affine::identity(2);
    Flow::builder(&architecture(), standardise)
        .build(&mut stream(1, "init"))
        .unwrap()
}

struct Fitted {
    params: Vec<f64>,
    report: FitReport,
    rng: Pcg64,
}

/// Fits with checkpoints; the process "dies" after so many steps without a word, if asked to.
fn fit(
    checkpoints: &CheckpointMemory,
    config: &FitConfig,
    die_after: Option<usize>,
) -> Option<Fitted> {
    let (x, v) = (points(100, "train"), points(60, "valid"));
    let mut flow = new_flow();
    let mut rng = stream(1, "batches");
    let observer = ends_after(die_after.unwrap_or(usize::MAX));
    let context = FitContext::default().observed_by(&observer);
    let report = flow.fit(
        Data::new(x.as_ref()),
        Some(Data::new(v.as_ref())),
        config,
        &mut rng,
        &context.checkpointed_in(checkpoints),
    );
    let report = report.unwrap();
    (report.termination != Termination::Interrupted).then(|| Fitted {
        params: flow.params().to_vec(),
        report,
        rng,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn an_interrupted_fit_ends_in_the_same_bits(lives in prop::collection::vec(0usize..40, 0..6)) {
        let config = settings(120);
        let whole = fit(&CheckpointMemory::default(), &config, None).unwrap();
        let checkpoints = CheckpointMemory::default();
        let mut found = None;
        for life in lives {
            found = fit(&checkpoints, &config, Some(life));
            if found.is_some() {
                break;
            }
        }
        let again = found.or_else(|| fit(&checkpoints, &config, None)).unwrap();
        prop_assert_eq!(&again.params, &whole.params);
        prop_assert_eq!(&again.report, &whole.report);
        prop_assert_eq!(&again.rng, &whole.rng);
        // What is done is found, not computed.
        let third = fit(&checkpoints, &config, Some(0)).unwrap();
        prop_assert_eq!(&third.params, &whole.params);
        prop_assert_eq!(&third.report, &whole.report);
        prop_assert_eq!(&third.rng, &whole.rng);
        prop_assert!(checkpoints.told().last().unwrap().starts_with("Found"));
        prop_assert_eq!(checkpoints.kept().len(), 1);
    }

    #[test]
    fn what_is_kept_of_another_fit_or_damaged_is_not_used(at: prop::sample::Index, keep: prop::sample::Index, byte: u8) {
        let config = settings(20);
        let whole = fit(&CheckpointMemory::default(), &config, None).unwrap();
        let checkpoints = CheckpointMemory::default();
        prop_assert!(fit(&checkpoints, &config, Some(9)).is_none());
        // A checkpoints in memory has no checksums: the reader itself must see what does not fit,
        // and may not panic at what does.
        for (name, mut bytes) in checkpoints.kept() {
            let header = 8 + usize::from(bytes[0]) + 256 * usize::from(bytes[1]);
            let i = at.index(header);
            bytes[i] = byte;
            bytes.truncate(bytes.len() - keep.index(2));
            checkpoints.put(&name, &bytes).unwrap();
        }
        let again = fit(&checkpoints, &config, None);
        let again = again.unwrap();
        prop_assert!(again.params.iter().all(|p| p.is_finite()));
        prop_assert_eq!(again.report.steps, whole.report.steps);
    }
}

#[test]
fn each_setting_datum_and_generator_has_a_fit_of_its_own() {
    let checkpoints = CheckpointMemory::default();
    fit(&checkpoints, &settings(10), None).unwrap();
    fit(&checkpoints, &settings(11), None).unwrap();
    assert_eq!(checkpoints.kept().len(), 2);
    let mut flow = new_flow();
    let mut x = points(100, "train");
    let context = FitContext::default().checkpointed_in(&checkpoints);
    let config = FitConfig {
        patience: None,
        ..settings(10)
    };
    for (seed, change) in [(1, 0.0), (2, 0.0), (1, 1e-12)] {
        x[(3, 1)] += change;
        let data = Data::new(x.as_ref());
        let rng = &mut stream(seed, "batches");
        flow.fit(data, None, &config, rng, &context).unwrap();
        flow = new_flow();
    }
    assert_eq!(checkpoints.kept().len(), 5);
}

#[test]
fn conditional_fits_go_on_as_well() {
    let (theta, y) = (points(80, "theta"), points(80, "y"));
    let pairs = Data::new(theta.as_ref()).conditioned(y.as_ref());
    let (standardise, contexts) = pairs.standardise().unwrap();
    let config = FitConfig {
        patience: None,
        ..settings(40)
    };
    let run = |checkpoints: &CheckpointMemory, die_after: usize| {
        let (s, c) = (standardise.clone(), contexts.clone());
        let init = &mut stream(1, "init");
        let mut q = Flow::builder(&architecture(), s)
            .conditioned(c)
            .on_base(Base::StandardNormal)
            .build(init)
            .unwrap();
        let observer = ends_after(die_after);
        let context = FitContext::default().observed_by(&observer);
        let context = context.checkpointed_in(checkpoints);
        let rng = &mut stream(1, "batches");
        q.fit(pairs, None, &config, rng, &context).unwrap();
        q.params().to_vec()
    };
    let whole = run(&CheckpointMemory::default(), 100);
    let checkpoints = CheckpointMemory::default();
    assert_ne!(run(&checkpoints, 12), whole);
    assert_ne!(run(&checkpoints, 12), whole);
    assert_eq!(run(&checkpoints, 100), whole);
}

/// Once in each epoch the loss is a hundred thousand times that of the others.
#[test]
fn one_far_point_is_no_divergence() {
    let mut x = points(200, "train");
    x[(17, 0)] = 1e5;
    let config = FitConfig {
        batch: Batch::Size(20),
        patience: Some(1000),
        ..settings(400)
    };
    let mut flow = new_flow();
    let v = points(100, "valid");
    let valid = || Data::new(v.as_ref());
    let start = valid().mean_nll(&flow.log_prob(v.as_ref()));
    let report = flow.fit(
        Data::new(x.as_ref()),
        Some(valid()),
        &config,
        &mut stream(1, "batches"),
        &FitContext::default(),
    );
    let report = report.unwrap();
    let largest = report.history.iter().map(|e| e.train_nll);
    assert!(largest.fold(0.0, f64::max) > 1e5);
    assert_eq!(report.backoffs, []);
    assert!(valid().mean_nll(&flow.log_prob(v.as_ref())) < start);
}

#[test]
fn a_fit_that_diverges_goes_back_and_on_at_a_lower_rate() {
    let (x, v) = (points(200, "train"), points(100, "valid"));
    let run = |rate: f64, checkpoints: &CheckpointMemory| {
        let mut flow = new_flow();
        let config = FitConfig {
            learning_rate: rate,
            clip_norm: None,
            schedule: Schedule::Constant,
            patience: None,
            ..settings(400)
        };
        let found = flow.fit(
            Data::new(x.as_ref()),
            Some(Data::new(v.as_ref())),
            &config,
            &mut stream(1, "batches"),
            &FitContext::default().checkpointed_in(checkpoints),
        );
        let nll = Data::new(v.as_ref()).mean_nll(&flow.log_prob(v.as_ref()));
        (found, nll)
    };
    let start = Data::new(v.as_ref()).mean_nll(&new_flow().log_prob(v.as_ref()));
    // A long way off, it comes back; the rates are those that the report says.
    let (report, nll) = run(7.0, &CheckpointMemory::default());
    let report = report.unwrap();
    let rates: Vec<f64> = report.backoffs.iter().map(|b| b.learning_rate).collect();
    assert_eq!(rates, [7.0 * 0.3]);
    assert!(nll < start + 5.0 && report.termination == Termination::StepLimit);
    // A fit that ends far above its start is refused, and so is one that diverges whatever is done;
    // neither leaves anything behind.
    let (error, _) = run(5.0, &CheckpointMemory::default());
    let error = error.unwrap_err();
    assert!(
        matches!(error, FitError::Diverged { what: "loss", .. }),
        "{error}"
    );
    let checkpoints = CheckpointMemory::default();
    let (error, nll) = run(1e200, &checkpoints);
    let error = error.unwrap_err();
    assert!(
        matches!(error, FitError::Diverged { backoffs: 5, .. }),
        "{error}"
    );
    assert_eq!(nll, start);
    assert!(checkpoints.kept().is_empty());
}
