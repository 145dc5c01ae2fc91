//! Estimates of work.

use flows::{Batch, FitConfig};

/// Points processed in this number of optimisation steps of a fit to `points` points.
pub fn points_of(steps: usize, fit: &FitConfig, points: usize) -> usize {
    match fit.batch {
        Batch::Full => steps * points,
        Batch::Size(n) => steps * n,
    }
}
