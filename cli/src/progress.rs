//! Progress on standard error; silent unless it is a terminal.

use density::Progress;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::sync::Mutex;
use std::time::Duration;

/// Units of one fit.
const FIT: u64 = 1000;

/// One bar over all fits and one for each expert, which shows its fold and the last held-out
/// likelihood.
pub struct Display {
    bars: MultiProgress,
    stage: Mutex<Option<Shown>>,
}

/// The bars of a stage.
struct Shown {
    stage: String,
    overall: ProgressBar,
    experts: Vec<ProgressBar>,
    /// Units done by each expert on each fold.
    done: Vec<Vec<u64>>,
}

impl Display {
    pub fn new() -> Self {
        Self {
            bars: MultiProgress::new(),
            stage: Mutex::new(None),
        }
    }

    /// Updates the bars.
    pub fn show(&self, p: &Progress<'_>) {
        if self.bars.is_hidden() || p.experts.1 == 0 {
            return;
        }
        // Another thread that panicked cannot have left the bars in a bad state.
        let mut shown = self.stage.lock().unwrap_or_else(|e| e.into_inner());
        if shown.as_ref().is_none_or(|s| s.stage != p.stage) {
            if let Some(old) = shown.take() {
                old.clear();
            }
            *shown = Some(self.begin(p));
        }
        let Some(s) = shown.as_mut() else { return };
        let units = FIT * p.step.min(p.total) as u64 / p.total.max(1) as u64;
        let (expert, (fold, folds)) = (p.experts.0, p.folds);
        let own = &mut s.done[expert];
        own[fold] = own[fold].max(units);
        let bar = &s.experts[expert];
        bar.set_prefix(p.expert.to_owned());
        bar.set_position(own.iter().sum());
        let nll = p
            .held_out_nll
            .map_or(String::new(), |v| format!(", held-out NLL {v:.3}"));
        bar.set_message(format!("fold {} of {folds}{nll}", fold + 1));
        s.overall.set_position(s.done.iter().flatten().sum());
    }

    fn begin(&self, p: &Progress<'_>) -> Shown {
        let style = |template: &str| {
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
        };
        let (experts, folds) = (p.experts.1, p.folds.1);
        let length = FIT * folds as u64;
        let overall = ProgressBar::new(length * experts as u64)
            .with_style(style(
                "{prefix:16} [{bar:30}] {elapsed_precise}, {eta} left",
            ))
            .with_prefix(p.stage.to_owned());
        let overall = self.bars.add(overall);
        overall.enable_steady_tick(Duration::from_millis(500));
        let each = (0..experts).map(|_| {
            let bar = ProgressBar::new(length).with_style(style("  {prefix:14} [{bar:30}] {msg}"));
            let bar = self.bars.add(bar);
            bar.tick();
            bar
        });
        Shown {
            stage: p.stage.to_owned(),
            experts: each.collect(),
            overall,
            done: vec![vec![0; folds]; experts],
        }
    }

    /// Removes the bars from the screen.
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
