//! Mixtures of flows fitted to draws of a target (arXiv:2510.02056).

pub mod ablation;
pub mod arms;
mod check;
mod cross_fitted;
pub mod figures;
pub mod published;
pub mod record;
mod report;
mod run;
pub mod settings;
pub mod tables;

pub use record::{MixtureFigure, MixtureRecord};
pub use settings::{MixtureRun, MixtureStudy};

use super::cost::points_of;
use crate::engine::{
    Context, Experiment, FieldError, Figures, Material, Presentation, Presented, Protocol, Record,
    Rendered, RunName, Stored,
};
use anyhow::Result;
use datasets::Family;
use std::cmp::Ordering;

impl Protocol for MixtureStudy {
    type Run = MixtureRun;

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

    fn runs(&self) -> Vec<(MixtureRun, bool)> {
        let shown =
            |run: &MixtureRun| run.seed == self.seeds[0] && run.draws.train == self.draws.train;
        let runs = Self::runs(self).into_iter();
        runs.map(|run| (run.clone(), shown(&run))).collect()
    }
}

impl Experiment for MixtureRun {
    const FOLDER: &'static str = "";

    type Protocol = MixtureStudy;
    type Record = MixtureRecord;
    type Figure = MixtureFigure;

    fn schema(&self) -> &'static str {
        "schema 1"
    }

    fn targets() -> Vec<&'static str> {
        Family::ALL.map(|f| f.name()).to_vec()
    }

    fn name(&self) -> RunName<'_> {
        RunName {
            protocol: &self.protocol,
            target: self.target.name().to_owned(),
            arm: String::new(),
            n: self.draws.budget(),
            seed: self.seed,
        }
    }

    fn target(&self) -> String {
        self.target.name().to_owned()
    }

    fn order(&self, other: &Self) -> Ordering {
        let key = |r: &Self| (r.target, r.draws.budget(), r.seed);
        let protocols = self.protocol.cmp(&other.protocol);
        protocols.then_with(|| key(self).cmp(&key(other)))
    }

    fn cost(&self) -> usize {
        let points = self.draws.train;
        let cost = |e: &amf::NamedExpert| match &e.kind {
            amf::ExpertConfig::Flow(f) => points_of(f.fit.steps, &f.fit, points),
            _ => points,
        };
        let models = self.cross_fit.map_or(1, |folds| folds.models(points));
        self.experts.iter().map(cost).sum::<usize>() * models
    }

    fn compute(
        &self,
        figure: bool,
        context: &Context<'_>,
    ) -> Result<(MixtureRecord, Option<MixtureFigure>)> {
        run::compute(self, figure, context)
    }
}

impl Presented for MixtureRun {
    const CHAPTER: &'static str = "";

    fn render(material: &Material<'_, Self>) -> Result<Rendered> {
        let mut rendered = Rendered::default();
        let mut published = Vec::new();
        for section in &material.sections {
            let (protocol, groups) = (section.protocol, &section.arms[..]);
            let mut own = Vec::new();
            for name in section.tables(tables::usual(groups)) {
                let list = if name == "published" {
                    &mut published
                } else {
                    &mut own
                };
                list.extend(tables::named(name, protocol, groups));
            }
            let mut drawn = Figures::new(&material.folder, "", protocol);
            let data = material.drawn_of(protocol);
            for name in section.figures(figures::usual(groups)) {
                figures::draw(name, groups, &data, &mut drawn)?;
            }
            rendered.sections += &report::section(section, &own, &drawn.all);
            rendered.tables.extend(own);
        }
        let protocols: Vec<_> = material
            .sections
            .iter()
            .map(|s| (s.protocol, &s.arms[..]))
            .collect();
        let groups: Vec<_> = protocols.iter().flat_map(|p| p.1).collect();
        let against = [published, vec![tables::claims(&protocols)]].concat();
        let times = tables::times(&groups);
        rendered.closing = report::closing(&protocols, &against, &times);
        rendered.tables.extend(against);
        rendered.tables.push(times);
        Ok(rendered)
    }
}

impl Record for MixtureRecord {
    type Run = MixtureRun;

    fn stored(&self) -> Stored<'_, MixtureRun> {
        Stored {
            hash: &self.hash,
            run: &self.run,
            metrics: &self.metrics,
            provenance: &self.provenance,
        }
    }

    fn diverged(&self) -> bool {
        self.experts.iter().any(|e| !e.backoffs.is_empty())
    }
}
