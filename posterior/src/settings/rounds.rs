//! The draws of a posterior's evaluations: the first ones, and rounds of refinement.

use super::base::check_mixture;
use amf::experts::Components;
use density::EmConfig;
use serde::{Deserialize, Serialize};

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

impl Refinement {
    pub(super) fn check(&self, flows: bool) -> Result<(), String> {
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
            Proposal::Model { .. } if !flows => {
                Err("proposal: without experts it must be a Mixture".into())
            }
            Proposal::Model { .. } => Ok(()),
            Proposal::Mixture { components, em } => check_mixture(components, &em),
        }
    }
}
