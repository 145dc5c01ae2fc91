//! What has changed since the evaluations in a folder were made, in the words of the options.

use super::settings::Given;
use anyhow::{Context, Result, bail};
use posterior::{Prior, PriorMap};
use std::path::Path;

/// The text of the prior; the folder itself knows it by its values at some points.
const PRIOR: &str = "prior.txt";

/// Fails if the prior or a file of data is not what the folder's evaluations were made with. Other
/// changes are found where the folder is opened.
pub fn check(folder: &Path, given: &Given, data: &[String]) -> Result<()> {
    let path = folder.join(PRIOR);
    let Ok(problem) = std::fs::read_to_string(folder.join("problem.txt")) else {
        // A new one.
        let text = given.lines.join("\n") + "\n";
        return std::fs::write(&path, text)
            .with_context(|| format!("--state: {}: cannot be written", path.display()));
    };
    let shown = folder.display();
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    if let Some((old, new)) = prior(before.lines(), given) {
        bail!(
            "{shown}: it holds the evaluations of another problem: the prior of a parameter was \"{old}\" then, and is \"{new}\" now; \
             take another folder"
        );
    }
    let before: Vec<&str> = problem.lines().filter(|l| l.starts_with("data ")).collect();
    match files(&before, data) {
        Some(text) => bail!("{shown}: {text}; take another folder"),
        None => Ok(()),
    }
}

/// The first coordinate whose law differs, then and now.
fn prior<'a>(before: impl Iterator<Item = &'a str>, now: &Given) -> Option<(String, String)> {
    let before: Vec<&str> = before.collect();
    let old = Prior::parse(before.iter().copied()).ok()?;
    // Other names are shown as such.
    if old.names() != now.prior.names() {
        return None;
    }
    let laws = |p: &Prior| -> Vec<_> {
        let each = p.distributions().iter().copied();
        each.zip(p.periodic()).collect()
    };
    let pairs = laws(&old).into_iter().zip(laws(&now.prior));
    let j = pairs.into_iter().position(|(old, new)| old != new)?;
    Some((
        before.get(j)?.trim().into(),
        now.lines.get(j)?.trim().into(),
    ))
}

/// What has changed of the files of data, whose lines have their names, sizes and hashes.
fn files(before: &[&str], now: &[String]) -> Option<String> {
    let name = |line: &str| -> String {
        let name = line.rsplit_once(": ").map_or(line, |(name, _)| name);
        name.trim_start_matches("data ").into()
    };
    let now: Vec<&str> = now.iter().map(String::as_str).collect();
    let names = |lines: &[&str]| lines.iter().map(|l| name(l)).collect::<Vec<_>>();
    let (old_names, new_names) = (names(before), names(&now));
    if before == now {
        return None;
    }
    let missing =
        |these: &[String], those: &[String]| these.iter().find(|n| !those.contains(n)).cloned();
    if let Some(name) = missing(&old_names, &new_names) {
        return Some(format!(
            "its evaluations depend on --data {name}, which is not given now"
        ));
    }
    if let Some(name) = missing(&new_names, &old_names) {
        return Some(format!(
            "its evaluations were made without --data {name}, which is given now"
        ));
    }
    let changed = now.iter().find(|l| !before.contains(l));
    Some(match changed {
        Some(line) => format!(
            "the file --data {} has changed since its evaluations were made",
            name(line)
        ),
        None => format!(
            "the files of --data were {} then, in this order, and are {} now",
            old_names.join(", "),
            new_names.join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_files_are_named() {
        let (a, b) = (
            "data a.csv: 3 bytes, hash 1",
            "data b: c.csv: 4 bytes, hash 2",
        );
        let now = |lines: &[&str]| -> Vec<String> { lines.iter().map(|l| (*l).into()).collect() };
        assert_eq!(files(&[a, b], &now(&[a, b])), None);
        for (lines, part) in [
            (vec![a], "depend on --data b: c.csv, which is not given"),
            (vec![a, b, "data x: 1"], "made without --data x,"),
            (
                vec![a, "data b: c.csv: 4 bytes, hash 3"],
                "--data b: c.csv has changed",
            ),
            (vec![b, a], "were a.csv, b: c.csv then"),
        ] {
            let text = files(&[a, b], &now(&lines)).unwrap();
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn changed_priors_are_quoted() {
        let lines = vec![
            "a = normal(0, 2)".to_owned(),
            "b = uniform(0, 1)".to_owned(),
        ];
        let given = Given {
            prior: Prior::parse(lines.iter().map(String::as_str)).unwrap(),
            lines,
        };
        let before = |text: &'static str| prior(text.lines(), &given);
        assert_eq!(before("a=normal(0,2)\nb=uniform(0,1)"), None);
        assert_eq!(before("a=normal(0,2)\nc=uniform(0,1)"), None);
        assert_eq!(
            before("a=normal(0,2)\nb=uniform(0,1) periodic"),
            Some(("b=uniform(0,1) periodic".into(), "b = uniform(0, 1)".into()))
        );
    }
}
