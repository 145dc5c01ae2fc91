//! Cross-fitting: every point is used for training, selection and weights, and none is scored by a
//! model that saw it.

mod error;
mod refit;
#[cfg(test)]
mod tests;

pub use error::CrossFitError;

use crate::experts::{ExpertReport, NamedExpert};
use crate::folds::Fold;
use crate::recipe::Recipe;
use crate::weights::{LearnedWeights, WeightData};
use density::{Data, Density, FitContext, Mixture, Progress, mixture_log_prob};
use faer::prelude::*;
use flows::Termination;
use numerics::math::{ln, ln_sum_exp};
use numerics::matrix::select_rows;
use numerics::random::{Pcg64, stream};
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// The result of cross-fitting.
pub struct CrossFitted {
    /// Each expert is the average of its models, one for each fold; the mixture has the learned
    /// weights.
    pub mixture: Mixture,
    /// The single models: `models[k][p]` is of expert k and fold p.
    pub models: Vec<Vec<Arc<dyn Density>>>,
    /// The reports of the fits, like `models`.
    pub reports: Vec<Vec<ExpertReport>>,
    /// Seconds of the fits of each expert, summed over the folds.
    pub seconds: Vec<f64>,
    /// Seconds of stage 2.
    pub weight_seconds: f64,
    /// The rows held out from each model.
    pub folds: Vec<Fold>,
    /// Rows that some fold holds out, in ascending order: all of them, unless large data are split
    /// once.
    pub rows: Vec<usize>,
    /// `ln q_k(x_n)` of these rows (N) under the experts (K). Each q_k is the average of the models
    /// that did not see the row.
    pub out_of_fold: Mat<f64>,
    /// The weights.
    pub weights: LearnedWeights,
    /// Mean out-of-fold negative log-likelihood of each expert, nats.
    pub expert_nll: Vec<f64>,
    /// The same for the mixture. The weights were learned on these points: with few experts that
    /// lowers it by less than K / N nats.
    pub mixture_nll: f64,
}

/// One model and the report of its fit.
pub(crate) struct FoldModel {
    pub(crate) model: Arc<dyn Density>,
    pub(crate) report: ExpertReport,
    pub(crate) seconds: f64,
}

/// Folds, and for each expert its models.
type FoldFits = Result<(Vec<Fold>, Vec<Result<Vec<FoldModel>, CrossFitError>>), CrossFitError>;

/// The models, if their held-out log-densities are numbers or minus infinity.
fn all_numbers(
    data: Data<'_>,
    folds: &[Fold],
    expert: &NamedExpert,
    models: Vec<FoldModel>,
) -> Result<Vec<FoldModel>, CrossFitError> {
    for (number, (fold, m)) in folds.iter().zip(&models).enumerate() {
        let held_out = select_rows(data.points, &fold.held_out);
        let log_q = m.model.log_prob(held_out.as_ref());
        let bad = log_q.iter().position(|l| l.is_nan() || *l == f64::INFINITY);
        if let Some(i) = bad {
            return Err(CrossFitError::BadDensity {
                expert: expert.name.clone(),
                fold: number,
                value: log_q[i],
                row: fold.held_out[i],
            });
        }
    }
    Ok(models)
}

impl Recipe {
    /// Fits every expert on each fold, learns the weights from the out-of-fold log-densities,
    /// averages each expert's models, and does the mixture-aware rounds, if any.
    ///
    /// The fits run in parallel on the current thread pool; the result depends on the data, the
    /// settings and the seed alone. With a checkpoint store in the context, the same call after an
    /// interruption reuses finished fits and resumes the others.
    ///
    /// # Errors
    /// See [`CrossFitError`].
    pub fn cross_fit(
        &self,
        data: Data<'_>,
        seed: u64,
        context: &FitContext<'_>,
    ) -> Result<CrossFitted, CrossFitError> {
        let (folds, models) = self.fit_folds(data, seed, context)?;
        let models = models.into_iter().collect::<Result<_, _>>()?;
        self.weigh_and_refit(data, folds, models, seed, context)
    }

    /// [`Self::cross_fit`] without the experts that cannot be fitted or whose log-densities are not
    /// finite, as long as one is left: the remaining settings, the result, and why each expert was
    /// left out.
    ///
    /// # Errors
    /// See [`CrossFitError`]; of experts, the first one's, when none is left.
    pub(crate) fn fit_what_can_be(
        &self,
        data: Data<'_>,
        seed: u64,
        context: &FitContext<'_>,
    ) -> Result<(Self, CrossFitted, Vec<CrossFitError>), CrossFitError> {
        let (folds, models) = self.fit_folds(data, seed, context)?;
        let (mut kept, mut whole, mut left_out) = (self.clone(), Vec::new(), Vec::new());
        kept.experts.clear();
        for (expert, models) in self.experts.iter().zip(models) {
            match models.and_then(|m| all_numbers(data, &folds, expert, m)) {
                Ok(models) => {
                    kept.experts.push(expert.clone());
                    whole.push(models);
                }
                Err(e) if e.is_of_the_disk() => return Err(e),
                Err(e) => left_out.push(e),
            }
        }
        if whole.is_empty() {
            return Err(left_out.swap_remove(0));
        }
        let fitted = kept.weigh_and_refit(data, folds, whole, seed, context)?;
        Ok((kept, fitted, left_out))
    }

    /// Stage 2, and the mixture-aware rounds.
    fn weigh_and_refit(
        &self,
        data: Data<'_>,
        folds: Vec<Fold>,
        models: Vec<Vec<FoldModel>>,
        seed: u64,
        context: &FitContext<'_>,
    ) -> Result<CrossFitted, CrossFitError> {
        let mut fitted = self.assemble(data, folds, models, seed)?;
        if let Some(aware) = &self.mixture_aware {
            for round in 0..aware.rounds {
                fitted = self.refit(data, &fitted, (aware, round), seed, context)?;
            }
        }
        Ok(fitted)
    }

    /// The single models of each expert, or the first error of its fits.
    fn fit_folds(&self, data: Data<'_>, seed: u64, context: &FitContext<'_>) -> FoldFits {
        self.check().map_err(CrossFitError::Config)?;
        let n = data.points.nrows();
        let folds = self
            .partition
            .folds(n, data.blocks, seed)
            .map_err(CrossFitError::Config)?;
        let jobs: Vec<(usize, usize)> = (0..self.experts.len())
            .flat_map(|e| (0..folds.len()).map(move |p| (e, p)))
            .collect();
        let models: Vec<Result<FoldModel, CrossFitError>> = jobs
            .par_iter()
            .map(|&(e, p)| self.fit_fold(data, &folds[p], None, seed, (e, p, ""), context))
            .collect();
        if models
            .iter()
            .any(|m| matches!(m, Err(CrossFitError::Interrupted)))
        {
            return Err(CrossFitError::Interrupted);
        }
        let mut models = models.into_iter();
        let models = (0..self.experts.len())
            .map(|_| {
                // Takes all models of the expert from the queue, also those after one that failed.
                let own: Vec<_> = models.by_ref().take(folds.len()).collect();
                own.into_iter().collect()
            })
            .collect();
        Ok((folds, models))
    }

    /// A result without the expert that was at place `k`, with the settings of the others: their weights are
    /// learned again.
    ///
    /// # Errors
    /// See [`CrossFitError`].
    pub(crate) fn without(
        &self,
        data: Data<'_>,
        fitted: CrossFitted,
        k: usize,
        seed: u64,
    ) -> Result<CrossFitted, CrossFitError> {
        let seconds = fitted.seconds.iter().zip(&fitted.models);
        let each: Vec<f64> = seconds.map(|(s, m)| s / m.len() as f64).collect();
        let experts = fitted.models.into_iter().zip(fitted.reports).zip(each);
        let others = experts.enumerate().filter(|(place, _)| *place != k);
        let models = others.map(|(_, ((models, reports), seconds))| {
            let pairs = models.into_iter().zip(reports);
            let model = |(model, report)| FoldModel {
                model,
                report,
                seconds,
            };
            pairs.map(model).collect()
        });
        self.assemble(data, fitted.folds, models.collect(), seed)
    }

    /// Stage 2 and the average, from the single models.
    pub(crate) fn assemble(
        &self,
        data: Data<'_>,
        folds: Vec<Fold>,
        models: Vec<Vec<FoldModel>>,
        seed: u64,
    ) -> Result<CrossFitted, CrossFitError> {
        let n = data.points.nrows();
        let mut rows: Vec<usize> = folds.iter().flat_map(|p| p.held_out.clone()).collect();
        rows.sort_unstable();
        rows.dedup();
        let columns: Vec<Vec<f64>> = models
            .par_iter()
            .map(|models| {
                let mut all: Vec<Vec<f64>> = vec![Vec::new(); n];
                for (fold, m) in folds.iter().zip(models) {
                    let held_out = select_rows(data.points, &fold.held_out);
                    for (&i, l) in fold
                        .held_out
                        .iter()
                        .zip(m.model.log_prob(held_out.as_ref()))
                    {
                        all[i].push(l);
                    }
                }
                rows.iter()
                    .map(|&i| ln_sum_exp(&all[i]) - ln(all[i].len() as f64))
                    .collect()
            })
            .collect();
        let out_of_fold = Mat::from_fn(rows.len(), models.len(), |i, k| columns[k][i]);
        let point_weights: Option<Vec<f64>> =
            data.weights.map(|w| rows.iter().map(|&i| w[i]).collect());
        let source = WeightData::HeldOut {
            table: out_of_fold.as_ref(),
            weights: point_weights.as_deref(),
        };
        let start = std::time::Instant::now();
        let weights = self.rule.learn(&source, seed)?;
        let weight_seconds = start.elapsed().as_secs_f64();
        let points = select_rows(data.points, &rows);
        let scored = Data::new(points.as_ref()).weighted(point_weights.as_deref());
        let seconds = models
            .iter()
            .map(|m| m.iter().map(|m| m.seconds).sum())
            .collect();
        let (models, reports): (Vec<Vec<_>>, Vec<Vec<_>>) = models
            .into_iter()
            .map(|m| m.into_iter().map(|m| (m.model, m.report)).unzip())
            .unzip();
        let averages = models.iter().map(|m| {
            let boxed = m
                .iter()
                .map(|m| Box::new(Arc::clone(m)) as Box<dyn Density>);
            Box::new(Mixture::average(boxed.collect())) as Box<dyn Density>
        });
        Ok(CrossFitted {
            mixture: Mixture::new(averages.collect(), weights.pi.clone()),
            expert_nll: columns.iter().map(|c| scored.mean_nll(c)).collect(),
            mixture_nll: scored.mean_nll(&mixture_log_prob(out_of_fold.as_ref(), &weights.pi)),
            models,
            reports,
            seconds,
            weight_seconds,
            folds,
            rows,
            out_of_fold,
            weights,
        })
    }

    /// One expert on one fold. `emphasis` multiplies the weights of the fold's inside points, where
    /// given; `round` separates the random streams of rounds.
    pub(crate) fn fit_fold(
        &self,
        data: Data<'_>,
        fold: &Fold,
        emphasis: Option<&[f64]>,
        seed: u64,
        (e, p, round): (usize, usize, &str),
        context: &FitContext<'_>,
    ) -> Result<FoldModel, CrossFitError> {
        let NamedExpert { name, kind } = &self.experts[e];
        let select = |range: std::ops::Range<usize>| {
            let rows = &fold.inside[range.clone()];
            let mut weights: Option<Vec<f64>> =
                data.weights.map(|w| rows.iter().map(|&i| w[i]).collect());
            if let Some(emphasis) = emphasis {
                let own = weights.get_or_insert_with(|| vec![1.0; rows.len()]);
                for (w, r) in own.iter_mut().zip(&emphasis[range]) {
                    *w *= r;
                }
            }
            (select_rows(data.points, rows), weights)
        };
        // Experts that stop on validation points need some; the others take all.
        let first = if kind.needs_validation() {
            fold.validation
        } else {
            0
        };
        let (train, train_weights) = select(first..fold.inside.len());
        let (valid, valid_weights) = select(0..fold.validation);
        let rng =
            |purpose: &str| -> Pcg64 { stream(seed, &format!("{name}/{p}{round}/{purpose}")) };
        let (experts, folds) = (
            (e, self.experts.len()),
            (p, self.partition.models(data.rows())),
        );
        // Not all kinds can be interrupted midway, but none starts or counts after an interruption.
        let ended = AtomicBool::new(false);
        let last = Mutex::new(None);
        let observer = |progress: &Progress<'_>| {
            let progress = Progress {
                expert: name,
                experts,
                folds,
                ..*progress
            };
            let go_on = context.tell(&progress);
            ended.fetch_or(go_on.is_break(), Relaxed);
            if let Ok(mut last) = last.lock() {
                *last = Some((progress.total, progress.held_out_nll));
            }
            go_on
        };
        let interrupted = |step: Progress<'_>| observer(&step).is_break() || ended.load(Relaxed);
        if interrupted(Progress {
            total: 1,
            ..Progress::default()
        }) {
            return Err(CrossFitError::Interrupted);
        }
        let fitted = kind
            .fit(
                &format!("{name}-{p}{}", round.replace('/', "-")),
                Data::new(train.as_ref()).weighted(train_weights.as_deref()),
                Some(Data::new(valid.as_ref()).weighted(valid_weights.as_deref())),
                &rng,
                &context.observed_by(&observer),
            )
            .map_err(|source| CrossFitError::Expert {
                expert: name.clone(),
                fold: p,
                source,
            })?;
        // An early stop is a finished fit.
        let (total, held_out_nll) = last.lock().ok().and_then(|l| *l).unwrap_or((1, None));
        let done = Progress {
            step: total,
            total,
            held_out_nll,
            ..Progress::default()
        };
        if interrupted(done) || fitted.report.termination == Termination::Interrupted {
            return Err(CrossFitError::Interrupted);
        }
        Ok(FoldModel {
            model: Arc::from(fitted.expert),
            report: fitted.report,
            seconds: fitted.seconds,
        })
    }
}
