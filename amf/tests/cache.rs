//! The cache of fits: found again with the same bits, and never computed twice.

use amf::{ExpertConfig, Fitted, NamedExpert, Recipe, RepeatedKFold, WeightRule};
use datasets::Family;
use density::{Data, Density, FitContext, Progress};
use faer::prelude::*;
use numerics::random::stream;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use store::{CheckpointMemory, CheckpointStore};

fn experts() -> Vec<NamedExpert> {
    let flow = |architecture: &str, base: &str| {
        format!(
            "Flow((architecture: {architecture}, standardise: true, {base} fit: (steps: 40, batch: Size(50), learning_rate: 1e-2, \
             schedule: Constant, clip_norm: Some(5.0), evaluate_every: 5, patience: Some(4))))"
        )
    };
    let shape =
        "hidden: [8], activation: Tanh, log_scale: (bound: 2.0, knee: 2.0), output_gain: 0.3";
    let kinds = [
        ("maf", flow(&format!("Maf(layers: 2, ordering: Reversed, {shape})"), "")),
        (
            "realnvp",
            flow(
                &format!("RealNvp(couplings: 2, nets: Shared, {shape})"),
                "base: GaussianMixture((components: Fixed(3))),",
            ),
        ),
        (
            "rbig",
            "Rbig((model: (layers: HeldOut(max_layers: 20, patience: 3, min_gain: 0.0), marginal: Smooth(bandwidth: None, oversmooth: 1.3, broad_scale: 3.0), \
             rotation: PcaThenRandom)))"
                .to_owned(),
        ),
        (
            "gmm",
            "GaussianMixture((components: Bic(most: 5, patience: 2), average: 2))".to_owned(),
        ),
        ("kde", "Kde(())".to_owned()),
    ];
    kinds
        .into_iter()
        .map(|(name, kind)| NamedExpert {
            name: name.into(),
            kind: ron::from_str(&kind).unwrap_or_else(|e| panic!("{name}: {e}")),
        })
        .collect()
}

fn fit(kind: &ExpertConfig, checkpoints: &dyn CheckpointStore, x: MatRef<'_, f64>) -> Fitted {
    let (train, valid) = x.split_at_row(x.nrows() / 2);
    let rng = |purpose: &str| stream(7, purpose);
    let (train, valid) = (Data::new(train), Some(Data::new(valid)));
    let context = FitContext::default().checkpointed_in(checkpoints);
    kind.fit("a name", train, valid, &rng, &context).unwrap()
}

#[test]
fn every_kind_of_expert_is_found_again_with_the_same_bits() {
    let x = Family::TwoMoons.sample(200, &mut stream(1, "kept"));
    let test = Family::TwoMoons.sample(500, &mut stream(2, "kept"));
    let seen = |f: &Fitted| {
        (
            f.expert.log_prob(test.as_ref()),
            f.expert.sample(50, &mut stream(3, "kept")),
        )
    };
    let checkpoints = CheckpointMemory::default();
    for e in experts() {
        let whole = fit(&e.kind, &store::NoCheckpoints, x.as_ref());
        let first = fit(&e.kind, &checkpoints, x.as_ref());
        let told = checkpoints.told().len();
        let second = fit(&e.kind, &checkpoints, x.as_ref());
        assert_eq!(checkpoints.told().len(), told + 1, "{}", e.name);
        assert!(checkpoints.told()[told].starts_with("Found"), "{}", e.name);
        for other in [&first, &second] {
            assert_eq!(seen(other), seen(&whole), "{}", e.name);
            assert_eq!(other.report, whole.report, "{}", e.name);
        }
        assert_eq!(second.seconds, first.seconds);
    }
    // The checkpoints of the flows are gone, the experts are there.
    let kept = checkpoints.kept();
    assert_eq!(kept.len(), 5);
    assert!(
        kept.keys().all(|k| k.starts_with("expert-aname-")),
        "{:?}",
        kept.keys()
    );
    // What is damaged is said to be, and fitted again.
    for name in kept.keys() {
        checkpoints.put(name, b"rubbish").unwrap();
    }
    let again = fit(&experts()[2].kind, &checkpoints, x.as_ref());
    assert!(checkpoints.told().iter().any(|t| t.starts_with("Damaged")));
    assert_eq!(
        seen(&again),
        seen(&fit(&experts()[2].kind, &store::NoCheckpoints, x.as_ref()))
    );
}

fn cross_fit() -> Recipe {
    Recipe {
        partition: RepeatedKFold {
            folds: 3,
            repeats: 1,
            validation: 0.2,
            repeats_up_to: 1000,
            folds_up_to: 1000,
        },
        experts: experts(),
        rule: WeightRule::Stacking {
            tolerance: 1e-8,
            max_iterations: 500,
            batch: 1,
        },
        mixture_aware: Some(amf::MixtureAware {
            rounds: 1,
            specialisation: 0.0,
        }),
    }
}

#[test]
fn an_interrupted_cross_fit_computes_no_finished_fit_again_and_ends_in_the_same_bits() {
    let x = Family::Banana.sample(240, &mut stream(4, "kept"));
    let data = Data::new(x.as_ref());
    let settings = cross_fit();
    let whole = settings.cross_fit(data, 1, &FitContext::default()).unwrap();
    let checkpoints = CheckpointMemory::default();
    let mut lives = 0;
    let found = loop {
        lives += 1;
        let left = AtomicUsize::new(30 * lives);
        let observer = |_: &Progress<'_>| {
            let some =
                left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
            if some.is_ok() {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        };
        let context = FitContext::default().observed_by(&observer);
        match settings.cross_fit(data, 1, &context.checkpointed_in(&checkpoints)) {
            Ok(found) => break found,
            Err(e) => assert_eq!(e.to_string(), "interrupted"),
        }
    };
    assert!(lives > 3, "{lives}");
    assert_eq!(found.out_of_fold, whole.out_of_fold);
    assert_eq!(found.weights, whole.weights);
    assert_eq!(found.reports, whole.reports);
    let test = Family::Banana.sample(300, &mut stream(5, "kept"));
    assert_eq!(
        found.mixture.log_prob(test.as_ref()),
        whole.mixture.log_prob(test.as_ref())
    );
    // Nothing begins once it is finished.
    let told = checkpoints.told();
    let mut finished: Vec<&str> = Vec::new();
    for line in &told {
        let unit = line.split('"').nth(1).unwrap();
        if line.starts_with("Begun") {
            assert!(!finished.contains(&unit), "{unit} was computed twice");
        }
        if line.starts_with("Finished") && unit.starts_with("expert") {
            finished.push(unit);
        }
    }
    // Five experts on three parts, and most of them again.
    assert!((15..=30).contains(&finished.len()), "{}", finished.len());
    assert_eq!(checkpoints.kept().len(), finished.len());
}
