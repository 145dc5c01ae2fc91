//! Tables of evaluated points: each must belong to the run.

use super::program::impossible;
use super::settings::without_mark;
use anyhow::{Context, Result, anyhow, bail};
use csv::StringRecord;
use posterior::{Session, Value};
use std::io::Read;
use std::path::Path;

/// The id of a point as `--ask` prints it: its number in the run, and the mark of its parameters, by
/// which points of other runs are told apart.
pub fn name(number: usize, mark: u64) -> String {
    format!("{number}-{mark:016x}")
}

/// How a table is called in messages.
pub fn shown(path: &Path) -> String {
    if path.as_os_str() == "-" {
        return "standard input".into();
    }
    path.display().to_string()
}

/// Columns `id`, `log_likelihood` and the derived quantities of a table; - is standard input.
/// Parameters, where the table has them, must be those that were asked for; other columns are
/// ignored.
pub fn read(path: &Path, derived: &[String], session: &Session<'_>) -> Result<Vec<(usize, Value)>> {
    let shown = shown(path);
    let text = text(path).with_context(|| format!("--tell: {shown}: cannot be read"))?;
    let text = without_mark(&text);
    if text.trim().is_empty() {
        bail!(
            "--tell: {shown}: it is empty; the first line names the columns, id and log_likelihood among them"
        );
    }
    if !text.ends_with('\n') {
        bail!(
            "{shown}: the last line has no end, so the file looks cut short; write all of it (each line with its line feed) and tell again"
        );
    }
    let mut lines = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let heading = lines
        .headers()
        .with_context(|| format!("{shown}: line 1"))?;
    let table =
        Table::new(heading, derived, session).with_context(|| format!("{shown}: line 1"))?;
    let mut values = Vec::new();
    for record in lines.records() {
        let record = record.with_context(|| shown.clone())?;
        if record.iter().all(str::is_empty) {
            continue;
        }
        let line = record.position().map_or(0, csv::Position::line);
        let value = table.value(&record);
        values.push(value.with_context(|| format!("{shown}: line {line}"))?);
    }
    Ok(values)
}

fn text(path: &Path) -> std::io::Result<String> {
    if path.as_os_str() != "-" {
        return std::fs::read_to_string(path);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

/// Where the columns are.
struct Table<'a> {
    session: &'a Session<'a>,
    heading: Vec<String>,
    id: usize,
    log_likelihood: usize,
    derived: Vec<usize>,
    /// Parameters that the table has, with their columns.
    parameters: Vec<(usize, usize)>,
}

impl<'a> Table<'a> {
    fn new(heading: &StringRecord, derived: &[String], session: &'a Session<'_>) -> Result<Self> {
        let find = |name: &str| heading.iter().position(|h| h == name);
        let place = |name: &str| {
            let names: Vec<&str> = heading.iter().collect();
            find(name).with_context(|| {
                format!("there is no column \"{name}\", only {}", names.join(", "))
            })
        };
        let names = session.names().iter().enumerate();
        Ok(Self {
            session,
            id: place("id")?,
            log_likelihood: place("log_likelihood")?,
            derived: derived
                .iter()
                .map(|name| place(name))
                .collect::<Result<_>>()?,
            parameters: names
                .filter_map(|(j, name)| Some((j, find(name)?)))
                .collect(),
            heading: heading.iter().map(String::from).collect(),
        })
    }

    fn number(&self, record: &StringRecord, column: usize) -> Result<f64> {
        let field = record.get(column).unwrap_or_default();
        field.parse().map_err(|_| {
            let name = &self.heading[column];
            anyhow!("\"{field}\" in column \"{name}\" is not a number")
        })
    }

    /// The number of a point, and its value.
    fn value(&self, record: &StringRecord) -> Result<(usize, Value)> {
        let n = self.point(record)?;
        let log_likelihood = self.number(record, self.log_likelihood)?;
        let derived = |column: &usize| {
            // Where the data are impossible there may be nothing to derive.
            if impossible(log_likelihood) && record.get(*column).is_none_or(str::is_empty) {
                return Ok(f64::NAN);
            }
            self.number(record, *column)
        };
        let value = Value {
            log_likelihood,
            derived: self.derived.iter().map(derived).collect::<Result<_>>()?,
            failed: false,
        };
        Ok((n, value))
    }

    /// The number of a point of this run.
    fn point(&self, record: &StringRecord) -> Result<usize> {
        let own = record.get(self.id).unwrap_or_default();
        let (number, mark) = match own.split_once('-') {
            Some((number, mark)) => (number, Some(mark)),
            None => (own, None),
        };
        let Ok(n) = number.parse::<usize>() else {
            bail!("\"{own}\" is not the id of a point, as --ask prints it");
        };
        let session = self.session;
        let (Some(asked_mark), Some(asked)) = (session.mark(n), session.parameters(n)) else {
            bail!("point {own} was not asked for");
        };
        match mark {
            Some(mark) if u64::from_str_radix(mark, 16) != Ok(asked_mark) => bail!(
                "point {own} is of another run, or of other settings of it: here that point is {}",
                name(n, asked_mark)
            ),
            None if self.parameters.len() < session.names().len() => bail!(
                "nothing says which run point {own} belongs to; give the whole id that --ask printed ({}), or columns with all parameters",
                name(n, asked_mark)
            ),
            _ => {}
        }
        for &(j, column) in &self.parameters {
            let (asked, told) = (asked[j], self.number(record, column)?);
            // Other programs may print fewer digits.
            let near = (asked - told).abs() <= 1e-6 * asked.abs();
            if !near {
                bail!(
                    "{} = {told:?}, where point {n} has {asked:?}: these points are of another run, or of other settings of it",
                    session.names()[j]
                );
            }
        }
        Ok(n)
    }
}
