//! `amf fit`.

use super::cli::Fit;
use super::output::Output;
use super::progress::Display;
use super::{Interrupted, data, summary};
use crate::{Column, CrossFit, Density, DensityError, Draws, Support, suggested_support};
use anyhow::{Context, Result, bail};
use datasets::table::{self, ReadOptions, Table};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub fn run(args: &Fit) -> Result<()> {
    if args.print_config {
        let text = ron::ser::to_string_pretty(&CrossFit::default(), ron::ser::PrettyConfig::new())?;
        return Output::check(None)?.write(|w| writeln!(w, "{text}"));
    }
    let out = Output::check(Some(&args.out))?;
    let settings = match &args.config {
        Some(path) => read_settings(path)?,
        None => CrossFit::default(),
    };
    let path = args.data.as_deref().context("no DATA was given")?;
    let options = ReadOptions {
        columns: (!args.columns.is_empty()).then(|| args.columns.clone()),
        log_weight: args.log_weight.clone(),
    };
    let table = table::read(path, &options)?;
    table.check_for_fit()?;
    let columns = data::bounded(&table, &args.positive, &args.interval)?;
    let draws = Draws {
        columns: &columns,
        points: table.values.as_ref(),
        log_weights: table.log_weights.as_deref(),
        source: Some(&table.source),
    };
    draws.check().with_context(|| table.source.clone())?;
    suggest(&table, &columns);
    let density = fit(&settings, &draws, args)?;
    let bytes = density.to_bytes()?;
    out.write(|w| w.write_all(&bytes))?;
    eprint!("{}", summary::of(&density));
    eprintln!("model: {}", args.out.display());
    Ok(())
}

fn read_settings(path: &Path) -> Result<CrossFit> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{name}: the settings cannot be read"))?;
    CrossFit::parse(&text).or_else(|reason| bail!("{name}: {reason}"))
}

/// Bounds that the values of unbounded columns hint at.
fn suggest(table: &Table, columns: &[Column]) {
    for (j, c) in columns.iter().enumerate() {
        if c.support != Support::Real {
            continue;
        }
        let name = &c.name;
        match suggested_support(table.values.as_ref(), j) {
            Some(Support::Positive) => eprintln!(
                "note: all values of \"{name}\" are above 0 and many close to it: if it cannot be negative, add --positive {name}"
            ),
            Some(Support::Interval { low, high }) => eprintln!(
                "note: the values of \"{name}\" pile up at an end of {low} to {high}: if it cannot leave them, add --interval {name}={low},{high}"
            ),
            _ => {}
        }
    }
}

fn fit(settings: &CrossFit, draws: &Draws<'_>, args: &Fit) -> Result<Density> {
    let stop = Arc::new(AtomicBool::new(false));
    let signal = Arc::clone(&stop);
    // Without a handler Ctrl-C still ends the process; nothing half-written is left either way.
    let _ = ctrlc::set_handler(move || {
        if signal.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    let threads = args.threads.map_or(0, usize::from);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()?;
    let display = Display::new();
    let found = pool.install(|| {
        settings.fit_density(draws, args.seed, &|step| {
            display.show(&step);
            if stop.load(Ordering::Relaxed) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
    });
    display.clear();
    match found {
        Err(DensityError::Interrupted) => Err(Interrupted.into()),
        // Ctrl-C after the last step.
        Ok(_) if stop.load(Ordering::Relaxed) => Err(Interrupted.into()),
        Ok(density) => Ok(density),
        Err(e) => Err(anyhow::Error::new(e).context(draws.source.unwrap_or_default().to_owned())),
    }
}
