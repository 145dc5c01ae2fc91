//! Kernel density estimates as experts.

use super::gaussian_mixture::first;
use super::{ExpertError, ExpertReport, FittedParts};
use density::{Data, Density, FitContext, Kde, Progress};
use flows::{Evaluation, Termination};
use numerics::random::Pcg64;
use serde::{Deserialize, Serialize};

/// Settings of a kernel density estimate: none, its bandwidth is cross-validated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KdeExpert {}

/// The largest number of kernels: an evaluation sums over all of them.
const MOST_POINTS: usize = 20_000;

impl KdeExpert {
    pub(super) fn fit(
        self,
        train: Data<'_>,
        validation: Option<Data<'_>>,
        rng: &dyn Fn(&str) -> Pcg64,
        context: &FitContext<'_>,
    ) -> Result<FittedParts, ExpertError> {
        // Points come in random order: the first are a random sample.
        let train = first(train, MOST_POINTS);
        let kde = Kde::fit(train, &mut rng("kde"))?;
        let nll = |data: Data<'_>| data.mean_nll(&Density::log_prob(&kde, data.points));
        let evaluation = Evaluation {
            step: 1,
            train_nll: nll(train),
            held_out_nll: validation.map(nll),
        };
        let _ = context.tell(&Progress {
            step: 1,
            total: 1,
            held_out_nll: evaluation.held_out_nll,
            ..Progress::default()
        });
        let report = ExpertReport {
            termination: Termination::StepLimit,
            steps: 1,
            best_step: 1,
            history: vec![evaluation],
            backoffs: Vec::new(),
        };
        Ok((Box::new(kde), report))
    }
}
