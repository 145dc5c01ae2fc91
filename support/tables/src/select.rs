//! Which column of a file goes where.

use super::error::excerpt;
use super::{ReadError, ReadOptions};
use std::collections::BTreeMap;

/// The role of a column of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It is skipped.
    Skip,
    /// It is this column of the table.
    Value(usize),
    /// It holds the log-weights.
    LogWeight,
}

/// The roles of the columns of a file that are called `names` (empty: no name), and the names of
/// the table's columns.
pub(super) fn select(
    file: &str,
    names: &[String],
    options: &ReadOptions,
) -> Result<(Vec<Role>, Vec<String>), ReadError> {
    // The index of a name, and whether it is unique. A linear search for each of many columns would
    // take quadratic time.
    let mut places = BTreeMap::new();
    for (place, name) in names.iter().enumerate() {
        let entry = places.entry(name.as_str()).or_insert((place, true));
        entry.1 = entry.0 == place;
    }
    let find = |column: &String| match places.get(column.as_str()) {
        Some((place, true)) => Ok(*place),
        Some((_, false)) => Err(ReadError::NamedTwice {
            file: file.to_owned(),
            column: excerpt(column.as_bytes()),
        }),
        None => Err(ReadError::NoSuchColumn {
            file: file.to_owned(),
            column: excerpt(column.as_bytes()),
            advice: advice(column, names),
        }),
    };
    let mut roles = vec![Role::Skip; names.len()];
    if let Some(column) = &options.log_weight {
        roles[find(column)?] = Role::LogWeight;
    }
    let columns = match &options.columns {
        Some(columns) => columns.clone(),
        None => {
            let free = names.iter().zip(&roles);
            let free =
                free.filter(|(n, r)| **r == Role::Skip && !n.is_empty() && !n.ends_with("__"));
            free.map(|(n, _)| n.clone()).collect()
        }
    };
    if columns.is_empty() {
        let file = file.to_owned();
        return Err(ReadError::NoColumns { file });
    }
    for (k, column) in columns.iter().enumerate() {
        let place = find(column)?;
        if roles[place] != Role::Skip {
            let column = excerpt(column.as_bytes());
            return Err(ReadError::AskedTwice { column });
        }
        roles[place] = Role::Value(k);
    }
    Ok((roles, columns))
}

/// The nearest name, or else all names.
fn advice(column: &str, names: &[String]) -> String {
    let lower = column.to_lowercase();
    let distance = |name: &String| strsim::osa_distance(&lower, &name.to_lowercase());
    let named = || names.iter().filter(|n| !n.is_empty());
    // Names of very different length are never near, and some are too long to compare.
    let alike = named().filter(|n| n.len() <= 2 * column.len() + 8);
    match alike.min_by_key(|n| distance(n)) {
        Some(nearest) if distance(nearest) <= 1 + column.chars().count() / 3 => {
            format!("did you mean \"{}\"?", excerpt(nearest.as_bytes()))
        }
        _ => {
            const SHOWN: usize = 8;
            let shown = named().take(SHOWN).map(|n| excerpt(n.as_bytes()));
            let mut list: Vec<String> = shown.collect();
            if named().count() > SHOWN {
                list.push("...".into());
            }
            format!("the columns are {}", list.join(", "))
        }
    }
}
