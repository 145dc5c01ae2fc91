//! Cross-fitting: every point trains, chooses and weighs, and none is scored by a model that saw it.

use crate::experts::{Expert, ExpertError, ExpertReport, NamedExpert, Progress};
use crate::mixture::{Mixture, mixture_log_prob};
use crate::partition::{Part, Partition};
use crate::weights::{LearnedWeights, Source, WeightError, WeightRule};
use faer::prelude::*;
use flows::{Data, Termination};
use numerics::math::{ln, ln_sum_exp};
use numerics::matrix::select_rows;
use numerics::random::{Pcg64, stream};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::sync::Arc;
use store::{NoShelf, Shelf};

/// Settings of cross-fitting. [`CrossFit::default`] is the recipe for data of any kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrossFit {
    /// Which points are held out from which models.
    pub partition: Partition,
    /// The experts.
    pub experts: Vec<NamedExpert>,
    /// How out-of-fold log-densities become weights.
    pub rule: WeightRule,
    /// Rounds that refit the experts in view of each other, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixture_aware: Option<crate::MixtureAware>,
}

/// What cross-fitting found.
pub struct CrossFitted {
    /// Each expert is the average of its models, one for each part; the mixture has the learned weights.
    pub mixture: Mixture,
    /// The single models: `models[k][p]` is of expert k and part p.
    pub models: Vec<Vec<Arc<dyn Expert>>>,
    /// How the fits went, like `models`.
    pub reports: Vec<Vec<ExpertReport>>,
    /// Seconds of the fits of each expert, summed over the parts.
    pub seconds: Vec<f64>,
    /// Seconds of stage 2.
    pub weight_seconds: f64,
    /// What was held out from which model.
    pub parts: Vec<Part>,
    /// Rows that some part holds out, in rising order: all of them, unless the data are so many that one split serves.
    pub rows: Vec<usize>,
    /// `ln q_k(x_n)` of these rows (N) under the experts (K). Each q_k is the average of the models that did not see the point.
    pub out_of_fold: Mat<f64>,
    /// The weights.
    pub weights: LearnedWeights,
    /// Mean out-of-fold negative log-likelihood of each expert, nats.
    pub expert_nll: Vec<f64>,
    /// The same of the mixture. The weights were learned on these points: with a handful of experts that flatters it by less than K / N nats.
    pub mixture_nll: f64,
}

/// Why cross-fitting failed.
#[derive(Debug, thiserror::Error)]
pub enum CrossFitError {
    /// Settings that make no sense.
    #[error("{0}")]
    Config(String),
    /// A model could not be fitted.
    #[error("expert \"{expert}\", fold {fold}: {source}")]
    Expert {
        /// Name of the expert.
        expert: String,
        /// Number of the part.
        fold: usize,
        /// What went wrong.
        source: ExpertError,
    },
    /// A log-density that is not a number.
    #[error("expert \"{expert}\", fold {fold}: the log-density of row {row} is {value}")]
    BadDensity {
        /// Name of the expert.
        expert: String,
        /// Number of the part.
        fold: usize,
        /// The value.
        value: f64,
        /// Row of the data.
        row: usize,
    },
    /// The weights could not be learned.
    #[error("mixture weights: {0}")]
    Weights(#[from] WeightError),
    /// The observer asked for an end.
    #[error("interrupted")]
    Interrupted,
}

impl CrossFitError {
    /// Whether what was done cannot be kept: no fault of the expert's.
    fn is_of_the_disk(&self) -> bool {
        let Self::Expert { source, .. } = self else {
            return false;
        };
        matches!(
            source,
            ExpertError::Keep(_) | ExpertError::Fit(flows::FitError::Keep(_))
        )
    }
}

/// Gets the numbers of the expert and of the part, and how that fit goes on; can end it.
pub type PartObserver<'a> = &'a (dyn Fn(usize, usize, Progress) -> ControlFlow<()> + Sync);

/// Who watches the fits, and where they are kept.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Hears how they go on; can end them.
    pub observe: PartObserver<'a>,
    /// Every fit is a unit of work there.
    pub shelf: &'a dyn Shelf,
}

impl<'a> Watch<'a> {
    /// Nothing is kept.
    #[must_use]
    pub fn new(observe: PartObserver<'a>) -> Self {
        Self {
            observe,
            shelf: &NoShelf,
        }
    }
}

/// One model, and how its fit went.
pub(crate) struct PartModel {
    pub(crate) model: Arc<dyn Expert>,
    pub(crate) report: ExpertReport,
    pub(crate) seconds: f64,
}

/// Parts, and for each expert its models.
type PartFits = Result<(Vec<Part>, Vec<Result<Vec<PartModel>, CrossFitError>>), CrossFitError>;

/// The models, if their held-out log-densities are numbers or minus infinity.
fn all_numbers(
    data: Data<'_>,
    parts: &[Part],
    expert: &NamedExpert,
    models: Vec<PartModel>,
) -> Result<Vec<PartModel>, CrossFitError> {
    for (fold, (part, m)) in parts.iter().zip(&models).enumerate() {
        let held_out = select_rows(data.points, &part.held_out);
        let log_q = m.model.log_prob(held_out.as_ref());
        let bad = log_q.iter().position(|l| l.is_nan() || *l == f64::INFINITY);
        if let Some(i) = bad {
            return Err(CrossFitError::BadDensity {
                expert: expert.name.clone(),
                fold,
                value: log_q[i],
                row: part.held_out[i],
            });
        }
    }
    Ok(models)
}

impl CrossFit {
    /// What is wrong with the settings, if anything.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub fn check(&self) -> Result<(), String> {
        self.partition.check()?;
        if self.experts.is_empty() {
            return Err("experts must not be empty".into());
        }
        for e in &self.experts {
            e.kind
                .check()
                .map_err(|reason| format!("expert \"{}\": {reason}", e.name))?;
        }
        if let Some(m) = &self.mixture_aware {
            m.check()?;
        }
        self.rule.check()
    }

    /// Fits every expert on each part of the partition, learns the weights from the out-of-fold log-densities, averages each expert's
    /// models, and does the mixture-aware rounds, if any are asked for.
    ///
    /// The fits run in parallel on the current thread pool; the result depends on the data, the settings and the seed alone.
    /// `observe` gets the number of the expert, that of the part, and the progress of that fit.
    ///
    /// # Errors
    /// See [`CrossFitError`].
    pub fn fit(
        &self,
        data: Data<'_>,
        seed: u64,
        observe: PartObserver<'_>,
    ) -> Result<CrossFitted, CrossFitError> {
        self.fit_on(data, seed, Watch::new(observe))
    }

    /// [`Self::fit`] whose fits are kept: the same call after an interruption finds those that are done, and goes on with those that are not.
    ///
    /// # Errors
    /// See [`CrossFitError`].
    pub fn fit_on(
        &self,
        data: Data<'_>,
        seed: u64,
        watch: Watch<'_>,
    ) -> Result<CrossFitted, CrossFitError> {
        let (parts, models) = self.fit_parts(data, seed, watch)?;
        let models = models.into_iter().collect::<Result<_, _>>()?;
        let mut fitted = self.assemble(data, parts, models, seed)?;
        if let Some(aware) = &self.mixture_aware {
            for round in 0..aware.rounds {
                fitted = self.refit(data, &fitted, (aware, round), seed, watch)?;
            }
        }
        Ok(fitted)
    }

    /// [`Self::fit_on`] without the experts that cannot be fitted, or whose densities are no numbers, as long as one is left: the settings
    /// without them, what was found, and why each was left out.
    ///
    /// # Errors
    /// See [`CrossFitError`]; of experts, the first one's, when none is left.
    pub fn fit_what_can_be(
        &self,
        data: Data<'_>,
        seed: u64,
        watch: Watch<'_>,
    ) -> Result<(Self, CrossFitted, Vec<CrossFitError>), CrossFitError> {
        let (parts, models) = self.fit_parts(data, seed, watch)?;
        let (mut kept, mut whole, mut left_out) = (self.clone(), Vec::new(), Vec::new());
        kept.experts.clear();
        for (expert, models) in self.experts.iter().zip(models) {
            match models.and_then(|m| all_numbers(data, &parts, expert, m)) {
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
        let mut fitted = kept.assemble(data, parts, whole, seed)?;
        if let Some(aware) = &kept.mixture_aware {
            for round in 0..aware.rounds {
                fitted = kept.refit(data, &fitted, (aware, round), seed, watch)?;
            }
        }
        Ok((kept, fitted, left_out))
    }

    /// The single models of each expert, or the first error of its fits.
    fn fit_parts(&self, data: Data<'_>, seed: u64, watch: Watch<'_>) -> PartFits {
        self.check().map_err(CrossFitError::Config)?;
        let n = data.points.nrows();
        let parts = self
            .partition
            .parts(n, seed)
            .map_err(CrossFitError::Config)?;
        let jobs: Vec<(usize, usize)> = (0..self.experts.len())
            .flat_map(|e| (0..parts.len()).map(move |p| (e, p)))
            .collect();
        let models: Vec<Result<PartModel, CrossFitError>> = jobs
            .par_iter()
            .map(|&(e, p)| self.fit_part(data, &parts[p], None, seed, (e, p, ""), watch))
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
                // All models of the expert leave the queue, also those behind one that failed.
                let own: Vec<_> = models.by_ref().take(parts.len()).collect();
                own.into_iter().collect()
            })
            .collect();
        Ok((parts, models))
    }

    /// Stage 2 and the average, from the single models.
    pub(crate) fn assemble(
        &self,
        data: Data<'_>,
        parts: Vec<Part>,
        models: Vec<Vec<PartModel>>,
        seed: u64,
    ) -> Result<CrossFitted, CrossFitError> {
        let n = data.points.nrows();
        let mut rows: Vec<usize> = parts.iter().flat_map(|p| p.held_out.clone()).collect();
        rows.sort_unstable();
        rows.dedup();
        let columns: Vec<Vec<f64>> = models
            .par_iter()
            .map(|models| {
                let mut all: Vec<Vec<f64>> = vec![Vec::new(); n];
                for (part, m) in parts.iter().zip(models) {
                    let held_out = select_rows(data.points, &part.held_out);
                    for (&i, l) in part
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
        let source = Source::HeldOut {
            table: out_of_fold.as_ref(),
            weights: point_weights.as_deref(),
        };
        let start = std::time::Instant::now();
        let weights = self.rule.learn(&source, seed)?;
        let weight_seconds = start.elapsed().as_secs_f64();
        let points = select_rows(data.points, &rows);
        let scored = Data {
            points: points.as_ref(),
            weights: point_weights.as_deref(),
        };
        let seconds = models
            .iter()
            .map(|m| m.iter().map(|m| m.seconds).sum())
            .collect();
        let (models, reports): (Vec<Vec<_>>, Vec<Vec<_>>) = models
            .into_iter()
            .map(|m| m.into_iter().map(|m| (m.model, m.report)).unzip())
            .unzip();
        let averages = models.iter().map(|m| {
            let boxed = m.iter().map(|m| Box::new(Arc::clone(m)) as Box<dyn Expert>);
            Box::new(Mixture::average(boxed.collect())) as Box<dyn Expert>
        });
        Ok(CrossFitted {
            mixture: Mixture::new(averages.collect(), weights.pi.clone()),
            expert_nll: columns.iter().map(|c| scored.mean_nll(c)).collect(),
            mixture_nll: scored.mean_nll(&mixture_log_prob(out_of_fold.as_ref(), &weights.pi)),
            models,
            reports,
            seconds,
            weight_seconds,
            parts,
            rows,
            out_of_fold,
            weights,
        })
    }

    /// One expert on one part. `emphasis` multiplies the weights of the part's inside points, where given; `round` keeps the
    /// random streams of rounds apart.
    pub(crate) fn fit_part(
        &self,
        data: Data<'_>,
        part: &Part,
        emphasis: Option<&[f64]>,
        seed: u64,
        (e, p, round): (usize, usize, &str),
        Watch { observe, shelf }: Watch<'_>,
    ) -> Result<PartModel, CrossFitError> {
        let NamedExpert { name, kind } = &self.experts[e];
        let select = |range: std::ops::Range<usize>| {
            let rows = &part.inside[range.clone()];
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
            part.validation
        } else {
            0
        };
        let (train, train_weights) = select(first..part.inside.len());
        let (valid, valid_weights) = select(0..part.validation);
        let rng =
            |purpose: &str| -> Pcg64 { stream(seed, &format!("{name}/{p}{round}/{purpose}")) };
        // Not all kinds can be ended halfway, but none begins or counts after the end was asked for.
        let start_of_fit = Progress {
            step: 0,
            total: 1,
            held_out_nll: None,
        };
        let mut last = start_of_fit;
        let mut ended = observe(e, p, start_of_fit).is_break();
        if ended {
            return Err(CrossFitError::Interrupted);
        }
        let fitted = kind
            .fit_on(
                shelf,
                &format!("{name}-{p}{}", round.replace('/', "-")),
                Data {
                    points: train.as_ref(),
                    weights: train_weights.as_deref(),
                },
                Some(Data {
                    points: valid.as_ref(),
                    weights: valid_weights.as_deref(),
                }),
                &rng,
                &mut |progress| {
                    let go_on = observe(e, p, progress);
                    ended |= go_on.is_break();
                    last = progress;
                    go_on
                },
            )
            .map_err(|source| CrossFitError::Expert {
                expert: name.clone(),
                fold: p,
                source,
            })?;
        // However early it stopped, it is done.
        ended |= observe(
            e,
            p,
            Progress {
                step: last.total,
                ..last
            },
        )
        .is_break();
        if ended || fitted.report.termination == Termination::Interrupted {
            return Err(CrossFitError::Interrupted);
        }
        Ok(PartModel {
            model: Arc::from(fitted.expert),
            report: fitted.report,
            seconds: fitted.seconds,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experts::{Components, ExpertConfig, GaussianMixtureExpert, KdeExpert};
    use crate::metrics::kl_exact;
    use datasets::Family;
    use flows::EmConfig;

    fn named(name: &str, kind: ExpertConfig) -> NamedExpert {
        NamedExpert {
            name: name.into(),
            kind,
        }
    }

    fn settings() -> CrossFit {
        let mixture = |components, average| {
            ExpertConfig::GaussianMixture(GaussianMixtureExpert {
                components,
                average,
                em: EmConfig {
                    restarts: 1,
                    floor: 1e-3,
                    ..EmConfig::default()
                },
            })
        };
        CrossFit {
            partition: Partition {
                folds: 4,
                repeats: 1,
                validation: 0.125,
                repeats_up_to: 1000,
                folds_up_to: 1000,
            },
            mixture_aware: None,
            experts: vec![
                named(
                    "bic",
                    mixture(
                        Components::Bic {
                            most: 10,
                            patience: 2,
                        },
                        1,
                    ),
                ),
                named("sixteen", mixture(Components::Fixed(16), 2)),
                named("kde", ExpertConfig::Kde(KdeExpert {})),
            ],
            rule: WeightRule::Stacking {
                tolerance: 1e-8,
                max_iterations: 500,
                batch: 1,
            },
        }
    }

    fn with_folds(folds: usize) -> CrossFit {
        let mut s = settings();
        s.partition.folds = folds;
        s
    }

    fn go(_: usize, _: usize, _: Progress) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    #[test]
    fn the_mixture_is_close_to_the_best_expert_and_out_of_fold_scores_are_honest() {
        let family = Family::TwoMoons;
        let x = family.sample(400, &mut stream(1, "cross-fit"));
        let found = settings().fit(Data::new(x.as_ref()), 1, &go).unwrap();
        assert!(found.weights.certificate <= 1e-8);
        let test = family.sample(5000, &mut stream(2, "cross-fit"));
        let log_p = family.log_prob(test.as_ref());
        let kl = |e: &dyn Expert| kl_exact(&log_p, &e.log_prob(test.as_ref())).value;
        let best = found
            .mixture
            .experts()
            .into_iter()
            .map(kl)
            .fold(f64::INFINITY, f64::min);
        let own = kl(&found.mixture);
        assert!(own < best + 0.01, "mixture {own}, best expert {best}");
        // Averaging can only help: out-of-fold scores of single fold models are not below those of the averages on fresh points, up to noise.
        let noise = 3.0 * (1.5f64 / 400.0).sqrt();
        let gap = found.mixture_nll - family.entropy().value;
        assert!(gap > own - noise, "out of fold {gap}, fresh points {own}");
    }

    #[test]
    fn threads_change_no_bit_and_bad_settings_are_refused() {
        let x = Family::Banana.sample(120, &mut stream(1, "threads"));
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| settings().fit(Data::new(x.as_ref()), 5, &go).unwrap())
        };
        let (one, three) = (run(1), run(3));
        assert_eq!(one.out_of_fold, three.out_of_fold);
        assert_eq!(one.weights, three.weights);
        let refuse = |s: CrossFit| {
            s.fit(Data::new(x.as_ref()), 1, &go)
                .err()
                .unwrap()
                .to_string()
        };
        assert!(refuse(with_folds(1)).contains("folds"));
        assert!(refuse(with_folds(60)).contains("too few"));
        assert!(
            refuse(CrossFit {
                experts: vec![],
                ..settings()
            })
            .contains("experts")
        );
        let mut flat = x.clone();
        (0..120).for_each(|i| flat[(i, 1)] = 2.0);
        let error = settings()
            .fit(Data::new(flat.as_ref()), 1, &go)
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains("expert \"") && error.contains("spread"),
            "{error}"
        );
    }
}
