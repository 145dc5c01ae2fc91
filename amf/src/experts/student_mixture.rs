//! Student-t mixture experts.

use super::gaussian_mixture::{MOST_POINTS, averaged, check_em, first};
use super::{Components, ExpertError, FittedParts};
use density::{Data, Density, EmConfig, FitContext, StudentMixture};
use numerics::random::Pcg64;
use serde::{Deserialize, Serialize};

/// Settings of a Student-t mixture: for heavy tails, and for components with a peak.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudentMixtureExpert {
    /// How many components it has.
    pub components: Components,
    /// Number of mixtures from different starts, averaged with equal weights.
    #[serde(default = "one", deserialize_with = "numerics::checked::at_least_one")]
    pub average: usize,
    /// Expectation-maximisation.
    #[serde(default)]
    pub em: EmConfig,
}

fn one() -> usize {
    1
}

impl StudentMixtureExpert {
    pub(super) fn check(&self) -> Result<(), String> {
        self.components.check()?;
        check_em(self.average, &self.em)
    }

    pub(super) fn fit(
        &self,
        train: Data<'_>,
        validation: Option<Data<'_>>,
        rng: &dyn Fn(&str) -> Pcg64,
        context: &FitContext<'_>,
    ) -> Result<FittedParts, ExpertError> {
        let points = first(train, MOST_POINTS);
        let n = points.points.nrows();
        let one = |rng: &mut Pcg64| {
            let mixture = match self.components {
                Components::Fixed(k) => StudentMixture::fit(points, k.min(n), &self.em, rng),
                Components::Bic { most, patience } => {
                    StudentMixture::fit_by_bic(points, most.min(n), patience, &self.em, rng)
                }
            }?;
            Ok((mixture.len(), Box::new(mixture) as Box<dyn Density>))
        };
        averaged(self.average, &one, train, validation, rng, context)
    }
}
