//! What is to be done: the runs of configs.

use crate::config::Run;
use crate::configs::Configs;
use crate::posterior::{AmortisedRun, PosteriorRun};
use crate::results::Results;
use crate::target::Target;
use crate::work::{Job, Unit, Work};
use anyhow::{Result, bail};
use std::path::Path;

/// What is to be done, kind by kind.
#[derive(Default)]
pub struct Jobs {
    mixtures: Vec<Job<Run>>,
    posteriors: Vec<Job<PosteriorRun>>,
    amortised: Vec<Job<AmortisedRun>>,
}

impl Jobs {
    /// The jobs of some protocols on some targets, of all when none are named.
    ///
    /// # Errors
    /// A protocol that there is not, or nothing to do.
    pub fn select(configs: &Configs, protocols: &[String], targets: &[Target]) -> Result<Self> {
        let known = configs.names();
        if let Some(name) = protocols.iter().find(|n| !known.contains(&n.as_str())) {
            bail!("no protocol \"{name}\": there are {}", known.join(", "));
        }
        let wanted = |protocol: &String| protocols.is_empty() || protocols.contains(protocol);
        let only = |target: Target| targets.is_empty() || targets.contains(&target);
        let mut jobs = Self::default();
        for p in configs.protocols.iter().filter(|p| wanted(&p.protocol)) {
            let runs = p.runs().into_iter();
            let runs = runs.filter(|r| only(Target::Family(r.target)));
            jobs.mixtures.extend(runs.map(|unit| Job {
                figure: unit.seed == p.seeds[0] && unit.draws.train == p.draws.train,
                unit,
            }));
        }
        for s in configs.studies.iter().filter(|s| wanted(&s.protocol)) {
            let runs = s.runs().into_iter();
            let runs = runs.filter(|r| only(Target::Benchmark(r.benchmark)));
            jobs.posteriors.extend(runs.map(|unit| Job {
                figure: s.shows(&unit),
                unit,
            }));
        }
        for s in configs.amortised.iter().filter(|s| wanted(&s.protocol)) {
            let named = s.benchmark().is_some_and(|b| only(Target::Benchmark(b)));
            if named || targets.is_empty() {
                let runs = s.runs().into_iter();
                jobs.amortised.extend(runs.map(|unit| Job {
                    figure: false,
                    unit,
                }));
            }
        }
        if jobs.work().is_empty() {
            bail!("no run fits --only and --protocol: `paper list` shows all of them");
        }
        Ok(jobs)
    }

    /// The jobs of these runs alone, named as [`Work::stem`] does.
    ///
    /// # Errors
    /// A run that there is not.
    pub fn named(mut self, runs: &[String]) -> Result<Self> {
        fn keep<U: Unit>(jobs: &mut Vec<Job<U>>, runs: &[String]) {
            jobs.retain(|j| runs.contains(&j.unit.stem()));
        }
        let known: Vec<String> = self.work().iter().map(|w| w.stem()).collect();
        if let Some(name) = runs.iter().find(|r| !known.contains(r)) {
            let some = known.first().map_or("", String::as_str);
            bail!(
                "no run \"{name}\" in the config: `paper list` shows all of them, such as {some}"
            );
        }
        keep(&mut self.mixtures, runs);
        keep(&mut self.posteriors, runs);
        keep(&mut self.amortised, runs);
        Ok(self)
    }

    /// All of them.
    #[must_use]
    pub fn work(&self) -> Vec<&dyn Work> {
        let mixtures = self.mixtures.iter().map(|j| j as &dyn Work);
        let posteriors = self.posteriors.iter().map(|j| j as &dyn Work);
        let amortised = self.amortised.iter().map(|j| j as &dyn Work);
        mixtures.chain(posteriors).chain(amortised).collect()
    }

    /// Their records.
    ///
    /// # Errors
    /// The first that cannot be read.
    pub fn read(&self, folder: &Path) -> Result<Results> {
        fn all<U: Unit>(jobs: &[Job<U>], folder: &Path) -> Result<Vec<U::Record>> {
            jobs.iter().map(|j| j.read(folder)).collect()
        }
        let results = Results {
            mixtures: all(&self.mixtures, folder)?,
            posteriors: all(&self.posteriors, folder)?,
            amortised: all(&self.amortised, folder)?,
        };
        Ok(results.sorted())
    }
}
