//! Gaussian-mixture experts, also the base of flow experts.

use super::{ExpertError, ExpertReport, FittedParts};
use density::{Data, Density, EmConfig, EmError, FitContext, GaussianMixture, Mixture, Progress};
use flows::{Evaluation, Termination};
use numerics::random::Pcg64;
use serde::{Deserialize, Serialize};

/// Settings of a Gaussian mixture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaussianMixtureExpert {
    /// How many components it has.
    pub components: Components,
    /// Number of mixtures from different starts, averaged with equal weights: this evens out the
    /// chance of a single start.
    #[serde(default = "one", deserialize_with = "numerics::checked::at_least_one")]
    pub average: usize,
    /// Expectation-maximisation.
    #[serde(default)]
    pub em: EmConfig,
}

fn one() -> usize {
    1
}

/// The number of components.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Components {
    /// The number with the smallest BIC.
    Bic {
        /// The largest number tried.
        #[serde(deserialize_with = "numerics::checked::at_least_one")]
        most: usize,
        /// Numbers in a row without a smaller BIC after which the search ends.
        #[serde(deserialize_with = "numerics::checked::at_least_one")]
        patience: usize,
    },
    /// This number (or the number of points, if smaller).
    Fixed(usize),
}

impl Components {
    /// A Gaussian mixture of weighted points.
    ///
    /// # Errors
    /// See [`EmError`].
    pub fn fit(
        self,
        data: Data<'_>,
        em: &EmConfig,
        rng: &mut Pcg64,
    ) -> Result<GaussianMixture, EmError> {
        let n = data.points.nrows();
        match self {
            Self::Fixed(k) => GaussianMixture::fit(data, k.min(n), em, rng),
            Self::Bic { most, patience } => {
                GaussianMixture::fit_by_bic(data, most.min(n), patience, em, rng)
            }
        }
    }

    /// Checks the numbers.
    pub(super) fn check(self) -> Result<(), String> {
        match self {
            Self::Fixed(0) | Self::Bic { most: 0, .. } => {
                Err("components must be at least 1, not 0".into())
            }
            Self::Bic { patience: 0, .. } => Err("patience must be at least 1, not 0".into()),
            _ => Ok(()),
        }
    }
}

/// Most points that expectation-maximisation uses: more would hardly improve some tens of
/// components. Points come in random order.
pub(super) const MOST_POINTS: usize = 20_000;

/// The first `most` points.
pub(super) fn first(data: Data<'_>, most: usize) -> Data<'_> {
    let n = data.points.nrows().min(most);
    Data::new(data.points.subrows(0, n)).weighted(data.weights.map(|w| &w[..n]))
}

/// Checks the numbers of fits by expectation-maximisation.
pub(super) fn check_em(average: usize, em: &EmConfig) -> Result<(), String> {
    for (name, v) in [
        ("average", average),
        ("restarts", em.restarts),
        ("iterations", em.iterations),
    ] {
        if v == 0 {
            return Err(format!("{name} must be at least 1, not 0"));
        }
    }
    Ok(())
}

impl GaussianMixtureExpert {
    pub(super) fn check(&self) -> Result<(), String> {
        self.components.check()?;
        check_em(self.average, &self.em)
    }

    /// One mixture, of the first 20,000 points if there are more.
    pub(super) fn mixture(
        &self,
        train: Data<'_>,
        rng: &mut Pcg64,
    ) -> Result<GaussianMixture, EmError> {
        let train = first(train, MOST_POINTS);
        self.components.fit(train, &self.em, rng)
    }

    pub(super) fn fit(
        &self,
        train: Data<'_>,
        validation: Option<Data<'_>>,
        rng: &dyn Fn(&str) -> Pcg64,
        context: &FitContext<'_>,
    ) -> Result<FittedParts, ExpertError> {
        let one = |rng: &mut Pcg64| {
            let mixture = self.mixture(train, rng)?;
            Ok((mixture.len(), Box::new(mixture) as Box<dyn Density>))
        };
        averaged(self.average, &one, train, validation, rng, context)
    }
}

/// Fits a mixture: its number of components, and the density.
type OneFit<'a> = dyn Fn(&mut Pcg64) -> Result<(usize, Box<dyn Density>), EmError> + 'a;

/// The average of several mixtures, of which `one` fits one and tells its number of components.
pub(super) fn averaged(
    count: usize,
    one: &OneFit<'_>,
    train: Data<'_>,
    validation: Option<Data<'_>>,
    rng: &dyn Fn(&str) -> Pcg64,
    context: &FitContext<'_>,
) -> Result<FittedParts, ExpertError> {
    let mut rng = rng("mixture");
    let mixtures = (0..count).map(|_| one(&mut rng));
    let mixtures = mixtures.collect::<Result<Vec<_>, _>>()?;
    let steps = mixtures.iter().map(|m| m.0).max().unwrap_or(0);
    let mixture = Mixture::average(mixtures.into_iter().map(|m| m.1).collect());
    let nll = |data: Data<'_>| data.mean_nll(&mixture.log_prob(data.points));
    let evaluation = Evaluation {
        step: steps,
        train_nll: nll(train),
        held_out_nll: validation.map(nll),
    };
    // The fit takes moments and cannot be interrupted: progress is reported once.
    let _ = context.tell(&Progress {
        step: steps,
        total: steps,
        held_out_nll: evaluation.held_out_nll,
        ..Progress::default()
    });
    let report = ExpertReport {
        termination: Termination::StepLimit,
        steps,
        best_step: steps,
        history: vec![evaluation],
        backoffs: Vec::new(),
    };
    Ok((Box::new(mixture), report))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ExpertConfig;
    use datasets::Family;
    use numerics::random::stream;

    #[test]
    fn a_flow_that_starts_on_a_mixture_is_never_worse_on_the_validation_set() {
        let draws = Family::TwoMoons.sample(500, &mut stream(1, "draws"));
        let (train, valid) = (draws.subrows(0, 350), draws.subrows(350, 150));
        let rng = |purpose: &str| stream(2, purpose);
        let base = GaussianMixtureExpert {
            components: Components::Bic {
                most: 12,
                patience: 3,
            },
            average: 1,
            em: EmConfig::default(),
        };
        let fit = |config: &ExpertConfig| {
            config
                .fit(
                    "expert",
                    Data::new(train),
                    Some(Data::new(valid)),
                    &rng,
                    &FitContext::default(),
                )
                .unwrap()
        };
        let alone = fit(&ExpertConfig::GaussianMixture(base));
        let text = "(architecture: RealNvp(couplings: 4, hidden: [16, 16], activation: Tanh, nets: Shared, \
                    log_scale: (bound: 2.0, knee: 2.0), output_gain: 0.0), standardise: true, \
                    base: GaussianMixture((components: Bic(most: 12, patience: 3))), \
                    fit: (steps: 200, batch: Size(100), learning_rate: 1e-3, schedule: Constant, evaluate_every: 10, patience: Some(5)))";
        let flow = fit(&ExpertConfig::Flow(ron::from_str(text).unwrap()));
        let nll = |e: &dyn Density| Data::new(valid).mean_nll(&e.log_prob(valid));
        let (a, b) = (nll(&*alone.expert), nll(&*flow.expert));
        assert!(b < a + 0.02, "mixture {a}, flow on it {b}");
        // Draws of the flow have the density that it says.
        let draws = flow.expert.sample(4000, &mut stream(3, "samples"));
        assert!(
            flow.expert
                .log_prob(draws.as_ref())
                .iter()
                .all(|l| l.is_finite())
        );
    }
}
