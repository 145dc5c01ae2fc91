//! Drawing of a laid-out figure.

use super::figure::{Figure, MARK, Panel};
use crate::canvas::{self, Drawn, font, text_width};
use crate::contour;
use crate::palette::INK;
use crate::smooth;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::FontTransform;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Regions of highest density that are outlined: the probability, the factor on the kernel's width
/// (draws are sparse at the edge of a large region), and the strength of the line.
const SHARES: [(f64, f64, f64); 3] = [(0.99, 1.7, 0.55), (0.9, 1.2, 0.8), (0.5, 1.0, 1.0)];
/// Cells of a line, and along each side of a plane.
const CELLS: (usize, usize) = (240, 110);

const MODEL: RGBColor = RGBColor(0, 100, 170);
const DATA: RGBColor = RGBColor(120, 120, 120);
const FRAME: RGBColor = RGBColor(110, 110, 110);
/// The model's draws under its own lines.
const LIGHT: RGBColor = RGBColor(130, 175, 215);

impl Figure {
    pub(super) fn draw<DB: DrawingBackend<ErrorType: 'static>>(
        &self,
        area: &DrawingArea<DB, Shift>,
    ) -> Drawn {
        self.heading(area)?;
        for row in 0..self.axes.len() {
            for column in 0..=row {
                let panel = self.panel(row, column);
                if row == column {
                    self.marginal(area, panel, row)?;
                } else {
                    self.pair(area, panel, (column, row))?;
                }
                self.frame(area, panel, (row, column))?;
            }
        }
        Ok(())
    }

    /// The title and the legend of the colours.
    fn heading<DB: DrawingBackend<ErrorType: 'static>>(
        &self,
        area: &DrawingArea<DB, Shift>,
    ) -> Drawn {
        let f = self.fine;
        let width = self.size().0 as i32 / f;
        let style = self.text(canvas::LARGE, HPos::Center, VPos::Center);
        let title = cut(&self.title, canvas::LARGE, width - 40);
        area.draw(&Text::new(title, (f * width / 2, f * 28), style))?;
        let style = self.text(canvas::SMALL, HPos::Left, VPos::Center);
        let entry = |name: &str| text_width(name, canvas::SMALL) + 58;
        let total: i32 = self.legend.iter().map(|name| entry(name)).sum();
        let (mut x, y) = ((width - total + 24) / 2, 66);
        let colours = [MODEL, self.points_colour()];
        for (k, (name, colour)) in self.legend.iter().zip(colours).enumerate() {
            if k == 0 {
                let corners = [(f * x, f * (y - 1)), (f * (x + 24), f * (y + 1))];
                area.draw(&Rectangle::new(corners, colour.filled()))?;
            } else {
                for (dx, dy) in [(3, -4), (10, 4), (16, -2), (22, 5)] {
                    let at = (f * (x + dx), f * (y + dy));
                    area.draw(&Circle::new(at, 2 * f, colour.filled()))?;
                }
            }
            area.draw(&Text::new(
                name.clone(),
                (f * (x + 34), f * y),
                style.clone(),
            ))?;
            x += entry(name);
        }
        Ok(())
    }

    /// The model's density over the histogram of the data.
    fn marginal<DB: DrawingBackend<ErrorType: 'static>>(
        &self,
        area: &DrawingArea<DB, Shift>,
        Panel(left, top, side): Panel,
        j: usize,
    ) -> Drawn {
        let axis = &self.axes[j];
        let x = &self.model[j];
        let width = 1.1 * axis.smoothing(x.len(), 5.0);
        let curve = smooth::line(x, axis.window, CELLS.0, width);
        let bars = self
            .bars
            .as_ref()
            .map(|b| b[j].as_slice())
            .unwrap_or_default();
        let highest = curve.iter().chain(bars).copied().fold(0.0, f64::max);
        let y_of = |p: f64| top + side - (f64::from(side) * 0.94 * p / highest).round() as i32;
        let x_of =
            |i: f64, count: usize| left + (f64::from(side) * i / count as f64).round() as i32;
        for (i, p) in bars.iter().enumerate() {
            let (a, b) = (x_of(i as f64, bars.len()), x_of((i + 1) as f64, bars.len()));
            let corners = [(a, y_of(*p)), (b, top + side)];
            area.draw(&Rectangle::new(corners, RGBColor(222, 222, 222).filled()))?;
        }
        let points = curve.iter().enumerate();
        let points = points.map(|(i, p)| (x_of(i as f64 + 0.5, CELLS.0), y_of(*p)));
        area.draw(&PathElement::new(
            points.collect::<Vec<_>>(),
            MODEL.stroke_width(2 * self.fine as u32),
        ))?;
        Ok(())
    }

    /// The model's regions of highest density over the points.
    fn pair<DB: DrawingBackend<ErrorType: 'static>>(
        &self,
        area: &DrawingArea<DB, Shift>,
        Panel(left, top, side): Panel,
        (i, j): (usize, usize),
    ) -> Drawn {
        let (a, b) = (&self.axes[i], &self.axes[j]);
        let place = |u: f64, v: f64| {
            let at = |t: f64| (f64::from(side) * t).round() as i32;
            (left + at(u), top + side - at(v))
        };
        let colour = self.points_colour();
        let strength = if self.points[i].len() > 800 {
            0.35
        } else {
            0.5
        };
        // Half a pixel more than one in small panels.
        let radius = if side > 250 * self.fine {
            2 * self.fine
        } else {
            (3 * self.fine + 1) / 3
        };
        for (x, y) in self.points[i].iter().zip(&self.points[j]) {
            let (u, v) = (a.share(*x), b.share(*y));
            if (0.0..1.0).contains(&u) && (0.0..1.0).contains(&v) {
                let style = colour.mix(strength).filled();
                area.draw(&Circle::new(place(u, v), radius, style))?;
            }
        }
        let (x, y) = (&self.model[i], &self.model[j]);
        let widths = [a.smoothing(x.len(), 6.0), b.smoothing(y.len(), 6.0)];
        for (share, more, strength) in SHARES {
            let widths = widths.map(|w| more * w);
            let shares = smooth::plane((x, y), [a.window, b.window], CELLS.1, widths);
            let level = smooth::level(&shares, share);
            for line in contour::lines(&shares, CELLS.1, level) {
                let at = |v: f64| (v + 0.5) / CELLS.1 as f64;
                let points: Vec<(i32, i32)> =
                    line.into_iter().map(|(u, v)| place(at(u), at(v))).collect();
                let style = MODEL.mix(strength).stroke_width(2 * self.fine as u32);
                area.draw(&PathElement::new(points, style))?;
            }
        }
        Ok(())
    }

    /// The frame of a panel, and at the edges of the triangle its ticks and names.
    fn frame<DB: DrawingBackend<ErrorType: 'static>>(
        &self,
        area: &DrawingArea<DB, Shift>,
        Panel(left, top, side): Panel,
        (row, column): (usize, usize),
    ) -> Drawn {
        let f = self.fine;
        let (right, bottom, tick) = (left + side, top + side, 6 * f);
        let line = |a, b| PathElement::new(vec![a, b], FRAME.stroke_width(f as u32));
        let (across, up) = (&self.axes[column], &self.axes[row]);
        let last = row + 1 == self.axes.len();
        for (v, text) in &across.ticks.marks {
            let x = left + (f64::from(side) * across.share(*v)).round() as i32;
            area.draw(&line((x, bottom), (x, bottom - tick)))?;
            if last {
                let style = self.text(MARK, HPos::Center, VPos::Top);
                area.draw(&Text::new(text.clone(), (x, bottom + 8 * f), style))?;
            }
        }
        if last {
            let style = self.text(canvas::SMALL, HPos::Center, VPos::Top);
            let name = cut(&across.ticks.label(&across.name), canvas::SMALL, side / f);
            area.draw(&Text::new(name, (left + side / 2, bottom + 42 * f), style))?;
        }
        if row != column {
            for (v, text) in &up.ticks.marks {
                let y = bottom - (f64::from(side) * up.share(*v)).round() as i32;
                area.draw(&line((left, y), (left + tick, y)))?;
                if column == 0 {
                    let style = self.text(MARK, HPos::Right, VPos::Center);
                    area.draw(&Text::new(text.clone(), (left - 8 * f, y), style))?;
                }
            }
        }
        let middle = top + side / 2;
        if row > 0 && column == 0 {
            let name = cut(&up.ticks.label(&up.name), canvas::SMALL, side / f);
            self.upright(area, name, (14 * f, middle))?;
        } else if self.axes.len() == 1 {
            self.upright(area, "density".into(), (left - 36 * f, middle))?;
        }
        let corners = [
            (left, top),
            (right, top),
            (right, bottom),
            (left, bottom),
            (left, top),
        ];
        area.draw(&PathElement::new(
            corners.to_vec(),
            FRAME.stroke_width(f as u32),
        ))?;
        Ok(())
    }

    /// The font at a size, to be placed by a point of its box.
    fn text(&self, size: i32, h: HPos, v: VPos) -> TextStyle<'static> {
        font(self.fine * size).pos(Pos::new(h, v))
    }

    /// Text from below upwards, left of a panel.
    fn upright<DB: DrawingBackend<ErrorType: 'static>>(
        &self,
        area: &DrawingArea<DB, Shift>,
        text: String,
        at: (i32, i32),
    ) -> Drawn {
        let style = ("sans-serif", self.fine * canvas::SMALL).into_font();
        let style = style.transform(FontTransform::Rotate270).color(&INK);
        let style = style.pos(Pos::new(HPos::Center, VPos::Top));
        Ok(area.draw(&Text::new(text, at, style))?)
    }

    /// The colour of the points.
    fn points_colour(&self) -> RGBColor {
        if self.bars.is_some() { DATA } else { LIGHT }
    }
}

/// As much of a text as fits into a width.
fn cut(text: &str, size: i32, width: i32) -> String {
    let mut shown = text.to_owned();
    let mut kept: Vec<char> = text.chars().collect();
    while text_width(&shown, size) > width && kept.pop().is_some() {
        shown = kept.iter().collect::<String>() + "..";
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut() {
        assert_eq!(cut("mu", 20, 100), "mu");
        let shown = cut("a_name_that_is_much_too_long_for_its_panel", 20, 150);
        assert!(
            shown.ends_with("..") && text_width(&shown, 20) <= 150,
            "{shown}"
        );
    }
}
