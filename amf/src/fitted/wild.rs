//! Experts whose draws cannot be used lose their weight.

use super::Column;
use super::delivered::delivered;
use super::draw_check::DrawCheck;
use super::prepare::Prepared;
use crate::cross_fit::CrossFitted;
use density::{Bijection, Density, Mixture};
use numerics::random::stream;
use std::sync::Arc;

/// Draws that are compared with the rows.
const CHECKED: usize = 20_000;

impl Prepared {
    /// Draws of a density on the whole line beside the rows, column by column.
    pub fn check_draws(&self, columns: &[Column], q: &dyn Density, seed: u64) -> Vec<DrawCheck> {
        let bijection = Bijection::Supports(columns.iter().map(|c| c.support).collect());
        let draws = q.sample(CHECKED, &mut stream(seed, "density/draws"));
        DrawCheck::of(
            columns,
            bijection.inverse(self.points.clone()).as_ref(),
            self.shares.as_deref(),
            bijection.inverse(draws).as_ref(),
            self.effective(),
        )
    }

    /// The number of independent rows that the rows are worth.
    pub fn effective(&self) -> f64 {
        let n = self.points.nrows() as f64;
        let ess = |s: &Vec<f64>| 1.0 / numerics::math::dot(s, s);
        let share = self.dependence.as_ref().map_or(1.0, |d| d.share());
        share * self.shares.as_ref().map_or(n, ess)
    }
}

/// The expert to leave out, and why: draws of the mixture are far too wide, and its own are the widest.
/// `None` if they are not, or if the draws of no other expert with weight are better.
///
/// Likelihood hardly sees such an expert: where the rows are, its density may be the best.
pub(super) fn wild(
    fitted: &CrossFitted,
    ready: &Prepared,
    columns: &[Column],
    seed: u64,
) -> Option<(usize, String)> {
    let shares: Option<Vec<f64>> = ready.shares.as_ref().map(|s| {
        let own: Vec<f64> = fitted.rows.iter().map(|&i| s[i]).collect();
        let total: f64 = own.iter().sum();
        own.iter().map(|w| w / total).collect()
    });
    let (own, mixture) = delivered(fitted, shares.as_deref());
    if own.len() < 2 {
        return None;
    }
    let too_wide = |q: &dyn Density| {
        let checks = ready.check_draws(columns, q, seed);
        let grave = checks.into_iter().filter(DrawCheck::is_far_too_wide);
        grave.max_by(|a, b| a.ratio().total_cmp(&b.ratio()))
    };
    too_wide(&mixture)?;
    let found = own.iter().map(|&k| {
        let models = fitted.models[k].iter();
        let models = models.map(|m| Box::new(Arc::clone(m)) as Box<dyn Density>);
        (k, too_wide(&Mixture::average(models.collect())))
    });
    let found: Vec<_> = found.collect();
    let usable = found.iter().any(|(_, check)| check.is_none());
    let wide = found.into_iter().filter_map(|(k, check)| Some((k, check?)));
    let (k, check) = wide.max_by(|a, b| a.1.ratio().total_cmp(&b.1.ratio()))?;
    usable.then(|| {
        let (rows, draws) = check.standard_deviation;
        let name = check.column;
        let why = format!(
            "its draws of \"{name}\" have a standard deviation of {draws:.3e} where the rows have {rows:.3e}"
        );
        (k, why)
    })
}
