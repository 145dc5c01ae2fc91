//! Mixture-aware rounds: experts fitted again in view of each other.

use super::{CrossFitError, CrossFitted, FoldModel};
use crate::mixture_aware::MixtureAware;
use crate::recipe::Recipe;
use density::{Data, Density, FitContext, log_prob_table};
use faer::prelude::*;
use numerics::math::{dot, sum};
use numerics::matrix::{col, select_rows};
use rayon::prelude::*;
use std::sync::Arc;

/// Experts with fewer effective points than this are not refitted.
const FEWEST: f64 = 20.0;

impl Recipe {
    /// One mixture-aware round after a fit: each fold's models are fitted again on its inside
    /// points weighted by their responsibilities under that fold's own mixture, so held-out points
    /// still play no role; then new weights.
    ///
    /// # Errors
    /// See [`CrossFitError`].
    pub fn refit(
        &self,
        data: Data<'_>,
        fitted: &CrossFitted,
        (aware, round): (&MixtureAware, usize),
        seed: u64,
        context: &FitContext<'_>,
    ) -> Result<CrossFitted, CrossFitError> {
        aware.check().map_err(CrossFitError::Config)?;
        let emphasis: Vec<Mat<f64>> = (0..fitted.folds.len())
            .into_par_iter()
            .map(|p| {
                let inside = select_rows(data.points, &fitted.folds[p].inside);
                let models: Vec<&dyn Density> = fitted.models.iter().map(|m| &*m[p]).collect();
                let table = log_prob_table(&models, inside.as_ref());
                aware.responsibilities(table.as_ref(), &fitted.weights.pi)
            })
            .collect();
        let label = format!("/round{round}");
        let jobs: Vec<(usize, usize)> = (0..self.experts.len())
            .flat_map(|e| (0..fitted.folds.len()).map(move |p| (e, p)))
            .collect();
        let models: Vec<FoldModel> = jobs
            .par_iter()
            .map(|&(e, p)| {
                let fold = &fitted.folds[p];
                let own = col(emphasis[p].as_ref(), e);
                if effective(&own[..fold.validation]) < FEWEST / 4.0
                    || effective(&own[fold.validation..]) < FEWEST
                {
                    return Ok(FoldModel {
                        model: Arc::clone(&fitted.models[e][p]),
                        report: fitted.reports[e][p].clone(),
                        seconds: 0.0,
                    });
                }
                self.fit_fold(data, fold, Some(own), seed, (e, p, &label), context)
            })
            .collect::<Result<_, _>>()?;
        let mut models = models.into_iter();
        let models = (0..self.experts.len())
            .map(|_| models.by_ref().take(fitted.folds.len()).collect())
            .collect();
        self.assemble(data, fitted.folds.clone(), models, seed)
    }
}

/// `(sum w)^2 / sum w^2`.
fn effective(w: &[f64]) -> f64 {
    let squares = dot(w, w);
    if squares > 0.0 {
        sum(w) * sum(w) / squares
    } else {
        0.0
    }
}
