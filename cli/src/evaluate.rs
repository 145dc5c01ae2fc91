//! `amf evaluate`.

use super::cli::Evaluate;
use super::output::Output;
use super::{data, summary};
use amf::{FittedDensity, Score};
use anyhow::{Result, bail};
use density::Affine;
use density::Density;
use density::mixture_log_prob;
use faer::prelude::*;
use metrics::ImportanceWeights;
use metrics::{MetricError, TargetMmd, wasserstein2};
use numerics::matrix::{col, select_rows};
use numerics::random::{Pcg64, categorical, permutation, stream};
use rayon::prelude::*;
use serde::Serialize;
use std::fmt::Write;
use tables::Table;

/// The most rows for W2 and MMD: the work grows with their cube and square.
const MOST: usize = 2000;

/// The metrics of one density.
#[derive(Debug, Serialize)]
struct Metrics {
    name: String,
    weight: Option<f64>,
    nll: Option<Score>,
    w2: f64,
    mmd: f64,
}

#[derive(Debug, Serialize)]
struct Evaluation {
    rows: usize,
    rows_for_distances: usize,
    effective_sample_size: Option<f64>,
    mixture: Metrics,
    experts: Vec<Metrics>,
    two_samples_of_the_mixture: Metrics,
}

pub fn run(args: &Evaluate) -> Result<()> {
    let density = data::model(&args.model)?;
    let table = data::rows(
        &args.data,
        &density,
        &args.columns,
        args.log_weight.as_ref(),
    )?;
    let found = evaluate(&density, &table, args.seed.seed)?;
    let text = if args.json {
        serde_json::to_string_pretty(&found)? + "\n"
    } else {
        summary::printable(&print(&found))
    };
    Output::check(None, &[])?.write(|w| w.write_all(text.as_bytes()))
}

fn evaluate(density: &FittedDensity, table: &Table, seed: u64) -> Result<Evaluation> {
    let x = table.values.as_ref();
    if x.nrows() < 2 {
        bail!("{}: one row is too few to judge by", table.source);
    }
    let weights = match &table.log_weights {
        Some(w) => Some(ImportanceWeights::new(w)?),
        None => None,
    };
    let shares = weights.as_ref().map(ImportanceWeights::shares);
    let standardise = Affine::standardising(x, shares).map_err(|j| {
        anyhow::anyhow!(
            "{}: column \"{}\" {}; there is nothing to compare",
            table.source,
            table.columns[j],
            unscalable(numerics::matrix::col(x, j), shares)
        )
    })?;
    let standard = |mut m: Mat<f64>| {
        standardise.transform(m.as_mut());
        m
    };
    let rows = chosen(x.nrows(), shares, &mut stream(seed, "evaluate/rows"));
    let target = standard(select_rows(x, &rows));
    let kernel = (x.ncols() as f64).sqrt();
    let mmd = TargetMmd::new(target.as_ref(), kernel)?;
    let n = rows.len();
    let distances = |draws: Mat<f64>| -> Result<(f64, f64), MetricError> {
        let draws = standard(draws);
        let w2 = wasserstein2(target.as_ref(), draws.as_ref())?;
        Ok((w2, mmd.compare(draws.as_ref())?.unbiased))
    };
    let logs = density.log_prob_table(x);
    let pi = density.mixture().weights();
    let nll = |log_q: &[f64]| {
        let losses: Vec<f64> = log_q.iter().map(|l| -l).collect();
        Score::of(&losses, shares)
    };
    let rng = |purpose: &str| stream(seed, &format!("evaluate/{purpose}"));
    let count = pi.len();
    // The experts, then the mixture, then the mixture against itself.
    let all: Vec<(f64, f64)> = (0..count + 2)
        .into_par_iter()
        .map(|k| {
            if k < count {
                let name = &density.expert_names()[k];
                return distances(density.sample_expert(k, n, &mut rng(name)));
            }
            let draws = density.sample(n, &mut rng("mixture draws"));
            if k == count {
                return distances(draws);
            }
            let (a, b) = (
                standard(draws),
                standard(density.sample(n, &mut rng("mixture draws again"))),
            );
            let own = TargetMmd::new(a.as_ref(), kernel)?;
            Ok((
                wasserstein2(a.as_ref(), b.as_ref())?,
                own.compare(b.as_ref())?.unbiased,
            ))
        })
        .collect::<Result<_, MetricError>>()?;
    let metrics = |k: usize, name: &str, weight: Option<f64>, nll: Option<Score>| Metrics {
        name: name.into(),
        weight,
        nll,
        w2: all[k].0,
        mmd: all[k].1,
    };
    let experts = (0..count).map(|k| {
        let own = nll(col(logs.as_ref(), k));
        metrics(k, &density.expert_names()[k], Some(pi[k]), Some(own))
    });
    let together = nll(&mixture_log_prob(logs.as_ref(), pi));
    Ok(Evaluation {
        rows: x.nrows(),
        rows_for_distances: n,
        effective_sample_size: weights.as_ref().map(|w| w.reliability().ess),
        experts: experts.collect(),
        mixture: metrics(count, "mixture", None, Some(together)),
        two_samples_of_the_mixture: metrics(count + 1, "two samples of the mixture", None, None),
    })
}

/// Why a column has no standard deviation to divide by.
fn unscalable(column: &[f64], shares: Option<&[f64]>) -> &'static str {
    if column.iter().all(|v| *v == column[0]) {
        "is constant"
    } else if shares.is_some_and(|s| s.iter().any(|w| *w > 0.999)) {
        "cannot be scaled, because one row has nearly all of the weight"
    } else {
        "cannot be scaled: its values are too large or too close together for floating-point numbers"
    }
}

/// A subsample of the rows: at random, or by weight.
fn chosen(n: usize, shares: Option<&[f64]>, rng: &mut Pcg64) -> Vec<usize> {
    match shares {
        None => {
            let mut rows = permutation(rng, n);
            rows.truncate(MOST);
            rows
        }
        Some(s) => (0..n.min(MOST)).map(|_| categorical(rng, s)).collect(),
    }
}

fn print(e: &Evaluation) -> String {
    let mut out = format!("{} rows", e.rows);
    if let Some(ess) = e.effective_sample_size {
        let _ = write!(out, ", an effective sample size of {ess:.1}");
    }
    if e.rows_for_distances < e.rows {
        let _ = write!(out, "; W2 and MMD from {} of them", e.rows_for_distances);
    }
    let _ = writeln!(
        out,
        "\n{:28}{:>22}  {:>7}  {:>8}  {:>9}",
        "", "NLL (nats)", "weight", "W2", "MMD"
    );
    let rows = std::iter::once(&e.mixture)
        .chain(&e.experts)
        .chain([&e.two_samples_of_the_mixture]);
    for m in rows {
        let nll = m.nll.as_ref().map_or(String::new(), summary::score);
        let weight = m.weight.map_or(String::new(), |w| format!("{w:.4}"));
        let _ = writeln!(
            out,
            "{:28}{nll:>22}  {weight:>7}  {:>8.4}  {:>9.5}",
            m.name, m.w2, m.mmd
        );
    }
    out
}
