//! The claims of arXiv:2512.04954, tested on the records.

use super::super::arms::{Arm, benchmarks, dim, find, is_component_study};
use super::super::record::PosteriorRecord;
use super::bridges::ratio;
use crate::engine::section::Section;
use crate::engine::table::{Cell, Table, header};

/// A claim tested on one protocol.
struct Verdict {
    claim: String,
    holds: bool,
    numbers: String,
}

const KL: &str = "(3) a matched mixture base has a smaller KL(posterior || q) than a normal base";
const W2: &str = "(4) a matched mixture base has a smaller Wasserstein distance (sliced: it affords draws enough) than a normal base";

/// The flows on the normal base.
#[derive(Clone, Copy)]
enum Normal {
    /// Those of the matched base.
    Same,
    /// Larger ones, tuned for it.
    Tuned,
}

impl Normal {
    fn base(self) -> &'static str {
        match self {
            Self::Same => "normal",
            Self::Tuned => "tuned",
        }
    }

    fn claim(self, claim: &str) -> String {
        match self {
            Self::Same => format!("{claim}, for every flow, both with the same architecture"),
            Self::Tuned => {
                format!(
                    "{claim}, for every flow, the normal base with larger flows that were tuned for it"
                )
            }
        }
    }
}

/// Every claim that the records can test.
pub fn claims(sections: &[Section<'_, PosteriorRecord>]) -> Table {
    let mut rows = Vec::new();
    for section in sections {
        let arms = &section.arms[..];
        let verdicts = [
            learns(arms),
            bridges(arms, Normal::Same),
            bridges(arms, Normal::Tuned),
            smaller(arms, Normal::Same, "kl_forward", KL),
            smaller(arms, Normal::Tuned, "kl_forward", KL),
            smaller(arms, Normal::Same, "sliced_w2", W2),
            smaller(arms, Normal::Tuned, "sliced_w2", W2),
            too_few(arms),
            annealing(arms),
        ];
        for v in verdicts.into_iter().flatten() {
            rows.push(vec![
                Cell::Text(v.claim),
                section.protocol.into(),
                if v.holds { "holds" } else { "does not hold" }.into(),
                Cell::Text(v.numbers),
            ]);
        }
    }
    Table {
        stem: "posterior_claims".into(),
        title: "The paper's claims".into(),
        caption: "The qualitative claims of arXiv:2512.04954, on benchmarks of our own: the paper's are not known, and none of its \
                  numbers is compared. Judged on means over seeds; the last two go beyond the paper."
            .into(),
        header: header(["claim", "protocol", "verdict", "numbers"]),
        rows,
    }
}

/// Draws of the prior and their likelihoods suffice.
fn learns(arms: &[Arm<'_>]) -> Option<Verdict> {
    if arms.iter().any(Arm::is_annealed) {
        return None;
    }
    let (mut parts, mut met) = (Vec::new(), 0);
    for benchmark in benchmarks(arms) {
        let kl = find(arms, benchmark, "matched")?.mean("mixture", "kl_forward")?;
        met += usize::from(kl.value <= limit(dim(benchmark)));
        parts.push(format!("{benchmark} {:.4}", kl.value));
    }
    Some(Verdict {
        claim: format!(
            "(1) likelihood weights on draws of the prior suffice to learn multi-modal posteriors in 2-D and 3-D (KL at most {} and \
             {} nats)",
            limit(2),
            limit(3)
        ),
        holds: met == parts.len(),
        numbers: format!("{met} of {}: KL {}", parts.len(), parts.join("; ")),
    })
}

fn limit(dim: usize) -> f64 {
    if dim == 2 { 0.03 } else { 0.06 }
}

/// Pairs of a normal and the matched arm.
fn pairs<'a, 'b>(arms: &'b [Arm<'a>], normal: Normal) -> Vec<(&'b Arm<'a>, &'b Arm<'a>)> {
    let pair = |b| Some((find(arms, b, normal.base())?, find(arms, b, "matched")?));
    benchmarks(arms).into_iter().filter_map(pair).collect()
}

/// The flows that are compared: those of both arms, without their mixture.
fn flows<'a>(normal: &Arm<'a>) -> Vec<&'a str> {
    let flows = normal.flows().into_iter();
    flows.filter(|m| *m != "mixture").collect()
}

/// More mass between the modes with a normal base, on every benchmark and for every flow.
fn bridges(arms: &[Arm<'_>], base: Normal) -> Option<Verdict> {
    let (mut parts, mut count, mut met) = (Vec::new(), 0, 0);
    for (normal, matched) in pairs(arms, base) {
        for flow in flows(normal) {
            let difference = normal.difference(matched, flow, "bridge_mass")?;
            count += 1;
            // With a single seed the standard error is unknown.
            met += usize::from(difference.value > 2.0 * difference.error.unwrap_or(0.0));
            parts.push(format!(
                "{} {flow} {:.2} % against {:.2} %",
                normal.benchmark(),
                100.0 * normal.mean(flow, "bridge_mass")?.value,
                100.0 * matched.mean(flow, "bridge_mass")?.value
            ));
        }
    }
    (count > 0).then(|| Verdict {
        claim: base.claim(
            "(2) a unimodal base leaves bridges between modes: more mass outside the posterior's 99.9 % region than a matched \
             mixture base, by more than two standard errors",
        ),
        holds: met == count,
        numbers: format!("{met} of {count}: {}", parts.join("; ")),
    })
}

/// A measure is smaller with the matched base, on every benchmark and for every flow.
fn smaller(arms: &[Arm<'_>], base: Normal, metric: &str, claim: &str) -> Option<Verdict> {
    let (mut parts, mut count, mut met) = (Vec::new(), 0, 0);
    for (normal, matched) in pairs(arms, base) {
        for flow in flows(normal) {
            let (a, b) = (normal.mean(flow, metric)?, matched.mean(flow, metric)?);
            count += 1;
            met += usize::from(b.value < a.value);
            parts.push(format!(
                "{} {flow} {:.4} against {:.4} (ratio {:.1})",
                normal.benchmark(),
                a.value,
                b.value,
                ratio(Some(a), Some(b)).map_or(f64::NAN, |r| r.value)
            ));
        }
    }
    (count > 0).then(|| Verdict {
        claim: base.claim(claim),
        holds: met == count,
        numbers: format!("{met} of {count}: {}", parts.join("; ")),
    })
}

/// A base with fewer components than modes is worse for every flow than the matched one; one with more is not much worse.
fn too_few(arms: &[Arm<'_>]) -> Option<Verdict> {
    if !is_component_study(arms) {
        return None;
    }
    let (mut parts, mut holds) = (Vec::new(), true);
    for benchmark in benchmarks(arms) {
        let own = || arms.iter().filter(move |a| a.benchmark() == benchmark);
        let of = |k: usize| own().find(|a| a.components() == Some(k));
        let matched = of(benchmark.matched_components())?;
        let fewest = own().min_by_key(|a| a.components())?;
        let most = own().max_by_key(|a| a.components())?;
        for flow in flows(matched) {
            let kl = |a: &Arm<'_>| a.mean(flow, "kl_forward").map_or(f64::NAN, |m| m.value);
            holds &= kl(fewest) > kl(matched) && kl(most) < kl(fewest);
            parts.push(format!(
                "{benchmark} {flow} KL {:.3} with {}, {:.3} with {} (matched), {:.3} with {}",
                kl(fewest),
                fewest.components()?,
                kl(matched),
                matched.components()?,
                kl(most),
                most.components()?
            ));
        }
    }
    Some(Verdict {
        claim: "(5) as many components as modes matter: fewer are worse, and too many are better than too few, for every flow"
            .into(),
        holds,
        numbers: parts.join("; "),
    })
}

/// With the same number of likelihood evaluations, annealing gives a smaller divergence than draws of the prior alone.
fn annealing(arms: &[Arm<'_>]) -> Option<Verdict> {
    let (mut parts, mut count, mut met) = (Vec::new(), 0, 0);
    for annealed in arms.iter().filter(|a| a.is_annealed()) {
        let same = |a: &&Arm<'_>| {
            (a.benchmark(), a.base(), a.n) == (annealed.benchmark(), annealed.base(), annealed.n)
                && !a.is_annealed()
        };
        let Some(one_shot) = arms.iter().find(same) else {
            continue;
        };
        let (a, b) = (
            one_shot.mean("mixture", "kl_forward")?,
            annealed.mean("mixture", "kl_forward")?,
        );
        count += 1;
        met += usize::from(b.value < a.value);
        parts.push(format!(
            "{} N {}: {:.4} against {:.4}",
            annealed.benchmark(),
            annealed.n,
            a.value,
            b.value
        ));
    }
    (count > 0).then(|| Verdict {
        claim: "(6) beyond the paper: annealing gives a smaller KL than one-shot draws of the prior with as many \
                evaluations".into(),
        holds: met == count,
        numbers: format!("{met} of {count}: KL {}", parts.join("; ")),
    })
}
