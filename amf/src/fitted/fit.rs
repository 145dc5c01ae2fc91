//! The whole fit: draws, baselines, experts, weights, verdict.

use super::FittedDensity;
use super::calibration::{Calibration, CrossFittedModels};
use super::chains::RowDependence;
use super::delivered::delivered;
use super::draws::Draws;
use super::error::DrawsError;
use super::prepare::Prepared;
use super::report::{BaselineReport, ExpertLine, LeftOut, Report, Verdict};
use super::score::Score;
use super::wild::wild;
use crate::cross_fit::{CrossFitError, CrossFitted};
use crate::experts::{
    Components, ExpertConfig, ExpertReport, GaussianMixtureExpert, KdeExpert, NamedExpert,
};
use crate::recipe::Recipe;
use crate::weights::WeightData;
use density::{
    Bijection, Data, EmConfig, FitContext, Progress, Transformed, add_log_det, mixture_log_prob,
};
use numerics::matrix::{col, select_rows};
use numerics::random::{permutation, stream};

/// Why a density could not be fitted.
#[derive(Debug, thiserror::Error)]
pub enum DensityError {
    /// The draws.
    #[error(transparent)]
    Draws(#[from] DrawsError),
    /// The experts or their weights.
    #[error(transparent)]
    Fit(CrossFitError),
    /// The observer asked for an end.
    #[error("interrupted")]
    Interrupted,
}

impl From<CrossFitError> for DensityError {
    fn from(e: CrossFitError) -> Self {
        match e {
            CrossFitError::Interrupted => Self::Interrupted,
            other => Self::Fit(other),
        }
    }
}

/// Random groups of rows for scoring a mixture whose weights did not see them.
const GROUPS: usize = 5;
/// The most multiply-adds of one pass of expectation-maximisation over a mixture of a fixed size in
/// the default recipe.
const MOST_WORK: f64 = 5e7;

impl Recipe {
    /// Fits a mixture to draws and evaluates it: against simpler densities on the same folds, and
    /// by its calibration on held-out rows.
    ///
    /// An expert that cannot be fitted is left out with a note, as long as one is left; repeated
    /// rows are merged, rows without weight dropped, counts and rounded values dequantised. An expert
    /// whose draws are far wider than the rows is left out too, if others are not. The default recipe
    /// leaves out mixtures with more components than the draws support. The result depends on the
    /// draws, the settings and the seed alone. Progress has the stages "baselines" and "experts".
    ///
    /// # Errors
    /// See [`DensityError`].
    pub fn fit(
        &self,
        draws: &Draws<'_>,
        seed: u64,
        context: &FitContext<'_>,
    ) -> Result<FittedDensity, DensityError> {
        self.check().map_err(CrossFitError::Config)?;
        let mut ready = draws.prepare(seed)?;
        ready.check(&draws.columns)?;
        let (n, d) = (ready.points.nrows(), ready.points.ncols());
        let mut settings = self.clone();
        if settings == Self::default() {
            settings.experts = affordable(settings.experts, n, d, &mut ready.notes);
        }
        if n > settings.partition.folds_up_to {
            let folds = settings.partition.folds(n, ready.blocks.as_deref(), seed);
            let fold = &folds.map_err(CrossFitError::Config)?[0];
            ready.notes.push(format!(
                "{n} rows: one split instead of {} folds, {} rows train, {} stop the training, {} are held out; Gaussian mixtures and kernel \
                 densities see at most 20000",
                settings.partition.folds,
                fold.inside.len() - fold.validation,
                fold.validation,
                fold.held_out.len()
            ));
        }
        let data = Data::new(ready.points.as_ref())
            .weighted(ready.shares.as_deref())
            .in_blocks(ready.blocks.as_deref());
        let run = |s: &Self, stage: &str| {
            let observer = |p: &Progress<'_>| context.tell(&Progress { stage, ..*p });
            s.fit_what_can_be(data, seed, &context.observed_by(&observer))
        };
        let plain = Self {
            experts: baselines(),
            mixture_aware: None,
            ..settings.clone()
        };
        let simple = run(&plain, "baselines");
        let (mut settings, mut fitted, failed) = run(&settings, "experts")?;
        let mut left_out: Vec<LeftOut> = failed.iter().map(left_out_of).collect();
        while let Some((k, reason)) = wild(&fitted, &ready, &draws.columns, seed) {
            let name = settings.experts.remove(k).name;
            left_out.push(LeftOut { name, reason });
            fitted = settings.without(data, fitted, k, seed)?;
        }
        ready.notes.extend(diverged(&settings, &fitted));
        Ok(assemble(
            draws,
            ready,
            seed,
            simple,
            (settings, fitted, left_out),
        )?)
    }
}

/// A note for each expert whose fits diverged and backed off.
fn diverged(settings: &Recipe, fitted: &CrossFitted) -> Vec<String> {
    let of = |(e, reports): (&NamedExpert, &Vec<ExpertReport>)| {
        let count = reports.iter().filter(|r| !r.backoffs.is_empty()).count();
        (count > 0).then(|| {
            format!(
                "expert \"{}\": {count} of {} fits diverged and went on from their best parameters at a lower learning rate",
                e.name,
                reports.len()
            )
        })
    };
    let experts = settings.experts.iter().zip(&fitted.reports);
    experts.filter_map(of).collect()
}

type Found = (Recipe, CrossFitted, Vec<CrossFitError>);

fn assemble(
    draws: &Draws<'_>,
    ready: Prepared,
    seed: u64,
    simple: Result<Found, CrossFitError>,
    (settings, fitted, mut left_out): (Recipe, CrossFitted, Vec<LeftOut>),
) -> Result<FittedDensity, CrossFitError> {
    let rows = &fitted.rows;
    let log_det: Vec<f64> = rows.iter().map(|&i| ready.log_det[i]).collect();
    let shares: Option<Vec<f64>> = ready.shares.as_ref().map(|s| {
        let own: Vec<f64> = rows.iter().map(|&i| s[i]).collect();
        let total: f64 = own.iter().sum();
        own.iter().map(|w| w / total).collect()
    });
    let shares = shares.as_deref();
    let nll = |log_q: &[f64]| -> Vec<f64> {
        let mut out = log_q.to_vec();
        add_log_det(&mut out, &log_det);
        out.iter_mut().for_each(|l| *l = -*l);
        out
    };
    let independent = ready.dependence.as_ref().map_or(1.0, RowDependence::share);
    let score = |values: &[f64]| Score::of(values, shares).dependent(independent);
    let blocks = ready.blocks.as_deref();
    let own = nll(&cross_weighted(&settings, &fitted, shares, blocks, seed));
    let mixture = score(&own);
    let experts: Vec<ExpertLine> = settings
        .experts
        .iter()
        .enumerate()
        .map(|(k, e)| ExpertLine {
            name: e.name.clone(),
            weight: fitted.weights.pi[k],
            nll: score(&nll(col(fitted.out_of_fold.as_ref(), k))),
        })
        .collect();
    let mut compared = Vec::new();
    match simple {
        Ok((plain, found, failed)) => {
            left_out.extend(failed.iter().map(left_out_of));
            for (k, b) in plain.experts.iter().enumerate() {
                let its = nll(col(found.out_of_fold.as_ref(), k));
                let gains: Vec<f64> = its.iter().zip(&own).map(|(a, b)| a - b).collect();
                compared.push(BaselineReport {
                    name: b.name.clone(),
                    nll: score(&its),
                    gain: score(&gains),
                });
            }
        }
        Err(CrossFitError::Interrupted) => return Err(CrossFitError::Interrupted),
        Err(e) => left_out.push(left_out_of(&e)),
    }
    // Only the first repeat: each row is then scored once.
    let models = fitted.folds.len();
    let looked_at = models.min(settings.partition.folds);
    let calibration = Calibration::of(
        ready.points.as_ref(),
        ready.shares.as_deref(),
        &CrossFittedModels {
            models: &fitted.models,
            pi: &fitted.weights.pi,
            folds: &fitted.folds[..looked_at],
        },
        independent,
        seed,
    );
    let bijection = Bijection::Supports(draws.columns.iter().map(|c| c.support).collect());
    let (own, mixture_of_few) = delivered(&fitted, shares);
    let names = own.iter().map(|&k| experts[k].name.clone()).collect();
    let density = Transformed {
        bijection,
        density: mixture_of_few,
    };
    let checks = ready.check_draws(&draws.columns, &density.density, seed);
    let effective = ready.effective();
    let of_draws = checks.iter().filter_map(|c| c.objection(effective));
    let of_rows = ready.dependence.iter().flat_map(RowDependence::objections);
    let others = calibration.objections(&draws.columns);
    let others = others.into_iter().chain(of_draws).chain(of_rows);
    let verdict = Verdict::of(
        &mixture,
        &compared,
        fitted.weights.optimality_gap,
        ready.reliability.as_ref(),
        others.collect(),
    );
    let report = Report {
        version: env!("CARGO_PKG_VERSION").into(),
        source: draws.source.map(str::to_owned),
        seed,
        rows: draws.points.nrows(),
        rows_used: ready.points.nrows(),
        rows_held_out: rows.len(),
        models,
        weights: ready.reliability,
        dependence: ready.dependence,
        n_eff: fitted.weights.n_eff,
        experts,
        mixture,
        optimality_gap: fitted.weights.optimality_gap,
        baselines: compared,
        calibration,
        draws: checks,
        left_out,
        notes: ready.notes,
        verdict,
        settings,
    };
    Ok(FittedDensity {
        columns: draws.columns.to_vec(),
        names,
        density,
        report,
    })
}

/// `ln q` of each held-out row under the mixture, with weights learned on the other groups of rows.
fn cross_weighted(
    settings: &Recipe,
    fitted: &CrossFitted,
    shares: Option<&[f64]>,
    blocks: Option<&[usize]>,
    seed: u64,
) -> Vec<f64> {
    let table = fitted.out_of_fold.as_ref();
    let mut out = vec![0.0; table.nrows()];
    // Rows of one block stay in one group.
    let block = |i: usize| blocks.map_or(i, |b| b[fitted.rows[i]]);
    let count = (0..table.nrows()).map(block).max().map_or(0, |b| b + 1);
    let place = permutation(&mut stream(seed, "density/groups"), count);
    for g in 0..GROUPS {
        let (own, others): (Vec<usize>, Vec<usize>) =
            (0..table.nrows()).partition(|&i| place[block(i)] % GROUPS == g);
        let (mine, rest) = (select_rows(table, &own), select_rows(table, &others));
        let weights: Option<Vec<f64>> = shares.map(|s| others.iter().map(|&i| s[i]).collect());
        let source = WeightData::HeldOut {
            table: rest.as_ref(),
            weights: weights.as_deref(),
        };
        let learned = settings.rule.learn(&source, seed);
        // Weights of all rows if the others alone give none, for example because one group holds
        // all of the weight.
        let pi = learned.map_or_else(|_| fitted.weights.pi.clone(), |l| l.pi);
        for (l, &i) in mixture_log_prob(mine.as_ref(), &pi).iter().zip(&own) {
            out[i] = *l;
        }
    }
    out
}

fn left_out_of(e: &CrossFitError) -> LeftOut {
    let (name, reason) = match e {
        CrossFitError::Expert { expert, source, .. } => (expert.clone(), source.to_string()),
        CrossFitError::BadDensity { expert, value, .. } => {
            (expert.clone(), format!("a held-out log-density is {value}"))
        }
        other => (String::from("baselines"), other.to_string()),
    };
    LeftOut { name, reason }
}

/// A Gaussian, a Gaussian mixture by BIC, a kernel density estimate with a cross-validated
/// bandwidth.
fn baselines() -> Vec<NamedExpert> {
    let mixture = |components| {
        ExpertConfig::GaussianMixture(GaussianMixtureExpert {
            components,
            average: 1,
            em: EmConfig::default(),
        })
    };
    let bic = Components::Bic {
        most: 25,
        patience: 4,
    };
    [
        ("gaussian", mixture(Components::Fixed(1))),
        ("gmm_bic", mixture(bic)),
        ("kde", ExpertConfig::Kde(KdeExpert {})),
    ]
    .map(|(name, kind)| NamedExpert {
        name: name.into(),
        kind,
    })
    .into()
}

/// The recipe without mixtures of fixed sizes that have more than twice as many parameters as there
/// are numbers to fit them to, or whose fit takes too long.
fn affordable(
    experts: Vec<NamedExpert>,
    n: usize,
    d: usize,
    notes: &mut Vec<String>,
) -> Vec<NamedExpert> {
    let mut dropped = Vec::new();
    let kept = experts.into_iter().filter(|e| {
        let ExpertConfig::GaussianMixture(GaussianMixtureExpert {
            components: Components::Fixed(k),
            ..
        }) = e.kind
        else {
            return true;
        };
        let parameters = k * (1 + d + d * (d + 1) / 2);
        let rows = 0.8 * (n as f64).min(25_000.0);
        let fits =
            parameters as f64 <= 2.0 * rows * d as f64 && rows * (k * d * d) as f64 <= MOST_WORK;
        if !fits {
            dropped.push(e.name.clone());
        }
        fits
    });
    let kept = kept.collect();
    if !dropped.is_empty() {
        notes.push(format!(
            "left out of the recipe for {n} rows of {d} columns: {}",
            dropped.join(", ")
        ));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipe_keeps_what_the_draws_can_support() {
        let all = Recipe::default().experts;
        let left_out = |n: usize, d: usize| {
            let mut notes = Vec::new();
            let kept = affordable(all.clone(), n, d, &mut notes);
            // Flows, Gaussianisation and the mixtures by BIC stay.
            assert!(kept.len() >= 8 && notes.len() == usize::from(kept.len() < all.len()));
            all.len() - kept.len()
        };
        for (n, d) in [(300, 2), (5000, 2), (2000, 10), (1_000_000, 8)] {
            assert_eq!(left_out(n, d), 0, "{n} {d}");
        }
        assert_eq!(
            (left_out(20, 2), left_out(70, 64), left_out(1_000_000, 64)),
            (6, 6, 6)
        );
    }
}
