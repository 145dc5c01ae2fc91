//! Posteriors from likelihood evaluations (arXiv:2512.04954).

pub mod arms;
pub(super) mod check;
pub mod figures;
pub mod projections;
pub mod record;
pub(super) mod report;
mod run;
pub mod settings;
pub mod tables;

pub use record::{PosteriorFigure, PosteriorRecord};
pub use settings::{PosteriorRun, PosteriorStudy};

use super::cost::points_of;
use crate::engine::{
    Context, Experiment, FieldError, Figures, Material, Presentation, Presented, Protocol, Record,
    Rendered, RunName, Stored,
};
use anyhow::Result;
use datasets::posterior::Benchmark;
use settings::rank;
use std::cmp::Ordering;

impl Protocol for PosteriorStudy {
    type Run = PosteriorRun;

    fn name(&self) -> &str {
        &self.protocol
    }

    fn presentation(&self) -> &Presentation {
        &self.report
    }

    fn check(&self) -> Result<(), FieldError> {
        check::check(self)?;
        self.report.check(tables::NAMES, figures::NAMES)
    }

    fn runs(&self) -> Vec<(PosteriorRun, bool)> {
        let shown =
            |run: &PosteriorRun| run.seed == self.seeds[0] && self.shown.contains(&run.base);
        let runs = Self::runs(self).into_iter();
        runs.map(|run| (run.clone(), shown(&run))).collect()
    }
}

impl Experiment for PosteriorRun {
    const FOLDER: &'static str = "posterior";

    type Protocol = PosteriorStudy;
    type Record = PosteriorRecord;
    type Figure = PosteriorFigure;

    fn schema(&self) -> &'static str {
        "posterior schema 2"
    }

    fn targets() -> Vec<&'static str> {
        Benchmark::ALL.map(|b| b.name()).to_vec()
    }

    fn name(&self) -> RunName<'_> {
        RunName {
            protocol: &self.protocol,
            target: self.benchmark.name().to_owned(),
            arm: self.arm(),
            n: self.budget(),
            seed: self.seed,
        }
    }

    fn target(&self) -> String {
        self.benchmark.name().to_owned()
    }

    fn order(&self, other: &Self) -> Ordering {
        fn key(r: &PosteriorRun) -> impl Ord + '_ {
            let (plan, base) = (r.plan.as_str(), rank(&r.base));
            (
                r.protocol.as_str(),
                r.benchmark,
                plan,
                r.budget(),
                base,
                r.seed,
            )
        }
        key(self).cmp(&key(other))
    }

    fn cost(&self) -> usize {
        let fit = &self.fit;
        let experts = fit.experts.iter().map(|e| &e.1.fit);
        let own: usize = experts
            .map(|f| points_of(f.steps, f, fit.most_points))
            .sum();
        own * fit.models + 10 * self.measures.compare.draws
    }

    fn compute(
        &self,
        figure: bool,
        context: &Context<'_>,
    ) -> Result<(PosteriorRecord, Option<PosteriorFigure>)> {
        run::compute(self, figure, context)
    }
}

impl Presented for PosteriorRun {
    const CHAPTER: &'static str = report::CHAPTER;

    fn render(material: &Material<'_, Self>) -> Result<Rendered> {
        let sections = &material.sections;
        let mut rendered = Rendered::default();
        for section in sections {
            let (protocol, arms) = (section.protocol, &section.arms[..]);
            let names = section.tables(tables::USUAL).into_iter();
            let own: Vec<_> = names
                .filter_map(|name| tables::named(name, protocol, arms))
                .collect();
            let mut drawn = Figures::new(&material.folder, "posterior_", protocol);
            let data = material.drawn_of(protocol);
            for name in section.figures(figures::USUAL) {
                figures::draw(name, arms, &data, &mut drawn)?;
            }
            let what = format!("{} {}", section.presentation.prose(), report::budgets(arms));
            rendered.sections += &report::section(section, &what, &own, &drawn.all);
            rendered.tables.extend(own);
        }
        let mut arms: Vec<_> = sections.iter().flat_map(|s| &s.arms).collect();
        let (claims, targets) = (tables::claims(sections), tables::targets(sections));
        let times = tables::times(&arms);
        rendered.opening = report::overall(&[&claims, &targets]);
        // In the order of the records.
        arms.sort_by_key(|a| a.protocol);
        rendered.closing = report::warnings(&arms) + &report::overall(&[&times]);
        rendered.tables.extend([claims, targets, times]);
        Ok(rendered)
    }
}

impl Record for PosteriorRecord {
    type Run = PosteriorRun;

    fn stored(&self) -> Stored<'_, PosteriorRun> {
        Stored {
            hash: &self.hash,
            run: &self.run,
            metrics: &self.metrics,
            provenance: &self.provenance,
        }
    }

    fn diverged(&self) -> bool {
        let mut experts = self.report.experts.iter();
        experts.any(|e| e.backoffs > 0)
    }
}
