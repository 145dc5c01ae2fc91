//! What is to be inferred: the prior, and the files that the likelihood depends on.

use anyhow::{Context, Result};
use posterior::Prior;
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

/// A line with the name and hash of a file that the likelihood depends on.
pub fn data(path: &Path) -> Result<String> {
    let name = path.display();
    let bytes = std::fs::read(path).with_context(|| format!("--data {name}: cannot be read"))?;
    let hash = Fingerprint::new("data", 1).bytes(&bytes).finish();
    Ok(format!("data {name}: {} bytes, hash {hash}", bytes.len()))
}
