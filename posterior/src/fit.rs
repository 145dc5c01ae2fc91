//! The whole fit: evaluations, then the model.

use super::error::PosteriorError;
use super::evaluations::Evaluations;
use super::model::{FitReport, Model, ModelFit, Weighted, points, purpose};
use super::settings::{Draws, PosteriorConfig};
use datasets::posterior::InverseProblem;
use density::{Density, FitContext, Mixture, Progress};
use std::ops::ControlFlow;

/// A posterior that was learnt from likelihood evaluations.
pub struct FittedPosterior {
    q: Mixture,
    evaluations: Evaluations,
    report: FitReport,
}

impl FittedPosterior {
    /// The density `q(theta)`: a mixture of the experts.
    #[must_use]
    pub fn q(&self) -> &Mixture {
        &self.q
    }

    /// The expert of this name: one of the settings', or `base`.
    #[must_use]
    pub fn expert(&self, name: &str) -> Option<&dyn Density> {
        let k = self.report.experts.iter().position(|e| e.name == name)?;
        self.q.experts().get(k).copied()
    }

    /// Every likelihood evaluation.
    #[must_use]
    pub fn evaluations(&self) -> &Evaluations {
        &self.evaluations
    }

    /// What came out.
    #[must_use]
    pub fn report(&self) -> &FitReport {
        &self.report
    }

    /// The density, the evaluations and the report.
    #[must_use]
    pub fn into_parts(self) -> (Mixture, Evaluations, FitReport) {
        (self.q, self.evaluations, self.report)
    }
}

impl PosteriorConfig {
    /// Learns the posterior of a problem from at most [`budget`](Self::budget) likelihood
    /// evaluations.
    ///
    /// Experts and folds are fitted in parallel on the current thread pool; the result depends on
    /// the problem, the settings and the seed alone. Progress has the stages "evaluations" and
    /// "final". With a checkpoint store in the context, the same call after an
    /// interruption evaluates the likelihoods again, reuses finished flows and resumes the others.
    ///
    /// # Errors
    /// See [`PosteriorError`].
    pub fn fit(
        &self,
        problem: &dyn InverseProblem,
        seed: u64,
        context: &FitContext<'_>,
    ) -> Result<FittedPosterior, PosteriorError> {
        self.check().map_err(PosteriorError::Config)?;
        let evaluations = self.gather(problem, seed, context)?;
        let rng = &mut purpose(seed, "final", "points");
        let points = points(&evaluations, self, rng)?;
        let model = self.model(&points, seed, context)?;
        let report = FitReport {
            evaluations: evaluations.len(),
            from_prior: evaluations.from_prior(),
            reliability: *evaluations.reliability(),
            warning: evaluations.reliability().warning(),
            points: points.weights.len(),
            components: model.components,
            experts: model.experts,
            held_out_nll: model.held_out_nll,
        };
        Ok(FittedPosterior {
            q: model.mixture,
            evaluations,
            report,
        })
    }

    fn gather(
        &self,
        problem: &dyn InverseProblem,
        seed: u64,
        context: &FitContext<'_>,
    ) -> Result<Evaluations, PosteriorError> {
        let tell = |step: usize| {
            let progress = Progress {
                stage: "evaluations",
                step,
                total: self.budget(),
                ..Progress::default()
            };
            match context.tell(&progress) {
                ControlFlow::Break(()) => Err(PosteriorError::Interrupted),
                ControlFlow::Continue(()) => Ok(()),
            }
        };
        tell(0)?;
        match self.draws {
            Draws::Annealed(n) => Evaluations::annealed(problem, n, seed, &tell),
            draws => {
                let rng = &mut purpose(seed, "0", "draws");
                Evaluations::of_the_prior(problem, draws, rng)
            }
        }
    }

    fn model(
        &self,
        points: &Weighted,
        seed: u64,
        context: &FitContext<'_>,
    ) -> Result<Model, PosteriorError> {
        let stage = "final";
        let observer = |p: &Progress<'_>| context.tell(&Progress { stage, ..*p });
        let fit = ModelFit {
            config: self,
            rng: &|p: &str| purpose(seed, stage, p),
            seed,
            context: context.observed_by(&observer),
        };
        fit.run(points)
    }
}
