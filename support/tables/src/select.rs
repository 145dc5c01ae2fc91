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
    /// It holds the numbers of chains.
    Chain,
}

/// Names of columns that number the chains, in lower case, without a first point.
const CHAINS: [&str; 3] = ["chain", "chain_id", "chains"];
/// Of columns that number the steps.
const STEPS: [&str; 5] = ["iteration", "iterations", "iter", "draw", "draws"];
/// Of columns that samplers write beside these (ArviZ, MCMCChains, posterior).
const OF_SAMPLERS: [&str; 19] = [
    "lp",
    "log_density",
    "logp",
    "n_steps",
    "is_accept",
    "acceptance_rate",
    "accept_stat",
    "tree_depth",
    "treedepth",
    "step_size",
    "stepsize",
    "nom_step_size",
    "n_leapfrog",
    "energy",
    "hamiltonian_energy",
    "hamiltonian_energy_error",
    "max_hamiltonian_energy_error",
    "numerical_error",
    "diverging",
];

fn is_one_of(name: &str, of: &[&str]) -> bool {
    let name = name.strip_prefix('.').unwrap_or(name);
    of.iter().any(|n| name.eq_ignore_ascii_case(n))
}

/// The columns of a file.
pub(super) struct Selection {
    pub roles: Vec<Role>,
    /// Names of the table's columns.
    pub columns: Vec<String>,
    /// Names of columns that are no parameters.
    pub left_out: Vec<String>,
}

/// The columns of a file that are called `names` (empty: no name).
pub(super) fn select(
    file: &str,
    names: &[String],
    options: &ReadOptions,
) -> Result<Selection, ReadError> {
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
    let mut left_out = Vec::new();
    let columns = match &options.columns {
        Some(columns) => columns.clone(),
        None => {
            let counted = names
                .iter()
                .any(|n| is_one_of(n, &CHAINS) || is_one_of(n, &STEPS));
            let of_samplers = |n: &str| {
                is_one_of(n, &CHAINS) || is_one_of(n, &STEPS) || is_one_of(n, &OF_SAMPLERS)
            };
            let free = names.iter().zip(&roles);
            let free =
                free.filter(|(n, r)| **r == Role::Skip && !n.is_empty() && !n.ends_with("__"));
            let (others, own) = free
                .map(|(n, _)| n.clone())
                .partition(|n: &String| counted && of_samplers(n));
            left_out = others;
            own
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
    let chain = names.iter().position(|n| is_one_of(n, &CHAINS));
    if let Some(place) = chain.filter(|p| roles[*p] == Role::Skip) {
        roles[place] = Role::Chain;
    }
    Ok(Selection {
        roles,
        columns,
        left_out,
    })
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
