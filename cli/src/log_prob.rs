//! `amf log-prob`.

use super::cli::LogProb;
use super::data;
use super::output::Output;
use anyhow::Result;
use density::Density;
use faer::Mat;
use tables::write_csv;

pub fn run(args: &LogProb) -> Result<()> {
    let out = Output::check(args.out.as_deref(), &[&args.model, &args.data])?;
    let density = data::model(&args.model)?;
    let table = data::rows(&args.data, &density, &args.columns, None)?;
    let log_q = density.log_prob(table.values.as_ref());
    let column = Mat::from_fn(log_q.len(), 1, |i, _| log_q[i]);
    out.write(|w| write_csv(&["log_prob".into()], column.as_ref(), w))
}
