//! `amf info`.

use super::cli::Info;
use super::output::Output;
use super::{data, summary};
use amf::{Column, Report};
use anyhow::Result;
use density::archive::FORMAT;
use serde::Serialize;

#[derive(Serialize)]
struct Json<'a> {
    format: u32,
    columns: &'a [Column],
    report: &'a Report,
}

pub fn run(args: &Info) -> Result<()> {
    let density = data::model(&args.model)?;
    let text = if args.json {
        serde_json::to_string_pretty(&Json {
            format: FORMAT,
            columns: density.columns(),
            report: density.report(),
        })? + "\n"
    } else {
        summary::of(&density)
    };
    Output::check(None, &[])?.write(|w| w.write_all(text.as_bytes()))
}
