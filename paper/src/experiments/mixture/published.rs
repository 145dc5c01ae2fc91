//! The numbers of the authors of AMF-VI, from `data/published.ron`.

use crate::engine::config::dialect;
use datasets::Family;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Published numbers, family by family.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    families: BTreeMap<String, FamilyNumbers>,
}

/// Published numbers of one family.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FamilyNumbers {
    /// By model: `mixture`, `maf`, `realnvp`, `rbig`.
    pub models: BTreeMap<String, Numbers>,
    /// By expert.
    pub weights: BTreeMap<String, f64>,
    /// `exp(H(pi))`.
    pub n_eff: f64,
}

/// Published numbers of one model.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// Mean negative log-likelihood, nats.
    pub nll: f64,
    /// KL divergence of kernel density estimates.
    pub kl_kde: f64,
    /// Wasserstein-2 distance.
    pub w2: f64,
    /// Maximum mean discrepancy, unbiased.
    pub mmd_unbiased: f64,
}

impl Published {
    /// The published numbers in the repository.
    ///
    /// # Panics
    /// Never: a test reads them.
    #[must_use]
    pub fn load() -> Self {
        let text = include_str!("../../../data/published.ron");
        dialect()
            .from_str(text)
            .expect("the shipped numbers are readable")
    }

    /// The numbers of a family, if it was published.
    #[must_use]
    pub fn family(&self, family: Family) -> Option<&FamilyNumbers> {
        self.families.get(family.name())
    }
}

impl Numbers {
    /// A measure by its name in `metrics.csv`.
    #[must_use]
    pub fn get(&self, metric: &str) -> Option<f64> {
        match metric {
            "nll" => Some(self.nll),
            "kl_kde" => Some(self.kl_kde),
            "w2" => Some(self.w2),
            "mmd_unbiased" => Some(self.mmd_unbiased),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_weights_sum_to_one_and_give_the_published_n_eff() {
        let published = Published::load();
        assert!(published.family(Family::FiveMode).is_none());
        for (name, f) in &published.families {
            let weights: Vec<f64> = f.weights.values().copied().collect();
            assert!((weights.iter().sum::<f64>() - 1.0).abs() < 0.002, "{name}");
            assert!(
                (density::n_eff(&weights) - f.n_eff).abs() < 0.011,
                "{name}: {}",
                density::n_eff(&weights)
            );
            assert_eq!(f.models.len(), 4);
        }
    }
}
