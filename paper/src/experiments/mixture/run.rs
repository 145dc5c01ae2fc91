//! One run: draws, experts, weights, measures.

use super::cross_fitted::{self, Outcome};
use super::record::{MixtureFigure, MixtureRecord, Seconds, grid_points};
use super::settings::{MixtureRun, Sampled, WeightSource};
use crate::engine::cache::cached;
use crate::engine::metric::{Metric, all_finite};
use crate::engine::{Context, Experiment, Interrupted};
use amf::{ExpertReport, WeightData};
use anyhow::{Context as _, Result, bail};
use density::{Data, Density, Mixture, Progress, log_prob_table};
use faer::prelude::*;
use flows::Termination;
use metrics::{SampleMetrics, TargetSet, kl_exact, nll};
use numerics::random::{Pcg64, stream};
use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Draws of each model that a figure shows.
const FIGURE_DRAWS: usize = 800;
/// Points of a density grid in each direction.
const FIGURE_SIDE: usize = 100;

/// Computes a run.
///
/// # Errors
/// Names the expert or stage, and the cause.
pub fn compute(
    run: &MixtureRun,
    figure: bool,
    context: &Context<'_>,
) -> Result<(MixtureRecord, Option<MixtureFigure>)> {
    let target = run.target;
    let rng = |purpose: &str| stream(run.seed, &format!("{target}/{purpose}"));
    let draws = &run.draws;
    // One sequence of draws, split into disjoint sets: protocols with one seed and budget see the
    // same data.
    let budget = target.sample(draws.budget(), &mut rng("data"));
    let test = target.sample(draws.test, &mut rng("test"));
    let log_p = target.log_prob(test.as_ref());
    let mut outcome = if run.cross_fit.is_some() {
        let scored = (test.as_ref(), &log_p[..]);
        cross_fitted::compute(run, budget.as_ref(), scored, context, &rng)?
    } else {
        single_split(run, budget.as_ref(), (&test, &log_p), context, &rng)?
    };

    let start = Instant::now();
    let exact = Exact(target);
    let mut sampled = models(run, &outcome.mixture, run.evaluation.sampled);
    if run.evaluation.sampled == Sampled::Mixture {
        sampled.push(("target", &exact));
    }
    let compared = compare(run, &sampled, &test, context, &rng)?;
    outcome.metrics.extend(compared);
    for (e, w) in run.experts.iter().zip(&outcome.weights.pi) {
        outcome.metrics.push(Metric::new(&e.name, "weight", *w));
    }
    let n_eff = Metric::new("mixture", "n_eff", outcome.weights.n_eff);
    outcome.metrics.push(n_eff);
    all_finite(&outcome.metrics)?;
    outcome.seconds.evaluation += start.elapsed().as_secs_f64();

    let entropy = target.entropy();
    let hash = run.hash();
    let figure = figure.then(|| figure_data(run, &outcome, &hash, &rng));
    let record = MixtureRecord {
        hash,
        run: run.clone(),
        entropy: (entropy.value, entropy.error),
        experts: outcome.reports,
        weights: outcome.weights,
        metrics: outcome.metrics,
        seconds: outcome.seconds,
        provenance: context.provenance.clone(),
    };
    Ok((record, figure))
}

/// Experts fitted to the training draws, early stopping and weights on further draws of the budget.
fn single_split(
    run: &MixtureRun,
    budget: MatRef<'_, f64>,
    (test, log_p): (&Mat<f64>, &[f64]),
    context: &Context<'_>,
    rng: &(dyn Fn(&str) -> Pcg64 + Sync),
) -> Result<Outcome> {
    let (target, draws) = (run.target, &run.draws);
    let train = budget.subrows(0, draws.train);
    let validation = budget.subrows(draws.train, draws.validation);
    let held_out = budget.subrows(draws.train + draws.validation, draws.weights);
    let monitor = target.sample(draws.monitor, &mut rng("monitor"));
    let watched = [validation, monitor.as_ref()]
        .into_iter()
        .find(|m| m.nrows() > 0);
    let (experts, reports, fit_seconds) = fit_experts(run, train, watched, context, rng)?;

    context.tell("mixture weights", 0, 1);
    let start = Instant::now();
    let views: Vec<&dyn Density> = experts.iter().map(|e| &**e).collect();
    let fresh = |step: usize, n: usize| {
        let x = target.sample(n, &mut rng(&format!("weights/{step}")));
        log_prob_table(&views, x.as_ref())
    };
    let table;
    let source = match run.weights.source {
        WeightSource::Fresh => WeightData::Fresh {
            experts: views.len(),
            draw: &fresh,
        },
        WeightSource::HeldOut | WeightSource::OutOfFold => {
            table = log_prob_table(&views, held_out);
            WeightData::HeldOut {
                table: table.as_ref(),
                weights: None,
            }
        }
    };
    let weights = run
        .weights
        .rule
        .learn(&source, run.seed)
        .context("mixture weights")?;
    let weight_seconds = start.elapsed().as_secs_f64();
    let mixture = Mixture::new(experts, weights.pi.clone());

    let start = Instant::now();
    let mut metrics = Vec::new();
    for (name, model) in models(run, &mixture, Sampled::All) {
        let log_q = model.log_prob(test.as_ref());
        metrics.push(Metric::new(name, "nll", nll(&log_q).value));
        metrics.push(Metric::new(name, "kl", kl_exact(log_p, &log_q).value));
    }
    Ok(Outcome {
        mixture,
        baselines: Vec::new(),
        reports,
        weights,
        metrics,
        seconds: Seconds {
            fit: fit_seconds,
            weights: weight_seconds,
            evaluation: start.elapsed().as_secs_f64(),
        },
    })
}

type FittedExperts = (Vec<Box<dyn Density>>, Vec<ExpertReport>, Vec<f64>);

/// Stage 1.
fn fit_experts(
    run: &MixtureRun,
    train: MatRef<'_, f64>,
    watched: Option<MatRef<'_, f64>>,
    context: &Context<'_>,
    rng: &(dyn Fn(&str) -> Pcg64 + Sync),
) -> Result<FittedExperts> {
    let (mut experts, mut reports, mut seconds) = (Vec::new(), Vec::new(), Vec::new());
    for e in &run.experts {
        context.proceed()?;
        let own_rng = |purpose: &str| rng(&format!("{}/{purpose}", e.name));
        let observer = |p: &Progress<'_>| {
            context.fit.tell(&Progress {
                expert: &e.name,
                ..*p
            })
        };
        let fitted = e
            .kind
            .fit(
                &e.name,
                Data::new(train),
                watched.map(Data::new),
                &own_rng,
                &context.fit.observed_by(&observer),
            )
            .with_context(|| format!("expert \"{}\"", e.name))?;
        if fitted.report.termination == Termination::Interrupted || context.stopped() {
            bail!(Interrupted);
        }
        experts.push(fitted.expert);
        reports.push(fitted.report);
        seconds.push(fitted.seconds);
    }
    Ok((experts, reports, seconds))
}

/// The target as a model: the floor of the sampled metrics.
struct Exact(datasets::Family);

impl Density for Exact {
    fn dim(&self) -> usize {
        2
    }

    fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
        self.0.log_prob(x)
    }

    fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        self.0.sample(n, rng)
    }
}

/// The mixture, and each expert if all are wanted, with their names.
fn models<'a>(
    run: &'a MixtureRun,
    mixture: &'a Mixture,
    which: Sampled,
) -> Vec<(&'a str, &'a dyn Density)> {
    let mut models: Vec<(&str, &dyn Density)> = vec![("mixture", mixture)];
    if which == Sampled::All {
        let names = run.experts.iter().map(|e| e.name.as_str());
        models.extend(names.zip(mixture.experts()));
    }
    models
}

/// Sampled metrics against the first test points, averaged over fresh sets of model draws; those of each model are a unit of work.
fn compare(
    run: &MixtureRun,
    models: &[(&str, &dyn Density)],
    test: &Mat<f64>,
    context: &Context<'_>,
    rng: &(dyn Fn(&str) -> Pcg64 + Sync),
) -> Result<Vec<Metric>> {
    let compared = TargetSet::new(test.as_ref().subrows(0, run.evaluation.samples))?;
    let sets = run.evaluation.sets;
    let done = AtomicUsize::new(0);
    let hash = run.hash();
    let of_a_set = |name: &str, model: &dyn Density, set: usize| {
        context.proceed()?;
        let mut rng = rng(&format!("evaluation/{name}/{set}"));
        let draws = model.sample(run.evaluation.samples, &mut rng);
        let result = compared
            .compare(draws.as_ref())
            .with_context(|| format!("samples of {name}"))?;
        let count = done.fetch_add(1, Ordering::Relaxed) + 1;
        context.tell("evaluation", count, sets * models.len());
        Ok(result)
    };
    let mut metrics = Vec::new();
    for (name, model) in models {
        let label = format!("evaluation-{name}");
        metrics.extend(cached(context.checkpoints(), &hash, &label, || {
            let of_sets: Vec<SampleMetrics> = (0..sets)
                .into_par_iter()
                .map(|set| of_a_set(name, *model, set))
                .collect::<Result<_>>()?;
            Ok(averages(name, &of_sets))
        })?);
    }
    Ok(metrics)
}

/// Means over sets of draws.
fn averages(model: &str, sets: &[SampleMetrics]) -> Vec<Metric> {
    let mean = |name: &str, f: &dyn Fn(&SampleMetrics) -> f64| {
        let sum = sets.iter().map(f).sum::<f64>();
        Metric::new(model, name, sum / sets.len() as f64)
    };
    vec![
        mean("kl_kde", &|m| m.kl_kde.unwrap_or(f64::NAN)),
        mean("w2", &|m| m.w2),
        mean("sliced_w2", &|m| m.sliced_w2),
        mean("mmd_unbiased", &|m| m.mmd_unbiased),
        mean("mmd_biased", &|m| m.mmd_biased),
    ]
}

/// Draws and grids for the figures.
fn figure_data(
    run: &MixtureRun,
    outcome: &Outcome,
    hash: &str,
    rng: &dyn Fn(&str) -> Pcg64,
) -> MixtureFigure {
    let rounded = |v: f64| ((v * 1e3).round() / 1e3) as f32;
    let points = |m: Mat<f64>| {
        (0..m.nrows())
            .map(|i| (rounded(m[(i, 0)]), rounded(m[(i, 1)])))
            .collect()
    };
    let mut draws = vec![(
        "target".to_owned(),
        points(run.target.sample(FIGURE_DRAWS, &mut rng("figure"))),
    )];
    let mixture = &outcome.mixture;
    let baselines = outcome.baselines.iter().map(|(n, b)| (n.as_str(), &**b));
    let shown = models(run, mixture, run.evaluation.sampled);
    for (name, model) in shown.into_iter().chain(baselines) {
        let mut rng = rng(&format!("figure/{name}"));
        draws.push((
            name.to_owned(),
            points(model.sample(FIGURE_DRAWS, &mut rng)),
        ));
    }
    let grid = grid_points(run.target.bounds(), FIGURE_SIDE);
    MixtureFigure {
        hash: hash.to_owned(),
        draws,
        grid: mixture
            .log_prob(grid.as_ref())
            .into_iter()
            .map(rounded)
            .collect(),
        side: FIGURE_SIDE,
    }
}
