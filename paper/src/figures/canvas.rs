//! A PNG to draw on: bundled font, written beside its place and renamed.

use super::palette::INK;
use anyhow::{Context, Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::FontStyle;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::Path;
use std::sync::Once;

/// A drawing area in pixels.
pub type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

/// Text of axes and legends.
pub const SMALL: i32 = 20;
/// Headings.
pub const LARGE: i32 = 26;

/// The bundled font at a size.
pub fn font(size: i32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

/// A tick label: as few decimals as it needs.
pub fn tick(v: &f64) -> String {
    let rounded = (v * 100.0).round() / 100.0;
    format!("{}", if rounded == 0.0 { 0.0 } else { rounded })
}

/// Draws a PNG of the given size.
pub fn png(
    path: &Path,
    size: (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Result<()>,
) -> Result<()> {
    static FONT: Once = Once::new();
    FONT.call_once(|| {
        let bytes = include_bytes!("../../assets/DejaVuSans-subset.ttf");
        for style in [FontStyle::Normal, FontStyle::Bold] {
            // Fails only for a font that cannot be read; text would then be missing, which the tests see.
            let _ = plotters::style::register_font("sans-serif", style, bytes);
        }
    });
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!("partial-{}-{name}", std::process::id()));
    {
        let area = BitMapBackend::new(&beside, size).into_drawing_area();
        area.fill(&WHITE)
            .map_err(|e| anyhow!("{}: {e}", path.display()))?;
        draw(&area).with_context(|| path.display().to_string())?;
        area.present()
            .map_err(|e| anyhow!("{}: {e}", path.display()))?;
    }
    std::fs::rename(&beside, path).with_context(|| format!("{}: cannot be written", path.display()))
}

/// Coloured squares with names, from left to right, centred in the area, in as many lines as they need.
pub fn legend(area: &Area<'_>, entries: &[(String, RGBColor)]) -> Result<()> {
    let (width, height) = area.dim_in_pixel();
    let style = font(SMALL).pos(Pos::new(HPos::Left, VPos::Center));
    let width_of = |s: &str| style.font.box_size(s).map_or(0, |b| b.0 as i32) + 54;
    let mut lines: Vec<(i32, Vec<&(String, RGBColor)>)> = vec![(0, Vec::new())];
    for entry in entries {
        let own = width_of(&entry.0);
        if lines
            .last()
            .is_none_or(|l| l.0 + own > width as i32 && l.0 > 0)
        {
            lines.push((0, Vec::new()));
        }
        if let Some(line) = lines.last_mut() {
            line.0 += own;
            line.1.push(entry);
        }
    }
    let count = lines.len() as i32;
    for (i, (total, line)) in lines.into_iter().enumerate() {
        let mut x = (width as i32 - total) / 2;
        let y = height as i32 * (2 * i as i32 + 1) / (2 * count);
        for (name, colour) in line {
            area.draw(&Rectangle::new(
                [(x, y - 8), (x + 18, y + 8)],
                colour.filled(),
            ))?;
            area.draw(&Text::new(name.clone(), (x + 26, y), style.clone()))?;
            x += width_of(name);
        }
    }
    Ok(())
}
