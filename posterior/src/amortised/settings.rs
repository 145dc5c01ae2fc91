//! How an amortised posterior is learnt.

use crate::settings::{FlowSettings, PosteriorBase, check_mixture, stacking};
use amf::WeightRule;
use amf::experts::Components;
use density::EmConfig;
use serde::{Deserialize, Serialize};

/// How `q(theta | y)` is learnt from pairs of parameters and simulated data.
///
/// Theta is drawn from the prior (or from a proposal, with weights `prior / proposal`) and y from
/// the simulator; the mean over pairs of `-ln q(theta | y)` is, up to a constant, the mean over
/// data of `KL(posterior || q)`. No likelihood is evaluated, and the model holds for every y.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmortisedConfig {
    /// What each expert is made of.
    pub model: AmortisedModel,
    /// Number of pairs that the initial mixture is fitted to: those whose data are nearest to the
    /// average data. The mixture approximates the posterior there, with its modes.
    #[serde(
        default = "default_neighbours",
        deserialize_with = "numerics::checked::at_least_one"
    )]
    pub neighbours: usize,
    /// The conditional flows, with their names.
    pub experts: Vec<(String, FlowSettings)>,
    /// Share of the pairs held out for early stopping and the weights of the experts, above 0 and
    /// below 1.
    pub validation: f64,
    /// How held-out densities become weights.
    #[serde(default = "stacking")]
    pub rule: WeightRule,
}

/// What an expert of an amortised posterior is made of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum AmortisedModel {
    /// One conditional flow on a base that is the same for all data. Every layer scales the
    /// distances between the modes of such a base together with their widths: posteriors in which
    /// the two change separately cannot be represented in one dimension and are hard in two.
    Flow(PosteriorBase),
    /// A sum `sum_k w_k q_k(theta | y)` of conditional flows on normal bases, one for each
    /// component of the initial Gaussian mixture: each mode that moves with y has its own flow, and
    /// no flow needs a bridge. Fitted by expectation-maximisation: a round trains every flow on all
    /// pairs, weighted by its responsibilities, in the first round those of the mixture's
    /// components. The weights `w_k` do not depend on y.
    Flows {
        /// How many flows.
        components: Components,
        /// For the initial mixture.
        #[serde(default)]
        em: EmConfig,
        /// Rounds, which share the steps of the flows' fits.
        #[serde(deserialize_with = "numerics::checked::at_least_one")]
        rounds: usize,
    },
}

fn default_neighbours() -> usize {
    1000
}

impl AmortisedConfig {
    /// What is wrong with the settings, if anything.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub fn check(&self) -> Result<(), String> {
        match &self.model {
            AmortisedModel::Flow(base) => base.check(),
            AmortisedModel::Flows { rounds: 0, .. } => {
                Err("rounds must be at least 1, not 0".into())
            }
            AmortisedModel::Flows { components, em, .. } => check_mixture(*components, em),
        }
        .map_err(|e| format!("model: {e}"))?;
        if self.experts.is_empty() {
            return Err("experts must not be empty".into());
        }
        for (name, flow) in &self.experts {
            flow.check()
                .map_err(|e| format!("expert \"{name}\": {e}"))?;
        }
        if self.neighbours == 0 {
            return Err("neighbours must be at least 1, not 0".into());
        }
        if !(self.validation > 0.0 && self.validation < 1.0) {
            return Err(format!(
                "validation must be above 0 and below 1, not {}",
                self.validation
            ));
        }
        self.rule.check().map_err(|e| format!("rule: {e}"))
    }
}
