//! One run: annealing, and draws of the prior alone beside it.

use super::record::{CanonRecord, Round};
use super::settings::CanonRun;
use crate::engine::metric::{Metric, Seconds, all_finite};
use crate::engine::{Context, Experiment, Interrupted};
use anyhow::{Result, anyhow, bail};
use datasets::posterior::Canon;
use faer::prelude::*;
use numerics::math::{exp, ln, ln_sum_exp};
use numerics::random::{standard_normal, stream};
use posterior::anneal::Status;
use posterior::{InferError, Inference, Posterior};
use rayon::prelude::*;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::time::Instant;

/// Draws of the prior that are held at a time.
const CHUNK: usize = 4096;

/// Computes a run.
///
/// # Errors
/// Names the stage and the cause.
pub fn compute(run: &CanonRun, context: &Context<'_>) -> Result<CanonRecord> {
    let name = &run.problem;
    let problem = Canon::named(name).ok_or_else(|| anyhow!("there is no problem {name}"))?;
    let start = Instant::now();
    let (found, rounds) = run.annealed(&problem, context)?;
    let fit = start.elapsed().as_secs_f64();

    let start = Instant::now();
    let mut metrics = of_annealing(&problem, &found);
    metrics.extend(run.one_shot(&problem, found.status().evaluations, context)?);
    all_finite(&metrics)?;
    Ok(CanonRecord {
        hash: run.hash(),
        run: run.clone(),
        log_evidence: problem.log_evidence,
        log_evidence_error: problem.log_evidence_error,
        rounds,
        warnings: found.warnings().to_vec(),
        metrics,
        seconds: Seconds {
            fit,
            evaluation: start.elapsed().as_secs_f64(),
        },
        provenance: context.provenance.clone(),
    })
}

impl CanonRun {
    fn annealed(&self, problem: &Canon, context: &Context<'_>) -> Result<(Inference, Vec<Round>)> {
        let rounds: Mutex<Vec<Status>> = Mutex::new(Vec::new());
        // Called after each round, and with the status of the last one after each evaluation.
        let observer = |status: &Status| {
            let mut rounds = rounds.lock().expect("no observer panics");
            if rounds.last().is_none_or(|last| last.rounds < status.rounds) {
                context.tell("evaluations", status.evaluations, self.fit.evaluations);
                rounds.push(status.clone());
                if context.stopped() {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        };
        let fit = Posterior::new(problem, |theta: &[f64]| problem.log_likelihood(theta))
            .settings(self.fit.clone())
            .seed(self.seed)
            .observed_by(&observer)
            .fit();
        let found = match fit {
            Err(InferError::Interrupted) => bail!(Interrupted),
            found => found?,
        };
        let rounds = rounds.into_inner().expect("no observer panics");
        let finite = rounds.iter().filter(|s| s.log_evidence.is_finite());
        let rounds = finite.map(|s| Round {
            evaluations: s.evaluations,
            beta: s.beta,
            log_z_error: s.log_evidence - problem.log_evidence,
            ess: s.ess,
        });
        Ok((found, rounds.collect()))
    }

    /// The method of the paper: draws of the prior, weighted by their likelihoods.
    fn one_shot(&self, problem: &Canon, n: usize, context: &Context<'_>) -> Result<Vec<Metric>> {
        let mut rng = stream(self.seed, "paper/canon/one shot");
        let mut log_l = Vec::with_capacity(n);
        while log_l.len() < n {
            context.proceed()?;
            let rows = CHUNK.min(n - log_l.len());
            let z = Mat::from_fn(rows, problem.dim(), |_, _| standard_normal(&mut rng));
            let theta = problem.at(z.as_ref());
            let values = (0..rows).into_par_iter().map(|i| {
                let l = problem.log_likelihood(&row(&theta, i));
                if l.is_nan() { f64::NEG_INFINITY } else { l }
            });
            log_l.extend(values.collect::<Vec<f64>>());
        }
        let total = ln_sum_exp(&log_l);
        let metric = |name, value| Metric::new("one_shot", name, value);
        if total == f64::NEG_INFINITY {
            return Ok(vec![metric("ess", 0.0)]);
        }
        let twice: Vec<f64> = log_l.iter().map(|l| 2.0 * l).collect();
        let ess = exp(2.0 * total - ln_sum_exp(&twice));
        let log_z = total - ln(n as f64);
        let relative = (1.0 / ess - 1.0 / n as f64).max(0.0);
        Ok(vec![
            metric("ess", ess),
            metric("log_z_error", log_z - problem.log_evidence),
            metric("log_z_se", relative.sqrt()),
        ])
    }
}

fn of_annealing(problem: &Canon, found: &Inference) -> Vec<Metric> {
    let (status, z) = (found.status(), found.log_evidence());
    let n = status.evaluations as f64;
    let mut metrics = Vec::new();
    let mut add = |name, value| metrics.push(Metric::new("annealed", name, value));
    add("evaluations", n);
    add("rounds", status.rounds as f64);
    add("beta", status.beta);
    add("ess", found.ess());
    add("ess_per_evaluation", found.ess() / n);
    // Without any likelihood above zero there is no more to say.
    if z.value.is_finite() {
        let error = z.value - problem.log_evidence;
        // The reference has an error of its own.
        let (own, reference) = (z.standard_error, problem.log_evidence_error);
        let stated = (own * own + reference * reference).sqrt();
        add("log_z_error", error);
        add("log_z_se", own);
        add("covered", f64::from(error.abs() < 2.0 * stated));
        if let Some(modes) = &problem.modes {
            let theta = found.theta();
            let rows: Vec<Vec<f64>> = (0..theta.nrows())
                .map(|i| (0..theta.ncols()).map(|j| theta[(i, j)]).collect())
                .collect();
            let weighted = rows.iter().map(Vec::as_slice).zip(found.weights().to_vec());
            add("mode_error", modes.largest_error(weighted));
        }
    }
    if let Some(k) = found.pareto_k().filter(|k| k.is_finite()) {
        add("k_hat", k);
    }
    add("warnings", found.warnings().len() as f64);
    metrics
}

fn row(m: &Mat<f64>, i: usize) -> Vec<f64> {
    (0..m.ncols()).map(|j| m[(i, j)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Provenance;
    use density::{FitContext, Progress};
    use posterior::anneal::AnnealSettings;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn run() -> CanonRun {
        CanonRun {
            protocol: "test".into(),
            problem: "signs_2".into(),
            fit: AnnealSettings {
                evaluations: 4000,
                ess: 1000.0,
                ..AnnealSettings::default()
            },
            seed: 1,
        }
    }

    #[test]
    fn a_record_has_what_the_tables_show_and_follows_from_the_run() {
        let provenance = Provenance::here(1);
        let context = Context {
            provenance: &provenance,
            fit: FitContext::default(),
        };
        let record = compute(&run(), &context).unwrap();
        let get = |model: &str, metric: &str| {
            let own = |m: &&Metric| m.model == model && m.metric == metric;
            record.metrics.iter().find(own).map(|m| m.value)
        };
        assert_eq!(get("annealed", "beta"), Some(1.0));
        assert!(get("annealed", "log_z_error").unwrap().abs() < 0.1);
        assert!(get("annealed", "mode_error").unwrap() < 0.1);
        assert!(get("one_shot", "log_z_error").unwrap().abs() < 0.3);
        let last = record.rounds.last().unwrap();
        assert_eq!(
            Some(last.evaluations as f64),
            get("annealed", "evaluations")
        );
        assert_eq!(Some(last.ess), get("annealed", "ess"));
        assert_eq!(compute(&run(), &context).unwrap().metrics, record.metrics);
    }

    #[test]
    fn a_stop_is_heard_between_rounds() {
        let told = AtomicUsize::new(0);
        let observer = |_: &Progress<'_>| match told.fetch_add(1, Ordering::Relaxed) {
            0..2 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        };
        let provenance = Provenance::here(1);
        let context = Context {
            provenance: &provenance,
            fit: FitContext::default().observed_by(&observer),
        };
        let error = compute(&run(), &context).unwrap_err();
        assert!(error.is::<Interrupted>(), "{error}");
    }
}
