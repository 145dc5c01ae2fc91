//! Settings of a fit to a posterior.

use super::frame::Frame;
use super::parts::Parts;
use amf::WeightRule;
use amf::experts::Components;
use autodiff::{AdamConfig, Schedule};
use density::{EmConfig, GaussianMixture, Rotation};
use flows::{Activation, Architecture, Base, Batch, FitConfig, LogScale, Nets, Ordering};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How a posterior is learnt from likelihood evaluations: see the [module](super).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PosteriorConfig {
    /// The first draws, from the prior.
    pub first: FirstDraws,
    /// Further rounds; without any, the method is that of arXiv:2512.04954.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refinement: Option<Refinement>,
    /// The base of every flow.
    pub base: PosteriorBase,
    /// The flows, with their names.
    pub experts: Vec<(String, FlowSettings)>,
    /// Whether the base mixture is an expert itself, named `base`.
    #[serde(default)]
    pub base_as_expert: bool,
    /// Number K of folds, at least 2: a fold's model trains on the other folds; its own fold serves
    /// for early stopping and weights.
    pub folds: usize,
    /// How many of the folds get models, 1 to K; they are averaged. With all K, every evaluation is
    /// used for training, early stopping and weights.
    pub models: usize,
    /// Evaluations used for training: at most this many for each effective one (see
    /// [`ImportanceWeights::thin`](super::ImportanceWeights::thin)), at least 1.
    #[serde(default = "default_thin")]
    pub points_for_each_effective: f64,
    /// And at most this many in all.
    #[serde(
        default = "default_most_points",
        deserialize_with = "numerics::checked::at_least_one"
    )]
    pub most_points: usize,
    /// The most points that expectation-maximisation uses for a base or a proposal: this gives a
    /// start from which training moves means and weights, in time proportional to the points.
    #[serde(
        default = "default_base_points",
        deserialize_with = "numerics::checked::at_least_one"
    )]
    pub base_points: usize,
    /// The most points that early stopping uses.
    #[serde(
        default = "default_validation_points",
        deserialize_with = "numerics::checked::at_least_one"
    )]
    pub validation_points: usize,
    /// How the experts' held-out densities become weights.
    #[serde(default = "stacking")]
    pub rule: WeightRule,
}

fn default_thin() -> f64 {
    4.0
}

fn default_most_points() -> usize {
    50_000
}

fn default_base_points() -> usize {
    10_000
}

fn default_validation_points() -> usize {
    4000
}

/// Stacking to 1e-8 nats.
pub(crate) fn stacking() -> WeightRule {
    WeightRule::Stacking {
        tolerance: 1e-8,
        max_iterations: 500,
        batch: 1,
    }
}

/// Draws of the prior.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum FirstDraws {
    /// This many.
    Count(usize),
    /// As many as reach an effective sample size.
    UntilEss {
        /// The effective sample size.
        ess: f64,
        /// The largest number of draws, at any effective sample size.
        most: usize,
    },
}

/// Rounds that draw near the posterior.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refinement {
    /// Likelihood evaluations of each round.
    pub rounds: Vec<usize>,
    /// Share of each round's draws that comes from the prior, above 0 and below 1: it bounds every
    /// weight, and finds modes that were missed.
    pub prior_share: f64,
    /// The proposal of the other draws.
    pub proposal: Proposal,
}

/// The proposal of a round.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Proposal {
    /// The mixture of experts as fitted to all evaluations so far, one model each, with this number
    /// of steps instead of their own.
    Model {
        /// Steps of every flow.
        #[serde(deserialize_with = "numerics::checked::at_least_one")]
        steps: usize,
    },
    /// A Gaussian mixture fitted to all evaluations so far: fast, and good enough where modes are
    /// compact.
    Mixture {
        /// How many components it has.
        components: Components,
        /// Expectation-maximisation.
        #[serde(default)]
        em: EmConfig,
    },
}

/// The base of the flows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum PosteriorBase {
    /// `N(0, I)`.
    StandardNormal,
    /// A Gaussian mixture that starts from weighted expectation-maximisation on the standardised
    /// points.
    Mixture {
        /// How many components it has: given, matched to the modes, or chosen by BIC on the
        /// weighted points.
        components: Components,
        /// Whether they are trained.
        #[serde(default)]
        means: Means,
        /// Heavier tails than a normal's, or none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tails: Option<Tails>,
        /// Expectation-maximisation.
        #[serde(default)]
        em: EmConfig,
    },
}

/// Tails of the components of a base: each is `(1 - share) N(m, C) + share N(m, scale^2 C)`.
///
/// Importance weights need a q whose tails are no lighter than the posterior's, and the tails of a
/// mode that is not normal are heavier than those of its best normal fit in some direction. Where
/// the normal is right, the divergence is of second order in the share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tails {
    /// Share of each component's weight, above 0 and below 1.
    pub share: f64,
    /// Standard deviations in units of the component's, above 1.
    pub scale: f64,
}

/// Whether the components of a base are trained with the flow on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Means {
    /// They stay where expectation-maximisation put them.
    #[default]
    Fixed,
    /// Means are trained.
    Trained,
    /// Means and weights are trained.
    TrainedWithWeights,
}

/// A flow: its shape and how it is fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowSettings {
    /// MAF or RealNVP. On a mixture base it should start near the identity (an `output_gain` well
    /// below 1).
    pub architecture: Architecture,
    /// The coordinates in which it works.
    #[serde(default)]
    pub frame: Frame,
    /// Weighted maximum likelihood.
    pub fit: FitConfig,
}

impl FlowSettings {
    pub(crate) fn check(&self) -> Result<(), String> {
        self.architecture.check()?;
        if let Frame::Turned(angle) = self.frame
            && !angle.is_finite()
        {
            return Err(format!("frame: the angle must be finite, not {angle}"));
        }
        self.fit.check()
    }

    /// A masked autoregressive flow that starts near the identity, in rotated coordinates: at the
    /// identity itself, with modes that are products along the axes, the gradient is too small to
    /// leave it (see [`Frame`]).
    #[must_use]
    pub fn maf(layers: usize, hidden: &[usize], fit: FitConfig) -> Self {
        Self {
            architecture: Architecture::Maf {
                layers,
                hidden: hidden.to_vec(),
                activation: Activation::Relu,
                ordering: Ordering::Reversed,
                log_scale: GENTLE,
                output_gain: NEAR_IDENTITY,
            },
            frame: Frame::Turned(0.5),
            fit,
        }
    }

    /// A RealNVP that starts near the identity, in rotated coordinates, with one network for shift
    /// and log-scale in each coupling.
    #[must_use]
    pub fn realnvp(couplings: usize, hidden: &[usize], fit: FitConfig) -> Self {
        Self {
            architecture: Architecture::RealNvp {
                couplings,
                hidden: hidden.to_vec(),
                activation: Activation::Relu,
                nets: Nets::Shared,
                log_scale: GENTLE,
                output_gain: NEAR_IDENTITY,
            },
            frame: Frame::Turned(0.5),
            fit,
        }
    }
}

/// Output gain of a layer's networks at the start.
const NEAR_IDENTITY: f64 = 0.3;

const GENTLE: LogScale = LogScale {
    bound: 1.0,
    knee: 1.0,
};

/// Mini-batches of 250, a rate that falls to zero along a cosine, early stopping.
fn fit_config(steps: usize) -> FitConfig {
    FitConfig {
        steps,
        batch: Batch::Size(250),
        learning_rate: 2e-3,
        schedule: Schedule::Cosine { floor: 0.0 },
        adam: AdamConfig::default(),
        clip_norm: Some(5.0),
        evaluate_every: (steps / 20).max(1),
        patience: Some(10),
    }
}

impl PosteriorConfig {
    /// A good start for up to three parameters: a fifth of the evaluations from the prior, two
    /// rounds of refinement, MAF and RealNVP on a base whose number of components BIC chooses, and
    /// the base itself.
    #[must_use]
    pub fn quick(evaluations: usize) -> Self {
        let fifth = evaluations / 5;
        Self {
            first: FirstDraws::Count(fifth.max(1)),
            refinement: Some(Refinement {
                rounds: vec![fifth.max(1), (evaluations - 2 * fifth).max(1)],
                prior_share: 0.1,
                proposal: Proposal::Model { steps: 200 },
            }),
            base: PosteriorBase::Mixture {
                components: Components::Bic {
                    most: 24,
                    patience: 2,
                },
                means: Means::TrainedWithWeights,
                tails: Some(Tails {
                    share: 0.03,
                    scale: 1.5,
                }),
                em: EmConfig {
                    restarts: 8,
                    ..EmConfig::default()
                },
            },
            experts: vec![
                (
                    "maf".into(),
                    FlowSettings::maf(6, &[32, 32], fit_config(1500)),
                ),
                (
                    "realnvp".into(),
                    FlowSettings::realnvp(6, &[32, 32], fit_config(1500)),
                ),
            ],
            base_as_expert: true,
            folds: 5,
            models: 1,
            points_for_each_effective: default_thin(),
            most_points: default_most_points(),
            base_points: default_base_points(),
            validation_points: default_validation_points(),
            rule: stacking(),
        }
    }

    /// The largest number of likelihood evaluations of a fit.
    #[must_use]
    pub fn budget(&self) -> usize {
        let first = match self.first {
            FirstDraws::Count(n) => n,
            FirstDraws::UntilEss { most, .. } => most,
        };
        let rounds = self.refinement.iter().flat_map(|r| &r.rounds);
        rounds.fold(first, |all, n| all.saturating_add(*n))
    }

    /// What is wrong with the settings, if anything.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub fn check(&self) -> Result<(), String> {
        match self.first {
            FirstDraws::Count(0) => return Err("first: Count must be at least 1, not 0".into()),
            FirstDraws::UntilEss { ess, most } if !(ess >= 1.0 && ess <= most as f64) => {
                return Err(format!(
                    "first: ess must be from 1 to most, not {ess} with {most}"
                ));
            }
            _ => {}
        }
        if let Some(r) = &self.refinement {
            r.check(self).map_err(|e| format!("refinement: {e}"))?;
        }
        self.base.check().map_err(|e| format!("base: {e}"))?;
        let mut names = BTreeSet::new();
        for (name, flow) in &self.experts {
            if !names.insert(name) || name == "base" {
                return Err(format!(
                    "experts: \"{name}\" must be a name of its own, and not \"base\""
                ));
            }
            flow.check()
                .map_err(|e| format!("expert \"{name}\": {e}"))?;
        }
        if self.base_as_expert && self.base == PosteriorBase::StandardNormal {
            return Err("base_as_expert needs a mixture base".into());
        }
        if self.experts.is_empty() && !self.base_as_expert {
            return Err("experts must not be empty unless base_as_expert is set".into());
        }
        if self.folds < 2 {
            return Err(format!("folds must be at least 2, not {}", self.folds));
        }
        if !(1..=self.folds).contains(&self.models) {
            return Err(format!(
                "models must be from 1 to folds, not {} with {} folds",
                self.models, self.folds
            ));
        }
        if !(self.points_for_each_effective >= 1.0 && self.points_for_each_effective.is_finite()) {
            return Err(format!(
                "points_for_each_effective must be at least 1, not {}",
                self.points_for_each_effective
            ));
        }
        for (name, v) in [
            ("most_points", self.most_points),
            ("base_points", self.base_points),
            ("validation_points", self.validation_points),
        ] {
            if v == 0 {
                return Err(format!("{name} must be at least 1, not 0"));
            }
        }
        self.rule.check().map_err(|e| format!("rule: {e}"))
    }
}

impl Refinement {
    fn check(&self, config: &PosteriorConfig) -> Result<(), String> {
        if self.rounds.is_empty() || self.rounds.contains(&0) {
            return Err("rounds must list one round or more, each of at least 1 evaluation".into());
        }
        if !(self.prior_share > 0.0 && self.prior_share < 1.0) {
            return Err(format!(
                "prior_share must be above 0 and below 1, not {}",
                self.prior_share
            ));
        }
        match self.proposal {
            Proposal::Model { steps: 0 } => Err("steps must be at least 1, not 0".into()),
            Proposal::Model { .. } if config.experts.is_empty() => {
                Err("proposal: without experts it must be a Mixture".into())
            }
            Proposal::Model { .. } => Ok(()),
            Proposal::Mixture { components, em } => check_mixture(components, &em),
        }
    }
}

impl PosteriorBase {
    /// The base of a flow in a frame, from a mixture of standardised coordinates.
    pub(crate) fn place(
        &self,
        mixture: Option<&GaussianMixture>,
        rotation: Option<&Rotation>,
    ) -> Base {
        let (Self::Mixture { means, .. }, Some(mixture)) = (self, mixture) else {
            return Base::StandardNormal;
        };
        let start = match rotation {
            Some(r) => Parts::of(mixture).rotated(r).build(),
            None => mixture.clone(),
        };
        match means {
            Means::Fixed => Base::GaussianMixture(start),
            Means::Trained | Means::TrainedWithWeights => Base::TrainedGaussianMixture {
                start,
                train_weights: *means == Means::TrainedWithWeights,
            },
        }
    }
}

impl PosteriorBase {
    pub(crate) fn check(&self) -> Result<(), String> {
        match self {
            Self::StandardNormal => Ok(()),
            Self::Mixture {
                components,
                em,
                tails,
                ..
            } => {
                if let Some(Tails { share, scale }) = tails
                    && !(*share > 0.0 && *share < 1.0 && *scale > 1.0 && scale.is_finite())
                {
                    return Err(format!(
                        "tails: share must be above 0 and below 1 and scale above 1, not {share} and {scale}"
                    ));
                }
                check_mixture(*components, em)
            }
        }
    }
}

pub(crate) fn check_mixture(components: Components, em: &EmConfig) -> Result<(), String> {
    let (most, patience) = match components {
        Components::Bic { most, patience } => (most, patience),
        Components::Fixed(n) => (n, 1),
    };
    for (name, v) in [
        ("components", most),
        ("patience", patience),
        ("restarts", em.restarts),
        ("iterations", em.iterations),
    ] {
        if v == 0 {
            return Err(format!("{name} must be at least 1, not 0"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_a_file_and_misspelt_fields_do_not() {
        let quick = PosteriorConfig::quick(10_000);
        quick.check().unwrap();
        assert_eq!(quick.budget(), 10_000);
        let text = ron::to_string(&quick).unwrap();
        assert_eq!(ron::from_str::<PosteriorConfig>(&text).unwrap(), quick);
        let wrong = text.replacen("prior_share", "prior_shares", 1);
        assert!(ron::from_str::<PosteriorConfig>(&wrong).is_err());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let refuse = |change: &dyn Fn(&mut PosteriorConfig)| {
            let mut c = PosteriorConfig::quick(1000);
            change(&mut c);
            c.check().unwrap_err()
        };
        assert!(refuse(&|c| c.first = FirstDraws::Count(0)).contains("first"));
        assert!(
            refuse(&|c| c.first = FirstDraws::UntilEss { ess: 10.0, most: 5 }).contains("ess must")
        );
        assert!(
            refuse(&|c| c.refinement.as_mut().unwrap().prior_share = 0.0).contains("prior_share")
        );
        assert!(refuse(&|c| c.refinement.as_mut().unwrap().rounds.clear()).contains("rounds"));
        assert!(refuse(&|c| c.base = PosteriorBase::StandardNormal).contains("base_as_expert"));
        assert!(refuse(&|c| c.experts[1].0 = "maf".into()).contains("\"maf\""));
        assert!(refuse(&|c| c.experts[0].1.fit.steps = 0).contains("steps"));
        assert!(refuse(&|c| c.folds = 1).contains("folds"));
        assert!(refuse(&|c| c.models = 6).contains("models"));
        assert!(refuse(&|c| c.points_for_each_effective = 0.5).contains("points_for_each"));
        assert!(refuse(&|c| c.most_points = 0).contains("most_points"));
        assert!(
            refuse(&|c| {
                c.experts.clear();
                c.base_as_expert = false;
            })
            .contains("experts")
        );
    }
}
