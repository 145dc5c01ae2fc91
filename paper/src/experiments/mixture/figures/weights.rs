//! Mixture weights as stacked bars.

use super::super::arms::Group;
use crate::engine::figure::palette;
use crate::engine::figure::{self as canvas, SMALL, font};
use anyhow::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::Path;

pub fn draw(path: &Path, groups: &[Group<'_>]) -> Result<()> {
    let experts: Vec<&str> = groups[0].experts().collect();
    canvas::png(path, (1100, 570), |area| {
        let (top, rest) = area.split_vertically(60);
        let entries: Vec<_> = experts
            .iter()
            .map(|e| (palette::label(e), palette::of(e)))
            .collect();
        canvas::legend(&top, &entries)?;
        let count = groups.len() as f64;
        let mut chart = ChartBuilder::on(&rest)
            .margin(15)
            .x_label_area_size(45)
            .y_label_area_size(75)
            .build_cartesian_2d(0.0..count, 0.0..1.0)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .disable_x_axis()
            .light_line_style(WHITE)
            .y_labels(6)
            .y_desc("mixture weight")
            .label_style(font(SMALL))
            .axis_desc_style(font(SMALL))
            .draw()?;
        for (i, g) in groups.iter().enumerate() {
            let mut from = 0.0;
            for e in &experts {
                let Some(w) = g.mean(e, "weight") else {
                    continue;
                };
                let (x0, x1, to) = (i as f64 + 0.17, i as f64 + 0.83, from + w.value);
                let bar = Rectangle::new([(x0, from), (x1, to)], palette::of(e).filled());
                chart.draw_series(std::iter::once(bar))?;
                if w.value > 0.06 {
                    let style = font(18)
                        .color(&WHITE)
                        .pos(Pos::new(HPos::Center, VPos::Center));
                    let text = Text::new(
                        format!("{:.2}", w.value),
                        (i as f64 + 0.5, 0.5 * (from + to)),
                        style,
                    );
                    chart.draw_series(std::iter::once(text))?;
                }
                from = to;
            }
            let style = font(SMALL).pos(Pos::new(HPos::Center, VPos::Top));
            let at = chart.backend_coord(&(i as f64 + 0.5, 0.0));
            let base = area.get_base_pixel();
            area.draw(&Text::new(
                g.family().title().to_owned(),
                (at.0 - base.0, at.1 - base.1 + 12),
                style,
            ))?;
        }
        Ok(())
    })
}
