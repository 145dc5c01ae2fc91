//! Amortised posteriors: one model for all data, checked on unseen data.

mod check;
pub mod figure;
pub mod record;
mod run;
pub mod settings;
pub mod tables;

pub use record::AmortisedRecord;
pub use settings::{AmortisedRun, AmortisedStudy};

use super::cost::points_of;
use super::posterior::report;
use super::posterior::settings::rank;
use crate::engine::{
    Context, Experiment, FieldError, Figures, Material, Presentation, Presented, Protocol, Record,
    Rendered, RunName, Stored,
};
use anyhow::Result;
use datasets::posterior::Benchmark;
use std::cmp::Ordering;

impl Protocol for AmortisedStudy {
    type Run = AmortisedRun;

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

    fn runs(&self) -> Vec<(AmortisedRun, bool)> {
        let mut runs = Vec::new();
        for variant in &self.variants {
            for &seed in &self.seeds {
                let run = AmortisedRun {
                    protocol: self.protocol.clone(),
                    simulator: self.simulator,
                    pairs: self.pairs,
                    variant: variant.name.clone(),
                    seed,
                    fit: self.fit(variant),
                    unseen: self.unseen,
                    calibration: self.calibration.clone(),
                };
                // Figures need only the records.
                runs.push((run, false));
            }
        }
        runs
    }
}

impl Experiment for AmortisedRun {
    const FOLDER: &'static str = "amortised";

    type Protocol = AmortisedStudy;
    type Record = AmortisedRecord;
    type Figure = ();

    fn schema(&self) -> &'static str {
        "amortised schema 1"
    }

    fn targets() -> Vec<&'static str> {
        Vec::new()
    }

    fn name(&self) -> RunName<'_> {
        RunName {
            protocol: &self.protocol,
            target: self.problem(),
            arm: self.variant.clone(),
            n: self.pairs,
            seed: self.seed,
        }
    }

    /// The benchmark of the same simulator, if there is one.
    fn target(&self) -> String {
        match self.simulator.dim {
            2 => Benchmark::FourSigns.name().to_owned(),
            3 => Benchmark::EightSigns.name().to_owned(),
            _ => self.problem(),
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        fn key(r: &AmortisedRun) -> impl Ord + '_ {
            let place = (r.simulator.dim, r.pairs);
            (r.protocol.as_str(), place, rank(&r.variant), r.seed)
        }
        key(self).cmp(&key(other))
    }

    fn cost(&self) -> usize {
        let fits = self.fit.experts.iter().map(|e| &e.1.fit);
        let steps: usize = fits.map(|f| points_of(f.steps, f, self.pairs)).sum();
        steps + self.calibration.observations * self.calibration.settings.draws
    }

    fn compute(
        &self,
        _figure: bool,
        context: &Context<'_>,
    ) -> Result<(AmortisedRecord, Option<()>)> {
        Ok((run::compute(self, context)?, None))
    }
}

impl Presented for AmortisedRun {
    const CHAPTER: &'static str = report::CHAPTER;

    fn render(material: &Material<'_, Self>) -> Result<Rendered> {
        let mut rendered = Rendered::default();
        for section in &material.sections {
            let (protocol, arms) = (section.protocol, &section.arms[..]);
            let names = section.tables(tables::NAMES).into_iter();
            let own: Vec<_> = names
                .filter_map(|name| tables::named(name, protocol, arms))
                .collect();
            let mut drawn = Figures::new(&material.folder, "", protocol);
            for _ in section.figures(figure::NAMES) {
                figure::ranks(arms, &mut drawn)?;
            }
            let what = section.presentation.prose();
            rendered.sections += &report::section(section, &what, &own, &drawn.all);
            rendered.tables.extend(own);
        }
        Ok(rendered)
    }
}

impl Record for AmortisedRecord {
    type Run = AmortisedRun;

    fn stored(&self) -> Stored<'_, AmortisedRun> {
        Stored {
            hash: &self.hash,
            run: &self.run,
            metrics: &self.metrics,
            provenance: &self.provenance,
        }
    }
}
