//! One run: pairs, fit, unseen data.

use super::config::AmortisedRun;
use super::record::AmortisedRecord;
use crate::posterior::record::{PosteriorFigure, Seconds};
use crate::record::Metric;
use crate::run::{Interrupted, Stage, batch, metric};
use crate::units::kept;
use crate::work::{Context, Unit};
use amf::Expert;
use amf::metrics::kl_exact;
use amf::posterior::{Amortised, AmortisedError, Calibration, ExactPosterior};
use anyhow::{Result, anyhow, bail};
use faer::prelude::*;
use flows::ConditionalData;
use numerics::math::mean_and_standard_error;
use numerics::random::stream;
use rayon::prelude::*;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::Instant;

impl Unit for AmortisedRun {
    type Record = AmortisedRecord;
    // There are none: figures show what the records hold.
    type Figure = PosteriorFigure;

    fn stem(&self) -> String {
        Self::stem(self)
    }

    fn hash(&self) -> String {
        Self::hash(self)
    }

    fn cost(&self) -> usize {
        let flows = self.fit.experts.iter().map(|(_, f)| &f.fit);
        let steps: usize = flows.map(|f| f.steps * batch(f.batch, self.pairs)).sum();
        steps + self.calibration.observations * self.calibration.settings.draws
    }

    fn compute(
        &self,
        _figure: bool,
        context: &Context<'_>,
    ) -> Result<(AmortisedRecord, Option<PosteriorFigure>)> {
        let start = Instant::now();
        let q = self.fitted(context)?;
        let fit = start.elapsed().as_secs_f64();

        let start = Instant::now();
        (context.observe)(Stage::Evaluation(0, 2));
        let hash = Self::hash(self);
        let mut metrics = kept(context.shelf, &hash, "evaluation-divergences", || {
            Ok(self.divergences(&q))
        })?;
        (context.observe)(Stage::Evaluation(1, 2));
        if context.stop.load(Ordering::Relaxed) {
            bail!(Interrupted);
        }
        let calibration = kept(context.shelf, &hash, "evaluation-calibration", || {
            self.calibrated(&q)
        })?;
        metrics.extend(of_calibration(&calibration));
        if let Some(m) = metrics.iter().find(|m| !m.value.is_finite()) {
            bail!("{} of {} is {}", m.metric, m.model, m.value);
        }
        let record = AmortisedRecord {
            hash,
            run: self.clone(),
            calibration,
            metrics,
            seconds: Seconds {
                fit,
                evaluation: start.elapsed().as_secs_f64(),
            },
            provenance: context.provenance.clone(),
        };
        Ok((record, None))
    }
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
        let observe = |name: &str, progress: amf::Progress| {
            (context.observe)(Stage::Fit(name.to_owned(), progress));
            if context.stop.load(Ordering::Relaxed) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let pairs = ConditionalData::new(theta.as_ref(), y.as_ref());
        match self.fit.fit_on(context.shelf, pairs, self.seed, &observe) {
            Err(AmortisedError::Interrupted) => bail!(Interrupted),
            _ if context.stop.load(Ordering::Relaxed) => bail!(Interrupted),
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
                let models = std::iter::once(q.given(&y));
                let models = models.chain((0..experts).map(|k| q.expert_given(k, &y)));
                let kl = |q: &dyn Expert| kl_exact(&log_p, &q.log_prob(draws.as_ref())).value;
                models.map(|m| kl(&m)).collect()
            })
            .collect();
        let names = std::iter::once("mixture").chain(q.names().iter().map(String::as_str));
        let mut metrics = Vec::new();
        for (k, name) in names.enumerate() {
            let kl: Vec<f64> = found.iter().map(|f| f[k]).collect();
            let (mean, error) = mean_and_standard_error(&kl);
            let worst = kl.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            metrics.push(metric(name, "kl_forward", mean));
            if kl.len() > 1 {
                metrics.push(metric(name, "kl_forward_se", error));
            }
            metrics.push(metric(name, "kl_forward_worst", worst));
            let nll = if k == 0 {
                q.held_out_nll()
            } else {
                metrics.push(metric(name, "weight", q.weights().pi[k - 1]));
                q.expert_nll()[k - 1]
            };
            metrics.push(metric(name, "held_out_nll", nll));
        }
        metrics
    }

    fn calibrated(&self, q: &Amortised) -> Result<Calibration> {
        let (truth, y) = self.pairs(self.calibration.observations, "calibration");
        let posterior = |i: usize| -> Box<dyn Expert + '_> { Box::new(q.given(&row(&y, i))) };
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
        .map(|(j, r)| metric("mixture", &format!("rank_p_{}", j + 1), r.p_value))
        .collect();
    for c in &calibration.coverage {
        let name = format!("coverage_{}", 100.0 * c.nominal);
        metrics.push(metric("mixture", &name, c.share));
        metrics.push(metric("mixture", &format!("{name}_z"), c.z_score()));
    }
    metrics
}
