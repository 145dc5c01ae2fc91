//! Progress on standard error; silent unless it is a terminal.

use density::Progress;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::time::Duration;

/// One bar over all runs and one for each worker.
pub struct Display {
    bars: MultiProgress,
    overall: ProgressBar,
}

impl Display {
    /// A display for this number of runs.
    ///
    /// # Panics
    /// Never: the template is sound.
    #[must_use]
    pub fn new(runs: usize) -> Self {
        let bars = MultiProgress::new();
        let style = ProgressStyle::with_template(
            "{elapsed_precise} [{bar:30}] {pos}/{len} runs, {eta} left",
        )
        .expect("a sound template");
        let overall = bars.add(ProgressBar::new(runs as u64).with_style(style));
        overall.enable_steady_tick(Duration::from_millis(500));
        Self { bars, overall }
    }

    /// A line for one worker.
    ///
    /// # Panics
    /// Never: the template is sound.
    #[must_use]
    pub fn worker(&self) -> Worker {
        let style = ProgressStyle::with_template("  {prefix:32} [{bar:20}] {msg}")
            .expect("a sound template");
        let bar = self
            .bars
            .insert_before(&self.overall, ProgressBar::new(1).with_style(style));
        Worker { bar }
    }

    /// Counts a finished run.
    pub fn finished(&self) {
        self.overall.inc(1);
    }

    /// Removes the bars from the screen.
    pub fn clear(&self) {
        self.overall.finish_and_clear();
        let _ = self.bars.clear();
    }
}

/// The line of one worker.
pub struct Worker {
    bar: ProgressBar,
}

impl Worker {
    /// Begins a run.
    pub fn start(&self, name: &str) {
        self.bar.set_prefix(name.to_owned());
        self.bar.set_position(0);
    }

    /// Shows the progress of a run.
    pub fn show(&self, p: &Progress<'_>) {
        if p.total == 0 {
            return;
        }
        let fold = match p.folds.1 {
            0 | 1 => String::new(),
            _ => format!(" fold {}", p.folds.0),
        };
        let nll = p
            .held_out_nll
            .map(|v| format!(", held-out NLL {v:.3}"))
            .unwrap_or_default();
        let (step, total) = (p.step, p.total);
        let what = [p.stage, p.expert].join(" ");
        let what = what.trim();
        self.bar.set_length(total as u64);
        self.bar.set_position(step as u64);
        self.bar
            .set_message(format!("{what}{fold} {step}/{total}{nll}"));
    }

    /// Removes the line from the screen.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
