//! A run as a state that can be asked for points and told their values.

use super::error::InferError;
use super::inference::Inference;
use super::verdict::Finished;
use crate::anneal::{AnnealSettings, Annealer, Status};
use crate::journal::{Journal, mark};
use crate::likelihood::Value;
use crate::prior::PriorMap;
use faer::prelude::*;
use numerics::Estimate;
use numerics::math::normal_cdf;
use numerics::matrix::select_rows;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::ops::ControlFlow;

/// Receives the status after each round, and when points are wanted; a break interrupts.
pub type StatusObserver<'a> = dyn Fn(&Status) -> ControlFlow<()> + Sync + 'a;

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
    pub(super) names: Vec<String>,
    derived: Vec<String>,
    annealer: Annealer,
    /// The round whose values are wanted; none when the run is done.
    round: Option<Round>,
    /// Marks of all points, those of the round included.
    marks: Vec<u64>,
    pub(super) journal: Journal,
    pub(super) status: Status,
    values: Vec<Value>,
    settings: AnnealSettings,
    /// Marks of the evaluations that were in the folder at the beginning.
    kept: Vec<u64>,
}

/// Points whose values are wanted together.
struct Round {
    theta: Mat<f64>,
    /// See [`PriorMap::log_ratio`].
    log_ratio: Option<Vec<f64>>,
}

impl Round {
    /// Whether the prior is zero at a point: the likelihood is not asked.
    fn outside(&self, i: usize) -> bool {
        let ratio = self.log_ratio.as_ref();
        ratio.is_some_and(|r| r[i] == f64::NEG_INFINITY)
    }
}

impl<'a> Session<'a> {
    pub(super) fn begin(
        prior: &'a dyn PriorMap,
        derived: &[String],
        settings: &AnnealSettings,
        seed: u64,
        folder: Option<(&std::path::Path, &[String])>,
    ) -> Result<Self, InferError> {
        settings.check()?;
        let names = prior.names().to_vec();
        if names.is_empty() {
            return Err(InferError::Prior("there are no parameters".into()));
        }
        let probe = probe(prior)?;
        let ratio = prior.log_ratio(probe_points(names.len()).as_ref());
        let periodic = prior.periodic();
        let journal = match folder {
            None => Journal::in_memory(),
            Some((folder, depends_on)) => {
                let mut problem = describe(&names, derived, &probe, settings, seed);
                for (name, _) in names.iter().zip(&periodic).filter(|(_, p)| **p) {
                    let _ = writeln!(problem, "{name} is periodic");
                }
                if let Some(ratio) = &ratio {
                    let _ = writeln!(problem, "density of the prior at five points: {ratio:?}");
                }
                for what in depends_on {
                    problem += what;
                    problem.push('\n');
                }
                Journal::open(folder, &problem, derived).map_err(InferError::Folder)?
            }
        };
        let kept = match folder {
            Some((folder, _)) => super::forget::marks(folder).map_err(InferError::Folder)?,
            None => Vec::new(),
        };
        let annealer = Annealer::new(names.len(), settings, seed).periodic(&periodic);
        let mut session = Self {
            prior,
            names,
            derived: derived.to_vec(),
            status: annealer.status(),
            annealer,
            round: None,
            marks: Vec::new(),
            journal,
            values: Vec::new(),
            settings: settings.clone(),
            kept,
        };
        session.next_round()?;
        Ok(session)
    }

    /// Asks for the next round.
    fn next_round(&mut self) -> Result<(), InferError> {
        self.round = None;
        let Some(z) = self.annealer.ask() else {
            return Ok(());
        };
        let theta = self.prior.at(z);
        for i in 0..theta.nrows() {
            let row: Vec<f64> = (0..theta.ncols()).map(|j| theta[(i, j)]).collect();
            if row.iter().any(|v| v.is_nan()) {
                let z: Vec<String> = (0..z.ncols())
                    .map(|j| format!("{:?}", normal_cdf(z[(i, j)])))
                    .collect();
                return Err(InferError::Prior(format!(
                    "it gives {} at the point ({}) of the unit cube of its quantiles",
                    at(theta.as_ref(), i, &self.names),
                    z.join(", ")
                )));
            }
            self.marks.push(mark(&row));
        }
        let log_ratio = self.prior.log_ratio(z);
        let bad = |l: &f64| l.is_nan() || *l == f64::INFINITY;
        if let Some(ratio) = &log_ratio
            && let Some(i) = ratio.iter().position(bad)
        {
            return Err(InferError::Prior(format!(
                "its log-density is {} at {}",
                ratio[i],
                at(theta.as_ref(), i, &self.names)
            )));
        }
        self.round = Some(Round { theta, log_ratio });
        Ok(())
    }

    /// Goes on as far as the values allow: fits, and asks for the next round.
    ///
    /// # Errors
    /// Interrupted, or a prior transform that gives no number.
    pub fn advance(&mut self, observer: &StatusObserver<'_>) -> Result<(), InferError> {
        while let Some(round) = &self.round {
            let first = self.values.len();
            let values = (first..first + round.theta.nrows()).map(|id| self.value(id));
            let Some(values) = values.collect::<Option<Vec<Value>>>() else {
                return Ok(());
            };
            let log_likelihood: Vec<f64> = values
                .iter()
                .enumerate()
                .map(|(i, v)| {
                    let ratio = round.log_ratio.as_ref().map_or(0.0, |r| r[i]);
                    if v.log_likelihood.is_nan() {
                        f64::NEG_INFINITY
                    } else {
                        v.log_likelihood + ratio
                    }
                })
                .collect();
            self.annealer.tell(&log_likelihood);
            self.values.extend(values);
            self.status = self.annealer.status();
            if observer(&self.status).is_break() {
                return Err(InferError::Interrupted);
            }
            self.next_round()?;
        }
        Ok(())
    }

    /// The points of the present round that have no value yet; none when the run is done.
    #[must_use]
    pub fn pending(&self) -> Wanted {
        let Some(Round { theta, .. }) = &self.round else {
            return Wanted {
                ids: Vec::new(),
                theta: Mat::zeros(0, self.names.len()),
            };
        };
        let first = self.values.len();
        let rows: Vec<usize> = (0..theta.nrows())
            .filter(|i| self.value(first + i).is_none())
            .collect();
        Wanted {
            ids: rows.iter().map(|i| first + i).collect(),
            theta: select_rows(theta.as_ref(), &rows),
        }
    }

    fn value(&self, id: usize) -> Option<Value> {
        let row = id.checked_sub(self.values.len());
        if let (Some(row), Some(round)) = (row, &self.round)
            && row < round.theta.nrows()
            && round.outside(row)
        {
            return Some(Value {
                log_likelihood: f64::NEG_INFINITY,
                derived: vec![f64::NAN; self.derived.len()],
                failed: false,
            });
        }
        self.journal.get(*self.marks.get(id)?)
    }

    /// Checks the value of a wanted point, and keeps it.
    pub(super) fn keep(&self, wanted: &Wanted, row: usize, value: Value) -> Result<(), String> {
        let Some(&id) = wanted.ids.get(row) else {
            return Err(format!(
                "a value came for row {row} of {} points",
                wanted.ids.len()
            ));
        };
        let (got, names) = (value.derived.len(), self.derived.len());
        if got != names {
            return Err(format!(
                "{got} derived values where {names} are expected at {}",
                at(wanted.theta.as_ref(), row, &self.names)
            ));
        }
        checked(&value, wanted.theta.as_ref(), row, &self.names)?;
        self.journal.add(self.marks[id], value)
    }

    /// The mark of a point that was asked for: a hash of its parameters, by which evaluations are kept.
    #[must_use]
    pub fn mark(&self, id: usize) -> Option<u64> {
        self.marks.get(id).copied()
    }

    /// The parameters of a point that was asked for.
    #[must_use]
    pub fn parameters(&self, id: usize) -> Option<Vec<f64>> {
        let first = self.values.len();
        let row = |m: MatRef<'_, f64>, i: usize| (0..m.ncols()).map(|j| m[(i, j)]).collect();
        if id < first {
            let z = self.annealer.points().subrows(id, 1);
            return Some(row(self.prior.at(z).as_ref(), 0));
        }
        let theta = &self.round.as_ref()?.theta;
        (id - first < theta.nrows()).then(|| row(theta.as_ref(), id - first))
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
        let mut new: BTreeMap<usize, (usize, &Value)> = BTreeMap::new();
        for (id, value) in values {
            if let Some((_, before)) = new.get(id) {
                if let Some((what, a, b)) = self.difference(before, value) {
                    return Err(format!(
                        "point {id} is told twice with different values: {what} {a} and {b}"
                    ));
                }
                continue;
            }
            if let Some(before) = self.value(*id) {
                if let Some((what, a, b)) = self.difference(&before, value) {
                    return Err(format!(
                        "point {id} has other values already: {what} {a}, not {b}; if that is wrong, \
                         delete the line that begins with {:016x} from evaluations.csv in the folder of the run, and tell again",
                        self.marks[*id]
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
            new.insert(*id, (row, value));
        }
        let mut new = new.into_values();
        new.try_for_each(|(row, value)| self.keep(&wanted, row, value.clone()))
    }

    /// What differs between two values of one point: its name and both numbers.
    fn difference(&self, a: &Value, b: &Value) -> Option<(String, String, String)> {
        let number = |v: &Value| {
            if v.failed {
                return String::from("\"failed\"");
            }
            format!("{:?}", v.log_likelihood)
        };
        if a.failed != b.failed || !same(a.log_likelihood, b.log_likelihood) {
            return Some(("log-likelihood".into(), number(a), number(b)));
        }
        let names = self.derived.iter();
        let pairs = names.zip(a.derived.iter().zip(&b.derived));
        let differ = pairs.into_iter().find(|(_, (x, y))| !same(**x, **y));
        differ.map(|(name, (x, y))| {
            let name = format!("the derived quantity \"{name}\"");
            (name, format!("{x:?}"), format!("{y:?}"))
        })
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
        let warnings = Finished {
            annealer: &self.annealer,
            settings: &self.settings,
            names: &self.names,
            derived: &self.derived,
            theta: theta.as_ref(),
            values: &self.values,
        }
        .warnings();
        let estimates = self.annealer.estimates();
        let used: BTreeSet<u64> = self.marks.iter().copied().collect();
        let unused = self.kept.iter().filter(|m| !used.contains(m)).count();
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
            kept: self.kept.len(),
            unused,
        }
    }
}

/// The parameters of a few fixed points, to know a prior by; each is computed twice.
fn probe(prior: &dyn PriorMap) -> Result<Mat<f64>, InferError> {
    let d = prior.names().len();
    let z = probe_points(d);
    let (once, twice) = (prior.at(z.as_ref()), prior.at(z.as_ref()));
    for i in 0..5 {
        for j in 0..d {
            if !once[(i, j)].is_finite() {
                let name = &prior.names()[j];
                return Err(InferError::Prior(format!(
                    "\"{name}\" is {} at a point inside of its support (and a value is needed for each of {d} parameters)",
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

fn probe_points(d: usize) -> Mat<f64> {
    Mat::from_fn(5, d, |i, j| 0.7 * (i as f64 - 2.0) + 0.1 * (j % 7) as f64)
}

/// What evaluations belong to, a property a line.
fn describe(
    names: &[String],
    derived: &[String],
    probe: &Mat<f64>,
    settings: &AnnealSettings,
    seed: u64,
) -> String {
    let mut text = format!("format 2\nseed {seed}\nparameters {}\n", names.join(" "));
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

pub(super) fn at(theta: MatRef<'_, f64>, row: usize, names: &[String]) -> String {
    let each = names.iter().enumerate();
    let each: Vec<String> = each
        .map(|(j, n)| format!("{n} = {:?}", theta[(row, j)]))
        .collect();
    each.join(", ")
}

/// Whether two numbers are the same to the bit; all NaN are one.
fn same(x: f64, y: f64) -> bool {
    x.to_bits() == y.to_bits() || (x.is_nan() && y.is_nan())
}

/// A log-likelihood beyond this is no result of a computation that went well.
const GARBAGE: f64 = 1e300;

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
    if value.log_likelihood.is_finite() && value.log_likelihood.abs() > GARBAGE {
        return Err(format!(
            "the log-likelihood is {:e} at {}, and no data give a number beyond 1e300: it looks like an overflow \
             or a placeholder; give -inf where the data are impossible",
            value.log_likelihood,
            at(theta, row, names)
        ));
    }
    Ok(())
}
