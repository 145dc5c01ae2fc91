//! Progress on standard error; silent when that is no terminal.

use crate::{NamedExpert, Stage, Step};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::sync::Mutex;
use std::time::Duration;

/// Units of one fit.
const FIT: u64 = 1000;

/// One bar over all fits and one for each expert, which says of which fold it is and the last held-out likelihood.
pub struct Display {
    bars: MultiProgress,
    stage: Mutex<Option<Shown>>,
}

/// The bars of a stage.
struct Shown {
    stage: Stage,
    overall: ProgressBar,
    experts: Vec<ProgressBar>,
    /// Units done by each expert on each part.
    done: Vec<Vec<u64>>,
}

impl Display {
    pub fn new() -> Self {
        Self {
            bars: MultiProgress::new(),
            stage: Mutex::new(None),
        }
    }

    /// Takes note of a step.
    pub fn show(&self, step: &Step<'_>) {
        if self.bars.is_hidden() {
            return;
        }
        // Another thread that panicked cannot have left the bars in a bad state.
        let mut shown = self.stage.lock().unwrap_or_else(|e| e.into_inner());
        if shown.as_ref().is_none_or(|s| s.stage != step.stage) {
            if let Some(old) = shown.take() {
                old.clear();
            }
            *shown = Some(self.begin(step.stage, step.experts, step.parts));
        }
        let Some(s) = shown.as_mut() else { return };
        let p = &step.progress;
        let units = FIT * p.step.min(p.total) as u64 / p.total.max(1) as u64;
        let own = &mut s.done[step.expert];
        own[step.part] = own[step.part].max(units);
        let bar = &s.experts[step.expert];
        bar.set_position(own.iter().sum());
        let nll = p
            .held_out_nll
            .map_or(String::new(), |v| format!(", held-out NLL {v:.3}"));
        bar.set_message(format!("fold {} of {}{nll}", step.part + 1, step.parts));
        s.overall.set_position(s.done.iter().flatten().sum());
    }

    fn begin(&self, stage: Stage, experts: &[NamedExpert], parts: usize) -> Shown {
        let style = |template: &str| {
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
        };
        let length = FIT * parts as u64;
        let what = match stage {
            Stage::Baselines => "baselines",
            Stage::Experts => "experts",
        };
        let overall = ProgressBar::new(length * experts.len() as u64)
            .with_style(style(
                "{prefix:16} [{bar:30}] {elapsed_precise}, {eta} left",
            ))
            .with_prefix(what);
        let overall = self.bars.add(overall);
        overall.enable_steady_tick(Duration::from_millis(500));
        let each = experts.iter().map(|e| {
            let bar = ProgressBar::new(length)
                .with_style(style("  {prefix:14} [{bar:30}] {msg}"))
                .with_prefix(e.name.clone());
            let bar = self.bars.add(bar);
            bar.tick();
            bar
        });
        Shown {
            stage,
            experts: each.collect(),
            overall,
            done: vec![vec![0; parts]; experts.len()],
        }
    }

    /// Takes everything off the screen.
    pub fn clear(&self) {
        let mut shown = self.stage.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(old) = shown.take() {
            old.clear();
        }
        let _ = self.bars.clear();
    }
}

impl Shown {
    fn clear(self) {
        self.experts.iter().for_each(ProgressBar::finish_and_clear);
        self.overall.finish_and_clear();
    }
}
