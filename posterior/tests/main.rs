//! Posteriors learnt from likelihood evaluations against exact ones, in small.

mod complaints;
mod infer;
mod sampled_prior;

use amf::experts::Components;
use datasets::posterior::{Benchmark, ExactPosterior, SignDegenerate};
use density::{Data, Density, FitContext, Progress, archive};
use faer::prelude::*;
use metrics::kl_exact;
use numerics::random::stream;
use posterior::{
    Amortised, AmortisedConfig, AmortisedError, AmortisedModel, Compare, Draws, EvidenceDraws,
    FlowSettings, Frame, PosteriorBase, PosteriorConfig, PosteriorError, Prior, from_fn,
    log_evidence,
};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Mutex;

const SMALL: Compare = Compare {
    draws: 20_000,
    w2_draws: 200,
};

fn with_base(mut config: PosteriorConfig, components: Option<usize>) -> PosteriorConfig {
    match (&mut config.base, components) {
        (PosteriorBase::Mixture { components, .. }, Some(k)) => *components = Components::Fixed(k),
        (base, _) => {
            *base = PosteriorBase::StandardNormal;
            config.base_as_expert = false;
        }
    }
    config
}

#[test]
fn an_annealed_fit_reaches_the_posterior_within_its_budget() {
    for benchmark in [Benchmark::UnequalModes, Benchmark::Crescents] {
        let problem = benchmark.problem();
        let config = with_base(
            PosteriorConfig::quick(12_000),
            Some(benchmark.matched_components()),
        );
        let posterior = config.fit(problem, 101, &FitContext::default()).unwrap();
        assert_eq!(posterior.evaluations().len(), config.budget());
        let report = posterior.report();
        assert!(report.reliability.ess > 6000.0, "{benchmark}: {report:?}");
        let found = SMALL.run(problem, posterior.q(), 1).unwrap();
        let kl = found.kl.value;
        assert!(
            kl < 0.05 && found.reverse_kl.value < 0.1,
            "{benchmark}: {found:?}"
        );
        assert!(
            found.worst_mode < 0.03 && found.bridge_mass.value < 0.01,
            "{found:?}"
        );
        // The evidence: from the evaluations, and from q.
        let exact = problem.log_evidence();
        let own = report.reliability;
        assert!((own.log_evidence - exact).abs() < 4.0 * own.standard_error);
        let draws = EvidenceDraws {
            draws: 10_000,
            prior_share: 0.1,
        };
        let more = log_evidence(problem, posterior.q(), draws, &mut stream(1, "z")).unwrap();
        assert!((more.log_evidence - exact).abs() < 4.0 * more.standard_error);
        assert!(more.pareto_k.unwrap() < 0.7);
        // Experts by name, and the mixture is no worse than the best by much.
        for name in ["maf", "realnvp", "base"] {
            let alone = SMALL
                .run(problem, posterior.expert(name).unwrap(), 1)
                .unwrap();
            assert!(kl < alone.kl.value + 0.01, "{name}: {kl}, {:?}", alone.kl);
        }
        assert!(posterior.expert("rbig").is_none());
    }
}

#[test]
fn a_normal_base_builds_bridges_and_a_matched_one_does_not() {
    let problem = Benchmark::FourSigns.problem();
    let one_shot = PosteriorConfig {
        draws: Draws::UntilEss {
            ess: 800.0,
            most: 100_000,
        },
        ..PosteriorConfig::quick(1)
    };
    let bridge = |components| {
        let config = with_base(one_shot.clone(), components);
        let posterior = config.fit(problem, 101, &FitContext::default()).unwrap();
        let report = posterior.report();
        assert_eq!(report.from_prior, report.evaluations);
        assert!((800.0..1000.0).contains(&report.reliability.ess));
        assert_eq!(report.components, components);
        SMALL
            .run(problem, posterior.q(), 1)
            .unwrap()
            .bridge_mass
            .value
    };
    let (normal, matched) = (bridge(None), bridge(Some(4)));
    assert!(normal > 0.05 && matched < 0.015, "{normal} {matched}");
}

#[test]
fn the_result_depends_on_the_seed_and_not_on_threads() {
    let problem = Benchmark::UnequalModes.problem();
    let mut config = PosteriorConfig::quick(3000);
    config.models = 2;
    for (_, flow) in &mut config.experts {
        flow.fit.steps = 60;
    }
    let run = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| config.fit(problem, seed, &FitContext::default()).unwrap())
    };
    let (one, three, other) = (run(1, 5), run(3, 5), run(3, 6));
    assert_eq!(one.report(), three.report());
    let x = problem.sample_posterior(100, &mut stream(1, "x"));
    assert_eq!(one.q().log_prob(x.as_ref()), three.q().log_prob(x.as_ref()));
    assert_ne!(one.q().log_prob(x.as_ref()), other.q().log_prob(x.as_ref()));
}

#[test]
fn two_thousand_evaluations_are_enough_for_few_modes() {
    // Draws of the prior alone leave too few points with weight in 15 of 40 runs.
    for seed in 101..105 {
        for benchmark in [Benchmark::FourSigns, Benchmark::RingAndBall] {
            let problem = benchmark.problem();
            let mut config = PosteriorConfig::quick(2000);
            config.experts.clear();
            let posterior = config.fit(problem, seed, &FitContext::default()).unwrap();
            let r = posterior.report().reliability;
            let error = r.log_evidence - problem.log_evidence();
            assert!(
                error.abs() < 4.0 * r.standard_error,
                "{benchmark} {seed}: {r:?}"
            );
        }
    }
}

#[test]
fn what_goes_wrong_is_said() {
    let config = PosteriorConfig::quick(500);
    let error = |log_likelihood: fn(&[f64]) -> f64| {
        let problem = from_fn(Prior::standard_normal(2), log_likelihood);
        config
            .fit(&problem, 1, &FitContext::default())
            .err()
            .unwrap()
    };
    let text = error(|_| f64::NEG_INFINITY).to_string();
    assert!(
        text.contains("all 500 draws have likelihood zero"),
        "{text}"
    );
    let text = error(|t| if t[0] > 1.0 { f64::NAN } else { 0.0 }).to_string();
    assert!(text.contains("the log-likelihood of evaluation"), "{text}");
    // A likelihood that leaves one point.
    let text = error(|t| -1e6 * (t[0] * t[0] + t[1] * t[1])).to_string();
    assert!(
        text.contains("too few") && text.contains("evaluations"),
        "{text}"
    );
    let mut bad = config.clone();
    bad.folds = 1;
    let problem = Benchmark::FourSigns.problem();
    let refused = bad.fit(problem, 1, &FitContext::default()).err().unwrap();
    assert!(matches!(refused, PosteriorError::Config(e) if e.contains("folds")));
}

#[test]
fn an_observer_sees_every_round_and_can_end_the_fit() {
    let problem = Benchmark::UnequalModes.problem();
    let config = PosteriorConfig::quick(2000);
    let told = Mutex::new(BTreeMap::new());
    let count = |p: &Progress<'_>| {
        let stage = (p.stage.to_owned(), p.expert.to_owned());
        *told.lock().unwrap().entry(stage).or_insert(0) += 1;
        ControlFlow::Continue(())
    };
    config
        .fit(problem, 1, &FitContext::default().observed_by(&count))
        .unwrap();
    let told = told.into_inner().unwrap();
    let steps = |stage: &str| -> usize {
        let own = told
            .iter()
            .filter(|((s, e), _)| s == stage && !e.is_empty());
        own.map(|(_, n)| n).sum()
    };
    assert!(steps("final") > 100, "{told:?}");
    assert!(
        told[&("evaluations".to_owned(), String::new())] > 2,
        "{told:?}"
    );
    let end = |p: &Progress<'_>| {
        if p.stage == "evaluations" && p.step > 0 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let ended = config
        .fit(problem, 1, &FitContext::default().observed_by(&end))
        .err()
        .unwrap();
    assert!(matches!(ended, PosteriorError::Interrupted));
}

#[test]
fn trained_bases_and_rotations_are_saved() {
    let problem = from_fn(Prior::standard_normal(2), |t| {
        -0.5 * ((t[0] * t[0] - 1.0) / 0.3f64).powi(2)
    });
    let mut config = PosteriorConfig::quick(400);
    for (_, settings) in &mut config.experts {
        settings.frame = Frame::Turned(0.5);
        settings.fit.steps = 20;
    }
    let posterior = config.fit(&problem, 1, &FitContext::default()).unwrap();
    let bytes = archive::to_bytes(posterior.q()).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(
        text.contains("rotation") && text.contains("trained_gaussian_mixture"),
        "{text}"
    );
    let again = archive::from_bytes(&bytes, amf::archive::KINDS).unwrap();
    let x = posterior.q().sample(50, &mut stream(1, "x"));
    assert_eq!(
        again.log_prob(x.as_ref()),
        posterior.q().log_prob(x.as_ref())
    );
    assert_eq!(again.sample(50, &mut stream(1, "x")), x);
}

fn amortised(model: AmortisedModel) -> AmortisedConfig {
    let quick = PosteriorConfig::quick(1);
    let expert = |name: &str, mut flow: FlowSettings| {
        flow.fit.steps = 300;
        flow.frame = Frame::Turned(0.785);
        (name.to_string(), flow)
    };
    AmortisedConfig {
        model,
        neighbours: 300,
        experts: vec![
            expert("maf", quick.experts[0].1.clone()),
            expert("realnvp", quick.experts[1].1.clone()),
        ],
        validation: 0.1,
        rule: quick.rule,
    }
}

/// Pairs of the simulator that hides the sign of one parameter.
fn pairs(n: usize, label: &str) -> (Mat<f64>, Mat<f64>) {
    let simulator = SignDegenerate {
        dim: 1,
        sigma: 0.25,
    };
    let theta = simulator.sample_prior(n, &mut stream(1, &format!("{label}/theta")));
    let y = simulator.simulate(theta.as_ref(), &mut stream(1, &format!("{label}/y")));
    (theta, y)
}

fn mean_kl(q: &Amortised, data: &Mat<f64>) -> f64 {
    let simulator = SignDegenerate {
        dim: 1,
        sigma: 0.25,
    };
    let kl = |i: usize| {
        let y = [data[(i, 0)]];
        let exact = simulator.posterior(&y);
        let draws = exact.sample_posterior(500, &mut stream(i as u64, "exact"));
        let log_q = q.condition(&y).log_prob(draws.as_ref());
        kl_exact(&exact.log_posterior(draws.as_ref()), &log_q).value
    };
    (0..data.nrows()).map(kl).sum::<f64>() / data.nrows() as f64
}

#[test]
fn one_model_answers_for_all_data() {
    let (theta, y) = pairs(4000, "train");
    let data = Data::new(theta.as_ref()).conditioned(y.as_ref());
    let context = &FitContext::default();
    let config = amortised(AmortisedModel::Flows {
        components: Components::Fixed(2),
        em: Default::default(),
        rounds: 3,
    });
    let q = config.fit(data, 1, context).unwrap();
    assert_eq!((q.dim(), q.context_dim(), q.names().len()), (1, 1, 2));
    let (_, unseen) = pairs(40, "unseen");
    // The marginal law of theta, which knows nothing of y, is 0.9 nats away.
    let (own, normal) = (
        mean_kl(&q, &unseen),
        mean_kl(
            &amortised(AmortisedModel::Flow(PosteriorBase::StandardNormal))
                .fit(data, 1, context)
                .unwrap(),
            &unseen,
        ),
    );
    assert!(own < 0.5 && own < 0.7 * normal, "{own} {normal}");
    // What is scored together is scored alone, and draws follow the density.
    let given = q.condition(&[y[(3, 0)]]);
    let (one, all) = (
        theta.as_ref().subrows(3, 1),
        q.log_prob(theta.as_ref(), y.as_ref()),
    );
    assert!((given.log_prob(one)[0] - all[3]).abs() < 1e-12);
    let draws = q.condition(&[2.0]).sample(2000, &mut stream(1, "draws"));
    let positive = (0..2000).filter(|&i| draws[(i, 0)] > 0.0).count();
    assert!((700..1300).contains(&positive), "{positive}");
    // Weights of pairs: equal ones change nothing.
    let equal = vec![0.3; 4000];
    let weighted = data.weighted(&equal[..]);
    let again = config.fit(weighted, 1, context).unwrap();
    assert!((again.held_out_nll() - q.held_out_nll()).abs() < 0.02);
    // Refusals.
    let refuse = |c: &AmortisedConfig, d| c.fit(d, 1, context).err().unwrap().to_string();
    let mut bad = config.clone();
    bad.validation = 1.0;
    assert!(refuse(&bad, data).contains("validation"));
    let fewer = data.conditioned(y.as_ref().subrows(0, 10));
    assert!(refuse(&config, fewer).contains("10 contexts"));
    let end = |_: &Progress<'_>| ControlFlow::Break(());
    let ended = config.fit(data, 1, &context.observed_by(&end)).err();
    assert!(matches!(ended, Some(AmortisedError::Interrupted)));
}
