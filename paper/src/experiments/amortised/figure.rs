//! Rank histograms: a row for each variant, a panel for each coordinate.

use super::super::posterior::figures::colour;
use super::record::AmortisedRecord;
use super::tables::Arm;
use crate::engine::figure::{self as canvas, Area, Figures, LARGE, SMALL, font};
use anyhow::Result;
use plotters::prelude::*;

/// Half-width, in standard errors, of the band with 99 % of the counts of uniform ranks.
const BAND: f64 = 2.576;

/// Figures that a protocol can ask for.
pub const NAMES: &[&str] = &["ranks"];

/// Draws the rank histograms of a protocol.
///
/// # Errors
/// The figure cannot be drawn or written.
pub fn ranks(arms: &[Arm<'_>], figures: &mut Figures<'_>) -> Result<()> {
    let columns = arms[0].records[0].calibration.ranks.len();
    let path = figures.add(
        "ranks",
        "Ranks of the truth",
        "Simulation-based calibration: ranks of the true parameter among draws of its amortised posterior, all seeds together. Flat is \
         right; the grey band holds 99 % of the counts of uniform ranks. High ends: posteriors too narrow; high middle: too wide.",
    );
    let size = (480 * columns as u32, 330 * arms.len() as u32);
    canvas::png(&path, size, |area| {
        let panels = area.split_evenly((arms.len(), columns));
        for (i, arm) in arms.iter().enumerate() {
            for j in 0..columns {
                // Ranks of all seeds together.
                let bins = arm.records[0].calibration.ranks[j].counts.len();
                let counts: Vec<usize> = (0..bins)
                    .map(|b| {
                        let of = |r: &&AmortisedRecord| r.calibration.ranks[j].counts[b];
                        arm.records.iter().map(of).sum()
                    })
                    .collect();
                let variant = arm.run().variant.as_str();
                let title = format!("{variant}, theta {}", j + 1);
                histogram(&panels[i * columns + j], &title, &counts, colour(variant))?;
            }
        }
        Ok(())
    })
}

fn histogram(area: &Area<'_>, title: &str, counts: &[usize], colour: RGBColor) -> Result<()> {
    let n: usize = counts.iter().sum();
    let share = 1.0 / counts.len() as f64;
    let expected = n as f64 * share;
    let spread = BAND * (expected * (1.0 - share)).sqrt();
    let largest = counts.iter().copied().max().unwrap_or(0) as f64;
    let high = 1.15 * largest.max(expected + spread);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .caption(title, font(LARGE - 4))
        .x_label_area_size(45)
        .y_label_area_size(65)
        .build_cartesian_2d(0.0..1.0, 0.0..high)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .x_labels(5)
        .y_labels(5)
        .x_label_formatter(&canvas::tick)
        .y_label_formatter(&|v| format!("{v:.0}"))
        .x_desc("rank / number of draws")
        .label_style(font(SMALL - 2))
        .axis_desc_style(font(SMALL - 2))
        .draw()?;
    let band = [
        (0.0, (expected - spread).max(0.0)),
        (1.0, expected + spread),
    ];
    let grey = RGBColor(222, 222, 222);
    chart.draw_series(std::iter::once(Rectangle::new(band, grey.filled())))?;
    let width = 1.0 / counts.len() as f64;
    for (b, &count) in counts.iter().enumerate() {
        let (x0, x1) = (b as f64 * width, (b + 1) as f64 * width);
        let corners = [(x0 + 0.1 * width, 0.0), (x1 - 0.1 * width, count as f64)];
        let bar = Rectangle::new(corners, colour.mix(0.75).filled());
        chart.draw_series(std::iter::once(bar))?;
    }
    let line = PathElement::new([(0.0, expected), (1.0, expected)], RGBColor(90, 90, 90));
    chart.draw_series(std::iter::once(line))?;
    Ok(())
}
