//! Tests of cross-fitting.

use super::*;
use crate::experts::{Components, ExpertConfig, GaussianMixtureExpert, KdeExpert};
use crate::folds::RepeatedKFold;
use crate::weights::WeightRule;
use datasets::Family;
use density::EmConfig;
use metrics::kl_exact;

fn named(name: &str, kind: ExpertConfig) -> NamedExpert {
    NamedExpert {
        name: name.into(),
        kind,
    }
}

fn settings() -> Recipe {
    let mixture = |components, average| {
        ExpertConfig::GaussianMixture(GaussianMixtureExpert {
            components,
            average,
            em: EmConfig {
                restarts: 1,
                floor: 1e-3,
                ..EmConfig::default()
            },
        })
    };
    Recipe {
        partition: RepeatedKFold {
            folds: 4,
            repeats: 1,
            validation: 0.125,
            repeats_up_to: 1000,
            folds_up_to: 1000,
        },
        mixture_aware: None,
        experts: vec![
            named(
                "bic",
                mixture(
                    Components::Bic {
                        most: 10,
                        patience: 2,
                    },
                    1,
                ),
            ),
            named("sixteen", mixture(Components::Fixed(16), 2)),
            named("kde", ExpertConfig::Kde(KdeExpert {})),
        ],
        rule: WeightRule::Stacking {
            tolerance: 1e-8,
            max_iterations: 500,
            batch: 1,
        },
    }
}

fn with_folds(folds: usize) -> Recipe {
    let mut s = settings();
    s.partition.folds = folds;
    s
}

#[test]
fn the_mixture_is_close_to_the_best_expert_and_out_of_fold_scores_are_honest() {
    let family = Family::TwoMoons;
    let x = family.sample(400, &mut stream(1, "cross-fit"));
    let found = settings()
        .cross_fit(Data::new(x.as_ref()), 1, &FitContext::default())
        .unwrap();
    assert!(found.weights.optimality_gap <= 1e-8);
    let test = family.sample(5000, &mut stream(2, "cross-fit"));
    let log_p = family.log_prob(test.as_ref());
    let kl = |e: &dyn Density| kl_exact(&log_p, &e.log_prob(test.as_ref())).value;
    let best = found
        .mixture
        .experts()
        .into_iter()
        .map(kl)
        .fold(f64::INFINITY, f64::min);
    let own = kl(&found.mixture);
    assert!(own < best + 0.01, "mixture {own}, best expert {best}");
    // Averaging can only help: out-of-fold scores of single fold models are not below those of the
    // averages on fresh points, up to noise.
    let noise = 3.0 * (1.5f64 / 400.0).sqrt();
    let gap = found.mixture_nll - family.entropy().value;
    assert!(gap > own - noise, "out of fold {gap}, fresh points {own}");
}

#[test]
fn threads_change_no_bit_and_bad_settings_are_refused() {
    let x = Family::Banana.sample(120, &mut stream(1, "threads"));
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            settings()
                .cross_fit(Data::new(x.as_ref()), 5, &FitContext::default())
                .unwrap()
        })
    };
    let (one, three) = (run(1), run(3));
    assert_eq!(one.out_of_fold, three.out_of_fold);
    assert_eq!(one.weights, three.weights);
    let refuse = |s: Recipe| {
        s.cross_fit(Data::new(x.as_ref()), 1, &FitContext::default())
            .err()
            .unwrap()
            .to_string()
    };
    assert!(refuse(with_folds(1)).contains("folds"));
    assert!(refuse(with_folds(60)).contains("too few"));
    assert!(
        refuse(Recipe {
            experts: vec![],
            ..settings()
        })
        .contains("experts")
    );
    let mut flat = x.clone();
    (0..120).for_each(|i| flat[(i, 1)] = 2.0);
    let error = settings()
        .cross_fit(Data::new(flat.as_ref()), 1, &FitContext::default())
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("expert \"") && error.contains("constant"),
        "{error}"
    );
}
