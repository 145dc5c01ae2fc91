//! Estimates of work.

use flows::{Batch, FitConfig};

/// Points that so many steps of optimisation see, of a fit to so many points.
pub fn points_of(steps: usize, fit: &FitConfig, points: usize) -> usize {
    match fit.batch {
        Batch::Full => steps * points,
        Batch::Size(n) => steps * n,
    }
}
