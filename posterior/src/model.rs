//! One model of a posterior from weighted points: base, flows, weights of the experts.

use super::error::PosteriorError;
use super::evaluations::Evaluations;
use super::parts::Parts;
use super::settings::{PosteriorBase, PosteriorConfig};
use amf::{ExpertError, WeightData};
use density::{
    Affine, Bijection, Data, Density, FitContext, GaussianMixture, Mixture, Progress, Transformed,
    mixture_log_prob,
};
use faer::prelude::*;
use flows::{Flow, Termination};
use metrics::{ImportanceWeights, Reliability};
use numerics::matrix::{col_mut, select_rows};
use numerics::random::{Pcg64, permutation, stream};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// The report of a fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitReport {
    /// Likelihood evaluations, N.
    pub evaluations: usize,
    /// Those among them that were drawn from the prior.
    pub from_prior: usize,
    /// ln Z by them, and how far their weights can be trusted. After annealing, each is weighed by
    /// the density of its own round, which no draw of the round has a part in.
    pub reliability: Reliability,
    /// What is wrong with them and what to do about it, if anything.
    pub warning: Option<String>,
    /// Points used for training, early stopping and weights.
    pub points: usize,
    /// Components of the base, if it is a mixture.
    pub components: Option<usize>,
    /// The experts.
    pub experts: Vec<ExpertSummary>,
    /// Weighted held-out negative log-likelihood of the mixture of experts, nats.
    pub held_out_nll: f64,
}

/// The report of one expert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpertSummary {
    /// Its name.
    pub name: String,
    /// Its weight in the mixture.
    pub weight: f64,
    /// Weighted held-out negative log-likelihood of its models, each on its own fold, nats.
    pub held_out_nll: f64,
    /// The selected step of each model.
    pub steps: Vec<usize>,
    /// How often its fits diverged and backed off.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub backoffs: usize,
}

// By reference, as serde asks.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// Weighted points.
pub(super) struct Weighted {
    pub points: Mat<f64>,
    pub weights: Vec<f64>,
}

impl Weighted {
    pub fn data(&self) -> Data<'_> {
        Data::new(self.points.as_ref()).weighted(&self.weights[..])
    }

    fn part(&self, rows: &[usize]) -> Self {
        Self {
            points: select_rows(self.points.as_ref(), rows),
            weights: rows.iter().map(|&i| self.weights[i]).collect(),
        }
    }

    /// A weighted subsample of about this many points at most.
    pub fn thinned(&self, most: usize, rng: &mut Pcg64) -> Self {
        let logs: Vec<f64> = self
            .weights
            .iter()
            .map(|&w| numerics::math::ln(w))
            .collect();
        let weights = ImportanceWeights::new(&logs).expect("some weight is above zero");
        let (rows, weights) = weights.thin(most, rng);
        Self {
            points: select_rows(self.points.as_ref(), &rows),
            weights,
        }
    }
}

/// The points of evaluations that are worth training on.
pub(super) fn points(
    evaluations: &Evaluations,
    config: &PosteriorConfig,
    rng: &mut Pcg64,
) -> Result<Weighted, PosteriorError> {
    let weights = ImportanceWeights::new(evaluations.log_weights())?;
    let most = (weights.reliability().ess * config.points_for_each_effective).ceil() as usize;
    let (rows, weights) = weights.thin(most.min(config.most_points), rng);
    Ok(Weighted {
        points: select_rows(evaluations.theta(), &rows),
        weights,
    })
}

/// What all models of a fold share.
struct Fold {
    train: Weighted,
    valid: Weighted,
    /// Those of `valid` that early stopping uses.
    stop: Weighted,
    standardise: Affine,
    mixture: Option<GaussianMixture>,
    /// Number of components of the mixture, not counting those added for its tails.
    components: Option<usize>,
}

/// A model of one expert for one fold.
struct FoldModel {
    density: Box<dyn Density>,
    /// At the fold's points.
    log_prob: Vec<f64>,
    steps: usize,
    backoffs: usize,
}

/// A fit of all experts to the same points.
pub(super) struct ModelFit<'a> {
    pub config: &'a PosteriorConfig,
    /// Gives the stream for a purpose.
    pub rng: &'a (dyn Fn(&str) -> Pcg64 + Sync),
    pub seed: u64,
    pub context: FitContext<'a>,
}

/// The mixture of experts and its report.
pub(super) struct Model {
    pub mixture: Mixture,
    pub components: Option<usize>,
    pub experts: Vec<ExpertSummary>,
    pub held_out_nll: f64,
}

impl ModelFit<'_> {
    pub fn run(&self, points: &Weighted) -> Result<Model, PosteriorError> {
        let (config, rng) = (self.config, self.rng);
        let n = points.weights.len();
        if n < 10 * config.folds {
            return Err(PosteriorError::TooFew {
                points: n,
                folds: config.folds,
            });
        }
        let order = permutation(&mut rng("folds"), n);
        let folds: Vec<Fold> = (0..self.config.models)
            .into_par_iter()
            .map(|f| self.fold(points, &order, f))
            .collect::<Result<_, _>>()?;
        let jobs: Vec<(usize, usize)> = (0..config.experts.len())
            .flat_map(|e| (0..self.config.models).map(move |f| (e, f)))
            .collect();
        let mut models: Vec<FoldModel> = jobs
            .par_iter()
            .map(|&(e, f)| self.flow(e, f, &folds[f]))
            .collect::<Result<_, _>>()?;
        let mut names: Vec<&str> = config
            .experts
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        if config.base_as_expert {
            names.push("base");
            models.extend(folds.iter().map(base_model));
        }
        self.combine(&folds, &names, models)
    }

    fn fold(&self, points: &Weighted, order: &[usize], f: usize) -> Result<Fold, PosteriorError> {
        let rng = |purpose: &str| (self.rng)(&format!("{f}/{purpose}"));
        let (own, others): (Vec<usize>, Vec<usize>) =
            (0..order.len()).partition(|i| i % self.config.folds == f);
        let rows =
            |part: Vec<usize>| points.part(&part.into_iter().map(|i| order[i]).collect::<Vec<_>>());
        let (train, valid) = (rows(others), rows(own));
        let standardise = Affine::standardising(train.points.as_ref(), Some(&train.weights))
            .map_err(|column| PosteriorError::NoSpread { column })?;
        let mut components = None;
        let mixture = match self.config.base {
            PosteriorBase::StandardNormal => None,
            PosteriorBase::Mixture {
                components: wanted,
                em,
                tails,
                ..
            } => {
                let few = train.thinned(self.config.base_points, &mut rng("base/points"));
                let mut standard = few.points;
                standardise.transform(standard.as_mut());
                let data = Data::new(standard.as_ref()).weighted(&few.weights[..]);
                let found = wanted
                    .fit(data, &em, &mut rng("base"))
                    .map_err(PosteriorError::Base)?;
                components = Some(found.len());
                Some(match tails {
                    Some(t) => Parts::of(&found).with_tails(t.share, t.scale).build(),
                    None => found,
                })
            }
        };
        Ok(Fold {
            stop: valid.thinned(self.config.validation_points, &mut rng("stop")),
            train,
            valid,
            standardise,
            mixture,
            components,
        })
    }

    fn flow(&self, e: usize, f: usize, fold: &Fold) -> Result<FoldModel, PosteriorError> {
        let (name, settings) = &self.config.experts[e];
        let rng = |purpose: &str| (self.rng)(&format!("{name}/{f}/{purpose}"));
        let failed = |source: ExpertError| PosteriorError::Expert {
            expert: name.clone(),
            fold: f,
            source,
        };
        let d = fold.standardise.dim();
        let rotation = settings.frame.rotation(d);
        let base = self
            .config
            .base
            .place(fold.mixture.as_ref(), rotation.as_ref());
        let mut flow = Flow::builder(&settings.architecture, Affine::identity(d))
            .on_base(base)
            .build(&mut rng("init"))
            .map_err(|e| failed(e.into()))?;
        let bijection = settings.frame.bijection(&fold.standardise);
        let inside = |part: &Weighted| Weighted {
            points: bijection.transform_and_log_det(part.points.as_ref()).0,
            weights: part.weights.clone(),
        };
        let log_det = fold.standardise.log_det();
        let observer = |p: &Progress<'_>| {
            self.context.tell(&Progress {
                expert: name,
                experts: (e, self.config.experts.len()),
                folds: (f, self.config.models),
                held_out_nll: p.held_out_nll.map(|nll| nll - log_det),
                ..*p
            })
        };
        let report = flow
            .fit(
                inside(&fold.train).data(),
                Some(inside(&fold.stop).data()),
                &settings.fit,
                &mut rng("batches"),
                &self.context.observed_by(&observer),
            )
            .map_err(|e| failed(e.into()))?;
        if report.termination == Termination::Interrupted {
            return Err(PosteriorError::Interrupted);
        }
        let density = Transformed {
            bijection,
            density: flow,
        };
        Ok(FoldModel {
            log_prob: density.log_prob(fold.valid.points.as_ref()),
            density: Box::new(density),
            steps: report.best_step,
            backoffs: report.backoffs.len(),
        })
    }

    /// Weighs the experts by their held-out densities and averages the models of each.
    fn combine(
        &self,
        folds: &[Fold],
        names: &[&str],
        models: Vec<FoldModel>,
    ) -> Result<Model, PosteriorError> {
        let weights: Vec<f64> = folds
            .iter()
            .flat_map(|f| f.valid.weights.iter().copied())
            .collect();
        let mut table = Mat::zeros(weights.len(), names.len());
        for (e, of_expert) in models.chunks_exact(self.config.models).enumerate() {
            let column: Vec<f64> = of_expert
                .iter()
                .flat_map(|m| m.log_prob.iter().copied())
                .collect();
            col_mut(table.as_mut(), e).copy_from_slice(&column);
        }
        let source = WeightData::HeldOut {
            table: table.as_ref(),
            weights: Some(&weights),
        };
        let learned = self.config.rule.learn(&source, self.seed)?;
        let total = numerics::math::sum(&weights);
        let nll = |log_q: &[f64]| -numerics::math::dot(log_q, &weights) / total;
        let mut experts: Vec<ExpertSummary> = names
            .iter()
            .enumerate()
            .map(|(e, name)| ExpertSummary {
                name: (*name).into(),
                weight: learned.pi[e],
                held_out_nll: nll(numerics::matrix::col(table.as_ref(), e)),
                steps: Vec::new(),
                backoffs: 0,
            })
            .collect();
        let mut averages: Vec<Box<dyn Density>> = Vec::with_capacity(names.len());
        let mut models = models.into_iter();
        for summary in &mut experts {
            let own: Vec<FoldModel> = models.by_ref().take(self.config.models).collect();
            summary.steps = own.iter().map(|m| m.steps).collect();
            summary.backoffs = own.iter().map(|m| m.backoffs).sum();
            let mut own: Vec<Box<dyn Density>> = own.into_iter().map(|m| m.density).collect();
            averages.push(if own.len() == 1 {
                own.remove(0)
            } else {
                Box::new(Mixture::average(own))
            });
        }
        Ok(Model {
            held_out_nll: nll(&mixture_log_prob(table.as_ref(), &learned.pi)),
            mixture: Mixture::new(averages, learned.pi),
            components: folds[0].components,
            experts,
        })
    }
}

/// The base of a fold as an expert.
fn base_model(fold: &Fold) -> FoldModel {
    let density = Transformed {
        bijection: Bijection::Affine(fold.standardise.clone()),
        density: fold.mixture.clone().expect("settings are checked"),
    };
    FoldModel {
        log_prob: density.log_prob(fold.valid.points.as_ref()),
        density: Box::new(density),
        steps: 0,
        backoffs: 0,
    }
}

/// The stream for a purpose within a stage.
pub(super) fn purpose(seed: u64, stage: &str, purpose: &str) -> Pcg64 {
    stream(seed, &format!("posterior/{stage}/{purpose}"))
}
