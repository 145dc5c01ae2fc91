//! The whole fit: draws, rounds of refinement, the final model.

use super::error::PosteriorError;
use super::evaluations::Evaluations;
use super::model::{Model, ModelFit, RoundReport, Weighted, points, purpose};
use super::settings::{FirstDraws, PosteriorConfig, Proposal, Refinement};
use datasets::posterior::InverseProblem;
use density::{Density, FitContext, Mixture, Progress};
use metrics::{ImportanceWeights, WeightsError};
use numerics::random::Pcg64;
use std::sync::Arc;

/// A posterior that was learnt from likelihood evaluations.
pub struct FittedPosterior {
    q: Mixture,
    evaluations: Evaluations,
    rounds: Vec<RoundReport>,
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
        let last = self.rounds.last()?;
        let k = last.experts.iter().position(|e| e.name == name)?;
        self.q.experts().get(k).copied()
    }

    /// Every likelihood evaluation.
    #[must_use]
    pub fn evaluations(&self) -> &Evaluations {
        &self.evaluations
    }

    /// A report after each round; the last is about `q`.
    #[must_use]
    pub fn rounds(&self) -> &[RoundReport] {
        &self.rounds
    }

    /// The density, the evaluations and the reports.
    #[must_use]
    pub fn into_parts(self) -> (Mixture, Evaluations, Vec<RoundReport>) {
        (self.q, self.evaluations, self.rounds)
    }
}

impl PosteriorConfig {
    /// Learns the posterior of a problem from at most [`budget`](Self::budget) likelihood
    /// evaluations.
    ///
    /// Experts and folds are fitted in parallel on the current thread pool; the result depends on
    /// the problem, the settings and the seed alone. Progress has the stages "round 1", "round 2",
    /// ..., and "final". With a checkpoint store in the context, the same call after an
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
        let mut rounds = Vec::new();
        let evaluations = self.gather(problem, seed, context, &mut rounds)?;
        let weights = evaluations.weights()?;
        let (q, report) = self.fit_final(&evaluations, &weights, seed, context)?;
        rounds.push(report);
        Ok(FittedPosterior {
            q,
            evaluations,
            rounds,
        })
    }

    /// Draws of the prior, then rounds of refinement.
    fn gather(
        &self,
        problem: &dyn InverseProblem,
        seed: u64,
        context: &FitContext<'_>,
        rounds: &mut Vec<RoundReport>,
    ) -> Result<Evaluations, PosteriorError> {
        let mut evaluations = self.first_draws(problem, seed)?;
        let mut weights = evaluations.weights()?;
        tell(context)?;
        let Some(refinement) = &self.refinement else {
            return Ok(evaluations);
        };
        for (round, &draws) in refinement.rounds.iter().enumerate() {
            let (q, report) =
                self.proposal(refinement, &evaluations, &weights, round, seed, context)?;
            rounds.push(report);
            let prior = (draws as f64 * refinement.prior_share).round() as usize;
            let prior = prior.min(draws);
            let rng = &mut purpose(seed, &format!("{}", round + 1), "draws");
            evaluations.draw(problem, (prior, draws - prior), q, rng)?;
            weights = evaluations.weights()?;
            tell(context)?;
        }
        Ok(evaluations)
    }

    fn first_draws(
        &self,
        problem: &dyn InverseProblem,
        seed: u64,
    ) -> Result<Evaluations, PosteriorError> {
        let rng = &mut purpose(seed, "0", "draws");
        let mut evaluations = Evaluations::new(problem.dim());
        let (wanted, most) = match self.first {
            FirstDraws::Count(n) => {
                evaluations.draw_prior(problem, n, rng)?;
                return Ok(evaluations);
            }
            FirstDraws::UntilEss { ess, most } => (ess, most),
        };
        let mut draws = (wanted.ceil() as usize).min(most);
        loop {
            evaluations.draw_prior(problem, draws, rng)?;
            let left = most - evaluations.len();
            let ess = match evaluations.weights() {
                Ok(w) => w.reliability().ess,
                Err(WeightsError::AllImpossible { .. }) if left > 0 => 1.0,
                Err(e) => return Err(e.into()),
            };
            if ess >= wanted || left == 0 {
                return Ok(evaluations);
            }
            // As many as are missing at the rate so far and 1 % more, at most ten times the present
            // number.
            let n = evaluations.len() as f64;
            let missing = (n * (wanted / ess - 1.0)).min(9.0 * n) + 0.01 * n;
            draws = (missing.ceil() as usize).min(left);
        }
    }

    /// The proposal of a round, fitted to all evaluations before it.
    fn proposal(
        &self,
        refinement: &Refinement,
        evaluations: &Evaluations,
        weights: &ImportanceWeights,
        round: usize,
        seed: u64,
        context: &FitContext<'_>,
    ) -> Result<(Arc<dyn Density>, RoundReport), PosteriorError> {
        let rng = |p: &str| purpose(seed, &format!("{round}"), p);
        let stage = &format!("round {}", round + 1);
        let points = points(evaluations, weights, self, &mut rng("points"));
        let (q, report): (Arc<dyn Density>, RoundReport) = match refinement.proposal {
            Proposal::Mixture { components, em } => {
                let few = points.thinned(self.base_points, &mut rng("mixture/points"));
                let found = components
                    .fit(few.data(), &em, &mut rng("mixture"))
                    .map_err(PosteriorError::Base)?;
                let mut report = report(evaluations, weights, points.weights.len());
                report.components = Some(found.len());
                (Arc::new(found), report)
            }
            Proposal::Model { steps } => {
                let model = self.model(&points, (1, Some(steps)), &rng, stage, seed, context)?;
                let report = report(evaluations, weights, points.weights.len());
                let (q, report) = with_model(report, model);
                (Arc::new(q), report)
            }
        };
        Ok((q, report))
    }

    /// A model of the given number of folds, optionally with fewer steps than the experts' own.
    fn model(
        &self,
        points: &Weighted,
        (models, steps): (usize, Option<usize>),
        rng: &(dyn Fn(&str) -> Pcg64 + Sync),
        stage: &str,
        seed: u64,
        context: &FitContext<'_>,
    ) -> Result<Model, PosteriorError> {
        let observer = |p: &Progress<'_>| context.tell(&Progress { stage, ..*p });
        let fit = ModelFit {
            config: self,
            models,
            steps,
            rng,
            seed,
            context: context.observed_by(&observer),
        };
        fit.run(points)
    }

    /// The final model.
    fn fit_final(
        &self,
        evaluations: &Evaluations,
        weights: &ImportanceWeights,
        seed: u64,
        context: &FitContext<'_>,
    ) -> Result<(Mixture, RoundReport), PosteriorError> {
        let rng = |p: &str| purpose(seed, "final", p);
        let points = points(evaluations, weights, self, &mut rng("points"));
        let model = self.model(&points, (self.models, None), &rng, "final", seed, context)?;
        let report = report(evaluations, weights, points.weights.len());
        let (q, report) = with_model(report, model);
        Ok((q, report))
    }
}

/// Between two steps: checks for an interruption.
fn tell(context: &FitContext<'_>) -> Result<(), PosteriorError> {
    if context.tell(&Progress::default()).is_break() {
        return Err(PosteriorError::Interrupted);
    }
    Ok(())
}

/// A report without a model.
fn report(evaluations: &Evaluations, weights: &ImportanceWeights, points: usize) -> RoundReport {
    RoundReport {
        evaluations: evaluations.len(),
        from_prior: evaluations.from_prior(),
        reliability: *weights.reliability(),
        warning: weights.reliability().warning(),
        points,
        components: None,
        experts: Vec::new(),
        held_out_nll: None,
    }
}

fn with_model(report: RoundReport, model: Model) -> (Mixture, RoundReport) {
    let report = RoundReport {
        components: model.components,
        experts: model.experts,
        held_out_nll: Some(model.held_out_nll),
        ..report
    };
    (model.mixture, report)
}
