//! What is wrong with a finished run, and what to do about it.

use super::session::at;
use crate::anneal::{AnnealSettings, Annealer};
use crate::likelihood::Value;
use faer::prelude::*;

/// A log-likelihood of this size has no more than two digits behind the point.
const LARGE: f64 = 1e13;

/// A run that is done.
pub(super) struct Finished<'a> {
    pub annealer: &'a Annealer,
    pub settings: &'a AnnealSettings,
    pub names: &'a [String],
    /// Names of the derived quantities.
    pub derived: &'a [String],
    pub theta: MatRef<'a, f64>,
    pub values: &'a [Value],
}

impl Finished<'_> {
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        warnings.extend(self.points(
            |v| v.failed,
            "the likelihood could not be evaluated",
            "; mend it and evaluate these points again",
        ));
        warnings.extend(self.points(
            |v| v.log_likelihood.is_nan(),
            "the log-likelihood is NaN",
            "",
        ));
        warnings.extend(self.digits());
        warnings.extend(self.derived());
        warnings.extend(self.weights());
        warnings
    }

    /// Points that count as impossible.
    fn points(&self, bad: impl Fn(&Value) -> bool, what: &str, advice: &str) -> Option<String> {
        let first = self.values.iter().position(&bad)?;
        Some(format!(
            "{what} at {} of {} points, counted as impossible; the first is {}{advice}",
            self.values.iter().filter(|v| bad(v)).count(),
            self.values.len(),
            at(self.theta, first, self.names)
        ))
    }

    /// Log-likelihoods without digits.
    fn digits(&self) -> Option<String> {
        let finite = self.values.iter().map(|v| v.log_likelihood);
        let largest = finite.filter(|l| l.is_finite()).reduce(f64::max)?;
        (largest.abs() >= LARGE).then(|| {
            format!(
                "the largest log-likelihood is {largest:e}, and numbers of this size have no digits left for differences: \
                 subtract a constant from all log-likelihoods"
            )
        })
    }

    /// Derived quantities of draws that are no numbers.
    fn derived(&self) -> Vec<String> {
        let shares = &self.annealer.estimates().shares;
        let each = self.derived.iter().enumerate();
        let warning = |(k, name): (usize, &String)| {
            let (mut weighted, mut bad, mut first) = (0, 0, None);
            for i in (0..self.values.len()).filter(|i| shares.get(*i).is_some_and(|w| *w > 0.0)) {
                weighted += 1;
                if !self.values[i].derived.get(k).is_some_and(|v| v.is_finite()) {
                    bad += 1;
                    first.get_or_insert(i);
                }
            }
            first.map(|i| {
                format!(
                    "the derived quantity \"{name}\" is NaN or infinite at {bad} of {weighted} weighted draws, which its statistics leave out; the first is {}",
                    at(self.theta, i, self.names)
                )
            })
        };
        each.filter_map(warning).collect()
    }

    /// What the annealing says.
    fn weights(&self) -> Vec<String> {
        let (s, e) = (self.annealer.status(), self.annealer.estimates());
        if e.ess == 0.0 {
            return vec![format!(
                "the likelihood is zero at all {} points: there is no posterior; check it at a point where it must be positive",
                s.evaluations
            )];
        }
        let mut warnings = Vec::new();
        if s.beta < 1.0 {
            let reached = if s.beta > 0.0 {
                format!("temperature {:.2e} of 1", s.beta)
            } else {
                "beta is still 0".into()
            };
            warnings.push(format!(
                "{} evaluations were not enough to reach the posterior ({reached}): \
                 draws and ln Z cannot be used; raise the number of evaluations to {} at least",
                s.evaluations,
                2 * s.evaluations
            ));
        } else if e.ess < self.settings.ess {
            warnings.push(format!(
                "the effective sample size is {:.0} of the {:.0} that were asked for; raise the number of evaluations",
                e.ess, self.settings.ess
            ));
        }
        let wanted = self.settings.log_evidence_error;
        if let Some(wanted) = wanted.filter(|w| s.beta == 1.0 && e.standard_error > *w) {
            warnings.push(format!(
                "the standard error of ln Z is {:.2e} where {wanted:?} was asked for; raise the number of evaluations",
                e.standard_error
            ));
        }
        if let Some(k) = e
            .pareto_k
            .filter(|k| *k > 0.7 && dominated(&e.shares, e.ess))
        {
            warnings.push(format!(
                "the Pareto k of the weights is {k:.2}, above 0.7: a few draws dominate, \
                 and the stated errors are too small; raise the number of evaluations"
            ));
        }
        let missed = self.annealer.missed();
        if missed > 0.01 {
            warnings.push(format!(
                "{:.1} % of the posterior was found only by draws of the prior or of earlier rounds, where the fitted density \
                 has almost none: a mode or a tail may be missed; raise the number of evaluations",
                100.0 * missed.min(1.0)
            ));
        }
        warnings
    }
}

/// Whether the largest weight makes up much of the variance: a heavy tail does harm then.
pub(super) fn dominated(shares: &[f64], ess: f64) -> bool {
    let largest = shares.iter().copied().fold(0.0, f64::max);
    largest * largest * ess > 0.1
}
