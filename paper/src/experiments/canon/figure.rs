//! Effective sample size and error of ln Z as rounds go.

use super::record::Round;
use super::tables::Arm;
use crate::engine::figure::{self as canvas, Area, Figures, LARGE, SMALL, font};
use anyhow::Result;
use plotters::prelude::*;

/// Figures that a protocol can ask for.
pub const NAMES: &[&str] = &["rounds"];

/// Panels: a heading, and the kinds of problems in it.
const GROUPS: [(&str, &[&str]); 6] = [
    ("normal", &["normal"]),
    ("shells, eggbox", &["shells", "eggbox"]),
    ("log-gamma", &["log_gamma"]),
    ("Rosenbrock, funnel", &["rosenbrock", "funnel"]),
    ("spike and slab, signs", &["spike_and_slab", "signs"]),
    ("real models", &[]),
];

/// One for each problem of a group, told apart by colour-blind readers too (Okabe and Ito), dark before light.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(90, 90, 90),
    RGBColor(230, 159, 0),
];

/// Groups beside each other.
const COLUMNS: usize = 3;

/// Pixels for the names of the lines.
const LEGEND: u32 = 95;

/// What a panel shows.
struct Measure {
    name: &'static str,
    of: fn(&Round) -> f64,
    range: (f64, f64),
    mark: f64,
}

const MEASURES: [Measure; 2] = [
    Measure {
        name: "effective sample size",
        of: |r| r.ess,
        range: (1.0, 1e5),
        mark: 1e4,
    },
    Measure {
        name: "size of the error of ln Z",
        of: |r| r.log_z_error.abs(),
        range: (1e-4, 1e2),
        mark: 0.02,
    },
];

/// Draws the rounds of the first seed of each problem.
///
/// # Errors
/// The figure cannot be drawn or written.
pub fn rounds(arms: &[Arm<'_>], figures: &mut Figures<'_>) -> Result<()> {
    let groups: Vec<(&str, Vec<&Arm<'_>>)> = GROUPS
        .iter()
        .enumerate()
        .map(|(g, (title, _))| {
            let own = arms.iter().filter(|a| group(&a.run().problem) == g);
            (*title, own.collect())
        })
        .filter(|(_, own): &(_, Vec<_>)| !own.is_empty())
        .collect();
    let path = figures.add(
        "rounds",
        "Rounds",
        format!(
            "After each round of the run with seed {}: effective sample size for the posterior, and size of the error of ln Z in nats, \
             against likelihood evaluations. Values beyond the frame are drawn at its edge; the grey lines are the goals. Until the \
             temperature is 1 (large dots from there on), ln Z is not meant to be used.",
            arms[0].run().seed
        ),
    );
    let columns = groups.len().min(COLUMNS);
    let rows = groups.len().div_ceil(COLUMNS);
    let size = (
        560 * columns as u32,
        (LEGEND + 400 * MEASURES.len() as u32) * rows as u32,
    );
    canvas::png(&path, size, |area| {
        let blocks = area.split_evenly((rows, columns));
        for (block, (title, own)) in blocks.iter().zip(&groups) {
            let (top, rest) = block.split_vertically(LEGEND);
            let names = own.iter().map(|a| a.run().problem.clone());
            let entries: Vec<_> = names.zip(COLOURS).collect();
            canvas::legend(&top, &entries)?;
            let panels = rest.split_evenly((MEASURES.len(), 1));
            for (panel, measure) in panels.iter().zip(&MEASURES) {
                draw(panel, title, measure, own)?;
            }
        }
        Ok(())
    })
}

/// The panel of a problem; real models are those that no other has.
fn group(problem: &str) -> usize {
    let kind = problem.rsplit_once('_').map_or(problem, |(kind, _)| kind);
    let own = GROUPS.iter().position(|(_, kinds)| kinds.contains(&kind));
    own.unwrap_or(GROUPS.len() - 1)
}

fn draw(area: &Area<'_>, title: &str, measure: &Measure, arms: &[&Arm<'_>]) -> Result<()> {
    let all = arms.iter().flat_map(|a| &a.records[0].rounds);
    let evaluations = all.map(|r| r.evaluations as f64);
    let (first, last) = evaluations.fold((f64::INFINITY, 0.0_f64), |(lo, hi), n| {
        (n.min(lo), n.max(hi))
    });
    if last == 0.0 {
        return Ok(());
    }
    let (lo, hi) = measure.range;
    let (left, right) = (first / 1.3, last * 1.3);
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .margin_right(20)
        .caption(title, font(LARGE - 4))
        .x_label_area_size(50)
        .y_label_area_size(95)
        .build_cartesian_2d((left..right).log_scale(), (lo..hi).log_scale())?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(RGBColor(245, 245, 245))
        .bold_line_style(RGBColor(215, 215, 215))
        .x_labels(3)
        .y_labels(6)
        .x_label_formatter(&|v| format!("{v:.0}"))
        .y_label_formatter(&|v| format!("{v}"))
        .x_desc("likelihood evaluations")
        .y_desc(measure.name)
        .label_style(font(SMALL - 3))
        .axis_desc_style(font(SMALL - 2))
        .draw()?;
    let goal = [(left, measure.mark), (right, measure.mark)];
    chart.draw_series(LineSeries::new(goal, RGBColor(150, 150, 150)))?;
    for (arm, colour) in arms.iter().zip(COLOURS) {
        let rounds = &arm.records[0].rounds;
        let at = |r: &Round| (r.evaluations as f64, (measure.of)(r).clamp(lo, hi));
        let points: Vec<(f64, f64)> = rounds.iter().map(at).collect();
        let dots = rounds.iter().zip(&points);
        chart.draw_series(dots.map(|(r, p)| {
            let size = if r.beta == 1.0 { 5 } else { 2 };
            Circle::new(*p, size, colour.filled())
        }))?;
        chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
    }
    Ok(())
}
