//! Which column of a file goes where.

use super::{ReadError, ReadOptions};

/// What becomes of a column of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It is left out.
    Skip,
    /// It is this column of the table.
    Value(usize),
    /// It holds the log-weights.
    LogWeight,
}

/// The roles of the columns of a file that are called `names` (empty: no name), and the names of the table's columns.
pub(super) fn select(
    file: &str,
    names: &[String],
    options: &ReadOptions,
) -> Result<(Vec<Role>, Vec<String>), ReadError> {
    let find = |column: &String| {
        let mut places = names.iter().enumerate().filter(|(_, n)| *n == column);
        match (places.next(), places.next()) {
            (Some((place, _)), None) => Ok(place),
            (Some(_), Some(_)) => Err(ReadError::NamedTwice {
                file: file.to_owned(),
                column: column.clone(),
            }),
            (None, _) => Err(ReadError::NoSuchColumn {
                file: file.to_owned(),
                column: column.clone(),
                advice: advice(column, names),
            }),
        }
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
            let column = column.clone();
            return Err(ReadError::AskedTwice { column });
        }
        roles[place] = Role::Value(k);
    }
    Ok((roles, columns))
}

/// The name that was perhaps meant, or else those that there are.
fn advice(column: &str, names: &[String]) -> String {
    let lower = column.to_lowercase();
    let distance = |name: &String| strsim::osa_distance(&lower, &name.to_lowercase());
    let named = || names.iter().filter(|n| !n.is_empty());
    match named().min_by_key(|n| distance(n)) {
        Some(nearest) if distance(nearest) <= 1 + column.chars().count() / 3 => {
            format!("did you mean \"{nearest}\"?")
        }
        _ => {
            const SHOWN: usize = 8;
            let mut list: Vec<&str> = named().take(SHOWN).map(String::as_str).collect();
            if named().count() > SHOWN {
                list.push("...");
            }
            format!("the columns are {}", list.join(", "))
        }
    }
}
