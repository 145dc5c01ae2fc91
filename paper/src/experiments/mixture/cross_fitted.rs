//! A run by cross-fitting: the recipe, the baselines, and what each ingredient contributes.

use super::ablation::Ablation;
use super::record::Seconds;
use super::settings::MixtureRun;
use crate::engine::metric::Metric;
use crate::engine::{Context, Interrupted};
use amf::{
    CrossFitError, CrossFitted, ExpertReport, LearnedWeights, Recipe, WeightData, WeightRule,
    mutual_information,
};
use anyhow::{Context as _, Result, anyhow, bail};
use density::{Data, Density, Mixture, log_prob_table, mixture_log_prob};
use faer::prelude::*;
use metrics::{kl_exact, nll};
use numerics::matrix::{col, col_mut, select_rows};
use numerics::random::Pcg64;
use rayon::prelude::*;
use std::time::Instant;

/// The result of a cross-fitted run, for its record.
pub struct Outcome {
    /// The mixture.
    pub mixture: Mixture,
    /// The baselines, with their names.
    pub baselines: Vec<(String, Box<dyn Density>)>,
    /// The report of each expert's fit on the first fold, without the history, and the divergences
    /// of its fits on all folds.
    pub reports: Vec<ExpertReport>,
    /// The weights.
    pub weights: LearnedWeights,
    /// Likelihoods of all models, and of the ablations.
    pub metrics: Vec<Metric>,
    /// Seconds; those of the experts are summed over the folds.
    pub seconds: Seconds,
}

/// Fits and scores. `data` is the budget; `test` has `log_p` under the target.
///
/// # Errors
/// Names the expert or stage, and the cause.
pub fn compute(
    run: &MixtureRun,
    data: MatRef<'_, f64>,
    (test, log_p): (MatRef<'_, f64>, &[f64]),
    context: &Context<'_>,
    rng: &(dyn Fn(&str) -> Pcg64 + Sync),
) -> Result<Outcome> {
    let settings = Recipe {
        partition: run.cross_fit.context("cross_fit is not set")?,
        experts: run.experts.clone(),
        rule: run.weights.rule,
        mixture_aware: None,
    };
    let interrupted = |e: CrossFitError| match e {
        CrossFitError::Interrupted => anyhow!(Interrupted),
        other => anyhow!(other),
    };
    let fitted = settings
        .cross_fit(Data::new(data), run.seed, &context.fit)
        .map_err(interrupted)?;
    context.proceed()?;
    let baselines = fit_baselines(run, data, context, rng)?;

    let start = Instant::now();
    context.tell("evaluation", 0, 1);
    let scores = Scores::new(&fitted, data, test);
    let mut metrics = Vec::new();
    let mut add = |name: &str, log_q: &[f64]| {
        metrics.push(Metric::new(name, "nll", nll(log_q).value));
        metrics.push(Metric::new(name, "kl", kl_exact(log_p, log_q).value));
    };
    add("mixture", &scores.mixture(&fitted.weights.pi));
    for (k, e) in run.experts.iter().enumerate() {
        add(&e.name, col(scores.averages.as_ref(), k));
    }
    for (name, model) in &baselines {
        add(name, &model.log_prob(test));
    }
    for a in &run.ablations {
        context.proceed()?;
        let log_q = match &a.what {
            Ablation::MixtureAware(aware) => {
                let mut again = None;
                for round in 0..aware.rounds {
                    let before = again.as_ref().unwrap_or(&fitted);
                    let next = settings.refit(
                        Data::new(data),
                        before,
                        (aware, round),
                        run.seed,
                        &context.fit,
                    );
                    again = Some(next.map_err(interrupted)?);
                }
                let again = again.as_ref().unwrap_or(&fitted);
                Scores::new(again, data, test).mixture(&again.weights.pi)
            }
            other => scores.without(other, run, &fitted)?,
        };
        add(&a.name, &log_q);
    }
    metrics.push(Metric::new(
        "mixture",
        "out_of_fold_nll",
        fitted.mixture_nll,
    ));
    metrics.push(Metric::new(
        "mixture",
        "certificate",
        fitted.weights.optimality_gap,
    ));
    let plain = amf::MixtureAware {
        rounds: 1,
        specialisation: 0.0,
    };
    let r = plain.responsibilities(fitted.out_of_fold.as_ref(), &fitted.weights.pi);
    let information = mutual_information(r.as_ref());
    metrics.push(Metric::new("mixture", "mutual_information", information));
    Ok(Outcome {
        reports: fitted
            .reports
            .iter()
            .map(|r| ExpertReport {
                history: Vec::new(),
                backoffs: r.iter().flat_map(|r| r.backoffs.clone()).collect(),
                ..r[0].clone()
            })
            .collect(),
        seconds: Seconds {
            fit: fitted.seconds.clone(),
            weights: fitted.weight_seconds,
            evaluation: start.elapsed().as_secs_f64(),
        },
        weights: fitted.weights,
        mixture: fitted.mixture,
        baselines,
        metrics,
    })
}

fn fit_baselines(
    run: &MixtureRun,
    data: MatRef<'_, f64>,
    context: &Context<'_>,
    rng: &(dyn Fn(&str) -> Pcg64 + Sync),
) -> Result<Vec<(String, Box<dyn Density>)>> {
    let fit = |b: &amf::NamedExpert| {
        let own = |purpose: &str| rng(&format!("{}/{purpose}", b.name));
        context.proceed()?;
        let fitted = b
            .kind
            .fit(&b.name, Data::new(data), None, &own, &context.fit);
        let fitted = fitted.with_context(|| format!("baseline \"{}\"", b.name))?;
        Ok((b.name.clone(), fitted.expert))
    };
    run.baselines.iter().map(fit).collect()
}

/// Log-densities of the single models and of their averages at the test points.
struct Scores {
    /// Of the first fold's models, n x K.
    first: Mat<f64>,
    /// Of the first fold's models at the points that it holds out.
    first_held_out: Mat<f64>,
    /// Of the averages over the folds, n x K.
    averages: Mat<f64>,
}

impl Scores {
    fn new(fitted: &CrossFitted, data: MatRef<'_, f64>, test: MatRef<'_, f64>) -> Self {
        let columns: Vec<(Vec<f64>, Vec<f64>)> = fitted
            .models
            .par_iter()
            .map(|models| {
                let all: Vec<Vec<f64>> = models.par_iter().map(|m| m.log_prob(test)).collect();
                let table = table(all.iter().map(Vec::as_slice));
                let equal = vec![1.0 / all.len() as f64; all.len()];
                let average = mixture_log_prob(table.as_ref(), &equal);
                (all.into_iter().next().unwrap_or_default(), average)
            })
            .collect();
        let held_out = select_rows(data, &fitted.folds[0].held_out);
        let first: Vec<&dyn Density> = fitted.models.iter().map(|m| &*m[0]).collect();
        Self {
            first_held_out: log_prob_table(&first, held_out.as_ref()),
            first: table(columns.iter().map(|c| c.0.as_slice())),
            averages: table(columns.iter().map(|c| c.1.as_slice())),
        }
    }

    fn mixture(&self, pi: &[f64]) -> Vec<f64> {
        mixture_log_prob(self.averages.as_ref(), pi)
    }

    /// Log-densities of the mixture changed by an ablation (other than a refit).
    fn without(&self, what: &Ablation, run: &MixtureRun, fitted: &CrossFitted) -> Result<Vec<f64>> {
        let out_of_fold = fitted.out_of_fold.as_ref();
        let k = run.experts.len();
        let learn = |rule: &WeightRule, table: MatRef<'_, f64>| {
            let source = WeightData::HeldOut {
                table,
                weights: None,
            };
            rule.learn(&source, run.seed).context("mixture weights")
        };
        let among = |keep: &dyn Fn(&str) -> bool| {
            let chosen: Vec<usize> = (0..k).filter(|&e| keep(&run.experts[e].name)).collect();
            let table = table(chosen.iter().map(|&e| col(out_of_fold, e)));
            let learned = learn(&run.weights.rule, table.as_ref())?;
            let mut pi = vec![0.0; k];
            for (&e, w) in chosen.iter().zip(&learned.pi) {
                pi[e] = *w;
            }
            Ok(self.mixture(&pi))
        };
        match what {
            Ablation::Without(name) => among(&|n| n != name),
            Ablation::Only(names) => among(&|n| names.iter().any(|m| m == n)),
            Ablation::EqualWeights => Ok(self.mixture(&vec![1.0 / k as f64; k])),
            Ablation::Rule(rule) => Ok(self.mixture(&learn(rule, out_of_fold)?.pi)),
            Ablation::OneSplit => {
                let learned = learn(&run.weights.rule, self.first_held_out.as_ref())?;
                Ok(mixture_log_prob(self.first.as_ref(), &learned.pi))
            }
            Ablation::NoAverage => Ok(mixture_log_prob(self.first.as_ref(), &fitted.weights.pi)),
            Ablation::Hindsight => {
                let pi = learn(&run.weights.rule.unscreened(), self.averages.as_ref())?.pi;
                Ok(self.mixture(&pi))
            }
            Ablation::MixtureAware(_) => bail!("a refit needs the data"),
        }
    }
}

fn table<'a>(columns: impl Iterator<Item = &'a [f64]>) -> Mat<f64> {
    let columns: Vec<&[f64]> = columns.collect();
    let mut out = Mat::zeros(columns.first().map_or(0, |c| c.len()), columns.len());
    for (k, c) in columns.iter().enumerate() {
        col_mut(out.as_mut(), k).copy_from_slice(c);
    }
    out
}
