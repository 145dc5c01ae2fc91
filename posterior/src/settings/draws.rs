//! Where the likelihood is evaluated.

use serde::{Deserialize, Serialize};

/// Where the likelihood is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Draws {
    /// At this many draws of the prior.
    Count(usize),
    /// At as many draws of the prior as reach an effective sample size.
    UntilEss {
        /// The effective sample size.
        ess: f64,
        /// The largest number of draws, at any effective sample size.
        most: usize,
    },
    /// This many times, from the prior to the posterior by annealing, see [`anneal`](crate::anneal).
    Annealed(usize),
}

impl Draws {
    /// The largest number of likelihood evaluations.
    #[must_use]
    pub fn budget(self) -> usize {
        match self {
            Self::Count(n) | Self::Annealed(n) => n,
            Self::UntilEss { most, .. } => most,
        }
    }

    pub(super) fn check(self) -> Result<(), String> {
        match self {
            Self::Count(0) | Self::Annealed(0) => Err("must be at least 1, not 0".into()),
            Self::UntilEss { ess, most } if !(ess >= 1.0 && ess <= most as f64) => {
                Err(format!("ess must be from 1 to most, not {ess} with {most}"))
            }
            _ => Ok(()),
        }
    }
}
