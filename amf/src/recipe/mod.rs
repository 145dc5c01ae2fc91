//! The settings of a whole fit.

mod default;

use crate::experts::{NamedExpert, check_name};
use crate::folds::RepeatedKFold;
use crate::mixture_aware::MixtureAware;
use crate::weights::WeightRule;
use numerics::checked::one_line;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Experts, folds and weights. [`Recipe::default`] serves data of any kind; [`Recipe::fit`] makes a
/// density of draws.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Which points are held out from which models.
    pub partition: RepeatedKFold,
    /// The experts.
    pub experts: Vec<NamedExpert>,
    /// How out-of-fold log-densities become weights.
    pub rule: WeightRule,
    /// Mixture-aware rounds that refit the experts, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixture_aware: Option<MixtureAware>,
}

impl Recipe {
    /// The same recipe with other experts.
    #[must_use]
    pub fn with_experts(mut self, experts: impl IntoIterator<Item = NamedExpert>) -> Self {
        self.experts = experts.into_iter().collect();
        self
    }

    /// The same recipe with another rule for the weights.
    #[must_use]
    pub fn with_rule(mut self, rule: WeightRule) -> Self {
        self.rule = rule;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// A message that names the field.
    pub fn check(&self) -> Result<(), String> {
        self.partition.check()?;
        if self.experts.is_empty() {
            return Err("experts must not be empty".into());
        }
        let mut names = BTreeSet::new();
        for e in &self.experts {
            check_name(&e.name)?;
            if !names.insert(&e.name) {
                return Err(format!("experts: two are called \"{}\"", e.name));
            }
            e.kind
                .check()
                .map_err(|reason| format!("expert \"{}\": {reason}", e.name))?;
        }
        if let Some(m) = &self.mixture_aware {
            m.check()?;
        }
        self.rule.check()
    }

    /// The settings as text in RON, see [`Self::parse`].
    ///
    /// # Errors
    /// None for sound settings.
    pub fn to_ron(&self) -> Result<String, ron::Error> {
        ron::ser::to_string_pretty(self, ron::ser::PrettyConfig::new())
    }

    /// Reads and checks settings in RON.
    ///
    /// # Errors
    /// Line and column with what is wrong there, or a sentence that names the field.
    pub fn parse(text: &str) -> Result<Self, String> {
        let settings: Self = ron::from_str(text).map_err(|e| one_line(&e.to_string()))?;
        settings.check().map_err(|reason| one_line(&reason))?;
        Ok(settings)
    }
}
