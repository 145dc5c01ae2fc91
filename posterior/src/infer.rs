//! A posterior from a prior and a likelihood, in as many dimensions as people have.

use crate::anneal::{AnnealSettings, Annealer, Status};
use crate::journal::Journal;
use crate::likelihood::{Likelihood, Value};
use crate::prior::PriorMap;
use faer::prelude::*;
use numerics::Estimate;
use numerics::matrix::select_rows;
use numerics::random::{Pcg64, stream, uniform};
use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Receives the status after each round, and when points are wanted; a break interrupts.
pub type StatusObserver<'a> = dyn Fn(&Status) -> ControlFlow<()> + Sync + 'a;

/// A posterior to be found by annealed importance sampling, see [`anneal`](crate::anneal).
///
/// ```
/// use posterior::{Posterior, Prior};
///
/// let prior = Prior::parse(["a = normal(0, 1)", "b = uniform(-3, 3)"])?;
/// let log_likelihood = |t: &[f64]| -0.5 * ((t[0] * t[0] + t[1] - 1.0) / 0.2).powi(2);
/// let found = Posterior::new(prior, log_likelihood).evaluations(4000).ess(1000.0).fit()?;
/// let (z, draws) = (found.log_evidence(), found.sample(100, 1));
/// assert!(z.standard_error < 0.1 && draws.nrows() == 100);
/// # Ok::<(), posterior::InferError>(())
/// ```
pub struct Posterior<'a, P, L> {
    prior: P,
    likelihood: L,
    settings: AnnealSettings,
    seed: u64,
    folder: Option<PathBuf>,
    observer: &'a StatusObserver<'a>,
}

fn nobody(_: &Status) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

impl<P: PriorMap, L: Likelihood> Posterior<'_, P, L> {
    /// With 20,000 evaluations, an effective sample size of 10,000 and seed 1.
    #[must_use]
    pub fn new(prior: P, likelihood: L) -> Self {
        Self {
            prior,
            likelihood,
            settings: AnnealSettings::default(),
            seed: 1,
            folder: None,
            observer: &nobody,
        }
    }
}

impl<'a, P: PriorMap, L: Likelihood> Posterior<'a, P, L> {
    /// The most likelihood evaluations.
    #[must_use]
    pub fn evaluations(mut self, n: usize) -> Self {
        self.settings.evaluations = n;
        self
    }

    /// The effective sample size at which it ends before that.
    #[must_use]
    pub fn ess(mut self, ess: f64) -> Self {
        self.settings.ess = ess;
        self
    }

    /// All settings.
    #[must_use]
    pub fn settings(mut self, settings: AnnealSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Seed of all random numbers.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Keeps each evaluation in this folder as it comes: the same call after an interruption makes
    /// none twice and gives the same result to the bit.
    #[must_use]
    pub fn kept_in(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Tells the observer about progress.
    #[must_use]
    pub fn observed_by<'b>(self, observer: &'b StatusObserver<'b>) -> Posterior<'b, P, L>
    where
        'a: 'b,
    {
        Posterior { observer, ..self }
    }

    /// Evaluates until the effective sample size is reached or the budget is spent.
    ///
    /// # Errors
    /// See [`InferError`]. A budget that is too small is no error: the result says what it lacks,
    /// see [`Inference::warnings`].
    pub fn fit(&self) -> Result<Inference, InferError> {
        let mut session = self.session()?;
        loop {
            session.advance(self.observer)?;
            let wanted = session.pending();
            if wanted.ids.is_empty() {
                return Ok(session.finish());
            }
            let journal = &session.journal;
            let deliver = |row: usize, value: Value| {
                if (self.observer)(&session.status).is_break() {
                    return Err(INTERRUPTED.into());
                }
                checked(&value, wanted.theta.as_ref(), row, &session.names)?;
                journal.add(wanted.ids[row], value)
            };
            let done = self.likelihood.evaluate(wanted.theta.as_ref(), &deliver);
            done.map_err(|e| match e.as_str() {
                INTERRUPTED => InferError::Interrupted,
                _ => InferError::Likelihood(e),
            })?;
        }
    }

    /// The state from which points can be asked and told, for programs that evaluate elsewhere.
    ///
    /// # Errors
    /// Settings or a prior that cannot be used, or a folder of another problem.
    pub fn session(&self) -> Result<Session<'_>, InferError> {
        Session::begin(
            &self.prior,
            self.likelihood.derived(),
            &self.settings,
            self.seed,
            self.folder.as_deref(),
        )
    }
}

const INTERRUPTED: &str = "interrupted";

/// Why there is no posterior.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InferError {
    /// Settings that cannot be used.
    #[error("{0}")]
    Settings(String),
    /// A prior transform that cannot be used.
    #[error("the prior transform: {0}")]
    Prior(String),
    /// The folder of evaluations.
    #[error("{0}")]
    Folder(String),
    /// The likelihood failed, or gave +infinity.
    #[error("{0}")]
    Likelihood(String),
    /// The observer asked for an end.
    #[error("interrupted")]
    Interrupted,
}

/// Text is the settings' error.
impl From<String> for InferError {
    fn from(text: String) -> Self {
        Self::Settings(text)
    }
}

/// Points whose likelihoods are wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Their numbers, counted from 0 over the whole run.
    pub ids: Vec<usize>,
    /// Their parameters, a row for each.
    pub theta: Mat<f64>,
}

/// A run that can be asked for points and told their values.
pub struct Session<'a> {
    prior: &'a dyn PriorMap,
    names: Vec<String>,
    derived: Vec<String>,
    annealer: Annealer,
    journal: Journal,
    status: Status,
    values: Vec<Value>,
    settings: AnnealSettings,
}

impl<'a> Session<'a> {
    fn begin(
        prior: &'a dyn PriorMap,
        derived: &[String],
        settings: &AnnealSettings,
        seed: u64,
        folder: Option<&std::path::Path>,
    ) -> Result<Self, InferError> {
        settings.check()?;
        let names = prior.names().to_vec();
        if names.is_empty() {
            return Err(InferError::Prior("there are no parameters".into()));
        }
        let probe = probe(prior)?;
        let journal = match folder {
            None => Journal::in_memory(),
            Some(folder) => {
                let problem = describe(&names, derived, &probe, settings, seed);
                Journal::open(folder, &problem, derived).map_err(InferError::Folder)?
            }
        };
        let annealer = Annealer::new(names.len(), settings, seed);
        Ok(Self {
            prior,
            names,
            derived: derived.to_vec(),
            status: annealer.status(),
            annealer,
            journal,
            values: Vec::new(),
            settings: settings.clone(),
        })
    }

    /// Goes on as far as the values allow: fits, and asks for the next round.
    ///
    /// # Errors
    /// Interrupted, or a prior transform that gives no number.
    pub fn advance(&mut self, observer: &StatusObserver<'_>) -> Result<(), InferError> {
        loop {
            let first = self.annealer.status().evaluations;
            let Some(z) = self.annealer.ask() else {
                return Ok(());
            };
            let values: Option<Vec<Value>> = (first..first + z.nrows())
                .map(|id| self.journal.get(id))
                .collect();
            let Some(values) = values else {
                return Ok(());
            };
            let log_likelihood: Vec<f64> = values
                .iter()
                .map(|v| {
                    if v.log_likelihood.is_nan() {
                        f64::NEG_INFINITY
                    } else {
                        v.log_likelihood
                    }
                })
                .collect();
            self.annealer.tell(&log_likelihood);
            self.values.extend(values);
            self.status = self.annealer.status();
            if observer(&self.status).is_break() {
                return Err(InferError::Interrupted);
            }
        }
    }

    /// The points of the present round that have no value yet; none when the run is done.
    ///
    /// # Panics
    /// Never: rounds are asked for by [`Self::advance`].
    pub fn pending(&mut self) -> Wanted {
        let first = self.annealer.status().evaluations;
        let journal = &self.journal;
        let Some(z) = self.annealer.ask() else {
            return Wanted {
                ids: Vec::new(),
                theta: Mat::zeros(0, self.names.len()),
            };
        };
        let rows: Vec<usize> = (0..z.nrows())
            .filter(|i| journal.get(first + i).is_none())
            .collect();
        let z = select_rows(z, &rows);
        Wanted {
            ids: rows.iter().map(|i| first + i).collect(),
            theta: self.prior.at(z.as_ref()),
        }
    }

    /// Names of the parameters.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Adds values of points that are wanted, or that have these values already.
    ///
    /// # Errors
    /// A point that was not asked for or has another value, or +infinity. Nothing is added then.
    pub fn tell(&mut self, values: &[(usize, Value)]) -> Result<(), String> {
        let wanted = self.pending();
        let mut new = Vec::new();
        for (id, value) in values {
            if let Some(before) = self.journal.get(*id) {
                if before.log_likelihood.to_bits() != value.log_likelihood.to_bits() {
                    let (old, now) = (before.log_likelihood, value.log_likelihood);
                    return Err(format!(
                        "point {id} has the log-likelihood {old} already, not {now}"
                    ));
                }
                continue;
            }
            let Ok(row) = wanted.ids.binary_search(id) else {
                return Err(format!("point {id} was not asked for"));
            };
            let (got, names) = (value.derived.len(), self.derived.len());
            if got != names {
                return Err(format!(
                    "point {id} has {got} derived values where {names} are expected"
                ));
            }
            checked(value, wanted.theta.as_ref(), row, &self.names)?;
            new.push((*id, value.clone()));
        }
        new.into_iter()
            .try_for_each(|(id, value)| self.journal.add(id, value))
    }

    /// Where it stands.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// The result so far.
    #[must_use]
    pub fn finish(self) -> Inference {
        let theta = self.prior.at(self.annealer.points());
        let nan = self.values.iter().filter(|v| v.log_likelihood.is_nan());
        let row = |i: usize| at(theta.as_ref(), i, &self.names);
        let first_nan = self.values.iter().position(|v| v.log_likelihood.is_nan());
        let mut warnings = Vec::new();
        if let Some(i) = first_nan {
            warnings.push(format!(
                "the log-likelihood is NaN at {} of {} points, counted as impossible; the first is {}",
                nan.count(),
                self.values.len(),
                row(i)
            ));
        }
        warnings.extend(verdict(&self.annealer, &self.settings));
        let estimates = self.annealer.estimates();
        Inference {
            names: self.names,
            derived_names: self.derived,
            log_likelihood: self.values.iter().map(|v| v.log_likelihood).collect(),
            derived: self.values.into_iter().map(|v| v.derived).collect(),
            shares: estimates.shares.clone(),
            log_evidence: Estimate {
                value: estimates.log_evidence,
                standard_error: estimates.standard_error,
            },
            pareto_k: estimates.pareto_k,
            status: self.status,
            theta,
            warnings,
        }
    }
}

/// What is wrong with a finished run, and what to do about it.
fn verdict(annealer: &Annealer, settings: &AnnealSettings) -> Vec<String> {
    let (s, e) = (annealer.status(), annealer.estimates());
    if e.ess == 0.0 {
        return vec![format!(
            "the likelihood is zero at all {} points: there is no posterior; check it at a point where it must be positive",
            s.evaluations
        )];
    }
    let mut warnings = Vec::new();
    if s.beta < 1.0 {
        warnings.push(format!(
            "{} evaluations were not enough to reach the posterior (temperature {:.2e} of 1): draws and ln Z cannot be used; raise the number of evaluations",
            s.evaluations, s.beta
        ));
    } else if e.ess < settings.ess {
        warnings.push(format!(
            "the effective sample size is {:.0} of the {:.0} that were asked for; raise the number of evaluations",
            e.ess, settings.ess
        ));
    }
    if let Some(k) = e.pareto_k.filter(|k| *k > 0.7) {
        warnings.push(format!(
            "the Pareto k of the weights is {k:.2}, above 0.7: a few draws dominate, and the stated errors are too small; raise the number of evaluations"
        ));
    }
    let missed = annealer.missed();
    if missed > 0.01 {
        warnings.push(format!(
            "{:.1} % of the posterior was found only by draws of the prior or of earlier rounds, where the fitted density has almost none: a mode or a tail may be missed; raise the number of evaluations",
            100.0 * missed
        ));
    }
    warnings
}

/// The parameters of a few fixed points, to know a prior by; each is computed twice.
fn probe(prior: &dyn PriorMap) -> Result<Mat<f64>, InferError> {
    let d = prior.names().len();
    let z = Mat::from_fn(5, d, |i, j| 0.7 * (i as f64 - 2.0) + 0.1 * (j % 7) as f64);
    let (once, twice) = (prior.at(z.as_ref()), prior.at(z.as_ref()));
    for i in 0..5 {
        for j in 0..d {
            if !once[(i, j)].is_finite() {
                let name = &prior.names()[j];
                return Err(InferError::Prior(format!(
                    "\"{name}\" is {} at a point inside of the unit cube (and a value is needed for each of {d} parameters)",
                    once[(i, j)]
                )));
            }
            if once[(i, j)].to_bits() != twice[(i, j)].to_bits() {
                return Err(InferError::Prior(format!(
                    "\"{}\" differs between two calls at the same point; it must not be random",
                    prior.names()[j]
                )));
            }
        }
    }
    Ok(once)
}

/// What evaluations belong to, a property a line.
fn describe(
    names: &[String],
    derived: &[String],
    probe: &Mat<f64>,
    settings: &AnnealSettings,
    seed: u64,
) -> String {
    let mut text = format!("format 1\nseed {seed}\nparameters {}\n", names.join(" "));
    let _ = writeln!(text, "derived quantities {}", derived.join(" "));
    for (j, name) in names.iter().enumerate() {
        let values: Vec<String> = (0..probe.nrows())
            .map(|i| format!("{:?}", probe[(i, j)]))
            .collect();
        let _ = writeln!(text, "prior of {name} at five points: {}", values.join(" "));
    }
    // Neither the budget nor the goal: both may be raised later.
    let _ = writeln!(
        text,
        "round {:?}, share of the prior {:?}, components up to {}",
        settings.round, settings.prior_share, settings.max_components
    );
    text
}

fn at(theta: MatRef<'_, f64>, row: usize, names: &[String]) -> String {
    let each = names.iter().enumerate();
    let each: Vec<String> = each
        .map(|(j, n)| format!("{n} = {:?}", theta[(row, j)]))
        .collect();
    each.join(", ")
}

fn checked(
    value: &Value,
    theta: MatRef<'_, f64>,
    row: usize,
    names: &[String],
) -> Result<(), String> {
    if value.log_likelihood == f64::INFINITY {
        return Err(format!(
            "the log-likelihood is +infinity at {}",
            at(theta, row, names)
        ));
    }
    Ok(())
}

/// A posterior: weighted draws, the evidence, and what is wrong with them.
#[derive(Debug, Clone)]
pub struct Inference {
    names: Vec<String>,
    derived_names: Vec<String>,
    theta: Mat<f64>,
    log_likelihood: Vec<f64>,
    derived: Vec<Vec<f64>>,
    shares: Vec<f64>,
    log_evidence: Estimate,
    pareto_k: Option<f64>,
    status: Status,
    warnings: Vec<String>,
}

impl Inference {
    /// Names of the parameters.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Names of the derived quantities.
    #[must_use]
    pub fn derived_names(&self) -> &[String] {
        &self.derived_names
    }

    /// The parameters of all evaluations, N x d.
    #[must_use]
    pub fn theta(&self) -> MatRef<'_, f64> {
        self.theta.as_ref()
    }

    /// `ln L` of all evaluations, nats, as the likelihood gave it.
    #[must_use]
    pub fn log_likelihood(&self) -> &[f64] {
        &self.log_likelihood
    }

    /// The derived quantities of all evaluations.
    #[must_use]
    pub fn derived(&self) -> &[Vec<f64>] {
        &self.derived
    }

    /// Weights of all evaluations as draws of the posterior, with sum one.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.shares
    }

    /// `ln Z`, nats, with its standard error.
    #[must_use]
    pub fn log_evidence(&self) -> Estimate {
        self.log_evidence
    }

    /// Effective sample size of the weighted draws.
    #[must_use]
    pub fn ess(&self) -> f64 {
        self.status.ess
    }

    /// Pareto k of the weights.
    #[must_use]
    pub fn pareto_k(&self) -> Option<f64> {
        self.pareto_k
    }

    /// How it ended.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// What is wrong with the result, and what to do about it; empty when it can be used.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Rows of `n` equally weighted draws of the posterior, by systematic resampling, in random
    /// order. Rows repeat where n is above the effective sample size.
    #[must_use]
    pub fn resampled(&self, n: usize, rng: &mut Pcg64) -> Vec<usize> {
        let mut rows = Vec::with_capacity(n);
        let (mut sum, offset) = (0.0, uniform(rng));
        for (i, w) in self.shares.iter().enumerate() {
            sum += w * n as f64;
            while (rows.len() as f64) + offset < sum && rows.len() < n {
                rows.push(i);
            }
        }
        // Rounding may leave the last one out.
        while let Some(&last) = rows.last()
            && rows.len() < n
        {
            rows.push(last);
        }
        numerics::random::shuffle(rng, &mut rows);
        rows
    }

    /// Equally weighted draws of the posterior, n x d.
    #[must_use]
    pub fn sample(&self, n: usize, seed: u64) -> Mat<f64> {
        let rows = self.resampled(n, &mut stream(seed, "resample"));
        select_rows(self.theta.as_ref(), &rows)
    }
}
