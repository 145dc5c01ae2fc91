//! The trait of all families.

use numerics::random::Pcg64;

/// A rectangle of the plane: the range of each coordinate.
pub(crate) type Rectangle = [(f64, f64); 2];

/// A distribution on the plane with a known density.
pub(crate) trait Target: Sync {
    /// One point. It takes the same number of random numbers each time, so that a shorter sample is
    /// the beginning of a longer one.
    fn draw(&self, rng: &mut Pcg64) -> [f64; 2];

    /// `ln p(x)` in nats, for finite coordinates up to 1e153.
    fn log_density(&self, x: [f64; 2]) -> f64;

    /// The window to plot: all but a thousandth of the mass.
    fn window(&self) -> Rectangle;

    /// A rectangle outside which the integral of `p ln p` is below 1e-12, and a step at which the
    /// trapezoid rule on it has converged.
    fn grid(&self) -> (Rectangle, f64);
}
