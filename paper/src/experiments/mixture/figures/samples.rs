//! Draws of the target, the mixture and each expert, side by side.

use super::super::record::{MixtureFigure, MixtureRecord};
use crate::engine::figure::palette;
use crate::engine::figure::{self as canvas, LARGE, SMALL, font};
use anyhow::Result;
use plotters::prelude::*;
use std::path::Path;

pub fn draw(path: &Path, record: &MixtureRecord, data: &MixtureFigure) -> Result<()> {
    let [x, y] = record.run.target.bounds();
    let count = data.draws.len();
    canvas::png(path, (370 * count as u32, 400), |area| {
        for (panel, (name, points)) in area.split_evenly((1, count)).iter().zip(&data.draws) {
            let mut chart = ChartBuilder::on(panel)
                .margin(10)
                .caption(palette::label(name), font(LARGE))
                .x_label_area_size(35)
                .y_label_area_size(50)
                .build_cartesian_2d(x.0..x.1, y.0..y.1)?;
            chart
                .configure_mesh()
                .disable_mesh()
                .x_labels(5)
                .y_labels(5)
                .x_label_formatter(&canvas::tick)
                .y_label_formatter(&canvas::tick)
                .label_style(font(SMALL))
                .draw()?;
            let colour = palette::of(name);
            let inside = points.iter().map(|p| (f64::from(p.0), f64::from(p.1)));
            let inside =
                inside.filter(|p| (x.0..=x.1).contains(&p.0) && (y.0..=y.1).contains(&p.1));
            chart.draw_series(inside.map(|p| Circle::new(p, 2, colour.mix(0.6).filled())))?;
        }
        Ok(())
    })
}
