//! Exact density against the mixture's: heat maps with contours on one scale.

use super::super::record::{MixtureFigure, MixtureRecord, grid_points};
use crate::engine::figure::contour::segments;
use crate::engine::figure::palette::{self, INK};
use crate::engine::figure::{self as canvas, LARGE, SMALL, font};
use anyhow::Result;
use numerics::math::exp;
use plotters::prelude::*;
use std::path::Path;

/// Contours, as shares of the exact maximum.
const LEVELS: [f64; 4] = [0.05, 0.2, 0.5, 0.8];

pub fn draw(path: &Path, record: &MixtureRecord, data: &MixtureFigure) -> Result<()> {
    let target = record.run.target;
    let [x, y] = target.bounds();
    let side = data.side;
    let exact = target.log_prob(grid_points([x, y], side).as_ref());
    let exact: Vec<f64> = exact.into_iter().map(exp).collect();
    let mixture: Vec<f64> = data.grid.iter().map(|&l| exp(f64::from(l))).collect();
    let top = exact.iter().copied().fold(0.0, f64::max);
    let (dx, dy) = ((x.1 - x.0) / side as f64, (y.1 - y.0) / side as f64);
    canvas::png(path, (1240, 560), |area| {
        let (panels, bar) = area.split_horizontally(1120);
        let titled = [("exact density", &exact), ("mixture", &mixture)];
        for (panel, (title, values)) in panels.split_evenly((1, 2)).iter().zip(titled) {
            let mut chart = ChartBuilder::on(panel)
                .margin(12)
                .caption(title, font(LARGE))
                .x_label_area_size(40)
                .y_label_area_size(55)
                .build_cartesian_2d(x.0..x.1, y.0..y.1)?;
            chart
                .configure_mesh()
                .disable_mesh()
                .x_labels(7)
                .y_labels(7)
                .x_label_formatter(&canvas::tick)
                .y_label_formatter(&canvas::tick)
                .label_style(font(SMALL))
                .draw()?;
            chart.draw_series(values.iter().enumerate().map(|(k, v)| {
                let (x0, y0) = (x.0 + dx * (k % side) as f64, y.0 + dy * (k / side) as f64);
                Rectangle::new(
                    [(x0, y0), (x0 + dx, y0 + dy)],
                    palette::heat(v / top).filled(),
                )
            }))?;
            let place = |p: (f64, f64)| (x.0 + dx * (p.0 + 0.5), y.0 + dy * (p.1 + 0.5));
            for level in LEVELS {
                let lines = segments(values, side, level * top).into_iter();
                chart.draw_series(
                    lines.map(|[a, b]| PathElement::new([place(a), place(b)], INK.stroke_width(1))),
                )?;
            }
        }
        canvas::heat_scale(&bar, 65, 0.0..top, |share| share * top, &|v| {
            format!("{v:.2}")
        })
    })
}
