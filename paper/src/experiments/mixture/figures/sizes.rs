//! KL against the number of draws, one panel for each family.

use super::super::arms::{Group, sizes};
use crate::engine::figure::palette;
use crate::engine::figure::{self as canvas, LARGE, SMALL, font};
use anyhow::Result;
use plotters::prelude::*;
use std::path::Path;

pub fn draw(path: &Path, groups: &[Group<'_>], models: &[&str]) -> Result<()> {
    let sizes = sizes(groups);
    let families: Vec<_> = groups
        .iter()
        .filter(|g| g.n == sizes[0])
        .map(|g| g.family())
        .collect();
    let listed: Vec<String> = sizes.iter().map(usize::to_string).collect();
    let label = format!("draws ({})", listed.join(", "));
    let (lo, hi) = (sizes[0] as f64 / 1.4, sizes[sizes.len() - 1] as f64 * 1.4);
    let rows = families.len().div_ceil(3);
    canvas::png(path, (1500, 60 + 430 * rows as u32), |area| {
        let (top, rest) = area.split_vertically(60);
        let entries: Vec<_> = models
            .iter()
            .map(|m| (palette::label(m), palette::of(m)))
            .collect();
        canvas::legend(&top, &entries)?;
        for (panel, family) in rest.split_evenly((rows, 3)).iter().zip(&families) {
            let mut chart = ChartBuilder::on(panel)
                .margin(12)
                .margin_right(32)
                .caption(family.title(), font(LARGE))
                .x_label_area_size(50)
                .y_label_area_size(85)
                .build_cartesian_2d((lo..hi).log_scale(), (1e-3..4.0).log_scale())?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .x_labels(4)
                .light_line_style(RGBColor(238, 238, 238))
                .bold_line_style(RGBColor(205, 205, 205))
                .x_label_formatter(&|v| format!("{v:.0}"))
                .y_label_formatter(&|v| format!("{v}"))
                .x_desc(label.as_str())
                .y_desc("KL (nats)")
                .label_style(font(SMALL))
                .axis_desc_style(font(SMALL))
                .draw()?;
            for model in models {
                let colour = palette::of(model);
                let mut line = Vec::new();
                for &n in &sizes {
                    let group = groups.iter().find(|g| g.family() == *family && g.n == n);
                    let Some(kl) = group.and_then(|g| g.mean(model, "kl")) else {
                        continue;
                    };
                    let at = |v: f64| (n as f64, v.clamp(1e-3, 4.0));
                    line.push(at(kl.value));
                    if let Some(e) = kl.error {
                        let ends = [at(kl.value - e), at(kl.value + e)];
                        let bar = PathElement::new(ends, colour.stroke_width(3));
                        chart.draw_series(std::iter::once(bar))?;
                    }
                }
                let dots = line.iter().map(|p| Circle::new(*p, 5, colour.filled()));
                chart.draw_series(dots)?;
                chart.draw_series(LineSeries::new(line, colour.stroke_width(2)))?;
            }
        }
        Ok(())
    })
}
