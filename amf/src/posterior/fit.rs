//! The whole fit: draws, rounds of refinement, the final model.

use super::evaluations::{EvaluationError, Evaluations};
use super::model::{Model, ModelFit, RoundReport, Weighted, points, purpose};
use super::settings::{FirstDraws, PosteriorConfig, Proposal, Refinement};
use super::weights::{ImportanceWeights, Reliability, WeightsError};
use crate::experts::{Expert, ExpertError, Progress};
use crate::mixture::Mixture;
use crate::weights::WeightError;
use datasets::posterior::InverseProblem;
use flows::EmError;
use numerics::random::Pcg64;
use std::ops::ControlFlow;
use std::sync::Arc;
use store::{NoShelf, Shelf};

/// A posterior that was learnt from likelihood evaluations.
pub struct FittedPosterior {
    q: Mixture,
    evaluations: Evaluations,
    rounds: Vec<RoundReport>,
}

/// Something that happened during a fit.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// Likelihoods were evaluated.
    Drawn {
        /// Round, from 0: the draws of the prior.
        round: usize,
        /// How far the weights of all evaluations so far can be trusted.
        reliability: &'a Reliability,
    },
    /// A step of a flow.
    Training {
        /// Round, from 0.
        round: usize,
        /// Name of the expert.
        expert: &'a str,
        /// Number of the fold.
        fold: usize,
        /// How far it is.
        progress: Progress,
    },
    /// A model was fitted to the evaluations of a round.
    Fitted {
        /// Round, from 0.
        round: usize,
        /// What was found.
        report: &'a RoundReport,
    },
}

/// What a fit calls along the way, from any thread; it can end the fit.
pub type PosteriorObserver<'a> = &'a (dyn Fn(Event<'_>) -> ControlFlow<()> + Sync);

/// Who watches a fit, and where its flows are kept.
#[derive(Clone, Copy)]
struct Watch<'a> {
    observe: PosteriorObserver<'a>,
    shelf: &'a dyn Shelf,
}

impl<'a> Watch<'a> {
    fn new(observe: PosteriorObserver<'a>) -> Self {
        Self {
            observe,
            shelf: &NoShelf,
        }
    }
}

/// Why a posterior could not be learnt.
#[derive(Debug, thiserror::Error)]
pub enum PosteriorError {
    /// Settings that make no sense.
    #[error("{0}")]
    Config(String),
    /// Values of the prior, the likelihood or the model that cannot be used.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// Weights that cannot be used.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Too few points with weight.
    #[error(
        "{points} points with weight are too few for {folds} folds: take more draws of the prior"
    )]
    TooFew {
        /// Points.
        points: usize,
        /// Folds.
        folds: usize,
    },
    /// Weighted points without spread.
    #[error("column {column} of the weighted points has no spread: take more draws of the prior")]
    NoSpread {
        /// Index of the column.
        column: usize,
    },
    /// The base mixture, or that of a proposal, could not be fitted.
    #[error("the Gaussian mixture: {0}")]
    Base(EmError),
    /// An expert could not be fitted.
    #[error("expert \"{expert}\", fold {fold}: {source}")]
    Expert {
        /// Name of the expert.
        expert: String,
        /// Number of the fold.
        fold: usize,
        /// What went wrong.
        source: ExpertError,
    },
    /// The weights of the experts could not be learned.
    #[error("mixture weights: {0}")]
    Stacking(#[from] WeightError),
    /// The observer asked for an end.
    #[error("interrupted")]
    Interrupted,
}

impl FittedPosterior {
    /// The density `q(theta)`: a mixture of the experts.
    #[must_use]
    pub fn q(&self) -> &Mixture {
        &self.q
    }

    /// The expert of a name: that of the settings, or `base`.
    #[must_use]
    pub fn expert(&self, name: &str) -> Option<&dyn Expert> {
        let last = self.rounds.last()?;
        let k = last.experts.iter().position(|e| e.name == name)?;
        self.q.experts().get(k).copied()
    }

    /// Every likelihood evaluation.
    #[must_use]
    pub fn evaluations(&self) -> &Evaluations {
        &self.evaluations
    }

    /// What was found after each round; the last is about `q`.
    #[must_use]
    pub fn rounds(&self) -> &[RoundReport] {
        &self.rounds
    }

    /// Its parts.
    #[must_use]
    pub fn into_parts(self) -> (Mixture, Evaluations, Vec<RoundReport>) {
        (self.q, self.evaluations, self.rounds)
    }
}

impl PosteriorConfig {
    /// Learns the posterior of a problem from at most [`budget`](Self::budget) likelihood evaluations.
    ///
    /// Experts and folds are fitted in parallel on the current thread pool; the result depends on the problem, the settings and the seed alone.
    ///
    /// # Errors
    /// See [`PosteriorError`].
    pub fn fit(
        &self,
        problem: &dyn InverseProblem,
        seed: u64,
        observe: PosteriorObserver<'_>,
    ) -> Result<FittedPosterior, PosteriorError> {
        self.fit_on(&NoShelf, problem, seed, observe)
    }

    /// [`Self::fit`] whose flows are kept on a shelf: the same call after an interruption evaluates the likelihoods again, finds the flows that are
    /// done, and goes on with those that are not.
    ///
    /// # Errors
    /// See [`PosteriorError`].
    pub fn fit_on(
        &self,
        shelf: &dyn Shelf,
        problem: &dyn InverseProblem,
        seed: u64,
        observe: PosteriorObserver<'_>,
    ) -> Result<FittedPosterior, PosteriorError> {
        self.check().map_err(PosteriorError::Config)?;
        let mut rounds = Vec::new();
        let watch = Watch { observe, shelf };
        let evaluations = self.gather(problem, seed, watch, &mut rounds)?;
        let weights = evaluations.weights()?;
        let (q, report) = self.fit_round(&evaluations, &weights, rounds.len(), seed, watch)?;
        rounds.push(report);
        Ok(FittedPosterior {
            q,
            evaluations,
            rounds,
        })
    }

    /// The evaluations of [`fit`](Self::fit) without the final model: for fitting several models to the same ones with
    /// [`fit_evaluations`](Self::fit_evaluations).
    ///
    /// # Errors
    /// See [`PosteriorError`].
    pub fn evaluate(
        &self,
        problem: &dyn InverseProblem,
        seed: u64,
        observe: PosteriorObserver<'_>,
    ) -> Result<(Evaluations, Vec<RoundReport>), PosteriorError> {
        self.check().map_err(PosteriorError::Config)?;
        let mut rounds = Vec::new();
        let watch = Watch::new(observe);
        let evaluations = self.gather(problem, seed, watch, &mut rounds)?;
        Ok((evaluations, rounds))
    }

    /// Fits the final model to evaluations that exist: no likelihood is evaluated.
    ///
    /// # Errors
    /// See [`PosteriorError`].
    pub fn fit_evaluations(
        &self,
        evaluations: &Evaluations,
        seed: u64,
        observe: PosteriorObserver<'_>,
    ) -> Result<(Mixture, RoundReport), PosteriorError> {
        self.check().map_err(PosteriorError::Config)?;
        let round = self.refinement.as_ref().map_or(0, |r| r.rounds.len());
        let weights = evaluations.weights()?;
        self.fit_round(evaluations, &weights, round, seed, Watch::new(observe))
    }

    /// Draws of the prior, then rounds of refinement.
    fn gather(
        &self,
        problem: &dyn InverseProblem,
        seed: u64,
        watch: Watch<'_>,
        rounds: &mut Vec<RoundReport>,
    ) -> Result<Evaluations, PosteriorError> {
        let mut evaluations = self.first_draws(problem, seed)?;
        let mut weights = evaluations.weights()?;
        tell_drawn(watch.observe, 0, &weights)?;
        let Some(refinement) = &self.refinement else {
            return Ok(evaluations);
        };
        for (round, &draws) in refinement.rounds.iter().enumerate() {
            let (q, report) =
                self.proposal(refinement, &evaluations, &weights, round, seed, watch)?;
            rounds.push(report);
            let prior = (draws as f64 * refinement.prior_share).round() as usize;
            let prior = prior.min(draws);
            let rng = &mut purpose(seed, &format!("{}", round + 1), "draws");
            evaluations.draw(problem, (prior, draws - prior), q, rng)?;
            weights = evaluations.weights()?;
            tell_drawn(watch.observe, round + 1, &weights)?;
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
            // What is missing at the rate so far, at most ten times what there is, and a hundredth more to end soon.
            let n = evaluations.len() as f64;
            let missing = (n * (wanted / ess - 1.0)).min(9.0 * n) + 0.01 * n;
            draws = (missing.ceil() as usize).min(left);
        }
    }

    /// What a round draws from, fitted to all evaluations before it.
    fn proposal(
        &self,
        refinement: &Refinement,
        evaluations: &Evaluations,
        weights: &ImportanceWeights,
        round: usize,
        seed: u64,
        watch: Watch<'_>,
    ) -> Result<(Arc<dyn Expert>, RoundReport), PosteriorError> {
        let rng = |p: &str| purpose(seed, &format!("{round}"), p);
        let points = points(evaluations, weights, self, &mut rng("points"));
        let (q, report): (Arc<dyn Expert>, RoundReport) = match refinement.proposal {
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
                let model = self.model(&points, (1, Some(steps)), &rng, (round, seed), watch)?;
                let report = report(evaluations, weights, points.weights.len());
                let (q, report) = with_model(report, model);
                (Arc::new(q), report)
            }
        };
        tell(
            watch.observe,
            Event::Fitted {
                round,
                report: &report,
            },
        )?;
        Ok((q, report))
    }

    /// A model of so many folds, perhaps with fewer steps than the experts' own.
    fn model(
        &self,
        points: &Weighted,
        (models, steps): (usize, Option<usize>),
        rng: &(dyn Fn(&str) -> Pcg64 + Sync),
        (round, seed): (usize, u64),
        watch: Watch<'_>,
    ) -> Result<Model, PosteriorError> {
        let fit = ModelFit {
            config: self,
            models,
            steps,
            rng,
            seed,
            observe: &|expert, fold, progress| {
                (watch.observe)(Event::Training {
                    round,
                    expert,
                    fold,
                    progress,
                })
            },
            shelf: watch.shelf,
        };
        fit.run(points)
    }

    /// The final model.
    fn fit_round(
        &self,
        evaluations: &Evaluations,
        weights: &ImportanceWeights,
        round: usize,
        seed: u64,
        watch: Watch<'_>,
    ) -> Result<(Mixture, RoundReport), PosteriorError> {
        let rng = |p: &str| purpose(seed, "final", p);
        let points = points(evaluations, weights, self, &mut rng("points"));
        let model = self.model(&points, (self.models, None), &rng, (round, seed), watch)?;
        let report = report(evaluations, weights, points.weights.len());
        let (q, report) = with_model(report, model);
        tell(
            watch.observe,
            Event::Fitted {
                round,
                report: &report,
            },
        )?;
        Ok((q, report))
    }
}

fn tell(observe: PosteriorObserver<'_>, event: Event<'_>) -> Result<(), PosteriorError> {
    if observe(event).is_break() {
        return Err(PosteriorError::Interrupted);
    }
    Ok(())
}

fn tell_drawn(
    observe: PosteriorObserver<'_>,
    round: usize,
    weights: &ImportanceWeights,
) -> Result<(), PosteriorError> {
    let reliability = weights.reliability();
    tell(observe, Event::Drawn { round, reliability })
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
