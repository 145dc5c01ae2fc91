//! Training curves of the first seed of each family.

use super::super::arms::Group;
use crate::engine::figure::palette::{self, INK};
use crate::engine::figure::{self as canvas, LARGE, SMALL, font};
use amf::ExpertConfig;
use anyhow::Result;
use plotters::prelude::*;
use std::path::Path;

/// Height of the axes above the entropy, nats.
const ABOVE: f64 = 2.0;

pub fn draw(path: &Path, groups: &[Group<'_>]) -> Result<()> {
    let rows = groups.len().div_ceil(3);
    let models: Vec<&str> = groups[0].experts().collect();
    canvas::png(path, (1500, 60 + 430 * rows as u32), |area| {
        let (top, rest) = area.split_vertically(60);
        let entries: Vec<_> = models
            .iter()
            .map(|m| (palette::label(m), palette::of(m)))
            .collect();
        canvas::legend(&top, &entries)?;
        for (panel, g) in rest.split_evenly((rows, 3)).iter().zip(groups) {
            draw_panel(panel, g)?;
        }
        Ok(())
    })
}

fn draw_panel(area: &canvas::Area<'_>, g: &Group<'_>) -> Result<()> {
    let record = g.records[0];
    let h = g.entropy();
    let is_flow = |k: usize| matches!(record.run.experts[k].kind, ExpertConfig::Flow(_));
    let flows = record
        .experts
        .iter()
        .enumerate()
        .filter(|(k, _)| is_flow(*k));
    let steps = flows
        .filter_map(|(_, e)| e.history.last())
        .map(|e| e.step)
        .max();
    let steps = steps.unwrap_or(1).max(2) as f64;
    let (lo, hi) = (h - 0.5, h + ABOVE);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_right(32)
        .caption(g.family().title(), font(LARGE))
        .x_label_area_size(50)
        .y_label_area_size(75)
        .build_cartesian_2d(0.0..steps, lo..hi)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(228, 228, 228))
        .x_labels(5)
        .y_labels(6)
        .x_label_formatter(&|v| format!("{v:.0}"))
        .y_label_formatter(&|v| format!("{v:.1}"))
        .x_desc("step")
        .y_desc("NLL (nats)")
        .label_style(font(SMALL))
        .axis_desc_style(font(SMALL))
        .draw()?;
    let floor = (0..60)
        .map(|i| steps * f64::from(i) / 59.0)
        .collect::<Vec<_>>();
    for pair in floor.chunks_exact(2) {
        let dash = PathElement::new([(pair[0], h), (pair[1], h)], INK.stroke_width(1));
        chart.draw_series(std::iter::once(dash))?;
    }
    for (k, (expert, report)) in record.run.experts.iter().zip(&record.experts).enumerate() {
        let colour = palette::of(&expert.name);
        let Some(last) = report.history.last() else {
            continue;
        };
        if !is_flow(k) {
            let best = report
                .history
                .iter()
                .find(|e| e.step == report.best_step)
                .unwrap_or(last);
            let y = best.held_out_nll.unwrap_or(best.train_nll).clamp(lo, hi);
            for pair in floor.chunks_exact(2).step_by(2) {
                let dash = PathElement::new(
                    [(pair[0], y), (pair[1] + steps / 59.0, y)],
                    colour.stroke_width(3),
                );
                chart.draw_series(std::iter::once(dash))?;
            }
            continue;
        }
        let train = report.history.iter().map(|e| (e.step as f64, e.train_nll));
        line(
            &mut chart,
            train,
            (lo, hi),
            colour.mix(0.35).stroke_width(2),
        )?;
        let held_out = report
            .history
            .iter()
            .filter_map(|e| Some((e.step as f64, e.held_out_nll?)));
        line(&mut chart, held_out, (lo, hi), colour.stroke_width(3))?;
    }
    Ok(())
}

type Chart<'a, 'b> = ChartContext<
    'a,
    BitMapBackend<'b>,
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>,
>;

/// A line that is cut off where it leaves the axes.
fn line(
    chart: &mut Chart<'_, '_>,
    points: impl Iterator<Item = (f64, f64)>,
    (lo, hi): (f64, f64),
    style: ShapeStyle,
) -> Result<()> {
    let points: Vec<(f64, f64)> = points.collect();
    for pair in points.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let inside = |p: (f64, f64)| (lo..=hi).contains(&p.1);
        if !inside(a) && !inside(b) {
            continue;
        }
        let cut = |p: (f64, f64)| {
            if inside(p) {
                return p;
            }
            let y = p.1.clamp(lo, hi);
            (a.0 + (b.0 - a.0) * (y - a.1) / (b.1 - a.1), y)
        };
        chart.draw_series(std::iter::once(PathElement::new([cut(a), cut(b)], style)))?;
    }
    Ok(())
}
