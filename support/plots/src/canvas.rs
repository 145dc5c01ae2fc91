//! A PNG or an SVG to draw on: bundled font, written to a temporary file and renamed.

use crate::PlotError;
use crate::palette::INK;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::FontStyle;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::io;
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

/// The pixels that a text takes in the bundled font.
pub fn text_width(text: &str, size: i32) -> i32 {
    bundle_font();
    font(size).font.box_size(text).map_or(0, |b| b.0 as i32)
}

/// A tick label: as few decimals as it needs.
pub fn tick(v: &f64) -> String {
    let rounded = (v * 100.0).round() / 100.0;
    format!("{}", if rounded == 0.0 { 0.0 } else { rounded })
}

/// The result of drawing, with any error.
pub type Drawn = Result<(), Box<dyn Error + Send + Sync>>;

/// Draws a PNG of the given size.
///
/// # Errors
/// The error of `draw`, or that the file cannot be written; no file is left then.
pub fn png(
    path: &Path,
    size: (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Drawn,
) -> Result<(), PlotError> {
    bundle_font();
    let name = path.display().to_string();
    let mut pixels = vec![0; 3 * size.0 as usize * size.1 as usize];
    let drawn = || {
        let area = BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area();
        area.fill(&WHITE)?;
        draw(&area)?;
        area.present()?;
        drop(area);
        encoded(&pixels, size)
    };
    let bytes = drawn().map_err(|cause| PlotError::Draw { path: name, cause })?;
    write(path, &bytes)
}

/// Writes a file into a folder that exists.
fn write(path: &Path, bytes: &[u8]) -> Result<(), PlotError> {
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty());
    if let Some(missing) = folder.filter(|f| !f.is_dir()) {
        let path = path.display().to_string();
        let source = io::Error::other(format!("there is no folder {}", missing.display()));
        return Err(store::Error::Write { path, source }.into());
    }
    Ok(store::write(path, bytes)?)
}

/// The bytes of a PNG of RGB pixels.
fn encoded(
    pixels: &[u8],
    (width, height): (u32, u32),
) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Fast);
    encoder.set_filter(png::Filter::Adaptive);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}

/// Draws a PNG at `size`, and writes it at a `fine`-th of that, each pixel the mean of `fine` x
/// `fine`: smooth lines.
///
/// # Errors
/// As [`png`](fn@png).
pub fn smooth_png(
    path: &Path,
    size: (u32, u32),
    fine: u32,
    draw: impl FnOnce(&Area<'_>) -> Drawn,
) -> Result<(), PlotError> {
    let small = (size.0 / fine, size.1 / fine);
    let (width, fine) = (size.0 as usize, fine as usize);
    png(path, small, |area| {
        let mut pixels = vec![0; 3 * width * size.1 as usize];
        {
            let large = BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area();
            large.fill(&WHITE)?;
            draw(&large)?;
            large.present()?;
        }
        let mut means = Vec::with_capacity(3 * (small.0 * small.1) as usize);
        for rows in pixels.chunks_exact(3 * width * fine) {
            let mut sums = vec![[0_usize; 3]; small.0 as usize];
            for row in rows.chunks_exact(3 * width) {
                for (sum, across) in sums.iter_mut().zip(row.chunks_exact(3 * fine)) {
                    for pixel in across.chunks_exact(3) {
                        for (s, p) in sum.iter_mut().zip(pixel) {
                            *s += usize::from(*p);
                        }
                    }
                }
            }
            let mean = |s: &usize| ((s + fine * fine / 2) / (fine * fine)) as u8;
            means.extend(sums.as_flattened().iter().map(mean));
        }
        let whole = BitMapElement::with_owned_buffer((0, 0), small, means);
        area.draw(&whole.ok_or("the picture has no pixels")?)?;
        Ok(())
    })
}

/// Draws an SVG of the given size.
///
/// # Errors
/// As [`png`](fn@png).
pub fn svg(
    path: &Path,
    size: (u32, u32),
    draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, Shift>) -> Drawn,
) -> Result<(), PlotError> {
    bundle_font();
    let name = path.display().to_string();
    let mut text = String::new();
    let drawn = || {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        area.fill(&WHITE)?;
        draw(&area)?;
        area.present()?;
        Ok(())
    };
    drawn().map_err(|cause| PlotError::Draw { path: name, cause })?;
    write(path, text.as_bytes())
}

/// Registers the bundled font, once.
fn bundle_font() {
    static FONT: Once = Once::new();
    FONT.call_once(|| {
        let bytes = include_bytes!("../assets/DejaVuSans-subset.ttf");
        for style in [FontStyle::Normal, FontStyle::Bold] {
            // Fails only for a font that cannot be read; text would then be missing, which the
            // tests detect.
            let _ = plotters::style::register_font("sans-serif", style, bytes);
        }
    });
}

/// Coloured squares with names, from left to right, centred in the area, in as many lines as they
/// need.
///
/// # Errors
/// The error of the backend.
pub fn legend<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    entries: &[(String, RGBColor)],
) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
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
