//! `amf sample`.

use super::cli::Sample;
use super::data;
use super::output::Output;
use anyhow::Result;
use density::Density;
use numerics::random::stream;
use tables::write_csv;

pub fn run(args: &Sample) -> Result<()> {
    let out = Output::check(args.out.as_deref())?;
    let density = data::model(&args.model)?;
    let draws = density.sample(args.n as usize, &mut stream(args.seed, "sample"));
    let names: Vec<String> = density.columns().iter().map(|c| c.name.clone()).collect();
    out.write(|w| write_csv(&names, draws.as_ref(), w))
}
