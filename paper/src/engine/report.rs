//! REPORT.md: every table and figure with a sentence each.

use super::kind::Found;
use super::section::Rendered;

/// The report, from the summaries of records and the chapters of each kind.
pub fn markdown(found: &[&Found], rendered: &[(&str, Rendered)]) -> String {
    let mut text = String::from("# Adaptive mixtures of normalizing flows: results\n\n");
    text += "Every number and figure here is computed from the records in `records/`, which `./reproduce.sh` computes from the \
             configs in `paper/configs/`. Log-densities and divergences are in nats.\n\n";
    text += &provenance(found);
    text += &diverged(found);
    for chapter in rendered.chunk_by(|a, b| a.0 == b.0) {
        text += chapter[0].0;
        let parts: [fn(&Rendered) -> &str; 3] = [|r| &r.opening, |r| &r.sections, |r| &r.closing];
        for part in parts {
            text.extend(chapter.iter().map(|(_, rendered)| part(rendered)));
        }
    }
    text
}

/// Which code computed the records. The processor and times stay in the records and the tables of times.
fn provenance(found: &[&Found]) -> String {
    let all = || found.iter().map(|f| &f.provenance);
    let mut commits: Vec<String> = all()
        .map(|p| {
            let dirty = if p.dirty { " with local changes" } else { "" };
            format!("{}{dirty}", p.commit)
        })
        .collect();
    commits.sort();
    commits.dedup();
    let mut toolchains: Vec<&str> = all().map(|p| p.toolchain.as_str()).collect();
    toolchains.sort_unstable();
    toolchains.dedup();
    format!(
        "{} runs; code {}; {}.\n",
        found.len(),
        commits.join(", "),
        toolchains.join(", ")
    )
}

/// Which runs had fits that diverged and backed off, if any.
fn diverged(found: &[&Found]) -> String {
    let diverged = found.iter().filter(|f| f.diverged);
    let stems: Vec<&str> = diverged.map(|f| f.stem.as_str()).collect();
    if stems.is_empty() {
        return String::new();
    }
    format!(
        "\nFits that diverged went on from their best parameters at a lower learning rate in {} runs: {}.\n",
        stems.len(),
        stems.join(", ")
    )
}
