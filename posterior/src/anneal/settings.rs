//! Settings of annealing.

use serde::{Deserialize, Serialize};

/// Settings of annealing. The defaults serve 1 to 30 parameters, one mode or many.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnnealSettings {
    /// The most likelihood evaluations.
    pub evaluations: usize,
    /// The effective sample size at which it ends before that.
    pub ess: f64,
    /// The standard error of ln Z at which it ends before that, if `ess` is reached as well.
    pub log_evidence_error: Option<f64>,
    /// Evaluations of a round while the temperature rises, or chosen from the number of parameters
    /// and components.
    pub round: Option<usize>,
    /// Share of each round's draws that comes from the prior.
    pub prior_share: f64,
    /// The most components of a proposal.
    pub max_components: usize,
}

/// Components from which on there may be modes to lose: the temperature rises more slowly.
const MANY: usize = 8;

impl Default for AnnealSettings {
    fn default() -> Self {
        Self {
            evaluations: 20_000,
            ess: 10_000.0,
            log_evidence_error: None,
            round: None,
            prior_share: 0.02,
            max_components: 96,
        }
    }
}

impl AnnealSettings {
    /// Evaluations of a round while the temperature rises, for d parameters and a proposal of so many
    /// components: each component wants points of its own.
    pub(super) fn round(&self, d: usize, components: usize) -> usize {
        let own = 500.max(50 * d).max(50 * components);
        self.round.unwrap_or(own).min(self.evaluations)
    }

    /// The effective sample size at which a proposal can be fitted.
    pub(super) fn enough(&self, d: usize, components: usize) -> f64 {
        let share = if components < MANY { 0.3 } else { 0.4 };
        (share * self.round(d, components) as f64).max(10.0)
    }

    /// The most that the temperature rises in a round.
    pub(super) fn most_rise(components: usize) -> f64 {
        if components < MANY { 4.0 } else { 2.0 }
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// A message that names the field.
    pub fn check(&self) -> Result<(), String> {
        if self.evaluations == 0 {
            return Err("evaluations must be at least 1, not 0".into());
        }
        if !(self.ess >= 1.0 && self.ess.is_finite()) {
            return Err(format!("ess must be at least 1, not {}", self.ess));
        }
        if let Some(e) = self.log_evidence_error
            && (e.is_nan() || e <= 0.0)
        {
            return Err(format!("log_evidence_error must be positive, not {e}"));
        }
        if let Some(round @ 0..2) = self.round {
            return Err(format!("round must be at least 2, not {round}"));
        }
        if !(self.prior_share > 0.0 && self.prior_share <= 0.5) {
            let share = self.prior_share;
            return Err(format!(
                "prior_share must be above 0 and at most 0.5, not {share}"
            ));
        }
        if self.max_components == 0 {
            return Err("max_components must be at least 1, not 0".into());
        }
        Ok(())
    }
}
