//! What is to be inferred: the prior, and the files that the likelihood depends on.

use super::super::cli::Infer;
use anyhow::{Context, Result, bail};
use posterior::anneal::AnnealSettings;
use posterior::{Prior, PriorMap};
use std::path::Path;
use store::Fingerprint;

/// The prior, and the lines that it was given in, one for each parameter.
pub struct Given {
    pub prior: Prior,
    pub lines: Vec<String>,
}

/// From `name = distribution(...)` texts, or files of such lines.
pub fn prior(given: &[String]) -> Result<Given> {
    let mut lines = Vec::new();
    for text in given {
        if text.contains('=') {
            lines.push(text.clone());
        } else {
            lines.extend(file(text)?);
        }
    }
    let prior = Prior::parse(lines.iter().map(String::as_str));
    let prior = prior.map_err(|e| anyhow::anyhow!("--prior: {e}"))?;
    Ok(Given { prior, lines })
}

/// The lines of a file, each of which is sound.
fn file(path: &str) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path).with_context(|| {
        format!("--prior {path}: neither 'name = distribution(...)' nor a file that can be read")
    })?;
    let list: Vec<String> = ron::from_str(without_mark(&text)).map_err(|e| {
        anyhow::anyhow!(
            "{path}: {e}; write a list such as [\"mu = normal(0, 1)\", \"tau = half_normal(5)\"]"
        )
    })?;
    let sound = Prior::parse(list.iter().map(String::as_str));
    sound.map_err(|e| anyhow::anyhow!("--prior {path}: {e}"))?;
    Ok(list)
}

/// Text without the byte-order mark that some editors put before it.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// The settings of the annealing, in the words of the options.
pub fn annealing(args: &Infer) -> Result<AnnealSettings> {
    if args.evaluations == 0 {
        bail!("--evaluations must be at least 1, not 0");
    }
    if !(args.ess >= 1.0 && args.ess.is_finite()) {
        bail!("--ess must be a number from 1 on, not {}", args.ess);
    }
    if let Some(e) = args.evidence_error.filter(|e| e.is_nan() || *e <= 0.0) {
        bail!("--evidence-error must be above 0, not {e}");
    }
    Ok(AnnealSettings {
        evaluations: args.evaluations,
        ess: args.ess,
        log_evidence_error: args.evidence_error,
        ..AnnealSettings::default()
    })
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
