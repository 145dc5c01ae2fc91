//! How long runs will take, by the records of earlier ones.

use super::job::Job;
use super::record::{self, record_path};
use serde::Deserialize;
use std::fmt;
use std::path::Path;

/// How long runs will take.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeEstimate {
    runs: usize,
    threads: usize,
    seconds: Option<f64>,
}

impl TimeEstimate {
    /// Of runs that are still to be computed, on so many threads, by the committed records of the
    /// same runs. A run without one is judged by its [`cost`](Job::cost).
    #[must_use]
    pub fn new(jobs: &[&Job], committed: &Path, threads: usize) -> Self {
        let taken = |job: &&Job| seconds(&record_path(committed, &job.stem));
        let costs = jobs.iter().map(|job| job.cost as f64);
        let known: Vec<(f64, Option<f64>)> = costs.zip(jobs.iter().map(taken)).collect();
        let (mut cost, mut seconds) = (0.0, 0.0);
        for (own, taken) in &known {
            if let Some(taken) = taken {
                cost += own;
                seconds += taken;
            }
        }
        let each: Vec<f64> = known
            .iter()
            .map(|(own, taken)| taken.unwrap_or(own * seconds / cost))
            .collect();
        // No sooner than the longest run, and no more of them at a time than there are.
        let longest = each.iter().copied().fold(0.0, f64::max);
        let workers = threads.min(jobs.len()).max(1) as f64;
        let seconds = (each.iter().sum::<f64>() / workers).max(longest);
        Self {
            runs: jobs.len(),
            threads,
            seconds: (cost > 0.0).then_some(seconds),
        }
    }
}

impl fmt::Display for TimeEstimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = |n: usize| if n == 1 { "" } else { "s" };
        let (runs, threads) = (self.runs, self.threads);
        if runs == 0 {
            return write!(f, "nothing to compute");
        }
        write!(
            f,
            "{runs} run{} to compute on {threads} thread{}: ",
            s(runs),
            s(threads)
        )?;
        match self.seconds {
            Some(seconds) => write!(
                f,
                "about {}, by the times of the committed records",
                human(seconds)
            ),
            None => write!(f, "no committed record says how long they take"),
        }
    }
}

/// Whole minutes, or hours and minutes.
fn human(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round() as u64;
    match (minutes / 60, minutes % 60) {
        (0, 0) => "a minute".into(),
        (0, 1) => "a minute".into(),
        (0, m) => format!("{m} minutes"),
        (h, m) => format!("{h} h {m:02} min"),
    }
}

/// The times of a record, whatever its kind.
#[derive(Deserialize)]
struct Timed {
    seconds: ron::Value,
}

/// How long the run of a record took.
fn seconds(path: &Path) -> Option<f64> {
    let timed: Timed = record::read(path).ok()?;
    Some(sum(&timed.seconds))
}

fn sum(value: &ron::Value) -> f64 {
    match value {
        ron::Value::Number(n) => n.into_f64(),
        ron::Value::Seq(all) => all.iter().map(sum).sum(),
        ron::Value::Map(fields) => fields.values().map(sum).sum(),
        _ => 0.0,
    }
}
