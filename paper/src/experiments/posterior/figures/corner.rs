//! Densities of space: a triangle of marginals for each, side by side.

use super::super::projections::{WINDOW, centre, pairs};
use super::plane::density;
use super::shown::{Shown, values};
use crate::engine::figure::{self as canvas, Area, LARGE, SMALL, font};
use anyhow::Result;
use numerics::math::exp;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::Path;

pub fn draw(path: &Path, shown: &[Shown]) -> Result<()> {
    let count = shown.len();
    canvas::png(path, (660 * count as u32, 700), |area| {
        for (block, s) in area.split_evenly((1, count)).iter().zip(shown) {
            let (top, triangle) = block.split_vertically(40);
            let style = font(LARGE - 2).pos(Pos::new(HPos::Center, VPos::Center));
            top.draw(&Text::new(s.title.clone(), (330, 22), style))?;
            draw_triangle(&triangle, s, &shown[0])?;
        }
        Ok(())
    })
}

fn draw_triangle(area: &Area<'_>, s: &Shown, exact: &Shown) -> Result<()> {
    let dim = s.projections.lines.len();
    let cells = area.split_evenly((dim, dim));
    let densest = |p: &Shown, j: usize| {
        let logs = values(&p.projections.lines[j]).into_iter();
        exp(logs.fold(f64::NEG_INFINITY, f64::max))
    };
    for row in 0..dim {
        for column in 0..=row {
            let cell = &cells[row * dim + column];
            let on_edge = (row + 1 == dim, column == 0 && row > 0);
            // Labels only at the edges, but room for them everywhere: all cells have the same size.
            let mut builder = ChartBuilder::on(cell);
            builder
                .margin(5)
                .x_label_area_size(30)
                .y_label_area_size(38);
            let high = if row == column {
                1.1 * densest(exact, row).max(densest(s, row))
            } else {
                WINDOW
            };
            let low = if row == column { 0.0 } else { -WINDOW };
            let mut chart = builder.build_cartesian_2d(-WINDOW..WINDOW, low..high)?;
            chart
                .configure_mesh()
                .disable_mesh()
                .x_labels(if on_edge.0 { 4 } else { 0 })
                .y_labels(if on_edge.1 { 4 } else { 0 })
                .x_label_formatter(&canvas::tick)
                .y_label_formatter(&canvas::tick)
                .label_style(font(SMALL - 2))
                .draw()?;
            if row == column {
                for (p, colour, width) in [(exact, exact.colour, 5), (s, s.colour, 2)] {
                    let logs = values(&p.projections.lines[row]);
                    let side = p.projections.side;
                    let points = logs.iter().enumerate();
                    let points = points.map(|(i, l)| (centre(i, side), exp(*l)));
                    chart.draw_series(LineSeries::new(points, colour.stroke_width(width)))?;
                }
            } else {
                let plane = pairs(dim).iter().position(|p| *p == (column, row));
                density(&mut chart, s, exact, plane.unwrap_or_default())?;
            }
        }
    }
    Ok(())
}
