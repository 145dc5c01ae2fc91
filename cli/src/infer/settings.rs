//! What is to be inferred: the prior, and the files that the likelihood depends on.

use anyhow::{Context, Result, bail};
use posterior::{Prior, PriorMap};
use std::path::Path;
use store::Fingerprint;

/// From `name = distribution(...)` texts, or files of such lines.
pub fn prior(given: &[String]) -> Result<Prior> {
    let mut lines = Vec::new();
    for text in given {
        if text.contains('=') {
            lines.push(text.clone());
            continue;
        }
        let file = std::fs::read_to_string(text).with_context(|| {
            format!(
                "--prior {text}: neither 'name = distribution(...)' nor a file that can be read"
            )
        })?;
        let list: Vec<String> = ron::from_str(&file).map_err(|e| {
            anyhow::anyhow!("{text}: {e}; write a list such as [\"mu = normal(0, 1)\", \"tau = half_normal(5)\"]")
        })?;
        lines.extend(list);
    }
    Prior::parse(lines.iter().map(String::as_str)).map_err(anyhow::Error::msg)
}

/// Names that tables of evaluations use themselves.
const RESERVED: [&str; 4] = ["id", "mark", "log_likelihood", "log_weight"];

/// Fails for names that would be confused in the tables.
pub fn names(prior: &Prior, derived: &[String]) -> Result<()> {
    let reserved = |name: &str| RESERVED.contains(&name);
    if let Some(name) = prior.names().iter().find(|n| reserved(n)) {
        bail!("--prior: \"{name}\" is the name of a column of the tables; take another name");
    }
    for (k, name) in derived.iter().enumerate() {
        if name.trim().is_empty() {
            bail!("--derived: a name is empty; give names with commas between them");
        }
        if name.trim() != name || name.contains('"') {
            bail!("--derived: \"{name}\": names have no spaces at their ends and no quotes");
        }
        if reserved(name) {
            bail!("--derived: \"{name}\" is the name of a column of the tables; take another name");
        }
        if prior.names().contains(name) {
            bail!("--derived: \"{name}\" is a parameter; take another name");
        }
        if derived[..k].contains(name) {
            bail!("--derived: \"{name}\" is given twice; take another name");
        }
    }
    Ok(())
}

/// A line with the name and hash of a file that the likelihood depends on.
pub fn data(path: &Path) -> Result<String> {
    let shown = path.display();
    let bytes = std::fs::read(path).with_context(|| format!("--data {shown}: cannot be read"))?;
    // The same file may be named by another path when the run goes on.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let hash = Fingerprint::new("data", 1).bytes(&bytes).finish();
    Ok(format!("data {name}: {} bytes, hash {hash}", bytes.len()))
}
