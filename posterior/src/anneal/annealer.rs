//! The sequence of rounds.

use super::estimate::{Estimates, estimate};
use super::fit::{self, Model};
use super::population::Population;
use super::proposal::{Proposal, log_prior};
use super::seam::{Cut, Seams};
use super::settings::AnnealSettings;
use density::GaussianMixture;
use faer::prelude::*;
use numerics::math::{ln, ln_sum_exp};
use numerics::matrix::select_rows;
use numerics::random::{Pcg64, stream};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The smallest and the largest share of the prior in a round while the temperature rises.
const PRIOR_SHARE: (f64, f64) = (0.05, 0.3);

/// Every round also draws from the first so many learnt densities.
const EARLIER: usize = 6;

const LN_100: f64 = 4.605_170_185_988_092;

/// The state of annealing: it asks for the likelihoods of one round after the other.
pub struct Annealer {
    settings: AnnealSettings,
    seed: u64,
    population: Population,
    asked: Option<(Proposal, Mat<f64>)>,
    beta: f64,
    /// The highest temperature so far.
    highest: f64,
    /// The Gaussian mixture of the last fit.
    mixture: Option<GaussianMixture>,
    seams: Seams,
    /// Experts that had no weight in the last fit that they had a part in.
    idle: BTreeSet<String>,
    estimates: Estimates,
    /// `ESS / n` of the last round for the posterior.
    efficiency: f64,
}

/// Where annealing stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Rounds done.
    pub rounds: usize,
    /// Evaluations so far.
    pub evaluations: usize,
    /// The temperature of the last fit; 1 once the draws stand for the posterior.
    pub beta: f64,
    /// Components of the last proposal.
    pub components: usize,
    /// The estimate of ln Z, nats.
    pub log_evidence: f64,
    /// The standard error of `log_evidence`, nats.
    pub standard_error: f64,
    /// Effective sample size of the weighted draws.
    pub ess: f64,
}

impl Annealer {
    /// Before the first round.
    #[must_use]
    pub fn new(dim: usize, settings: &AnnealSettings, seed: u64) -> Self {
        let population = Population::new(dim);
        Self {
            settings: settings.clone(),
            seed,
            estimates: estimate(&population),
            population,
            asked: None,
            beta: 0.0,
            highest: 0.0,
            mixture: None,
            seams: Seams::new(&vec![false; dim]),
            idle: BTreeSet::new(),
            efficiency: 1e-6,
        }
    }

    /// With coordinates that are periodic: the ends of their prior are the same point.
    #[must_use]
    pub fn periodic(mut self, periodic: &[bool]) -> Self {
        self.seams = Seams::new(periodic);
        self
    }

    /// Where it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            rounds: self.population.rounds.len(),
            evaluations: self.population.len(),
            beta: if self.reached() { 1.0 } else { self.beta },
            components: self.components(),
            log_evidence: self.estimates.log_evidence,
            standard_error: self.estimates.standard_error,
            ess: self.estimates.ess,
        }
    }

    /// The points (in prior coordinates) whose likelihoods are wanted next; none when it is done. The
    /// first of them has the number [`Status::evaluations`].
    pub fn ask(&mut self) -> Option<MatRef<'_, f64>> {
        if self.asked.is_none() {
            let proposal = self.next()?;
            let z = proposal.sample(&mut self.rng("draws"));
            self.asked = Some((proposal, z));
        }
        self.asked.as_ref().map(|(_, z)| z.as_ref())
    }

    /// The log-likelihoods of the points asked for: finite or -infinity.
    ///
    /// # Panics
    /// If no points were asked for, or another number of them.
    pub fn tell(&mut self, log_likelihood: &[f64]) {
        let (proposal, z) = self.asked.take().expect("points were asked for");
        assert_eq!(z.nrows(), log_likelihood.len(), "one value a point");
        let before = self.population.len();
        self.population.add(proposal, &z, log_likelihood);
        let p = &self.population;
        let own: Vec<f64> = (before..p.len())
            .map(|i| p.log_likelihood[i] + p.log_prior[i] - p.log_own[i])
            .collect();
        self.efficiency = (super::population::effective(&own) / own.len() as f64).max(1e-6);
        self.estimates = estimate(p);
    }

    fn rng(&self, purpose: &str) -> Pcg64 {
        let round = self.population.rounds.len();
        stream(self.seed, &format!("anneal/{round}/{purpose}"))
    }

    /// Components of the last fit.
    fn components(&self) -> usize {
        self.mixture.as_ref().map_or(1, GaussianMixture::len)
    }

    /// Whether the draws stand for the posterior, which those of the prior may do at once.
    fn reached(&self) -> bool {
        let d = self.population.z.ncols();
        self.beta == 1.0 || self.estimates.ess >= self.settings.enough(d, self.components())
    }

    fn done(&self) -> bool {
        let (s, e) = (&self.settings, &self.estimates);
        let precise = s
            .log_evidence_error
            .is_none_or(|most| e.standard_error <= most);
        self.reached() && e.ess >= s.ess && precise
    }

    /// The proposal of the next round.
    fn next(&mut self) -> Option<Proposal> {
        let (s, d) = (self.settings.clone(), self.population.z.ncols());
        let left = s.evaluations - self.population.len();
        if left == 0 || self.done() {
            return None;
        }
        let round = s.round(d, self.components()).min(left);
        if self.population.len() == 0 {
            return Some(Proposal::prior(d, (2 * round).min(left)));
        }
        let beta = self.population.temperature(s.enough(d, self.components()));
        let beta = if self.beta > 0.0 {
            beta.min(AnnealSettings::most_rise(self.components()) * self.highest)
        } else {
            beta
        };
        let fitted = self.fit(beta);
        let s = &self.settings;
        let n = if beta == 1.0 {
            self.production(round, left)
        } else {
            round
        };
        self.beta = beta;
        self.highest = self.highest.max(beta);
        Some(match fitted {
            Some(model) => {
                self.mixture = Some(model.mixture);
                // Where draws of the prior are good enough, many of them: they lose no mode.
                let share = if beta == 1.0 {
                    s.prior_share
                } else {
                    let efficiency = self.population.efficiency_of_prior(beta);
                    let share = efficiency.clamp(PRIOR_SHARE.0, PRIOR_SHARE.1);
                    share.max(s.prior_share)
                };
                let count = |share: f64| ((n as f64 * share).ceil() as usize).min(n / 2);
                let earlier: Vec<_> = self.population.rounds[1..]
                    .iter()
                    .filter_map(|r| r.fitted().cloned())
                    .take(EARLIER)
                    .collect();
                let prior = count(share);
                let each = if earlier.is_empty() {
                    0
                } else {
                    count(0.05) / earlier.len()
                };
                let mut parts = vec![(model.density, n - prior - each * earlier.len())];
                parts.extend(earlier.into_iter().map(|e| (e, each)));
                Proposal::new(parts, prior, self.efficiency * self.efficiency)
            }
            // Nothing to fit to yet: the prior again.
            None => Proposal::prior(d, n),
        })
    }

    /// Draws of a round at the full likelihood: half as many as there are (fewer while most of them would
    /// be wasted), and no more than are missing at the efficiency so far.
    fn production(&self, round: usize, left: usize) -> usize {
        let most = match self.efficiency {
            e if e < 0.1 => 0,
            e if e < 0.3 => self.population.len() / 5,
            _ => self.population.len() / 2,
        };
        let grown = round.max(most);
        let (s, e) = (&self.settings, &self.estimates);
        // The variance of ln Z falls as 1 / ESS.
        let precise = s
            .log_evidence_error
            .map_or(0.0, |most| e.ess * (e.standard_error / most).powi(2));
        let missing = (s.ess.max(precise) - e.ess).max(0.0);
        let wanted = (1.02 * missing / self.efficiency + 50.0).min(left as f64) as usize;
        let n = grown.min(wanted.max(round.min(100))).min(left);
        // No crumbs at the end.
        if left - n < round / 4 && wanted > n {
            left
        } else {
            n
        }
    }

    fn fit(&mut self, beta: f64) -> Option<Model> {
        let log_weights = self.population.truncated(beta);
        let ess = super::population::effective(&log_weights);
        let late = beta == 1.0 || beta > 0.3 && self.population.rounds.len() >= 5;
        let flows = late && self.efficiency < 0.85 && ess >= 250.0;
        let most = if flows { 20_000 } else { 10_000 };
        let (rows, weights) = fit::thin(&log_weights, most, &mut self.rng("thin"))?;
        let mut points = select_rows(self.population.z.as_ref(), &rows);
        let seams = self.seams.moved(points.as_ref(), &weights);
        let previous = self.mixture.as_ref().filter(|_| seams == self.seams);
        points = seams.cut(points.as_ref());
        // Idle experts only cost time, but while draws are wasted they get a chance now and then.
        if self.efficiency < 0.3 && self.population.rounds.len().is_multiple_of(3) {
            self.idle.clear();
        }
        let fit = fit::Fit {
            without: &self.idle,
            previous,
            max: self.settings.max_components,
            flows,
            rng: &|purpose: &str| self.rng(purpose),
        };
        let p = &self.population;
        let log_z = ln_sum_exp(&log_weights) - ln(p.len() as f64);
        let log_target: Vec<f64> = rows
            .iter()
            .zip(log_prior(points.as_ref()))
            .map(|(&i, prior)| beta * p.log_likelihood[i] + prior - log_z)
            .collect();
        let mut model = fit.model(&points, &weights, &log_target).ok()?;
        self.idle.extend(model.idle.iter().cloned());
        self.seams = seams.clone();
        if !seams.is_identity() {
            let density = model.density;
            model.density = Arc::new(Cut { seams, density });
        }
        Some(model)
    }

    /// `ln w` of all evaluations by all rounds together (deterministic-mixture weights, with mean Z): for
    /// fits, not for estimates.
    #[must_use]
    pub fn log_weights_for_training(&self) -> Vec<f64> {
        self.population.log_weights(1.0)
    }

    /// How many evaluations were drawn from the prior.
    #[must_use]
    pub fn from_prior(&self) -> usize {
        let rounds = self.population.rounds.iter();
        rounds.map(|r| r.prior_draws()).sum()
    }

    /// ln Z and the weights of all evaluations.
    #[must_use]
    pub fn estimates(&self) -> &Estimates {
        &self.estimates
    }

    /// All points, in prior coordinates, in the order of their rounds.
    #[must_use]
    pub fn points(&self) -> MatRef<'_, f64> {
        self.population.z.as_ref()
    }

    /// The share of the posterior where the last fitted density has less than a hundredth of what
    /// it should have: found by draws of the prior and of earlier densities, missed by the fit.
    #[must_use]
    pub fn missed(&self) -> f64 {
        let last = self.population.rounds.iter().rev();
        let Some(fitted) = last.filter_map(|r| r.fitted()).next() else {
            return 0.0;
        };
        let log_q = fitted.log_prob(self.points());
        let (p, e) = (&self.population, &self.estimates);
        let far = |i: &usize| {
            let exact = p.log_likelihood[*i] + p.log_prior[*i] - e.log_evidence;
            log_q[*i].is_nan() || log_q[*i] <= exact - LN_100
        };
        let missed = (0..p.len()).filter(|i| e.shares[*i] > 0.0).filter(far);
        missed.map(|i| e.shares[i]).sum()
    }
}
