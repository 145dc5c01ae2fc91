//! Posteriors by annealing: evidence, interruptions, and what is said about bad likelihoods.

use datasets::posterior::Canon;
use faer::prelude::*;
use posterior::{Deliver, InferError, Likelihood, Posterior, Prior, PriorMap, UnitCube, Value};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

fn prior_of(problem: &Canon) -> Prior {
    let each = problem.prior.iter().enumerate();
    Prior::new(each.map(|(j, d)| (format!("t{j}"), *d))).unwrap()
}

#[test]
fn evidence_and_draws_of_a_normal_posterior_in_five_dimensions() {
    let problem = Canon::normal(5);
    let log_likelihood = |theta: &[f64]| problem.log_likelihood(theta);
    let run = Posterior::new(prior_of(&problem), log_likelihood);
    let found = run.evaluations(6000).ess(2000.0).fit().unwrap();
    let z = found.log_evidence();
    let error = z.value - problem.log_evidence;
    assert!(
        error.abs() < 4.0 * z.standard_error,
        "{error} +- {}",
        z.standard_error
    );
    assert!(
        found.ess() >= 2000.0 && found.warnings().is_empty(),
        "{:?}",
        found.warnings()
    );
    assert!(found.status().evaluations <= 6000);
    // E theta = C (C + I)^-1 m, a little below 0.5 for each.
    let draws = found.sample(2000, 1);
    for j in 0..5 {
        let mean = draws.col(j).iter().sum::<f64>() / 2000.0;
        assert!((0.4..0.5).contains(&mean), "{mean}");
    }
}

/// Counts its calls and fails at one of them.
struct Counting<'a> {
    calls: &'a AtomicUsize,
    fails_at: usize,
}

impl Likelihood for Counting<'_> {
    fn evaluate(&self, theta: MatRef<'_, f64>, deliver: &Deliver<'_>) -> Result<(), String> {
        for i in 0..theta.nrows() {
            if self.calls.fetch_add(1, Ordering::Relaxed) == self.fails_at {
                return Err("the machine burns".into());
            }
            let (a, b) = (theta[(i, 0)], theta[(i, 1)]);
            let log_likelihood = -50.0 * ((a - 0.3) * (a - 0.3) + (b - a) * (b - a));
            deliver(
                i,
                Value {
                    log_likelihood,
                    ..Value::default()
                },
            )?;
        }
        Ok(())
    }
}

#[test]
fn nothing_is_evaluated_twice_and_the_result_is_the_same_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let prior = || Prior::parse(["a = normal(0, 1)", "b = uniform(-2, 2)"]).unwrap();
    let calls = AtomicUsize::new(0);
    let run = |fails_at: usize, folder: Option<&std::path::Path>| {
        let likelihood = Counting {
            calls: &calls,
            fails_at,
        };
        let run = Posterior::new(prior(), likelihood)
            .evaluations(2500)
            .ess(1000.0);
        match folder {
            Some(folder) => run.kept_in(folder).fit(),
            None => run.fit(),
        }
    };
    let whole = run(usize::MAX, None).unwrap();
    let evaluations = whole.status().evaluations;
    assert_eq!(calls.swap(0, Ordering::Relaxed), evaluations);
    // In pieces; the call that fails gives no value.
    for (k, fails_at) in [100, 1101, 1502].into_iter().enumerate() {
        let error = run(fails_at, Some(folder.path())).unwrap_err();
        assert_eq!(
            error,
            InferError::Likelihood("the machine burns".into()),
            "{k}"
        );
    }
    let pieces = run(usize::MAX, Some(folder.path())).unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), evaluations + 3);
    assert_eq!(pieces.weights(), whole.weights());
    assert_eq!(pieces.log_evidence(), whole.log_evidence());
    // Another seed is another problem.
    let likelihood = Counting {
        calls: &calls,
        fails_at: usize::MAX,
    };
    let other = Posterior::new(prior(), likelihood)
        .seed(2)
        .kept_in(folder.path())
        .fit();
    assert!(matches!(other, Err(InferError::Folder(e)) if e.contains("seed 1")));
}

#[test]
fn bad_likelihoods_are_named() {
    let prior = || Prior::parse(["a = uniform(0, 1)"]).unwrap();
    let warnings = |f: &(dyn Fn(&[f64]) -> f64 + Sync), n: usize| {
        let run = Posterior::new(prior(), |t: &[f64]| f(t))
            .evaluations(n)
            .ess(500.0);
        run.fit().unwrap().warnings().join("; ")
    };
    let nan = |t: &[f64]| {
        if t[0] < 0.1 {
            f64::NAN
        } else {
            -20.0 * (t[0] - 0.5).powi(2)
        }
    };
    let said = warnings(&nan, 3000);
    assert!(
        said.contains("NaN at") && said.contains("the first is a = 0.0"),
        "{said}"
    );
    let said = warnings(&|_| f64::NEG_INFINITY, 1500);
    assert!(said.contains("zero at all 1500 points"), "{said}");
    let sharp = |t: &[f64]| -0.5 * ((t[0] - 0.123) / 1e-9).powi(2);
    let said = warnings(&sharp, 1200);
    assert!(said.contains("not enough to reach the posterior"), "{said}");
    assert!(
        said.contains("to 2400 at least") && !said.contains("0.00e0"),
        "{said}"
    );
    // No digits are left.
    let large = warnings(&|t| -1e17 - t[0], 1500);
    assert!(large.contains("subtract a constant"), "{large}");
    let infinite = Posterior::new(prior(), |_: &[f64]| f64::INFINITY)
        .fit()
        .unwrap_err();
    assert!(
        infinite.to_string().contains("+infinity at a = "),
        "{infinite}"
    );
}

/// Fails below zero at first.
struct Failing(bool);

impl Likelihood for Failing {
    fn evaluate(&self, theta: MatRef<'_, f64>, deliver: &Deliver<'_>) -> Result<(), String> {
        (0..theta.nrows()).try_for_each(|i| {
            let value = Value {
                log_likelihood: -1.0,
                ..Value::default()
            };
            let fails = self.0 && theta[(i, 0)] < 0.0;
            deliver(i, if fails { Value::failure(0) } else { value })
        })
    }
}

#[test]
fn failures_are_kept_as_failures_until_they_are_evaluated_again() {
    let folder = tempfile::tempdir().unwrap();
    let run = |fails: bool, again: bool| {
        let prior = Prior::parse(["a = normal(0, 1)"]).unwrap();
        let run = Posterior::new(prior, Failing(fails));
        let run = run.evaluations(1500).ess(500.0).kept_in(folder.path());
        let found = run.failures_again(again).fit().unwrap();
        (found.log_evidence().value, found.warnings().join("; "))
    };
    let (failed, said) = run(true, false);
    assert!(
        said.contains("could not be evaluated at ") && said.contains("a = -"),
        "{said}"
    );
    assert_eq!(run(false, false), (failed, said));
    let (mended, said) = run(false, true);
    assert!(
        (mended + 1.0).abs() < 1e-9 && said.is_empty(),
        "{mended}, {said}"
    );
}

#[test]
fn transforms_that_are_random_or_of_another_length_are_refused() {
    let calls = AtomicUsize::new(0);
    let random = UnitCube::new(["a"], |u| {
        vec![u[0] + calls.fetch_add(1, Ordering::Relaxed) as f64]
    });
    let error = Posterior::new(random, |_: &[f64]| 0.0)
        .fit()
        .unwrap_err()
        .to_string();
    assert!(error.contains("differs between two calls"), "{error}");
    let short = UnitCube::new(["a", "b"], |u| vec![u[0]]);
    let error = Posterior::new(short, |_: &[f64]| 0.0)
        .fit()
        .unwrap_err()
        .to_string();
    assert!(error.contains("each of 2 parameters"), "{error}");
}

#[test]
fn asking_and_telling_is_the_same_run() {
    let prior = || Prior::parse(["a = normal(0, 1)"]).unwrap();
    let f = |t: &[f64]| -0.5 * ((t[0] - 1.0) / 0.1).powi(2);
    let run = || Posterior::new(prior(), f).evaluations(2000).ess(800.0);
    let whole = run().fit().unwrap();
    let run = run();
    let mut session = run.session().unwrap();
    loop {
        session.advance(&|_| ControlFlow::Continue(())).unwrap();
        let wanted = session.pending();
        if wanted.ids.is_empty() {
            break;
        }
        let value = |k: usize| {
            let log_likelihood = f(&[wanted.theta[(k, 0)]]);
            (
                wanted.ids[k],
                Value {
                    log_likelihood,
                    ..Value::default()
                },
            )
        };
        // Backwards, in two pieces.
        let values: Vec<_> = (0..wanted.ids.len()).rev().map(value).collect();
        let (first, second) = values.split_at(values.len() / 3);
        session.tell(first).unwrap();
        session.tell(second).unwrap();
        let error = session
            .tell(&[(1_000_000, values[0].1.clone())])
            .unwrap_err();
        assert!(error.contains("1000000 was not asked for"));
    }
    assert_eq!(session.finish().weights(), whole.weights());
    assert_eq!(prior().names(), ["a"]);
}

/// Delivers what it should not.
struct Careless(fn(&Deliver<'_>) -> Result<(), String>);

impl Likelihood for Careless {
    fn evaluate(&self, _: MatRef<'_, f64>, deliver: &Deliver<'_>) -> Result<(), String> {
        (self.0)(deliver)
    }
}

#[test]
fn values_that_are_missing_or_too_many_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let says = |likelihood: Careless| {
        let prior = Prior::parse(["a = normal(0, 1)"]).unwrap();
        let run = Posterior::new(prior, likelihood).evaluations(500);
        run.kept_in(folder.path()).fit().unwrap_err().to_string()
    };
    let missing = says(Careless(|_| Ok(())));
    assert!(missing.contains("points got no value"), "{missing}");
    let far = says(Careless(|deliver| deliver(1_000_000, Value::default())));
    assert!(far.contains("a value came for row 1000000"), "{far}");
    let derived = says(Careless(|deliver| {
        let value = Value {
            derived: vec![1.0],
            ..Value::default()
        };
        deliver(0, value)
    }));
    let expected = "1 derived values where 0 are expected at a = ";
    assert!(derived.contains(expected), "{derived}");
}

#[test]
fn a_prior_that_is_read_is_checked() {
    let prior = Prior::parse(["a = uniform(0, 1) periodic", "b = normal(0, 2)"]).unwrap();
    let text = ron::to_string(&prior).unwrap();
    assert_eq!(ron::from_str::<Prior>(&text).unwrap(), prior);
    for (from, to, says) in [
        ("\"b\"", "\"a\"", "two parameters are called \"a\""),
        ("\"a\",\"b\"", "\"a\"", "1 names for 2 distributions"),
        ("sd:2.0", "sd:-2.0", "sd must be positive"),
    ] {
        let damaged = text.replacen(from, to, 1);
        assert_ne!(damaged, text);
        let error = ron::from_str::<Prior>(&damaged).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}
