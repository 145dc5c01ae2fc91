//! MAF and RealNVP experts.

use super::{ExpertError, ExpertReport, FittedParts, GaussianMixtureExpert};
use crate::preprocess::PreprocessError;
use density::{Affine, ColumnError, ColumnProblem, Data, FitContext};
use flows::{Architecture, Base, FitConfig, Flow};
use numerics::random::Pcg64;
use serde::{Deserialize, Serialize};

/// Settings of a flow expert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowExpert {
    /// Shape of the flow.
    pub architecture: Architecture,
    /// Whether the model begins by standardising each column.
    pub standardise: bool,
    /// The distribution that data are mapped to.
    #[serde(default, skip_serializing_if = "BaseConfig::is_standard_normal")]
    pub base: BaseConfig,
    /// Maximum-likelihood fit.
    pub fit: FitConfig,
}

/// The base distribution of a flow expert.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub enum BaseConfig {
    /// `N(0, I)`.
    #[default]
    StandardNormal,
    /// A Gaussian mixture fitted to the (standardised) training points first; the flow on it should
    /// start near the identity (`output_gain: 0`).
    GaussianMixture(GaussianMixtureExpert),
}

impl BaseConfig {
    fn is_standard_normal(&self) -> bool {
        *self == Self::StandardNormal
    }
}

impl FlowExpert {
    /// A flow in standardised coordinates on a standard normal, with the default fit.
    #[must_use]
    pub fn new(architecture: Architecture) -> Self {
        Self {
            architecture,
            standardise: true,
            base: BaseConfig::StandardNormal,
            fit: FitConfig::default(),
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        self.architecture.check()?;
        if let BaseConfig::GaussianMixture(m) = &self.base {
            m.check()?;
        }
        self.fit.check()
    }

    pub(super) fn fit(
        &self,
        train: Data<'_>,
        validation: Option<Data<'_>>,
        rng: &dyn Fn(&str) -> Pcg64,
        context: &FitContext<'_>,
    ) -> Result<FittedParts, ExpertError> {
        let standardise = if self.standardise {
            Affine::standardising(train.points, train.weights).map_err(|column| {
                PreprocessError::from(ColumnError {
                    column,
                    problem: ColumnProblem::Constant,
                })
            })?
        } else {
            Affine::identity(train.points.ncols())
        };
        let base = match &self.base {
            BaseConfig::StandardNormal => Base::StandardNormal,
            BaseConfig::GaussianMixture(m) => {
                let mut points = train.points.to_owned();
                standardise.transform(points.as_mut());
                let data = Data {
                    points: points.as_ref(),
                    ..train
                };
                Base::GaussianMixture(m.mixture(data, &mut rng("base"))?)
            }
        };
        let builder = Flow::builder(&self.architecture, standardise).on_base(base);
        let mut flow = builder.build(&mut rng("init"))?;
        let batches = &mut rng("batches");
        let report = flow.fit(train, validation, &self.fit, batches, context)?;
        let report = ExpertReport {
            termination: report.termination,
            steps: report.steps,
            best_step: report.best_step,
            history: report.history,
            backoffs: report.backoffs,
        };
        Ok((Box::new(flow), report))
    }
}
