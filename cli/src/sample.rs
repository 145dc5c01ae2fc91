//! `amf sample`.

use super::cli::Sample;
use super::data;
use super::output::Output;
use anyhow::Result;
use density::Density;
use numerics::random::stream;
use tables::{write_csv, write_rows};

/// Draws held in memory at a time.
const CHUNK: usize = 1_000_000;

pub fn run(args: &Sample) -> Result<()> {
    let out = Output::check(args.out.as_deref(), &[&args.model])?;
    let density = data::model(&args.model)?;
    let names: Vec<String> = density.columns().iter().map(|c| c.name.clone()).collect();
    let rng = &mut stream(args.seed.seed, "sample");
    out.write(|w| {
        let n = args.n as usize;
        let first = n.min(CHUNK);
        write_csv(&names, density.sample(first, rng).as_ref(), &mut *w)?;
        for done in (first..n).step_by(CHUNK) {
            let draws = density.sample(CHUNK.min(n - done), rng);
            write_rows(draws.as_ref(), &mut *w)?;
        }
        Ok(())
    })
}
