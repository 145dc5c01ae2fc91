//! One run: evaluations, fit, measures.

use super::projections::Projections;
use super::record::{PosteriorFigure, PosteriorRecord};
use super::settings::PosteriorRun;
use crate::engine::cache::cached;
use crate::engine::metric::{Metric, Seconds, all_finite};
use crate::engine::{Context, Experiment, Interrupted};
use anyhow::{Context as _, Result, bail};
use density::Density;
use metrics::TargetSliced;
use numerics::random::stream;
use posterior::{Comparison, FittedPosterior, PosteriorError, Reliability, log_evidence};
use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Computes a run.
///
/// # Errors
/// Names the stage and the cause.
pub fn compute(
    run: &PosteriorRun,
    figure: bool,
    context: &Context<'_>,
) -> Result<(PosteriorRecord, Option<PosteriorFigure>)> {
    let start = Instant::now();
    let fitted = run.fitted(context)?;
    let fit = start.elapsed().as_secs_f64();

    let start = Instant::now();
    let measured = run.measured(&fitted, context)?;
    let problem = run.benchmark.problem();
    let mut mode_masses = vec![("exact".to_owned(), problem.mode_masses())];
    let mut metrics = of_the_fit(&fitted, problem.log_evidence());
    metrics.push(Metric::new(
        "mixture",
        "sliced_w2_exact",
        run.sliced_floor()?,
    ));
    for (model, (of_model, masses)) in measured {
        metrics.extend(of_model);
        mode_masses.push((model, masses));
    }
    all_finite(&metrics)?;
    let hash = run.hash();
    let figure = figure.then(|| PosteriorFigure {
        hash: hash.clone(),
        projections: Projections::of(problem.dim(), &|x| fitted.q().log_prob(x)),
    });
    let record = PosteriorRecord {
        hash,
        run: run.clone(),
        log_evidence: problem.log_evidence(),
        report: fitted.report().clone(),
        mode_masses,
        metrics,
        seconds: Seconds {
            fit,
            evaluation: start.elapsed().as_secs_f64(),
        },
        provenance: context.provenance.clone(),
    };
    Ok((record, figure))
}

impl PosteriorRun {
    fn fitted(&self, context: &Context<'_>) -> Result<FittedPosterior> {
        let problem = self.benchmark.problem();
        let fitted = self.fit.fit(problem, self.seed, &context.fit);
        match fitted {
            Err(PosteriorError::Interrupted) => bail!(Interrupted),
            _ if context.stopped() => bail!(Interrupted),
            fitted => Ok(fitted?),
        }
    }

    /// Every model against the exact posterior, and the evidence by each: measures and mode masses. Those of each model are a unit of work.
    fn measured(
        &self,
        fitted: &FittedPosterior,
        context: &Context<'_>,
    ) -> Result<Vec<(String, Found)>> {
        let problem = self.benchmark.problem();
        let few = self.measures.sliced_draws;
        let rng = |purpose: &str| stream(self.seed, &format!("paper/sliced/{purpose}"));
        let exact = problem.sample_posterior(few, &mut rng("posterior"));
        let sliced = TargetSliced::new(exact.as_ref())?;
        let mut models: Vec<(&str, &dyn Density)> = vec![("mixture", fitted.q())];
        let names = fitted.report().experts.iter();
        models.extend(names.map(|e| e.name.as_str()).zip(fitted.q().experts()));
        let done = AtomicUsize::new(0);
        let hash = self.hash();
        let of = models.par_iter().map(|(name, q)| {
            context.proceed()?;
            let measured = cached(
                context.checkpoints(),
                &hash,
                &format!("evaluation-{name}"),
                || {
                    let found = self.measures.compare.run(problem, *q, self.seed);
                    let found = found.with_context(|| format!("samples of {name}"))?;
                    let mut own = stream(self.seed, "paper/evidence");
                    let evidence = log_evidence(problem, *q, self.measures.evidence, &mut own);
                    let evidence = evidence.with_context(|| format!("evidence by {name}"))?;
                    let draws = q.sample(few, &mut rng("model"));
                    let sliced = sliced.compare(draws.as_ref())?;
                    let measures = Measured {
                        model: name,
                        found: &found,
                        evidence,
                        sliced,
                    };
                    Ok((
                        of_a_model(&measures, problem.log_evidence()),
                        found.mode_masses,
                    ))
                },
            )?;
            let count = done.fetch_add(1, Ordering::Relaxed) + 1;
            context.tell("evaluation", count, models.len());
            Ok(((*name).to_owned(), measured))
        });
        of.collect()
    }

    /// The sliced distance between two samples of the posterior itself: the floor due to finite
    /// samples.
    fn sliced_floor(&self) -> Result<f64> {
        let problem = self.benchmark.problem();
        let draw = |purpose: &str| {
            let mut rng = stream(self.seed, &format!("paper/sliced/{purpose}"));
            problem.sample_posterior(self.measures.sliced_draws, &mut rng)
        };
        let [first, second] = ["posterior", "again"].map(draw);
        Ok(TargetSliced::new(first.as_ref())?.compare(second.as_ref())?)
    }
}

/// Measures and mode masses of one model.
type Found = (Vec<Metric>, Vec<f64>);

/// The results of one model.
struct Measured<'a> {
    model: &'a str,
    found: &'a Comparison,
    evidence: Reliability,
    sliced: f64,
}

/// Measures of the evaluations, and the weights of the experts.
fn of_the_fit(fitted: &FittedPosterior, log_evidence: f64) -> Vec<Metric> {
    let report = fitted.report();
    let r = &report.reliability;
    let n = report.evaluations as f64;
    let mut metrics = vec![
        Metric::new("mixture", "evaluations", n),
        Metric::new("mixture", "ess", r.ess),
        Metric::new("mixture", "ess_share", r.ess / n),
        Metric::new(
            "mixture",
            "log_z_error_evaluations",
            r.log_evidence - log_evidence,
        ),
    ];
    let k = r
        .pareto_k
        .map(|k| Metric::new("mixture", "k_hat_evaluations", k));
    let components = report
        .components
        .map(|k| Metric::new("mixture", "components", k as f64));
    metrics.extend(k.into_iter().chain(components));
    metrics.extend(
        report
            .experts
            .iter()
            .map(|e| Metric::new(&e.name, "weight", e.weight)),
    );
    metrics
}

/// Measures of one model.
fn of_a_model(measured: &Measured<'_>, log_evidence: f64) -> Vec<Metric> {
    let Measured {
        model: name,
        found,
        evidence,
        sliced,
    } = measured;
    let mut metrics: Vec<Metric> = [
        ("kl_forward", found.kl.value),
        ("kl_forward_se", found.kl.standard_error),
        ("kl_backward", found.reverse_kl.value),
        ("kl_backward_se", found.reverse_kl.standard_error),
        ("w2", found.w2),
        ("sliced_w2", *sliced),
        ("mode_error", found.worst_mode),
        ("bridge_mass", found.bridge_mass.value),
        ("bridge_mass_se", found.bridge_mass.standard_error),
        ("log_z_error", evidence.log_evidence - log_evidence),
        ("log_z_se", evidence.standard_error),
    ]
    .into_iter()
    .map(|(measure, value)| Metric::new(name, measure, value))
    .collect();
    metrics.extend(evidence.pareto_k.map(|k| Metric::new(name, "k_hat", k)));
    if *name == "mixture" {
        metrics.push(Metric::new(name, "w2_exact", found.w2_of_exact));
    }
    metrics
}
