//! Figures that were written, and the canvas that they are drawn on.

pub use plots::canvas::{Area, LARGE, SMALL, font, legend, tick};
pub use plots::{contour, palette};

use anyhow::Result;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// A figure that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// File name in the folder of figures.
    pub file: String,
    /// Heading.
    pub title: String,
    /// Caption.
    pub caption: String,
}

impl Figure {
    /// Adds it to a report.
    pub fn show(&self, text: &mut String) {
        let Self {
            file,
            title,
            caption,
        } = self;
        let _ = write!(text, "![{title}](figures/{file})\n\n*{caption}*\n\n");
    }
}

/// The figures of one protocol, as they are drawn.
pub struct Figures<'a> {
    folder: &'a Path,
    prefix: &'static str,
    protocol: &'a str,
    /// Those that are drawn.
    pub all: Vec<Figure>,
}

impl<'a> Figures<'a> {
    /// None yet.
    #[must_use]
    pub fn new(folder: &'a Path, prefix: &'static str, protocol: &'a str) -> Self {
        Self {
            folder,
            prefix,
            protocol,
            all: Vec::new(),
        }
    }

    /// Adds one, and gives the path to draw it at.
    pub fn add(
        &mut self,
        kind: &str,
        title: impl Into<String>,
        caption: impl Into<String>,
    ) -> PathBuf {
        let file = format!("{}{kind}_{}.png", self.prefix, self.protocol);
        let path = self.folder.join(&file);
        self.all.push(Figure {
            file,
            title: title.into(),
            caption: caption.into(),
        });
        path
    }
}

/// Draws the scale of [`palette::heat`] as a bar with labels on its left: `value` is what a share
/// of the way up `range` stands for, `labels` the width that labels take in pixels.
///
/// # Errors
/// What cannot be drawn.
pub fn heat_scale<R>(
    area: &Area<'_>,
    labels: u32,
    range: R,
    value: impl Fn(f64) -> f64,
    label: &dyn Fn(&f64) -> String,
) -> Result<()>
where
    R: AsRangedCoord<Value = f64>,
    R::CoordDescType: ValueFormatter<f64>,
{
    let mut chart = ChartBuilder::on(area)
        .margin_top(55)
        .margin_bottom(52)
        .margin_right(15)
        .y_label_area_size(labels)
        .build_cartesian_2d(0.0..1.0, range)?;
    chart.draw_series((0..200).map(|i| {
        let (a, b) = (f64::from(i) / 200.0, f64::from(i + 1) / 200.0);
        let corners = [(0.0, value(a)), (1.0, value(b))];
        Rectangle::new(corners, palette::heat(a).filled())
    }))?;
    chart
        .configure_mesh()
        .disable_mesh()
        .disable_x_axis()
        .y_labels(6)
        .y_label_formatter(label)
        .label_style(font(SMALL))
        .draw()?;
    Ok(())
}

/// Draws a PNG of the given size.
///
/// # Errors
/// What cannot be drawn or written.
pub fn png(
    path: &Path,
    size: (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Result<()>,
) -> Result<()> {
    plots::canvas::png(path, size, |area| draw(area).map_err(Into::into))?;
    Ok(())
}
