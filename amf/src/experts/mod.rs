//! Experts: densities behind one trait, each kind fitted from its own settings.
//!
//! A new kind takes one file beside this one (its settings, `check` and `fit`) and one variant of
//! [`ExpertConfig`]; a new kind of density also [`Density::describe`] and a
//! [`density::archive::Kind`] in [`crate::archive`] to be saved.

mod cache;
mod error;
mod flow;
mod gaussian_mixture;
mod kde;
mod rbig;
mod student_mixture;

pub use self::error::ExpertError;
pub use self::flow::{BaseConfig, FlowExpert};
pub use self::gaussian_mixture::{Components, GaussianMixtureExpert};
pub use self::kde::KdeExpert;
pub use self::rbig::RbigExpert;
pub use self::student_mixture::StudentMixtureExpert;

use crate::preprocess::{Prepared, Preprocessing, Steps};
use density::{Data, Density, EmConfig, FitContext, Progress};
use flows::Architecture;
use numerics::random::Pcg64;
use serde::{Deserialize, Serialize};

/// A kind of expert with all its hyper-parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum ExpertConfig {
    /// MAF or RealNVP, by gradient descent.
    Flow(FlowExpert),
    /// Rotation-based iterative Gaussianisation, layer by layer.
    Rbig(RbigExpert),
    /// A Gaussian mixture by expectation-maximisation.
    GaussianMixture(GaussianMixtureExpert),
    /// A Student-t mixture by expectation-maximisation.
    StudentMixture(StudentMixtureExpert),
    /// A kernel density estimate with a cross-validated bandwidth.
    Kde(KdeExpert),
}

/// An expert with the name that it has in tables and messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedExpert {
    /// Name, unique within a mixture.
    pub name: String,
    /// Kind and hyper-parameters.
    pub kind: ExpertConfig,
}

/// Names of experts are letters, digits, `_` and `-`, at most 64, and not `mixture`, which tables
/// use for all of them together.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > 64 || !name.chars().all(allowed) || name == "mixture" {
        let shown = numerics::checked::one_line(&name.chars().take(70).collect::<String>());
        return Err(format!(
            "expert \"{shown}\": a name must be 1 to 64 letters, digits, _ and -, and not \"mixture\""
        ));
    }
    Ok(())
}

impl NamedExpert {
    /// An expert of this kind under this name.
    #[must_use]
    pub fn new(name: &str, kind: ExpertConfig) -> Self {
        Self {
            name: name.to_owned(),
            kind,
        }
    }
}

/// The report of a fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpertReport {
    /// Why it ended.
    pub termination: flows::Termination,
    /// Steps (or layers) done.
    pub steps: usize,
    /// The step (or layer) that was selected.
    pub best_step: usize,
    /// Likelihoods along the way.
    pub history: Vec<flows::Evaluation>,
    /// Where it diverged and backed off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backoffs: Vec<flows::Backoff>,
}

/// A density and the report of its fit.
type FittedParts = (Box<dyn Density>, ExpertReport);

/// A fitted expert.
pub struct Fitted {
    /// The density.
    pub expert: Box<dyn Density>,
    /// The report of the fit.
    pub report: ExpertReport,
    /// Seconds of the fit; if it was cached, of the original fit.
    pub seconds: f64,
}

impl ExpertConfig {
    /// A MAF of this many layers of smooth networks on a standard normal, with the default fit.
    #[must_use]
    pub fn maf(layers: usize, hidden: &[usize]) -> Self {
        Self::Flow(FlowExpert::new(Architecture::maf(layers, hidden)))
    }

    /// A RealNVP of this many couplings of smooth networks on a standard normal, with the default
    /// fit.
    #[must_use]
    pub fn realnvp(couplings: usize, hidden: &[usize]) -> Self {
        Self::Flow(FlowExpert::new(Architecture::realnvp(couplings, hidden)))
    }

    /// A Gaussianisation with smooth marginals; a validation set selects the number of layers.
    #[must_use]
    pub fn rbig() -> Self {
        Self::Rbig(RbigExpert {
            model: ::rbig::RbigConfig::smooth(),
        })
    }

    /// A Gaussian mixture.
    #[must_use]
    pub fn gaussian_mixture(components: Components) -> Self {
        Self::GaussianMixture(GaussianMixtureExpert {
            components,
            average: 1,
            em: EmConfig::default(),
        })
    }

    /// A kernel density estimate.
    #[must_use]
    pub fn kde() -> Self {
        Self::Kde(KdeExpert {})
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// A message that names the field.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::Flow(c) => c.check(),
            Self::Rbig(c) => c.check(),
            Self::GaussianMixture(c) => c.check(),
            Self::StudentMixture(c) => c.check(),
            Self::Kde(_) => Ok(()),
        }
    }

    /// Whether the fit needs a validation set to choose something (when to stop, how many layers).
    #[must_use]
    pub fn needs_validation(&self) -> bool {
        match self {
            Self::Flow(c) => c.fit.patience.is_some(),
            Self::Rbig(c) => matches!(c.model.layers, ::rbig::LayerRule::HeldOut { .. }),
            Self::GaussianMixture(_) | Self::StudentMixture(_) | Self::Kde(_) => false,
        }
    }

    /// Stage 1: fits one expert alone to the training points by (weighted) maximum likelihood.
    ///
    /// Counts and rounded values have no density: each is dequantised, moved evenly over its cell,
    /// so that the integral of the density over the cell is the value's probability. Points that
    /// nearly lie on a plane of fewer dimensions are fitted along their principal axes. For flows,
    /// a column whose standard deviation is dominated by a few far rows is replaced by `asinh((x -
    /// median) / scale)`.
    ///
    /// `rng(purpose)` gives the stream for a purpose ("init", "batches", ...). With a checkpoint
    /// store in the context the fit is a unit of work there, named after `name` and everything that
    /// it depends on: a finished fit is reused, and a flow writes checkpoints while it is fitted.
    ///
    /// # Errors
    /// See [`ExpertError`].
    pub fn fit(
        &self,
        name: &str,
        train: Data<'_>,
        validation: Option<Data<'_>>,
        rng: &dyn Fn(&str) -> Pcg64,
        context: &FitContext<'_>,
    ) -> Result<Fitted, ExpertError> {
        self.check().map_err(ExpertError::Config)?;
        cache::cached(self, name, train, validation, rng, context, |context| {
            self.compute(train, validation, rng, context)
        })
    }

    fn compute(
        &self,
        train: Data<'_>,
        validation: Option<Data<'_>>,
        rng: &dyn Fn(&str) -> Pcg64,
        context: &FitContext<'_>,
    ) -> Result<Fitted, ExpertError> {
        let start = std::time::Instant::now();
        let steps = Steps {
            arcsinh: matches!(self, Self::Flow(_)),
            units: matches!(self, Self::GaussianMixture(_) | Self::StudentMixture(_)),
        };
        let (preprocessing, train, validation) =
            Preprocessing::learn(steps, train, validation, rng)?;
        let in_units = |prepared: &Option<Prepared<'_>>, nll: Option<f64>| {
            let own = prepared.as_ref().zip(nll);
            own.map(|(p, nll)| p.in_units_of_the_data(nll)).or(nll)
        };
        let observer = |p: &Progress<'_>| {
            context.tell(&Progress {
                held_out_nll: in_units(&validation, p.held_out_nll),
                ..*p
            })
        };
        let context = &context.observed_by(&observer);
        let (own, held_out) = (train.data(), validation.as_ref().map(Prepared::data));
        let (density, mut report) = match self {
            Self::Flow(c) => c.fit(own, held_out, rng, context),
            Self::Rbig(c) => c.fit(own, held_out, rng, context),
            Self::GaussianMixture(c) => c.fit(own, held_out, rng, context),
            Self::StudentMixture(c) => c.fit(own, held_out, rng, context),
            Self::Kde(c) => c.fit(own, held_out, rng, context),
        }?;
        for e in &mut report.history {
            e.train_nll = train.in_units_of_the_data(e.train_nll);
            e.held_out_nll = in_units(&validation, e.held_out_nll);
        }
        Ok(Fitted {
            expert: preprocessing.undo(density),
            report,
            seconds: start.elapsed().as_secs_f64(),
        })
    }
}
