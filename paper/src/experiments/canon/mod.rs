//! Evidence and draws of posteriors in many dimensions, against problems whose evidence is known.

mod check;
pub mod figure;
pub mod record;
mod report;
mod run;
pub mod settings;
pub mod tables;

pub use record::CanonRecord;
pub use settings::{CanonRun, CanonStudy};

use super::posterior::report::section as section_text;
use crate::engine::{
    Context, Experiment, FieldError, Figures, Material, Presentation, Presented, Protocol, Record,
    Rendered, RunName, Stored,
};
use anyhow::Result;
use datasets::posterior::Canon;
use std::cmp::Ordering;

impl Protocol for CanonStudy {
    type Run = CanonRun;

    fn name(&self) -> &str {
        &self.protocol
    }

    fn presentation(&self) -> &Presentation {
        &self.report
    }

    fn check(&self) -> Result<(), FieldError> {
        check::check(self)?;
        self.report.check(tables::NAMES, figure::NAMES)
    }

    fn runs(&self) -> Vec<(CanonRun, bool)> {
        // Figures need only the records.
        self.all_runs().map(|run| (run, false)).collect()
    }
}

impl Experiment for CanonRun {
    const FOLDER: &'static str = "canon";
    // Covers the annealing, the problems and their references as well.

    type Protocol = CanonStudy;
    type Record = CanonRecord;
    type Figure = ();

    fn schema(&self) -> &'static str {
        "canon schema 1"
    }

    fn targets() -> Vec<&'static str> {
        Canon::NAMES.to_vec()
    }

    fn name(&self) -> RunName<'_> {
        RunName {
            protocol: &self.protocol,
            target: self.problem.clone(),
            arm: String::new(),
            n: self.fit.evaluations,
            seed: self.seed,
        }
    }

    fn target(&self) -> String {
        self.problem.clone()
    }

    fn order(&self, other: &Self) -> Ordering {
        fn key(r: &CanonRun) -> impl Ord + '_ {
            let place = Canon::NAMES.iter().position(|name| *name == r.problem);
            (r.protocol.as_str(), place, r.fit.evaluations, r.seed)
        }
        key(self).cmp(&key(other))
    }

    fn cost(&self) -> usize {
        // About a thousand steps of a fit for each evaluation and parameter.
        self.fit.evaluations.saturating_mul(1000 * self.dim())
    }

    fn compute(&self, _figure: bool, context: &Context<'_>) -> Result<(CanonRecord, Option<()>)> {
        Ok((run::compute(self, context)?, None))
    }
}

impl Presented for CanonRun {
    const CHAPTER: &'static str = report::CHAPTER;

    fn render(material: &Material<'_, Self>) -> Result<Rendered> {
        let mut rendered = Rendered::default();
        for section in &material.sections {
            let (protocol, arms) = (section.protocol, &section.arms[..]);
            let names = section.tables(tables::NAMES).into_iter();
            let own: Vec<_> = names
                .filter_map(|name| tables::named(name, protocol, arms))
                .collect();
            let mut drawn = Figures::new(&material.folder, "canon_", protocol);
            for _ in section.figures(figure::NAMES) {
                figure::rounds(arms, &mut drawn)?;
            }
            let what = section.presentation.prose();
            rendered.sections += &section_text(section, &what, &own, &drawn.all);
            rendered.tables.extend(own);
        }
        Ok(rendered)
    }
}

impl Record for CanonRecord {
    type Run = CanonRun;

    fn stored(&self) -> Stored<'_, CanonRun> {
        Stored {
            hash: &self.hash,
            run: &self.run,
            metrics: &self.metrics,
            provenance: &self.provenance,
        }
    }
}
