//! Total correlation and mutual information of the columns of a table, by Gaussianisation.
//!
//! ```text
//! cargo run --release -p rbig --example information [-- draws.csv]
//! ```
//!
//! Without a file, the columns are draws of a Gaussian whose answers are known; they are printed
//! beside the estimates. Estimates are in nats, `value +- standard error`.

use faer::{Mat, MatRef};
use numerics::math::ln;
use numerics::random::{standard_normal, stream};
use rbig::{Error, mutual_information, total_correlation};
use std::error::Error as AnyError;
use std::path::Path;
use std::process::ExitCode;

/// Rows used at most: more take longer and gain little.
const MAX_ROWS: usize = 4000;

/// Correlations of the built-in Gaussian, a chain: neighbours `R`, columns two apart `R^2`.
const R: f64 = 0.7;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn AnyError>> {
    match std::env::args_os().nth(1) {
        Some(path) => {
            let table = tables::read(Path::new(&path), &tables::ReadOptions::default())?;
            let rows = table.values.nrows();
            let skip = rows.div_ceil(MAX_ROWS).max(1);
            let x = Mat::from_fn(rows.div_ceil(skip), table.values.ncols(), |i, j| {
                table.values[(i * skip, j)]
            });
            println!("{}: {} of {rows} rows", table.source, x.nrows());
            Ok(print(x.as_ref(), &table.columns, None)?)
        }
        None => {
            let names = ["x", "y", "z"].map(String::from);
            println!("a Gaussian chain x - y - z, correlation {R} between neighbours");
            Ok(print(chain(2000).as_ref(), &names, Some(&exact))?)
        }
    }
}

/// Draws of the chain, n x 3.
fn chain(n: usize) -> Mat<f64> {
    let mut rng = stream(1, "information/chain");
    let mut x = Mat::zeros(n, 3);
    for i in 0..n {
        x[(i, 0)] = standard_normal(&mut rng);
        for j in 1..3 {
            x[(i, j)] = R * x[(i, j - 1)] + (1.0 - R * R).sqrt() * standard_normal(&mut rng);
        }
    }
    x
}

/// What two columns of the chain share, `-ln(1 - rho^2) / 2`; or all three, which is the sum over
/// both neighbouring pairs.
fn exact(pair: Option<(usize, usize)>) -> f64 {
    let of = |rho: f64| -0.5 * ln(1.0 - rho * rho);
    match pair {
        Some((0, 2)) => of(R * R),
        Some(_) => of(R),
        None => 2.0 * of(R),
    }
}

/// The exact answer for a pair of columns, or for all of them.
type Exact<'a> = &'a dyn Fn(Option<(usize, usize)>) -> f64;

fn print(x: MatRef<'_, f64>, names: &[String], exact: Option<Exact<'_>>) -> Result<(), Error> {
    let known = |pair| exact.map_or(String::new(), |f| format!("   exact {:.4}", f(pair)));
    let rng = &mut stream(1, "information");
    let all = total_correlation(x, rng)?;
    println!("total correlation           {all}{}", known(None));
    for j in 1..x.ncols() {
        for i in 0..j {
            let found = mutual_information(x.subcols(i, 1), x.subcols(j, 1), rng)?;
            let pair = format!("I({}; {})", names[i], names[j]);
            let known = known(Some((i, j)));
            println!("mutual information {pair:<9}{found}{known}");
        }
    }
    Ok(())
}
