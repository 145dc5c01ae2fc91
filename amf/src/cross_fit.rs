//! Cross-fitting: every point trains, chooses and weighs, and none is scored by a model that saw it.

use crate::experts::{Expert, ExpertConfig, ExpertError, Progress};
use crate::mixture::{Mixture, mixture_log_prob};
use crate::weights::{LearnedWeights, Source, WeightError, WeightRule};
use autodiff::matrix::select_rows;
use autodiff::random::{Pcg64, permutation, stream};
use faer::prelude::*;
use flows::{Data, Termination};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// Settings of cross-fitting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrossFit {
    /// Number K of folds, at least 2.
    pub folds: usize,
    /// Share of each fold's complement that stops training early.
    #[serde(deserialize_with = "autodiff::checked::share")]
    pub validation: f64,
    /// Kinds of experts, with their names.
    pub experts: Vec<(String, ExpertConfig)>,
    /// How out-of-fold log-densities become weights.
    pub rule: WeightRule,
}

/// What cross-fitting found.
pub struct CrossFitted {
    /// Each expert is the average of its fold models; the mixture has the learned weights.
    pub mixture: Mixture,
    /// `ln q_k(x_n)` of each point (n) under the fold model of each expert (K) that did not see it.
    pub out_of_fold: Mat<f64>,
    /// The weights.
    pub weights: LearnedWeights,
    /// Mean out-of-fold negative log-likelihood of each expert, nats.
    pub expert_nll: Vec<f64>,
    /// The same of the mixture. The weights were learned on these points: with a handful of experts that flatters it by less than K / n nats.
    pub mixture_nll: f64,
}

/// Why cross-fitting failed.
#[derive(Debug, thiserror::Error)]
pub enum CrossFitError {
    /// Settings that make no sense.
    #[error("{0}")]
    Config(String),
    /// A fold could not be fitted.
    #[error("expert \"{expert}\", fold {fold}: {source}")]
    Expert {
        /// Name of the expert.
        expert: String,
        /// Number of the fold.
        fold: usize,
        /// What went wrong.
        source: ExpertError,
    },
    /// The weights could not be learned.
    #[error("mixture weights: {0}")]
    Weights(#[from] WeightError),
    /// The observer asked for an end.
    #[error("interrupted")]
    Interrupted,
}

/// One fold model and its log-densities at the fold's points.
struct FoldModel {
    expert: Box<dyn Expert>,
    log_prob: Vec<f64>,
}

impl CrossFit {
    /// What is wrong with the settings, if anything.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub fn check(&self) -> Result<(), String> {
        if self.folds < 2 {
            return Err(format!("folds must be at least 2, not {}", self.folds));
        }
        if self.experts.is_empty() {
            return Err("experts must not be empty".into());
        }
        for (name, e) in &self.experts {
            e.check()
                .map_err(|reason| format!("expert \"{name}\": {reason}"))?;
        }
        self.rule.check()
    }

    /// Fits every expert on the complement of every fold, learns the weights from the out-of-fold log-densities, and averages each
    /// expert's fold models.
    ///
    /// Folds and expert fits run in parallel on the current thread pool; the result depends on the data, the settings and the seed alone.
    /// `observe` gets the number of the expert, that of the fold, and the progress of that fit.
    ///
    /// # Errors
    /// See [`CrossFitError`].
    pub fn fit(
        &self,
        data: Data<'_>,
        seed: u64,
        observe: &(dyn Fn(usize, usize, Progress) -> ControlFlow<()> + Sync),
    ) -> Result<CrossFitted, CrossFitError> {
        self.check().map_err(CrossFitError::Config)?;
        let n = data.points.nrows();
        if n < 4 * self.folds {
            return Err(CrossFitError::Config(format!(
                "{n} points are too few for {} folds",
                self.folds
            )));
        }
        let order = permutation(&mut stream(seed, "folds"), n);
        let jobs: Vec<(usize, usize)> = (0..self.experts.len())
            .flat_map(|e| (0..self.folds).map(move |f| (e, f)))
            .collect();
        let models: Vec<FoldModel> = jobs
            .par_iter()
            .map(|&(e, f)| self.fit_fold(data, &order, seed, (e, f), observe))
            .collect::<Result<_, _>>()?;

        let mut table = Mat::zeros(n, self.experts.len());
        for (&(e, f), model) in jobs.iter().zip(&models) {
            for (&i, l) in self.fold(&order, f).iter().zip(&model.log_prob) {
                table[(i, e)] = *l;
            }
        }
        let source = Source::HeldOut {
            table: table.as_ref(),
            weights: data.weights,
        };
        let weights = self.rule.learn(&source, seed)?;
        let mut models = models.into_iter().map(|m| m.expert);
        let averages = (0..self.experts.len())
            .map(|_| {
                Box::new(Mixture::average(models.by_ref().take(self.folds).collect()))
                    as Box<dyn Expert>
            })
            .collect();
        let column = |e: usize| autodiff::matrix::col(table.as_ref(), e);
        Ok(CrossFitted {
            expert_nll: (0..self.experts.len())
                .map(|e| data.mean_nll(column(e)))
                .collect(),
            mixture_nll: data.mean_nll(&mixture_log_prob(table.as_ref(), &weights.pi)),
            mixture: Mixture::new(averages, weights.pi.clone()),
            out_of_fold: table,
            weights,
        })
    }

    /// Rows of fold f.
    fn fold(&self, order: &[usize], f: usize) -> Vec<usize> {
        order.iter().copied().skip(f).step_by(self.folds).collect()
    }

    fn fit_fold(
        &self,
        data: Data<'_>,
        order: &[usize],
        seed: u64,
        (e, f): (usize, usize),
        observe: &(dyn Fn(usize, usize, Progress) -> ControlFlow<()> + Sync),
    ) -> Result<FoldModel, CrossFitError> {
        let (name, config) = &self.experts[e];
        let inside: Vec<usize> = (0..order.len())
            .filter(|i| i % self.folds != f)
            .map(|i| order[i])
            .collect();
        let held =
            ((inside.len() as f64 * self.validation).ceil() as usize).clamp(1, inside.len() - 1);
        let part = |rows: &[usize]| {
            let weights = data
                .weights
                .map(|w| rows.iter().map(|&i| w[i]).collect::<Vec<f64>>());
            (select_rows(data.points, rows), weights)
        };
        // Experts that stop on validation points need some; the others take all.
        let rows = if config.needs_validation() {
            &inside[held..]
        } else {
            &inside[..]
        };
        let ((train, train_weights), (valid, valid_weights)) = (part(rows), part(&inside[..held]));
        let rng = |purpose: &str| -> Pcg64 { stream(seed, &format!("{name}/{f}/{purpose}")) };
        let fitted = config
            .fit(
                Data {
                    points: train.as_ref(),
                    weights: train_weights.as_deref(),
                },
                Some(Data {
                    points: valid.as_ref(),
                    weights: valid_weights.as_deref(),
                }),
                &rng,
                &mut |p| observe(e, f, p),
            )
            .map_err(|source| CrossFitError::Expert {
                expert: name.clone(),
                fold: f,
                source,
            })?;
        if fitted.report.termination == Termination::Interrupted {
            return Err(CrossFitError::Interrupted);
        }
        let out = select_rows(data.points, &self.fold(order, f));
        Ok(FoldModel {
            log_prob: fitted.expert.log_prob(out.as_ref()),
            expert: fitted.expert,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experts::{Components, GaussianMixtureExpert, KdeExpert};
    use crate::metrics::kl_exact;
    use datasets::Family;
    use flows::EmConfig;

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
            folds: 4,
            validation: 0.125,
            experts: vec![
                (
                    "bic".into(),
                    mixture(
                        Components::Bic {
                            most: 10,
                            patience: 2,
                        },
                        1,
                    ),
                ),
                ("sixteen".into(), mixture(Components::Fixed(16), 2)),
                ("kde".into(), ExpertConfig::Kde(KdeExpert {})),
            ],
            rule: WeightRule::Stacking {
                tolerance: 1e-8,
                max_iterations: 500,
                batch: 1,
            },
        }
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
        assert!(
            refuse(CrossFit {
                folds: 1,
                ..settings()
            })
            .contains("folds")
        );
        assert!(
            refuse(CrossFit {
                folds: 60,
                ..settings()
            })
            .contains("too few")
        );
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
