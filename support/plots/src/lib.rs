//! Figures: a [`canvas`] with a bundled font, one [`palette`], [`contour`]s, and the [`corner`]
//! plot of a density.
//!
//! No system library and no system font: the same PNG on every machine.

pub mod canvas;
pub mod contour;
mod corner;
mod error;
pub mod palette;
mod smooth;
mod ticks;

pub use corner::{Corner, Draws, MOST_SHOWN, corner};
pub use error::PlotError;
