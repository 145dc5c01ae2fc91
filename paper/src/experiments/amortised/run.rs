//! One run: pairs, fit, unseen data.

use super::record::AmortisedRecord;
use super::settings::AmortisedRun;
use crate::engine::cache::cached;
use crate::engine::metric::{Metric, Seconds, all_finite};
use crate::engine::{Context, Experiment, Interrupted};
use anyhow::{Result, anyhow, bail};
use density::{Data, Density};
use faer::prelude::*;
use metrics::{Calibration, kl_exact};
use numerics::math::mean_and_standard_error;
use numerics::random::stream;
use posterior::{Amortised, AmortisedError, ExactPosterior};
use rayon::prelude::*;
use std::time::Instant;

/// Computes a run.
///
/// # Errors
/// Names the stage and the cause.
pub fn compute(run: &AmortisedRun, context: &Context<'_>) -> Result<AmortisedRecord> {
    let start = Instant::now();
    let q = run.fitted(context)?;
    let fit = start.elapsed().as_secs_f64();

    let start = Instant::now();
    context.tell("evaluation", 0, 2);
    let hash = run.hash();
    let mut metrics = cached(
        context.checkpoints(),
        &hash,
        "evaluation-divergences",
        || Ok(run.divergences(&q)),
    )?;
    context.tell("evaluation", 1, 2);
    context.proceed()?;
    let calibration = cached(
        context.checkpoints(),
        &hash,
        "evaluation-calibration",
        || run.calibrated(&q),
    )?;
    metrics.extend(of_calibration(&calibration));
    all_finite(&metrics)?;
    Ok(AmortisedRecord {
        hash,
        run: run.clone(),
        calibration,
        metrics,
        seconds: Seconds {
            fit,
            evaluation: start.elapsed().as_secs_f64(),
        },
        provenance: context.provenance.clone(),
    })
}

impl AmortisedRun {
    /// Parameters of the prior with data of the simulator.
    fn pairs(&self, n: usize, label: &str) -> (Mat<f64>, Mat<f64>) {
        let rng = |what: &str| stream(self.seed, &format!("paper/amortised/{label}/{what}"));
        let theta = self.simulator.sample_prior(n, &mut rng("theta"));
        let y = self.simulator.simulate(theta.as_ref(), &mut rng("y"));
        (theta, y)
    }

    fn fitted(&self, context: &Context<'_>) -> Result<Amortised> {
        let (theta, y) = self.pairs(self.pairs, "pairs");
        let pairs = Data::new(theta.as_ref()).conditioned(y.as_ref());
        match self.fit.fit(pairs, self.seed, &context.fit) {
            Err(AmortisedError::Interrupted) => bail!(Interrupted),
            _ if context.stopped() => bail!(Interrupted),
            q => Ok(q?),
        }
    }

    /// Every model against the exact posterior of each unseen observation.
    fn divergences(&self, q: &Amortised) -> Vec<Metric> {
        let (_, y) = self.pairs(self.unseen.observations, "unseen");
        let experts = q.names().len();
        // For each observation: KL of the mixture and of each expert.
        let found: Vec<Vec<f64>> = (0..y.nrows())
            .into_par_iter()
            .map(|i| {
                let y = row(&y, i);
                let exact = self.simulator.posterior(&y);
                let mut rng = stream(self.seed, &format!("paper/amortised/exact/{i}"));
                let draws = exact.sample_posterior(self.unseen.draws, &mut rng);
                let log_p = exact.log_posterior(draws.as_ref());
                let models = std::iter::once(q.condition(&y));
                let models = models.chain((0..experts).map(|k| q.condition_expert(k, &y)));
                let kl = |q: &dyn Density| kl_exact(&log_p, &q.log_prob(draws.as_ref())).value;
                models.map(|m| kl(&m)).collect()
            })
            .collect();
        let names = std::iter::once("mixture").chain(q.names().iter().map(String::as_str));
        let mut metrics = Vec::new();
        for (k, name) in names.enumerate() {
            let kl: Vec<f64> = found.iter().map(|f| f[k]).collect();
            let (mean, error) = mean_and_standard_error(&kl);
            let worst = kl.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            metrics.push(Metric::new(name, "kl_forward", mean));
            if kl.len() > 1 {
                metrics.push(Metric::new(name, "kl_forward_se", error));
            }
            metrics.push(Metric::new(name, "kl_forward_worst", worst));
            let nll = if k == 0 {
                q.held_out_nll()
            } else {
                metrics.push(Metric::new(name, "weight", q.weights().pi[k - 1]));
                q.expert_nll()[k - 1]
            };
            metrics.push(Metric::new(name, "held_out_nll", nll));
        }
        metrics
    }

    fn calibrated(&self, q: &Amortised) -> Result<Calibration> {
        let (truth, y) = self.pairs(self.calibration.observations, "calibration");
        let posterior = |i: usize| -> Box<dyn Density + '_> { Box::new(q.condition(&row(&y, i))) };
        let settings = &self.calibration.settings;
        let found = settings.run(truth.as_ref(), &posterior, self.seed);
        found.map_err(|e| anyhow!("calibration: {e}"))
    }
}

fn row(m: &Mat<f64>, i: usize) -> Vec<f64> {
    (0..m.ncols()).map(|j| m[(i, j)]).collect()
}

fn of_calibration(calibration: &Calibration) -> Vec<Metric> {
    let ranks = calibration.ranks.iter().enumerate();
    let mut metrics: Vec<Metric> = ranks
        .map(|(j, r)| Metric::new("mixture", &format!("rank_p_{}", j + 1), r.p_value))
        .collect();
    for c in &calibration.coverage {
        let name = format!("coverage_{}", 100.0 * c.nominal);
        metrics.push(Metric::new("mixture", &name, c.share));
        metrics.push(Metric::new("mixture", &format!("{name}_z"), c.z_score()));
    }
    metrics
}
