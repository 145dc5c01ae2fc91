//! Fits to a case, as the command and the library do them, and the normal law that they are
//! compared with.

use super::cases::Case;
use amf::{Column, Draws, ExpertConfig, NamedExpert, Recipe};
use density::{Data, Density, FitContext};
use faer::prelude::*;
use numerics::math::{LN_2PI, exp, ln, ln_sum_exp, sum};
use numerics::random::stream;
use tables::Table;

/// A fit or its refusal.
pub enum Outcome {
    /// Mean negative log-likelihood of the held-out rows, nats, and what the fit had to say.
    Fit { nll: f64, notes: Vec<String> },
    /// Why there is none.
    Refused(String),
}

/// The recipe's kinds of experts with fewer steps, layers and folds, so that all cases together
/// take half a minute.
pub fn settings() -> Recipe {
    let flow = |architecture: &str, base: &str| {
        format!(
            "Flow((architecture: {architecture}, standardise: true, base: {base}, fit: (steps: 300, batch: Size(100), learning_rate: 3e-3, \
             schedule: Constant, clip_norm: Some(5.0), evaluate_every: 10, patience: Some(12))))"
        )
    };
    let shape =
        "hidden: [32, 32], activation: Relu, log_scale: (bound: 1.0, knee: 1.0), output_gain: 0.0";
    let maf = format!("Maf(layers: 4, ordering: Reversed, {shape})");
    let realnvp = format!("RealNvp(couplings: 4, nets: Shared, {shape})");
    let bic = "(components: Bic(most: 12, patience: 3), em: (restarts: 1, iterations: 100, tolerance: 1e-5, floor: 1e-3))";
    let experts = [
        ("maf_normal", flow(&maf, "StandardNormal")),
        ("realnvp_normal", flow(&realnvp, "StandardNormal")),
        (
            "rbig",
            "Rbig((model: (layers: HeldOut(max_layers: 20, patience: 5, min_gain: 0.0), marginal: Smooth(), rotation: MostNonGaussian(candidates: 6))))".into(),
        ),
        ("maf", flow(&maf, &format!("GaussianMixture({bic})"))),
        ("gmm", format!("GaussianMixture({bic})")),
        (
            "gmm_12",
            "GaussianMixture((components: Fixed(12), average: 2, em: (restarts: 1, iterations: 100, tolerance: 1e-5, floor: 1e-3, prior: 100.0)))".into(),
        ),
    ];
    let mut settings = Recipe::default();
    settings.partition.folds = 4;
    settings.partition.repeats = 1;
    settings.experts = experts
        .into_iter()
        .map(|(name, kind)| NamedExpert {
            name: name.into(),
            kind: ron::from_str(&kind).expect("settings that are sound"),
        })
        .collect();
    settings
}

/// Mean negative log-likelihood of the rows, nats.
fn nll(q: &dyn Density, x: &Mat<f64>) -> f64 {
    -sum(&q.log_prob(x.as_ref())) / x.nrows() as f64
}

/// What `amf fit` does with a file of these rows.
pub fn recipe(case: &Case, settings: &Recipe) -> Outcome {
    let points = case.train();
    let table = Table {
        columns: (0..points.ncols()).map(|j| format!("x{}", j + 1)).collect(),
        values: points,
        log_weights: case.log_weights(),
        chains: None,
        left_out: Vec::new(),
        source: "draws".into(),
    };
    let column = if case.positive {
        Column::positive
    } else {
        Column::real
    };
    let columns: Vec<Column> = table.columns.iter().map(column).collect();
    let draws = Draws {
        columns: (&columns).into(),
        points: table.values.as_ref(),
        log_weights: table.log_weights.as_deref(),
        chains: None,
        source: Some(&table.source),
    };
    match settings.fit(&draws, 1, &FitContext::default()) {
        Err(e) => Outcome::Refused(e.to_string()),
        Ok(density) => {
            let report = density.report();
            let left_out = report
                .left_out
                .iter()
                .map(|l| format!("without {}: {}", l.name, l.reason));
            Outcome::Fit {
                nll: nll(&density, &case.held_out()),
                notes: left_out
                    .chain(report.notes.iter().cloned())
                    .chain(report.verdict.reasons.iter().cloned())
                    .collect(),
            }
        }
    }
}

/// One expert alone; every fifth row stops its training or chooses its layers.
pub fn alone(case: &Case, kind: &ExpertConfig) -> Outcome {
    let x = case.train();
    let n = x.nrows();
    let first = n - (n / 5).max(1);
    let weights = case.log_weights().map(|l| {
        let total = ln_sum_exp(&l);
        l.iter().map(|l| exp(l - total)).collect::<Vec<f64>>()
    });
    let part = |from: usize, to: usize| {
        let points = x.as_ref().subrows(from, to - from);
        Data::new(points).weighted(weights.as_deref().map(|w| &w[from..to]))
    };
    let rng = |purpose: &str| stream(1, purpose);
    let (train, validation) = (part(0, first), Some(part(first, n)));
    let fitted = kind.fit("alone", train, validation, &rng, &FitContext::default());
    match fitted {
        Err(e) => Outcome::Refused(e.to_string()),
        Ok(f) => Outcome::Fit {
            nll: nll(&*f.expert, &case.held_out()),
            notes: Vec::new(),
        },
    }
}

/// The normal law of greatest likelihood, judged on the held-out rows; nothing where its covariance
/// is singular.
///
/// Not the library's: columns are shifted by their first values and divided by their ranges before
/// any moment is taken, so that scales and shifts cost no digits, and the triangular factor is that
/// of the centred rows themselves (Gram and Schmidt, twice), not of their squares.
pub fn gaussian(case: &Case) -> Option<f64> {
    let (x, test) = (case.train(), case.held_out());
    let (n, d) = (x.nrows(), x.ncols());
    let shares: Vec<f64> = match case.log_weights() {
        None => vec![1.0 / n as f64; n],
        Some(l) => {
            let total = ln_sum_exp(&l);
            l.iter().map(|l| exp(l - total)).collect()
        }
    };
    let mut log_det = 0.0;
    let mut place = Vec::new();
    let mut scale = Vec::new();
    let mut rows: Vec<Vec<f64>> = Vec::new();
    for j in 0..d {
        let first = x[(0, j)];
        let range = (0..n)
            .map(|i| (x[(i, j)] - first).abs())
            .fold(0.0, f64::max);
        if !(range > 0.0 && range.is_finite()) {
            return None;
        }
        let y: Vec<f64> = (0..n).map(|i| (x[(i, j)] - first) / range).collect();
        let mean = y.iter().zip(&shares).map(|(v, w)| v * w).sum::<f64>();
        // Weighted by square roots: the inner product of two columns is their covariance.
        rows.push(
            y.iter()
                .zip(&shares)
                .map(|(v, w)| (v - mean) * w.sqrt())
                .collect(),
        );
        place.push((first, mean));
        scale.push(range);
        log_det += ln(range);
    }
    // Columns = Q R, and the covariance is R^T R.
    let inner = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut r = Mat::<f64>::zeros(d, d);
    for j in 0..d {
        let length = inner(&rows[j], &rows[j]).sqrt();
        let (done, rest) = rows.split_at_mut(j);
        for _ in 0..2 {
            for (k, q) in done.iter().enumerate() {
                let along = inner(q, &rest[0]);
                r[(k, j)] += along;
                rest[0].iter_mut().zip(q).for_each(|(v, q)| *v -= along * q);
            }
        }
        r[(j, j)] = inner(&rest[0], &rest[0]).sqrt();
        if r[(j, j)] <= 1e-13 * length {
            return None;
        }
        rest[0].iter_mut().for_each(|v| *v /= r[(j, j)]);
        log_det += ln(r[(j, j)]);
    }
    let loss = |i: usize| {
        // R^T z = y, row by row.
        let mut z = vec![0.0; d];
        for j in 0..d {
            let y = (test[(i, j)] - place[j].0) / scale[j] - place[j].1;
            z[j] = (y - (0..j).map(|k| r[(k, j)] * z[k]).sum::<f64>()) / r[(j, j)];
        }
        log_det + 0.5 * (d as f64 * LN_2PI + inner(&z, &z))
    };
    let losses: Vec<f64> = (0..test.nrows()).map(loss).collect();
    Some(sum(&losses) / losses.len() as f64)
}
