//! Round numbers along an axis.

/// Marks of an axis. Values are shown as `(value - offset) / unit`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ticks {
    /// Positions on the axis, and their labels.
    pub marks: Vec<(f64, String)>,
    /// Subtracted from every value, so that the labels of a narrow range far from zero are short.
    pub offset: f64,
    /// Divisor of the values, a power of ten.
    pub unit: f64,
}

/// Most characters of a label.
const LONGEST: usize = 6;

impl Ticks {
    /// About `count` marks between `low` and `high`, at least one.
    pub fn new(low: f64, high: f64, count: usize) -> Self {
        let span = high - low;
        let plain = Self::on(low, high, count, 0.0, 1.0);
        if plain.fits() {
            return plain;
        }
        // A scale first: 0.00012 as 1.2.
        let unit = power_of_ten(high.abs().max(low.abs()));
        let scaled = Self::on(low, high, count, 0.0, unit);
        if scaled.fits() {
            return scaled;
        }
        // Far from zero: differences from a round number near the middle.
        let round = 10.0 * power_of_ten(span);
        let whole = ((low + 0.5 * span) / round).round();
        // Negative powers of ten are rounded, positive ones are exact: 12 / 100 prints as 0.12.
        let offset = if round < 1.0 {
            whole / (1.0 / round).round()
        } else {
            whole * round
        };
        let shifted = Self::on(low, high, count, offset, 1.0);
        if shifted.fits() {
            return shifted;
        }
        Self::on(low, high, count, offset, power_of_ten(span))
    }

    fn on(low: f64, high: f64, count: usize, offset: f64, unit: f64) -> Self {
        let (low, high) = ((low - offset) / unit, (high - offset) / unit);
        let power = power_of_ten((high - low) / count as f64);
        let fits = |step: &f64| (high / step).floor() - (low / step).ceil() < count as f64;
        let steps = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0].map(|m| m * power);
        let step = steps.into_iter().find(fits).unwrap_or(50.0 * power);
        let (first, last) = ((low / step).ceil(), (high / step).floor());
        // As many decimals as the step has.
        let decimals = (0..16).find(|k| step >= 0.999 * (1..=*k).fold(1.0, |p, _| p / 10.0));
        let decimals = decimals.unwrap_or(16);
        let marks = (0..=(last - first).max(0.0) as usize).map(|k| {
            // An integer times the step: no error adds up, and zero is zero.
            let v = (first + k as f64) * step;
            let v = if v == 0.0 { 0.0 } else { v };
            (offset + unit * v, format!("{v:.decimals$}"))
        });
        Self {
            marks: marks.collect(),
            offset,
            unit,
        }
    }

    fn fits(&self) -> bool {
        let widest = self
            .marks
            .iter()
            .map(|(_, s)| s.trim_start_matches('-').len());
        widest.max().is_some_and(|w| w <= LONGEST)
    }

    /// The name of the axis, with offset and unit.
    pub fn label(&self, name: &str) -> String {
        let mut label = name.to_owned();
        if self.offset != 0.0 {
            let sign = if self.offset > 0.0 { '−' } else { '+' };
            label = format!("{label} {sign} {}", self.offset.abs());
        }
        if self.unit != 1.0 {
            let bare = if self.offset == 0.0 {
                label
            } else {
                format!("({label})")
            };
            label = format!("{bare} / {:e}", self.unit);
        }
        label
    }
}

/// The greatest power of ten that is at most `v > 0`.
fn power_of_ten(v: f64) -> f64 {
    let text = format!("{v:e}");
    let exponent = text.split_once('e').map_or("0", |(_, e)| e);
    format!("1e{exponent}").parse().unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(low: f64, high: f64) -> (Vec<String>, String) {
        let t = Ticks::new(low, high, 4);
        let inside = t.marks.iter().all(|(v, _)| (low..=high).contains(v));
        assert!(inside, "{t:?}");
        let label = t.label("a");
        (t.marks.into_iter().map(|m| m.1).collect(), label)
    }

    #[test]
    fn few_and_round() {
        let expect = |low, high, marks: &[&str], label: &str| {
            assert_eq!(
                shown(low, high),
                (
                    marks.iter().map(|s| (*s).to_owned()).collect(),
                    label.to_owned()
                )
            );
        };
        expect(-3.1, 3.2, &["-2", "0", "2"], "a");
        expect(0.0, 1.0, &["0.0", "0.5", "1.0"], "a");
        expect(-0.31, 0.12, &["-0.2", "0.0"], "a");
        expect(950.0, 1830.0, &["1000", "1500"], "a");
        expect(1.1e-7, 4.9e-7, &["2", "3", "4"], "a / 1e-7");
        expect(-2.3e9, 1.2e9, &["-2", "-1", "0", "1"], "a / 1e9");
        expect(
            2455197.1221,
            2455197.1249,
            &["0.003", "0.004"],
            "a − 2455197.12",
        );
    }
}
