//! Contracts of cross-fitting: nothing leaks, threads change nothing, large data are split once,
//! rounds refit.

use amf::experts::{Components, GaussianMixtureExpert, KdeExpert};
use amf::{
    CrossFitted, ExpertConfig, MixtureAware, NamedExpert, Recipe, RepeatedKFold, WeightRule,
};
use datasets::Family;
use density::{Data, Density, EmConfig, FitContext};
use faer::prelude::*;
use numerics::random::stream;

/// The recipe's partition, with experts that take no time.
fn quick() -> Recipe {
    let mixture = |components: usize| {
        ExpertConfig::GaussianMixture(GaussianMixtureExpert {
            components: Components::Fixed(components),
            average: 1,
            em: EmConfig {
                restarts: 1,
                floor: 1e-3,
                prior: 10.0,
                ..EmConfig::default()
            },
        })
    };
    let named = |name: &str, kind| NamedExpert {
        name: name.into(),
        kind,
    };
    Recipe {
        partition: RepeatedKFold {
            folds: 3,
            repeats: 2,
            validation: 0.125,
            repeats_up_to: 300,
            folds_up_to: 500,
        },
        experts: vec![
            named("two", mixture(2)),
            named("eight", mixture(8)),
            named("kde", ExpertConfig::Kde(KdeExpert {})),
        ],
        rule: WeightRule::Stacking {
            tolerance: 1e-8,
            max_iterations: 500,
            batch: 1,
        },
        mixture_aware: None,
    }
}

fn fit(settings: &Recipe, x: &Mat<f64>) -> CrossFitted {
    let data = Data::new(x.as_ref());
    settings.cross_fit(data, 7, &FitContext::default()).unwrap()
}

#[test]
fn a_held_out_point_moves_no_model_that_holds_it_out() {
    let mut x = Family::TwoMoons.sample(150, &mut stream(1, "leak"));
    let probe = Family::TwoMoons.sample(20, &mut stream(2, "leak"));
    let before = fit(&quick(), &x);
    let moved = before.folds[0].held_out[3];
    x[(moved, 0)] += 0.5;
    let after = fit(&quick(), &x);
    for (p, fold) in before.folds.iter().enumerate() {
        for (old, new) in before.models.iter().zip(&after.models) {
            let same = old[p].log_prob(probe.as_ref()) == new[p].log_prob(probe.as_ref());
            assert_eq!(same, fold.held_out.contains(&moved), "fold {p}");
        }
    }
    // Its own out-of-fold density is the average over the models that did not see it, at the new
    // place.
    let row = after.rows.binary_search(&moved).unwrap();
    let at = x.as_ref().subrows(moved, 1);
    for (k, models) in after.models.iter().enumerate() {
        let blind = after
            .folds
            .iter()
            .zip(models)
            .filter(|(fold, _)| fold.held_out.contains(&moved));
        let densities: Vec<f64> = blind
            .map(|(_, m)| numerics::math::exp(m.log_prob(at)[0]))
            .collect();
        assert_eq!(densities.len(), 2);
        let mean = numerics::math::ln(densities.iter().sum::<f64>() / 2.0);
        assert!((after.out_of_fold[(row, k)] - mean).abs() < 1e-12);
    }
}

#[test]
fn larger_data_get_fewer_models_and_the_mixture_stays_a_density() {
    for (n, models, rows) in [(150, 6, 150), (400, 3, 400), (600, 1, 200)] {
        let x = Family::Bimodal.sample(n, &mut stream(3, "sizes"));
        let found = fit(&quick(), &x);
        assert_eq!(found.models[0].len(), models);
        assert_eq!(found.rows.len(), rows);
        assert!(found.weights.optimality_gap <= 1e-8);
        // Integral over a window that holds nearly everything.
        let (side, lo, hi) = (300usize, -9.0, 9.0);
        let step = (hi - lo) / side as f64;
        let grid = Mat::from_fn(side * side, 2, |i, j| {
            lo + step * ((if j == 0 { i % side } else { i / side }) as f64 + 0.5)
        });
        let log_q = found.mixture.log_prob(grid.as_ref());
        let mass: f64 = log_q.iter().map(|l| numerics::math::exp(*l)).sum::<f64>() * step * step;
        assert!((mass - 1.0).abs() < 5e-3, "{mass}");
    }
}

#[test]
fn mixture_aware_rounds_refit_the_experts_and_threads_change_no_bit() {
    let x = Family::Banana.sample(240, &mut stream(4, "rounds"));
    let run = |threads: usize| {
        let settings = Recipe {
            mixture_aware: Some(MixtureAware {
                rounds: 2,
                specialisation: 0.3,
            }),
            ..quick()
        };
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| fit(&settings, &x))
    };
    let (one, three) = (run(1), run(3));
    assert_eq!(one.out_of_fold, three.out_of_fold);
    assert_eq!(one.weights, three.weights);
    let plain = fit(&quick(), &x);
    assert_ne!(one.out_of_fold, plain.out_of_fold);
    // Refitted in view of each other, not broken: the held-out likelihood stays in the region of
    // the first fit's.
    assert!(
        (one.mixture_nll - plain.mixture_nll).abs() < 0.3,
        "{} against {}",
        one.mixture_nll,
        plain.mixture_nll
    );
}

#[test]
fn the_default_recipe_beats_its_baselines_on_two_moons() {
    use metrics::kl_exact;
    let family = Family::TwoMoons;
    let x = family.sample(300, &mut stream(5, "recipe"));
    let test = family.sample(4000, &mut stream(6, "recipe"));
    let log_p = family.log_prob(test.as_ref());
    let kl = |e: &dyn Density| kl_exact(&log_p, &e.log_prob(test.as_ref())).value;
    let found = fit(&Recipe::default(), &x);
    let mut rng = stream(7, "recipe");
    let data = Data::new(x.as_ref());
    let kde = density::Kde::fit(data, &mut rng).unwrap();
    let bic =
        density::GaussianMixture::fit_by_bic(data, 20, 3, &EmConfig::default(), &mut rng).unwrap();
    let own = kl(&found.mixture);
    assert!(
        own < kl(&kde) && own < kl(&bic),
        "{own}, kde {}, bic {}",
        kl(&kde),
        kl(&bic)
    );
}
