//! The canvas of `plots`, with the errors of this crate.

pub use plots::canvas::{Area, LARGE, SMALL, font, legend, tick};

use anyhow::Result;
use std::path::Path;

/// Draws a PNG of the given size.
pub fn png(
    path: &Path,
    size: (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Result<()>,
) -> Result<()> {
    plots::canvas::png(path, size, |area| draw(area).map_err(Into::into))?;
    Ok(())
}
