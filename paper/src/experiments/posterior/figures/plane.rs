//! Densities of the plane side by side.

use super::super::projections::{WINDOW, level};
use super::shown::{RANGE, SHARES, Shown, heat, top, values};
use crate::engine::figure::contour::segments;
use crate::engine::figure::palette::INK;
use crate::engine::figure::{self as canvas, LARGE, SMALL, font};
use anyhow::Result;
use numerics::math::exp;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use std::path::Path;

/// The outline of the exact posterior.
const OUTLINE: RGBColor = RGBColor(230, 120, 0);

pub type Chart<'a, 'b> =
    ChartContext<'a, BitMapBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

pub fn draw(path: &Path, shown: &[Shown]) -> Result<()> {
    let count = shown.len();
    let width = 540 * count as i32;
    canvas::png(path, (width as u32 + 130, 570), |area| {
        let (panels, bar) = area.split_horizontally(width);
        for (panel, s) in panels.split_evenly((1, count)).iter().zip(shown) {
            let mut chart = ChartBuilder::on(panel)
                .margin(12)
                .caption(&s.title, font(LARGE - 4))
                .x_label_area_size(40)
                .y_label_area_size(50)
                .build_cartesian_2d(-WINDOW..WINDOW, -WINDOW..WINDOW)?;
            chart
                .configure_mesh()
                .disable_mesh()
                .x_labels(6)
                .y_labels(6)
                .x_label_formatter(&canvas::tick)
                .y_label_formatter(&canvas::tick)
                .label_style(font(SMALL))
                .draw()?;
            density(&mut chart, s, &shown[0], 0)?;
        }
        let value = |share: f64| exp(-RANGE * (1.0 - share));
        let range = (exp(-RANGE)..1.0).log_scale();
        canvas::heat_scale(&bar, 80, range, value, &|v| format!("{v:.0e}"))
    })
}

/// One plane of a density, with contours at the levels of the exact one and its outline.
pub fn density(chart: &mut Chart<'_, '_>, s: &Shown, exact: &Shown, plane: usize) -> Result<()> {
    let side = s.projections.side;
    let cell = 2.0 * WINDOW / side as f64;
    let logs = values(&s.projections.planes[plane]);
    let reference = &exact.projections.planes[plane];
    let highest = top(reference);
    let corner = |k: usize| -WINDOW + cell * k as f64;
    chart.draw_series(logs.iter().enumerate().map(|(k, l)| {
        let (x, y) = (corner(k % side), corner(k / side));
        Rectangle::new([(x, y), (x + cell, y + cell)], heat(l - highest).filled())
    }))?;
    let place = |p: (f64, f64)| {
        let at = |v: f64| -WINDOW + cell * (v + 0.5);
        (at(p.0), at(p.1))
    };
    let exact_logs = values(reference);
    for share in SHARES {
        let lines = segments(&logs, side, level(reference, share)).into_iter();
        let style = INK.stroke_width(1);
        chart.draw_series(lines.map(|[a, b]| PathElement::new([place(a), place(b)], style)))?;
    }
    let widest = level(reference, SHARES[SHARES.len() - 1]);
    let lines = segments(&exact_logs, side, widest).into_iter();
    let style = OUTLINE.stroke_width(2);
    chart.draw_series(lines.map(|[a, b]| PathElement::new([place(a), place(b)], style)))?;
    Ok(())
}
