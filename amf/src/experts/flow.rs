//! MAF and RealNVP experts.

use super::{ExpertError, ExpertReport, Fitted, Progress};
use autodiff::random::Pcg64;
use flows::{Architecture, Data, FitConfig, Flow, Standardise};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// Settings of a flow expert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowExpert {
    /// Shape of the flow.
    pub architecture: Architecture,
    /// Whether the model begins by standardising each column.
    pub standardise: bool,
    /// Maximum-likelihood fit.
    pub fit: FitConfig,
}

impl FlowExpert {
    pub(super) fn check(&self) -> Result<(), String> {
        self.architecture.check()?;
        self.fit.check()
    }

    pub(super) fn fit(
        &self,
        train: Data<'_>,
        validation: Option<Data<'_>>,
        rng: &dyn Fn(&str) -> Pcg64,
        observe: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Fitted, ExpertError> {
        let standardise = if self.standardise {
            Standardise::fit(train.points, train.weights)
                .map_err(|column| ExpertError::ConstantColumn { column })?
        } else {
            Standardise::identity(train.points.ncols())
        };
        let mut flow = Flow::new(&self.architecture, standardise, &mut rng("init"))?;
        let mut held_out_nll = None;
        let report = flow.fit(
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
        Ok(Fitted {
            expert: Box::new(flow),
            report: ExpertReport {
                termination: report.termination,
                steps: report.steps,
                best_step: report.best_step,
                history: report.history,
            },
        })
    }
}
