//! The divergence from the target: a dot with its standard error for each family and model, on a logarithmic axis.

use super::super::arms::Group;
use crate::engine::figure::palette;
use crate::engine::figure::{self as canvas, SMALL, font};
use crate::engine::mean::Mean;
use anyhow::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::Path;

/// `gap` gives the divergence of a model; `label` is that of the axis.
pub fn draw(
    path: &Path,
    groups: &[Group<'_>],
    models: &[&str],
    label: &str,
    gap: &dyn Fn(&Group<'_>, &str) -> Option<Mean>,
) -> Result<()> {
    let gaps: Vec<f64> = groups
        .iter()
        .flat_map(|g| models.iter().filter_map(|m| gap(g, m)).map(|m| m.value))
        .filter(|v| *v > 0.0)
        .collect();
    // Whole powers of ten around the data.
    let (mut lo, mut hi) = (0.1, 1.0);
    while gaps.iter().any(|g| *g < lo) && lo > 1e-5 {
        lo /= 10.0;
    }
    while gaps.iter().any(|g| *g > hi) {
        hi *= 10.0;
    }
    canvas::png(path, (1100, 620), |area| {
        let (top, rest) = area.split_vertically(50);
        let entries: Vec<_> = models
            .iter()
            .map(|m| (palette::label(m), palette::of(m)))
            .collect();
        canvas::legend(&top, &entries)?;
        let mut chart = ChartBuilder::on(&rest)
            .margin(15)
            .x_label_area_size(45)
            .y_label_area_size(90)
            .build_cartesian_2d(0.0..groups.len() as f64, (lo..hi).log_scale())?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .disable_x_axis()
            .light_line_style(RGBColor(238, 238, 238))
            .bold_line_style(RGBColor(205, 205, 205))
            .y_label_formatter(&|v| format!("{v}"))
            .y_desc(label)
            .label_style(font(SMALL))
            .axis_desc_style(font(SMALL))
            .draw()?;
        for (i, g) in groups.iter().enumerate() {
            for (k, model) in models.iter().enumerate() {
                let Some(gap) = gap(g, model) else { continue };
                let x = i as f64 + (k as f64 + 1.0) / (models.len() as f64 + 1.0);
                let y = gap.value.clamp(lo, hi);
                let colour = palette::of(model);
                if let Some(e) = gap.error {
                    let ends = [
                        (x, (gap.value - e).clamp(lo, hi)),
                        (x, (gap.value + e).clamp(lo, hi)),
                    ];
                    chart.draw_series(std::iter::once(PathElement::new(
                        ends,
                        colour.stroke_width(3),
                    )))?;
                }
                chart.draw_series(std::iter::once(Circle::new((x, y), 7, colour.filled())))?;
            }
            let style = font(SMALL).pos(Pos::new(HPos::Center, VPos::Top));
            let at = chart.backend_coord(&(i as f64 + 0.5, lo));
            let base = area.get_base_pixel();
            area.draw(&Text::new(
                g.family().title().to_owned(),
                (at.0 - base.0, at.1 - base.1 + 12),
                style,
            ))?;
            if i > 0 {
                let line =
                    PathElement::new([(i as f64, lo), (i as f64, hi)], RGBColor(190, 190, 190));
                chart.draw_series(std::iter::once(line))?;
            }
        }
        Ok(())
    })
}
