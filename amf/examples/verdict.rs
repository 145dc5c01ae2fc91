//! How often the verdict on a fit is right: targets with exact densities, fits good and bad.
//!
//! `cargo run --release -p amf --example verdict -- [SEED] [NAMES]`: one line for each target, with the true
//! `KL(target || fit)`, the verdict and its reasons, then how many fits of each kind got each verdict.

use amf::{Column, Draws, Recipe, Trust};
use datasets::Family;
use datasets::multivariate::Multivariate;
use density::{Density, FitContext, Support};
use faer::prelude::*;
use numerics::math::{ln, normal_log_pdf, sum};
use numerics::random::{Pcg64, standard_normal, stream, uniform};
use std::error::Error;
use std::time::Instant;

/// Fresh draws that the divergence is measured on.
const TEST: usize = 5_000;
/// Divergences above this are bad fits, and below the second good ones, nats.
const BAD: f64 = 0.1;
const GOOD: f64 = 0.02;

type Sampler = Box<dyn Fn(usize, &mut Pcg64) -> Mat<f64>>;
type LogDensity = Box<dyn Fn(MatRef<'_, f64>) -> Vec<f64>>;

/// Rows to fit, as people have them, and the density that they come from.
struct Target {
    name: String,
    rows: Mat<f64>,
    log_weights: Option<Vec<f64>>,
    chains: Option<Vec<usize>>,
    fresh: Sampler,
    log_prob: LogDensity,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let seed: u64 = args.first().map_or(Ok(101), |s| s.parse())?;
    let wanted = args.get(1).cloned().unwrap_or_default();
    let (mut counts, mut refused) = ([[0usize; 3]; 3], 0);
    println!("| target | rows | d | KL | verdict | seconds | reasons |");
    println!("| --- | ---: | ---: | ---: | --- | ---: | --- |");
    for target in targets(seed) {
        if !wanted.split(',').any(|w| target.name.starts_with(w)) {
            continue;
        }
        let start = Instant::now();
        let columns: Vec<Column> = (1..=target.rows.ncols())
            .map(|j| Column {
                name: format!("x{j}"),
                support: Support::Real,
            })
            .collect();
        let draws = Draws {
            columns: (&columns).into(),
            points: target.rows.as_ref(),
            log_weights: target.log_weights.as_deref(),
            chains: target.chains.as_deref(),
            source: None,
        };
        let fit = match Recipe::default().fit(&draws, seed, &FitContext::default()) {
            Ok(fit) => fit,
            Err(e) => {
                let (n, d) = target.rows.shape();
                println!("| {} | {n} | {d} | | refused | | {e} |", target.name);
                refused += 1;
                continue;
            }
        };
        let test = (target.fresh)(TEST, &mut stream(seed, &format!("{}/test", target.name)));
        let (p, q) = (
            (target.log_prob)(test.as_ref()),
            fit.log_prob(test.as_ref()),
        );
        let gaps: Vec<f64> = p.iter().zip(&q).map(|(p, q)| p - q).collect();
        let kl = sum(&gaps) / TEST as f64;
        let verdict = &fit.report().verdict;
        let kind = usize::from(kl > GOOD) + usize::from(kl > BAD);
        let said = match verdict.trust {
            Trust::Yes => 0,
            Trust::WithCare => 1,
            Trust::No => 2,
        };
        counts[kind][said] += 1;
        println!(
            "| {} | {} | {} | {kl:.4} | {} | {:.0} | {} |",
            target.name,
            target.rows.nrows(),
            target.rows.ncols(),
            ["yes", "with care", "no"][said],
            start.elapsed().as_secs_f64(),
            verdict.reasons.join("; ")
        );
    }
    println!();
    println!("| true KL | yes | with care | no |");
    println!("| --- | ---: | ---: | ---: |");
    for (name, row) in ["below 0.02", "between", "above 0.1"].iter().zip(counts) {
        println!("| {name} | {} | {} | {} |", row[0], row[1], row[2]);
    }
    println!("\nrefused: {refused}");
    Ok(())
}

fn targets(seed: u64) -> Vec<Target> {
    let mut all = Vec::new();
    for n in [300, 2000] {
        for family in Family::ALL {
            all.push(independent(
                format!("{}-{n}", family.name()),
                n,
                seed,
                Box::new(move |n, rng| family.sample(n, rng)),
                Box::new(move |x| family.log_prob(x)),
            ));
        }
        for t in Multivariate::ALL {
            all.push(independent(
                format!("{}-{n}", t.name()),
                n,
                seed,
                Box::new(move |n, rng| t.sample(n, rng)),
                Box::new(move |x| t.log_prob(x)),
            ));
        }
    }
    for (d, n) in [(1, 200), (5, 2000), (10, 200), (20, 2000)] {
        let (fresh, log_prob) = normal(d);
        all.push(independent(
            format!("normal_{d}-{n}"),
            n,
            seed,
            fresh,
            log_prob,
        ));
    }
    for n in [2000, 10_000] {
        let (fresh, log_prob) = even_signs(6);
        all.push(independent(
            format!("even_signs_6-{n}"),
            n,
            seed,
            fresh,
            log_prob,
        ));
    }
    for (d, n) in [(2, 500), (2, 2000), (5, 2000)] {
        let (fresh, log_prob) = uniform_box(d);
        all.push(independent(
            format!("box_{d}-{n}"),
            n,
            seed,
            fresh,
            log_prob,
        ));
    }
    for (d, n) in [(2, 500), (2, 2000), (5, 500), (5, 2000), (10, 2000)] {
        let (fresh, log_prob) = twisted(d);
        all.push(independent(
            format!("twisted_{d}-{n}"),
            n,
            seed,
            fresh,
            log_prob,
        ));
    }
    for (d, n) in [(4, 500), (4, 4000), (8, 4000)] {
        let (fresh, log_prob) = signs(d);
        all.push(independent(
            format!("signs_{d}-{n}"),
            n,
            seed,
            fresh,
            log_prob,
        ));
    }
    let (fresh, log_prob) = ring_and_normal(8);
    all.push(independent(
        "ring_normal_10-1000".into(),
        1000,
        seed,
        fresh,
        log_prob,
    ));
    for (a, n) in [(0.5, 2000), (0.9, 3000), (0.98, 3000), (0.99, 1000)] {
        all.push(chain(a, n, 1, seed));
    }
    all.push(chain(0.9, 4000, 4, seed));
    all.push(apart(seed));
    for (shift, n) in [(0.0, 200_000), (1.5, 20_000), (3.5, 20_000)] {
        all.push(weighted(shift, n, seed));
    }
    all
}

fn independent(name: String, n: usize, seed: u64, fresh: Sampler, log_prob: LogDensity) -> Target {
    Target {
        rows: fresh(n, &mut stream(seed, &format!("{name}/rows"))),
        name,
        log_weights: None,
        chains: None,
        fresh,
        log_prob,
    }
}

fn log_normal_prob(x: MatRef<'_, f64>, columns: std::ops::Range<usize>) -> Vec<f64> {
    let row = |i: usize| columns.clone().map(|j| normal_log_pdf(x[(i, j)])).sum();
    (0..x.nrows()).map(row).collect()
}

fn normal(d: usize) -> (Sampler, LogDensity) {
    (
        Box::new(move |n, rng| Mat::from_fn(n, d, |_, _| standard_normal(rng))),
        Box::new(move |x| log_normal_prob(x, 0..d)),
    )
}

/// A normal kept to an even number of negative coordinates.
fn even_signs(d: usize) -> (Sampler, LogDensity) {
    let odd = |row: &mut dyn Iterator<Item = f64>| row.filter(|v| *v < 0.0).count() % 2 == 1;
    (
        Box::new(move |n, rng| {
            let mut x = Mat::from_fn(n, d, |_, _| standard_normal(rng));
            for i in 0..n {
                if odd(&mut (0..d).map(|j| x[(i, j)])) {
                    x[(i, 0)] = -x[(i, 0)];
                }
            }
            x
        }),
        Box::new(move |x| {
            let mut out = log_normal_prob(x, 0..d);
            out.iter_mut().for_each(|l| *l += ln(2.0));
            out
        }),
    )
}

/// Uniform on the unit cube.
fn uniform_box(d: usize) -> (Sampler, LogDensity) {
    (
        Box::new(move |n, rng| Mat::from_fn(n, d, |_, _| uniform(rng))),
        Box::new(move |x| vec![0.0; x.nrows()]),
    )
}

/// Pairs of a normal coordinate and one that it bends: `x_2 = z_2 + x_1^2 - 1`.
fn twisted(d: usize) -> (Sampler, LogDensity) {
    let bend = |v: f64| v * v - 1.0;
    (
        Box::new(move |n, rng| {
            let mut x = Mat::from_fn(n, d, |_, _| standard_normal(rng));
            for i in 0..n {
                for j in (1..d).step_by(2) {
                    x[(i, j)] += bend(x[(i, j - 1)]);
                }
            }
            x
        }),
        Box::new(move |x| {
            let z = |i: usize, j: usize| {
                let bent = if j % 2 == 1 { bend(x[(i, j - 1)]) } else { 0.0 };
                x[(i, j)] - bent
            };
            let row = |i: usize| (0..d).map(|j| normal_log_pdf(z(i, j))).sum();
            (0..x.nrows()).map(row).collect()
        }),
    )
}

/// Each coordinate at 2 or -2, with standard deviation one half: 2^d modes.
fn signs(d: usize) -> (Sampler, LogDensity) {
    (
        Box::new(move |n, rng| {
            Mat::from_fn(n, d, |_, _| {
                let side = if uniform(rng) < 0.5 { 2.0 } else { -2.0 };
                side + 0.5 * standard_normal(rng)
            })
        }),
        Box::new(move |x| {
            let one = |v: f64| {
                let sides = [2.0, -2.0].map(|s| normal_log_pdf((v - s) / 0.5));
                numerics::math::ln_sum_exp(&sides)
            };
            let row = |i: usize| (0..d).map(|j| one(x[(i, j)])).sum();
            (0..x.nrows()).map(row).collect()
        }),
    )
}

/// A ring of radius 2 and width 0.1, and normal columns.
fn ring_and_normal(d: usize) -> (Sampler, LogDensity) {
    (
        Box::new(move |n, rng| {
            let mut x = Mat::from_fn(n, d + 2, |_, _| standard_normal(rng));
            for i in 0..n {
                let (r, angle) = (
                    2.0 + 0.1 * standard_normal(rng),
                    core::f64::consts::TAU * uniform(rng),
                );
                let (sin, cos) = numerics::math::sin_cos(angle);
                x[(i, 0)] = r * cos;
                x[(i, 1)] = r * sin;
            }
            x
        }),
        Box::new(move |x| {
            let mut out = log_normal_prob(x, 2..d + 2);
            for (i, l) in out.iter_mut().enumerate() {
                let (a, b) = (x[(i, 0)], x[(i, 1)]);
                let r = (a * a + b * b).sqrt();
                *l += normal_log_pdf((r - 2.0) / 0.1) - ln(0.1 * core::f64::consts::TAU * r);
            }
            out
        }),
    )
}

/// Autoregressive chains of a two-dimensional normal.
fn chain(a: f64, n: usize, chains: usize, seed: u64) -> Target {
    let name = format!("chain_{a}_{chains}-{n}");
    let mut rng = stream(seed, &name);
    let mut rows = Mat::zeros(n, 2);
    let mut at = [0.0; 2];
    for i in 0..n {
        for j in 0..2 {
            let (keep, new) = if i % (n / chains) == 0 {
                (0.0, 1.0)
            } else {
                (a, (1.0 - a * a).sqrt())
            };
            at[j] = keep * at[j] + new * standard_normal(&mut rng);
            rows[(i, j)] = at[j];
        }
    }
    let (fresh, log_prob) = normal(2);
    Target {
        name,
        rows,
        log_weights: None,
        chains: (chains > 1).then(|| (0..n).map(|i| i / (n / chains)).collect()),
        fresh,
        log_prob,
    }
}

/// Two modes, of which two of three chains found one and the third the other.
fn apart(seed: u64) -> Target {
    let mut rng = stream(seed, "apart");
    let mode = |i: usize| if i / 700 == 2 { 4.0 } else { -4.0 };
    let rows = Mat::from_fn(2100, 2, |i, j| {
        standard_normal(&mut rng) + if j == 0 { mode(i) } else { 0.0 }
    });
    Target {
        name: "modes_apart_3-2100".into(),
        rows,
        log_weights: None,
        chains: Some((0..2100).map(|i| i / 700).collect()),
        fresh: Box::new(|n, rng| {
            Mat::from_fn(n, 2, |i, j| {
                let centre = if i % 2 == 0 { 4.0 } else { -4.0 };
                standard_normal(rng) + if j == 0 { centre } else { 0.0 }
            })
        }),
        log_prob: Box::new(|x| {
            let row = |i: usize| {
                let near = numerics::math::ln_sum_exp2(
                    normal_log_pdf(x[(i, 0)] - 4.0),
                    normal_log_pdf(x[(i, 0)] + 4.0),
                );
                near - ln(2.0) + normal_log_pdf(x[(i, 1)])
            };
            (0..x.nrows()).map(row).collect()
        }),
    }
}

/// A standard normal in two dimensions by weighted draws of a normal of standard deviation 5, or of one as narrow as
/// the target that lies beside it.
fn weighted(shift: f64, n: usize, seed: u64) -> Target {
    let name = format!("weighted_{shift}-{n}");
    let mut rng = stream(seed, &name);
    let sd = if shift == 0.0 { 5.0 } else { 1.0 };
    let rows = Mat::from_fn(n, 2, |_, _| shift + sd * standard_normal(&mut rng));
    let weight = |i: usize| {
        let each = (0..2)
            .map(|j| normal_log_pdf(rows[(i, j)]) - normal_log_pdf((rows[(i, j)] - shift) / sd));
        each.sum()
    };
    let log_weights = Some((0..n).map(weight).collect());
    let (fresh, log_prob) = normal(2);
    Target {
        name,
        rows,
        log_weights,
        chains: None,
        fresh,
        log_prob,
    }
}
