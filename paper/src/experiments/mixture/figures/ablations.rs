//! Mean KL over the families after each change to the recipe.

use super::super::arms::{Group, over_families};
use crate::engine::figure::palette::INK;
use crate::engine::figure::{self as canvas, SMALL, font};
use crate::engine::mean::Mean;
use anyhow::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::Path;

pub fn draw(path: &Path, groups: &[Group<'_>]) -> Result<()> {
    let mean = |model: &str| {
        let means: Vec<Mean> = groups.iter().filter_map(|g| g.mean(model, "kl")).collect();
        over_families(&means).map_or(f64::NAN, |m| m.value)
    };
    let full = mean("mixture");
    let ablations = &groups[0].run().ablations;
    let mut rows: Vec<(&str, f64)> = ablations
        .iter()
        .map(|a| (a.name.as_str(), mean(&a.name)))
        .collect();
    rows.push(("full recipe", full));
    rows.sort_by(|a, b| a.1.total_cmp(&b.1));
    let values = rows.iter().map(|r| r.1);
    let hi = 1.1 * values.fold(0.0, f64::max);
    let count = rows.len();
    canvas::png(path, (1100, 90 + 34 * count as u32), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(15)
            .margin_right(40)
            .x_label_area_size(60)
            .y_label_area_size(300)
            .build_cartesian_2d(0.0..hi, 0.0..count as f64)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .light_line_style(RGBColor(238, 238, 238))
            .bold_line_style(RGBColor(205, 205, 205))
            .x_labels(8)
            .x_label_formatter(&|v| format!("{}", (v * 1e4).round() / 1e4))
            .x_desc("mean KL over the families (nats)")
            .label_style(font(SMALL))
            .axis_desc_style(font(SMALL))
            .draw()?;
        let line = PathElement::new([(full, 0.0), (full, count as f64)], RGBColor(150, 150, 150));
        chart.draw_series(std::iter::once(line))?;
        let base = area.get_base_pixel();
        for (i, (name, value)) in rows.iter().enumerate() {
            let y = count as f64 - i as f64 - 0.5;
            let colour = if *name == "full recipe" {
                RGBColor(213, 94, 0)
            } else {
                INK
            };
            chart.draw_series(std::iter::once(Circle::new(
                (*value, y),
                7,
                colour.filled(),
            )))?;
            let at = chart.backend_coord(&(0.0, y));
            let style = font(SMALL).pos(Pos::new(HPos::Right, VPos::Center));
            let place = (at.0 - base.0 - 12, at.1 - base.1);
            area.draw(&Text::new(name.replace('_', " "), place, style))?;
        }
        Ok(())
    })
}
