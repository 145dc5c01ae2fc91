//! MAF and RealNVP experts.

use super::{
    ExpertError, ExpertObserver, ExpertReport, FittedParts, GaussianMixtureExpert, Progress,
};
use flows::{Architecture, Base, Data, FitConfig, Flow, Standardise};
use numerics::random::Pcg64;
use serde::{Deserialize, Serialize};
use store::Shelf;

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
    /// A Gaussian mixture fitted to the (standardised) training points first; the flow on it should start near the identity
    /// (`output_gain: 0`).
    GaussianMixture(GaussianMixtureExpert),
}

impl BaseConfig {
    fn is_standard_normal(&self) -> bool {
        *self == Self::StandardNormal
    }
}

impl FlowExpert {
    pub(super) fn check(&self) -> Result<(), String> {
        self.architecture.check()?;
        if let BaseConfig::GaussianMixture(m) = &self.base {
            m.check()?;
        }
        self.fit.check()
    }

    pub(super) fn fit(
        &self,
        shelf: &dyn Shelf,
        train: Data<'_>,
        validation: Option<Data<'_>>,
        rng: &dyn Fn(&str) -> Pcg64,
        observe: ExpertObserver<'_>,
    ) -> Result<FittedParts, ExpertError> {
        let standardise = if self.standardise {
            Standardise::fit(train.points, train.weights)
                .map_err(|column| ExpertError::ConstantColumn { column })?
        } else {
            Standardise::identity(train.points.ncols())
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
        let mut flow = Flow::on_base(&self.architecture, standardise, base, &mut rng("init"))?;
        let mut held_out_nll = None;
        let report = flow.fit_on(
            shelf,
            train,
            validation,
            &self.fit,
            &mut rng("batches"),
            &mut |step, evaluation| {
                if let Some(e) = evaluation {
                    held_out_nll = e.held_out_nll;
                }
                observe(Progress {
                    step,
                    total: self.fit.steps,
                    held_out_nll,
                })
            },
        )?;
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
