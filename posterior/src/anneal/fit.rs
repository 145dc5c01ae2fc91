//! Fits of proposals to weighted points.

use super::mixture::{EM, Search};
use crate::parts::Parts;
use crate::settings::FlowSettings;
use amf::experts::{BaseConfig, Components, FlowExpert, GaussianMixtureExpert, RbigExpert};
use amf::{ExpertConfig, NamedExpert, WeightData, WeightRule};
use autodiff::{AdamConfig, Schedule};
use density::{Data, Density, EmError, FitContext, GaussianMixture, Mixture};
use faer::prelude::*;
use flows::{Architecture, Batch, FitConfig};
use metrics::ImportanceWeights;
use numerics::matrix::{col_mut, select_rows};
use numerics::random::Pcg64;
use numerics::random::permutation;
use rayon::prelude::*;
use rbig::{LayerRule, MarginalKind, RbigConfig, RotationKind};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The weight below which an expert is idle.
const IDLE: f64 = 0.01;

/// Log-density that stands for none, nats: stacking wants finite ones.
const IMPOSSIBLE: f64 = -1e6;

/// A fitted proposal.
pub(super) struct Model {
    pub density: Arc<dyn Density>,
    /// Its Gaussian mixture, without tails.
    pub mixture: GaussianMixture,
    /// Names of experts that were fitted and got next to no weight.
    pub idle: BTreeSet<String>,
}

/// How a proposal is fitted.
pub(super) struct Fit<'a> {
    /// The Gaussian mixture of the round before.
    pub previous: Option<&'a GaussianMixture>,
    /// The most components.
    pub max: usize,
    /// Whether flows are fitted as well.
    pub flows: bool,
    /// Names of experts that are not fitted.
    pub without: &'a BTreeSet<String>,
    /// The stream for a purpose.
    pub rng: &'a (dyn Fn(&str) -> Pcg64 + Sync),
}

impl Fit<'_> {
    /// Experts on four fifths of the points, stacked on the last fifth. `log_target` is the density
    /// that they stand for, at each of them.
    pub fn model(
        &self,
        points: &Mat<f64>,
        weights: &[f64],
        log_target: &[f64],
    ) -> Result<Model, EmError> {
        let order = permutation(&mut (self.rng)("folds"), weights.len());
        let (own, others) = order.split_at(weights.len() / 5);
        let part = |rows: &[usize]| {
            let weights: Vec<f64> = rows.iter().map(|&i| weights[i]).collect();
            (select_rows(points.as_ref(), rows), weights)
        };
        let ((train, train_weights), (valid, valid_weights)) = (part(others), part(own));
        let train = Data::new(train.as_ref()).weighted(&train_weights[..]);
        let valid = Data::new(valid.as_ref()).weighted(&valid_weights[..]);
        let log_target: Vec<f64> = others.iter().map(|&i| log_target[i]).collect();
        let search = Search {
            data: train,
            log_target: &log_target,
            most: self.max,
            rng: self.rng,
        };
        let mixture = search.run(self.previous)?;
        let drawn_from = if self.flows {
            mixture.clone()
        } else {
            evened(&mixture)
        };
        let mut experts: Vec<Box<dyn Density>> = vec![Box::new(with_tails(&drawn_from))];
        let mut configs = self.experts(mixture.len(), train.points.ncols());
        configs.retain(|e| !self.without.contains(&e.name));
        let fitted: Vec<_> = configs
            .par_iter()
            .map(|e| {
                let rng = |purpose: &str| (self.rng)(&format!("{}/{purpose}", e.name));
                let context = FitContext::default();
                e.kind.fit(&e.name, train, Some(valid), &rng, &context)
            })
            .collect();
        // One that cannot be fitted is left out: the mixture is always there.
        let mut idle = BTreeSet::new();
        let mut names = vec![""];
        for (config, fitted) in configs.iter().zip(fitted) {
            match fitted {
                Ok(f) => {
                    experts.push(f.expert);
                    names.push(&config.name);
                }
                Err(_) => _ = idle.insert(config.name.clone()),
            }
        }
        let mut table = Mat::zeros(valid.points.nrows(), experts.len());
        for (e, expert) in experts.iter().enumerate() {
            let column = expert.log_prob(valid.points);
            for (to, l) in col_mut(table.as_mut(), e).iter_mut().zip(column) {
                *to = if l.is_finite() { l } else { IMPOSSIBLE };
            }
        }
        let source = WeightData::HeldOut {
            table: table.as_ref(),
            weights: Some(&valid_weights),
        };
        let pi = match WeightRule::default().learn(&source, 1) {
            Ok(learned) => learned.pi,
            Err(_) => (0..experts.len())
                .map(|e| if e == 0 { 1.0 } else { 0.0 })
                .collect(),
        };
        let light = names.iter().zip(&pi).skip(1).filter(|(_, p)| **p < IDLE);
        idle.extend(light.map(|(name, _)| (*name).to_owned()));
        // Weightless experts only cost time.
        let kept = experts.into_iter().zip(pi).filter(|(_, p)| *p > 1e-3);
        let (experts, pi): (Vec<_>, Vec<f64>) = kept.unzip();
        let total: f64 = pi.iter().sum();
        let pi = pi.iter().map(|p| p / total).collect();
        Ok(Model {
            density: Arc::new(Mixture::new(experts, pi)),
            mixture,
            idle,
        })
    }

    fn experts(&self, components: usize, d: usize) -> Vec<NamedExpert> {
        let rbig = RbigConfig {
            layers: LayerRule::HeldOut {
                max_layers: 20,
                patience: 4,
                min_gain: 0.0,
            },
            marginal: MarginalKind::smooth(),
            rotation: RotationKind::MostNonGaussian { candidates: 8 },
        };
        let mut all = vec![NamedExpert::new(
            "rbig",
            ExpertConfig::Rbig(RbigExpert { model: rbig }),
        )];
        if self.flows {
            let width = if d <= 3 { 32 } else { 64 };
            let fit = FitConfig {
                steps: 1500,
                batch: Batch::Size(250),
                learning_rate: 2e-3,
                schedule: Schedule::Cosine { floor: 0.0 },
                adam: AdamConfig::default(),
                clip_norm: Some(5.0),
                evaluate_every: 50,
                patience: Some(6),
            };
            let base = BaseConfig::GaussianMixture(GaussianMixtureExpert {
                components: Components::Fixed(components),
                average: 1,
                em: EM,
            });
            let mut flow = |name: &str, architecture: Architecture, base: BaseConfig| {
                let flow = FlowExpert {
                    architecture,
                    standardise: true,
                    base,
                    fit: fit.clone(),
                };
                all.push(NamedExpert::new(name, ExpertConfig::Flow(flow)));
            };
            flow(
                "maf",
                Architecture::maf(6, &[width, width]),
                BaseConfig::StandardNormal,
            );
            let realnvp = FlowSettings::realnvp(6, &[width, width], fit.clone()).architecture;
            flow("realnvp", realnvp, base);
        }
        all
    }
}

/// While the temperature rises, small components get more draws than their share: a mode whose draws
/// run out is lost.
fn evened(mixture: &GaussianMixture) -> GaussianMixture {
    Parts::of(mixture).evened().build()
}

/// With the tails of a proposal: in d dimensions the radius of a normal is `sqrt d` +- 0.7, and the
/// wide part reaches about one and a half beyond.
pub(super) fn with_tails(mixture: &GaussianMixture) -> GaussianMixture {
    let d = mixture.dim() as f64;
    Parts::of(mixture)
        .with_walls(0.1)
        .with_tails(0.05, 1.0 + 1.0 / d.sqrt())
        .build()
}

/// Rows and weights worth fitting to.
pub(super) fn thin(
    log_weights: &[f64],
    most: usize,
    rng: &mut Pcg64,
) -> Option<(Vec<usize>, Vec<f64>)> {
    let weights = ImportanceWeights::new(log_weights).ok()?;
    let wanted = (4.0 * weights.reliability().ess).ceil() as usize;
    Some(weights.thin(wanted.min(most), rng))
}
