//! RBIG experts.

use super::{ExpertError, ExpertReport, FittedParts};
use ::rbig::{LayerRule, Rbig, RbigConfig};
use density::{Data, FitContext, Progress};
use flows::{Evaluation, Termination};
use numerics::random::Pcg64;
use serde::{Deserialize, Serialize};

/// Settings of an RBIG expert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RbigExpert {
    /// Layers, marginals and rotations.
    pub model: RbigConfig,
}

impl RbigExpert {
    pub(super) fn check(&self) -> Result<(), String> {
        self.model.check().map_err(|e| e.to_string())
    }

    pub(super) fn fit(
        &self,
        train: Data<'_>,
        validation: Option<Data<'_>>,
        rng: &dyn Fn(&str) -> Pcg64,
        context: &FitContext<'_>,
    ) -> Result<FittedParts, ExpertError> {
        let model = Rbig::fit(train, validation, &self.model, &mut rng("rotations"))?;
        let history: Vec<Evaluation> = model
            .history()
            .iter()
            .map(|r| Evaluation {
                step: r.layers,
                train_nll: r.train_nll,
                held_out_nll: r.validation_nll,
            })
            .collect();
        let steps = history.last().map_or(0, |e| e.step);
        // The fit takes moments and cannot be interrupted: progress is reported once.
        let _ = context.tell(&Progress {
            step: steps,
            total: steps,
            held_out_nll: history.last().and_then(|e| e.held_out_nll),
            ..Progress::default()
        });
        let limit = match self.model.layers {
            LayerRule::Count(n) => n,
            LayerRule::HeldOut { max_layers, .. }
            | LayerRule::TotalCorrelation { max_layers, .. } => max_layers,
        };
        let report = ExpertReport {
            termination: if steps >= limit {
                Termination::StepLimit
            } else {
                Termination::EarlyStop
            },
            steps,
            best_step: model.num_layers(),
            history,
            backoffs: Vec::new(),
        };
        Ok((Box::new(model), report))
    }
}
