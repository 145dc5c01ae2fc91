//! KL against the number of components and of evaluations.

use super::super::arms::{Arm, benchmarks};
use super::shown::colour;
use crate::engine::figure::palette;
use crate::engine::figure::{self as canvas, Area, LARGE, SMALL, font};
use crate::engine::mean::Mean;
use anyhow::Result;
use plotters::prelude::*;
use std::path::Path;

/// A line: name, colour, points.
struct Line {
    name: String,
    colour: RGBColor,
    points: Vec<(f64, Mean)>,
}

/// A panel: heading, name of the horizontal axis, base of its logarithm, lines, a place to mark.
struct Panel {
    title: String,
    axis: &'static str,
    logarithm: f64,
    lines: Vec<Line>,
    mark: Option<f64>,
}

/// KL against the number of components: a panel for each benchmark, a line for each model.
pub fn components(path: &Path, arms: &[Arm<'_>]) -> Result<()> {
    let panels = benchmarks(arms).into_iter().map(|benchmark| {
        let own: Vec<&Arm<'_>> = arms.iter().filter(|a| a.benchmark() == benchmark).collect();
        let lines = own[0].models().into_iter().map(|model| {
            let points = own
                .iter()
                .filter_map(|a| Some((a.components()? as f64, a.mean(model, "kl_forward")?)));
            Line {
                name: palette::label(model),
                colour: palette::of(model),
                points: points.collect(),
            }
        });
        Panel {
            title: benchmark.title().into(),
            axis: "components of the base",
            logarithm: 2.0,
            lines: lines.collect(),
            mark: Some(benchmark.matched_components() as f64),
        }
    });
    draw(path, &panels.collect::<Vec<_>>(), 3)
}

/// KL against N and against ESS: two panels for each benchmark, a line for each plan and base.
pub fn evaluations(path: &Path, arms: &[Arm<'_>]) -> Result<()> {
    let mut panels = Vec::new();
    let several_bases = {
        let mut bases: Vec<&str> = arms.iter().map(|a| a.base()).collect();
        bases.sort_unstable();
        bases.dedup();
        bases.len() > 1
    };
    for benchmark in benchmarks(arms) {
        for (axis, metric) in [
            ("likelihood evaluations N", "evaluations"),
            ("effective sample size", "ess"),
        ] {
            let lines = series(arms).into_iter().map(|(plan, base)| {
                let own = arms
                    .iter()
                    .filter(|a| (a.benchmark(), a.plan(), a.base()) == (benchmark, plan, base));
                let annealed = own.clone().any(Arm::is_annealed);
                let points = own.filter_map(|a| {
                    let x = a.mean("mixture", metric)?.value;
                    Some((x, a.mean("mixture", "kl_forward")?))
                });
                let mut points: Vec<(f64, Mean)> = points.collect();
                points.sort_by(|a, b| a.0.total_cmp(&b.0));
                let plan_name = plan.replace('_', "-");
                let (name, colour) = if several_bases {
                    (format!("{plan_name}, {base} base"), colour(base))
                } else if annealed {
                    (plan_name, RGBColor(0, 114, 178))
                } else {
                    (plan_name, RGBColor(213, 94, 0))
                };
                Line {
                    name,
                    colour,
                    points,
                }
            });
            panels.push(Panel {
                title: benchmark.title().into(),
                axis,
                logarithm: 10.0,
                lines: lines.collect(),
                mark: None,
            });
        }
    }
    draw(path, &panels, 2)
}

fn draw(path: &Path, panels: &[Panel], columns: usize) -> Result<()> {
    let columns = columns.min(panels.len()).max(1);
    let rows = panels.len().div_ceil(columns);
    let size = (540 * columns as u32, 60 + 430 * rows as u32);
    canvas::png(path, size, |area| {
        let (top, rest) = area.split_vertically(60);
        let first = panels.first().map_or(&[][..], |p| &p.lines);
        let entries: Vec<_> = first.iter().map(|l| (l.name.clone(), l.colour)).collect();
        canvas::legend(&top, &entries)?;
        for (area, panel) in rest.split_evenly((rows, columns)).iter().zip(panels) {
            draw_panel(area, panel)?;
        }
        Ok(())
    })
}

fn draw_panel(area: &Area<'_>, panel: &Panel) -> Result<()> {
    let points = || panel.lines.iter().flat_map(|l| &l.points);
    let range = |f: &dyn Fn(&(f64, Mean)) -> f64| {
        let values = points().map(f).filter(|v| *v > 0.0);
        values.fold((f64::INFINITY, 0.0), |(lo, hi), v| (v.min(lo), v.max(hi)))
    };
    let (x0, x1) = range(&|p| p.0);
    let (y0, y1) = range(&|p| p.1.value);
    if x1 <= 0.0 || y1 <= 0.0 {
        return Ok(());
    }
    let (mut lo, mut hi) = (0.1, 1.0);
    while y0 < lo && lo > 1e-5 {
        lo /= 10.0;
    }
    while y1 > hi {
        hi *= 10.0;
    }
    let x = (x0 / 1.3..x1 * 1.3).log_scale().base(panel.logarithm);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_right(28)
        .caption(&panel.title, font(LARGE))
        .x_label_area_size(50)
        .y_label_area_size(85)
        .build_cartesian_2d(x, (lo..hi).log_scale())?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(5)
        .light_line_style(RGBColor(238, 238, 238))
        .bold_line_style(RGBColor(205, 205, 205))
        .x_label_formatter(&|v| format!("{v:.0}"))
        .y_label_formatter(&|v| format!("{v}"))
        .x_desc(panel.axis)
        .y_desc("KL (nats)")
        .label_style(font(SMALL))
        .axis_desc_style(font(SMALL))
        .draw()?;
    if let Some(mark) = panel.mark {
        let line = PathElement::new([(mark, lo), (mark, hi)], RGBColor(150, 150, 150));
        chart.draw_series(std::iter::once(line))?;
    }
    for line in &panel.lines {
        let at = |x: f64, v: f64| (x, v.clamp(lo, hi));
        for (x, kl) in &line.points {
            if let Some(e) = kl.error {
                let ends = [at(*x, kl.value - e), at(*x, kl.value + e)];
                let bar = PathElement::new(ends, line.colour.stroke_width(3));
                chart.draw_series(std::iter::once(bar))?;
            }
        }
        let points: Vec<(f64, f64)> = line.points.iter().map(|(x, kl)| at(*x, kl.value)).collect();
        chart.draw_series(
            points
                .iter()
                .map(|p| Circle::new(*p, 5, line.colour.filled())),
        )?;
        chart.draw_series(LineSeries::new(points, line.colour.stroke_width(2)))?;
    }
    Ok(())
}

/// The plans of some arms, in their order, with the bases.
fn series<'a>(arms: &[Arm<'a>]) -> Vec<(&'a str, &'a str)> {
    let mut all: Vec<(&str, &str)> = Vec::new();
    for a in arms {
        if !all.contains(&(a.plan(), a.base())) {
            all.push((a.plan(), a.base()));
        }
    }
    all
}
