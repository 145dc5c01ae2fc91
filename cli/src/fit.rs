//! `amf fit`.

use super::cli::Fit;
use super::output::Output;
use super::progress::Display;
use super::{Interrupted, data, summary, unless_stopped};
use amf::{Column, DensityError, Draws, FittedDensity, Recipe, suggested_support};
use anyhow::{Context, Result, bail};
use density::{FitContext, Progress, Support};
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::Ordering;
use std::time::Duration;
use store::{CheckpointFolder, CheckpointStore, Event, NoCheckpoints, Signals};
use tables::{ReadOptions, Table};

/// Between checkpoints.
const CHECKPOINT: Duration = Duration::from_secs(10);

pub fn run(args: &Fit) -> Result<()> {
    if args.print_config {
        let text = Recipe::default().to_ron()?;
        return Output::check(None, &[])?.write(|w| writeln!(w, "{text}"));
    }
    let read = [args.data.as_deref(), args.config.as_deref()];
    let read: Vec<&Path> = read.into_iter().flatten().collect();
    let out = Output::check(Some(&args.out), &read)?;
    if let Some(folder) = &args.checkpoint_dir {
        std::fs::create_dir_all(folder).with_context(|| {
            let folder = folder.display();
            format!("--checkpoint-dir: {folder} cannot be made a folder")
        })?;
    }
    let settings = match &args.config {
        Some(path) => read_settings(path)?,
        None => Recipe::default(),
    };
    let path = args.data.as_deref().context("no DATA was given")?;
    let options = ReadOptions {
        columns: (!args.columns.is_empty()).then(|| args.columns.clone()),
        log_weight: args.log_weight.clone(),
    };
    let table = tables::read(path, &options)?;
    let columns = data::bounded(&table, args)?;
    let draws = Draws {
        columns: (&columns).into(),
        points: table.values.as_ref(),
        log_weights: table.log_weights.as_deref(),
        chains: table.chains.as_deref(),
        source: Some(&table.source),
    };
    let hints = || {
        note_left_out(&table);
        suggest(&table, &columns);
    };
    let density = fit(&settings, &draws, args, &hints)?;
    let bytes = density.to_bytes()?;
    out.write(|w| w.write_all(&bytes))?;
    if let Some(folder) = &args.checkpoint_dir {
        clear(folder);
    }
    say!("{}", summary::of(&density).trim_end());
    say!("model: {}", args.out.display());
    Ok(())
}

/// A recipe in RON.
pub fn read_settings(path: &Path) -> Result<Recipe> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => anyhow::anyhow!("{name}: no such file; check the path"),
        _ => anyhow::anyhow!("{name}: the settings cannot be read: {e}"),
    })?;
    Recipe::parse(&text).or_else(|reason| bail!("{name}: {reason}"))
}

/// Columns that were left out because of their names, and what that of chains is used for.
fn note_left_out(table: &Table) {
    if !table.left_out.is_empty() {
        say!(
            "note: left out, as no parameters: {} (name columns by --columns to take them)",
            summary::printable(&table.left_out.join(", "))
        );
    }
}

/// Bounds that the values of unbounded columns suggest.
fn suggest(table: &Table, columns: &[Column]) {
    for (j, c) in columns.iter().enumerate() {
        if c.support != Support::Real {
            continue;
        }
        let name = &c.name;
        let (where_to, option) = match suggested_support(table.values.as_ref(), j) {
            Some(Support::Positive) => (String::from("above 0"), format!("--positive {name}")),
            Some(Support::Above { low }) => {
                (format!("above {low:?}"), format!("--above {name}={low:?}"))
            }
            Some(Support::Below { high }) => (
                format!("below {high:?}"),
                format!("--below {name}={high:?}"),
            ),
            Some(Support::Interval { low, high }) => (
                format!("between {low:?} and {high:?}"),
                format!("--interval {name}={low:?},{high:?}"),
            ),
            Some(Support::Real) | None => continue,
        };
        say!(
            "note: all values of \"{name}\" lie {where_to} and stop there: if it cannot leave them, add {option}"
        );
    }
}

/// `sound` is called after the draws are checked, before the fits begin.
fn fit(
    settings: &Recipe,
    draws: &Draws<'_>,
    args: &Fit,
    sound: &(dyn Fn() + Sync),
) -> Result<FittedDensity> {
    let signals = Signals::listen(match args.checkpoint_dir {
        Some(_) => "amf: interrupted: the same command goes on from there",
        None => {
            "amf: interrupted: nothing was written; with --checkpoint-dir DIR a fit can go on where it was"
        }
    });
    let pool = pool(args.threads.threads)?;
    let tell = |event: Event<'_>| {
        if let Event::Damaged { reason } = event {
            say!("warning: {reason}; it is computed again");
        }
    };
    let folder = args.checkpoint_dir.as_deref();
    let folder = folder.map(|path| CheckpointFolder::new(path, CHECKPOINT, &tell));
    let checkpoints: &dyn CheckpointStore = folder.as_ref().map_or(&NoCheckpoints, |f| f);
    if let Some(path) = &args.checkpoint_dir {
        store::sweep(path);
    }
    let display = Display::new();
    let found = pool.install(|| {
        let first = Once::new();
        let observer = |p: &Progress<'_>| {
            first.call_once(sound);
            display.show(p);
            unless_stopped(&signals)
        };
        let context = FitContext::default().observed_by(&observer);
        settings.fit(draws, args.seed.seed, &context.checkpointed_in(checkpoints))
    });
    display.clear();
    match found {
        Err(DensityError::Interrupted) => Err(Interrupted(signals.interrupted()).into()),
        // Ctrl-C after the last step.
        Ok(_) if signals.stop().load(Ordering::Relaxed) => {
            Err(Interrupted(signals.interrupted()).into())
        }
        Ok(density) => Ok(density),
        Err(e) => Err(anyhow::Error::new(e).context(draws.source.unwrap_or_default().to_owned())),
    }
}

/// Threads to work on.
pub fn pool(threads: Option<u16>) -> Result<rayon::ThreadPool> {
    let threads = threads.map_or(0, usize::from);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.with_context(|| format!("--threads {threads}: the threads cannot be started"))
}

/// Removes cached fits and checkpoints, and the folder if it is empty then.
fn clear(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if ["expert-", "fit-"]
            .iter()
            .any(|unit| name.starts_with(unit))
        {
            let _ = std::fs::remove_file(entry.path());
        }
    }
    let _ = std::fs::remove_dir(folder);
}
