//! A training step in the steady state allocates nothing: a fit of 12 steps allocates exactly as
//! often as one of 4.

use allocation_counter::{AllocationInfo, measure};
use autodiff::{AdamConfig, Schedule};
use density::{Affine, Data, EmConfig, FitContext, GaussianMixture};
use faer::Mat;
use flows::{Activation, Architecture, Base, Batch, FitConfig, Flow, LogScale, Nets, Ordering};
use numerics::random::{standard_normal, stream};

fn realnvp(activation: Activation, nets: Nets) -> Architecture {
    Architecture::RealNvp {
        couplings: 8,
        hidden: vec![128, 128],
        activation,
        nets,
        log_scale: LogScale {
            bound: 0.5,
            knee: 1.0,
        },
        output_gain: 0.0,
    }
}

fn maf(activation: Activation) -> Architecture {
    Architecture::Maf {
        layers: 8,
        hidden: vec![64, 64],
        activation,
        ordering: Ordering::Reversed,
        log_scale: LogScale {
            bound: 5.0,
            knee: 5.0,
        },
        output_gain: 1.0,
    }
}

fn config(batch: Batch, steps: usize) -> FitConfig {
    FitConfig {
        steps,
        batch,
        learning_rate: 1e-3,
        schedule: Schedule::Cosine { floor: 0.1 },
        adam: AdamConfig::default(),
        clip_norm: Some(5.0),
        // One evaluation, at the end.
        evaluate_every: 1000,
        patience: None,
    }
}

/// What a fit of so many steps allocates.
fn allocations(
    architecture: &Architecture,
    x: &Mat<f64>,
    batch: Batch,
    steps: usize,
) -> AllocationInfo {
    let config = config(batch, steps);
    count(|| {
        let d = x.ncols();
        let rng = &mut stream(1, "init");
        let mut flow = Flow::builder(architecture, Affine::identity(d))
            .build(rng)
            .unwrap();
        let data = Data::new(x.as_ref());
        flow.fit(
            data,
            None,
            &config,
            &mut stream(1, "fit"),
            &FitContext::default(),
        )
        .unwrap();
    })
}

/// The same for a conditional flow on a trained mixture.
fn allocations_given(
    architecture: &Architecture,
    pairs: Data<'_>,
    start: &GaussianMixture,
    steps: usize,
) -> AllocationInfo {
    let config = config(Batch::Size(300), steps);
    count(|| {
        let (points, contexts) = pairs.standardise().unwrap();
        let base = Base::TrainedGaussianMixture {
            start: start.clone(),
            train_weights: true,
        };
        let rng = &mut stream(1, "init");
        let mut flow = Flow::builder(architecture, points)
            .conditioned(contexts)
            .on_base(base)
            .build(rng)
            .unwrap();
        flow.fit(
            pairs,
            None,
            &config,
            &mut stream(1, "fit"),
            &FitContext::default(),
        )
        .unwrap();
    })
}

/// What a fit allocates, on a thread that has done such work before.
fn count(fit: impl Fn() + Sync) -> AllocationInfo {
    // Counting is by thread: all lanes of a batch run on the one thread of this pool.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    pool.install(|| {
        fit();
        measure(&fit)
    })
}

#[test]
fn a_training_step_allocates_nothing() {
    let cases = [
        ("realnvp", realnvp(Activation::Relu, Nets::Separate), 2),
        ("maf", maf(Activation::Relu), 2),
        ("smooth maf", maf(Activation::Tanh), 2),
        (
            "realnvp, dense",
            realnvp(Activation::Relu, Nets::Separate),
            6,
        ),
        (
            "realnvp, shared and smooth",
            realnvp(Activation::Tanh, Nets::Shared),
            6,
        ),
        ("maf, dense", maf(Activation::Relu), 6),
    ];
    for (name, architecture, d) in cases {
        let mut rng = stream(2, "points");
        let x = Mat::from_fn(1000, d, |_, _| standard_normal(&mut rng));
        for batch in [Batch::Full, Batch::Size(300)] {
            let (few, many) = [4, 12]
                .map(|s| allocations(&architecture, &x, batch, s))
                .into();
            assert!(few.count_total > 0, "the counter counts nothing");
            assert_eq!(
                (few.count_total, few.bytes_total),
                (many.count_total, many.bytes_total),
                "{name}, {batch:?}: allocations and bytes in 4 and in 12 steps"
            );
        }
    }
}

#[test]
fn a_training_step_of_a_conditional_flow_allocates_nothing() {
    let mut rng = stream(2, "pairs");
    let x = Mat::from_fn(1000, 3, |_, _| standard_normal(&mut rng));
    let y = Mat::from_fn(1000, 2, |i, j| x[(i, j)] + standard_normal(&mut rng));
    let data = Data::new(x.as_ref());
    let start = GaussianMixture::fit(data, 2, &EmConfig::default(), &mut rng).unwrap();
    let pairs = Data::new(x.as_ref()).conditioned(y.as_ref());
    for architecture in [
        realnvp(Activation::Relu, Nets::Separate),
        maf(Activation::Tanh),
    ] {
        let (few, many) = [4, 12]
            .map(|s| allocations_given(&architecture, pairs, &start, s))
            .into();
        assert!(few.count_total > 0, "the counter counts nothing");
        assert_eq!(
            (few.count_total, few.bytes_total),
            (many.count_total, many.bytes_total),
            "{architecture:?}: allocations and bytes in 4 and in 12 steps"
        );
    }
}
