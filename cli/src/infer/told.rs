//! Tables of evaluated points: each must belong to the run.

use anyhow::{Context, Result, bail};
use posterior::{Session, Value};
use std::path::Path;

/// The id of a point as `--ask` prints it: its number in the run, and the mark of its parameters, by
/// which points of other runs are told apart.
pub fn name(number: usize, mark: u64) -> String {
    format!("{number}-{mark:016x}")
}

/// Columns `id`, `log_likelihood` and the derived quantities of a table. Parameters, where the table
/// has them, must be those that were asked for; other columns are ignored.
pub fn read(path: &Path, derived: &[String], session: &Session<'_>) -> Result<Vec<(usize, Value)>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("{shown}: cannot be read"))?;
    if !text.ends_with('\n') {
        bail!(
            "{shown}: the last line has no end, so the file looks cut short; write all of it (each line with its line feed) and tell again"
        );
    }
    let mut lines = text.lines();
    let heading: Vec<&str> = lines
        .next()
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .collect();
    let place = |name: &str| {
        let found = heading.iter().position(|h| *h == name);
        found.with_context(|| format!("{shown}: line 1: there is no column \"{name}\""))
    };
    let (id, log_likelihood) = (place("id")?, place("log_likelihood")?);
    let derived: Vec<usize> = derived
        .iter()
        .map(|name| place(name))
        .collect::<Result<_>>()?;
    let names = session.names();
    let parameters: Vec<(usize, usize)> = names
        .iter()
        .enumerate()
        .filter_map(|(j, name)| Some((j, heading.iter().position(|h| h == name)?)))
        .collect();
    let mut values = Vec::new();
    for (k, line) in lines.enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let at = format!("{shown}: line {}", k + 2);
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let field = |j: usize| fields.get(j).copied().unwrap_or_default();
        let number = |j: usize| -> Result<f64> {
            let (field, name) = (field(j), heading[j]);
            field.parse().map_err(|_| {
                anyhow::anyhow!("{at}: \"{field}\" in column \"{name}\" is not a number")
            })
        };
        let own = field(id);
        let (own_number, mark) = match own.split_once('-') {
            Some((number, mark)) => (number, Some(mark)),
            None => (own, None),
        };
        let Ok(n) = own_number.parse::<usize>() else {
            bail!("{at}: \"{own}\" is not the id of a point, as --ask prints it");
        };
        let (Some(asked_mark), Some(asked)) = (session.mark(n), session.parameters(n)) else {
            bail!("{at}: point {own} was not asked for");
        };
        match mark {
            Some(mark) if u64::from_str_radix(mark, 16) != Ok(asked_mark) => bail!(
                "{at}: point {own} is of another run, or of other settings of it: here that point is {}",
                name(n, asked_mark)
            ),
            None if parameters.len() < names.len() => bail!(
                "{at}: nothing says which run point {own} belongs to; give the whole id that --ask printed ({}), or columns with all parameters",
                name(n, asked_mark)
            ),
            _ => {}
        }
        for &(j, column) in &parameters {
            let (asked, told) = (asked[j], number(column)?);
            // Other programs may print fewer digits.
            let near = (asked - told).abs() <= 1e-6 * asked.abs();
            if !near {
                bail!(
                    "{at}: {} = {told:?}, where point {n} has {asked:?}: these points are of another run, or of other settings of it",
                    names[j]
                );
            }
        }
        values.push((
            n,
            Value {
                log_likelihood: number(log_likelihood)?,
                derived: derived.iter().map(|j| number(*j)).collect::<Result<_>>()?,
                failed: false,
            },
        ));
    }
    Ok(values)
}
