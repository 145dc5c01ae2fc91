//! Whether floating-point arithmetic can tell the values of a column apart.

/// Magnitudes whose squares, summed over many rows, neither overflow nor underflow.
const SCALES: std::ops::Range<f64> = 1e-140..1e140;
/// Values that differ by less than this share of their size have lost all but their last few
/// digits.
const LAST_DIGITS: f64 = 1e-12;
/// If one value exceeds the interquartile range by this factor, the mean of the column has no
/// digits left for the others.
const FAR: f64 = 2e15;

/// Whether floating-point arithmetic can tell the values of a column apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Spread {
    /// They can be told apart, and their squares can be summed.
    Fine,
    /// All are equal.
    Constant,
    /// Their squares, or those of their distances, overflow or underflow; holds their span.
    OutOfScale(f64),
    /// They are so close together, relative to their size, that rounding dominates their
    /// differences; holds their range.
    LastDigits(f64),
    /// One is so far out that the others are indistinguishable relative to it; holds its row (from
    /// 0).
    Far(usize),
}

impl Spread {
    /// Classifies some rows of a column, at least one, all finite.
    ///
    /// # Panics
    /// If there is no row, or a row is out of range.
    #[must_use]
    pub fn of(column: &[f64], rows: &[usize]) -> Self {
        let mut sorted = rows.to_vec();
        sorted.sort_by(|&a, &b| column[a].total_cmp(&column[b]));
        let at = |k: usize| column[sorted[k]];
        let last = sorted.len() - 1;
        let (low, high) = (at(0), at(last));
        let (middle, quarters) = (at(last / 2), at(3 * last / 4) - at(last / 4));
        let (width, largest) = (high - low, high.abs().max(low.abs()));
        let (below, above) = (middle - low, high - middle);
        if low == high {
            Self::Constant
        } else if !SCALES.contains(&width) {
            Self::OutOfScale(width)
        } else if largest >= SCALES.end {
            Self::OutOfScale(largest)
        } else if width < LAST_DIGITS * largest {
            Self::LastDigits(width)
        } else if quarters > 0.0 && below.max(above) > FAR * quarters {
            Self::Far(if below > above {
                sorted[0]
            } else {
                sorted[last]
            })
        } else {
            Self::Fine
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_are_told_apart() {
        for (low, high, expected) in [
            (-1.0, 1.0, Spread::Fine),
            (1e9, 1e9 + 1.0, Spread::Fine),
            (-1e-130, 1e130, Spread::Fine),
            (0.1, 0.1, Spread::Constant),
            (0.0, 3e-310, Spread::OutOfScale(3e-310)),
            (-1e300, 1e308, Spread::OutOfScale(1e308 + 1e300)),
            (-f64::MAX, f64::MAX, Spread::OutOfScale(f64::INFINITY)),
            (1e15, 1e15 + 2.0, Spread::LastDigits(2.0)),
        ] {
            assert_eq!(Spread::of(&[low, high], &[0, 1]), expected, "{low} {high}");
        }
        let rows: Vec<usize> = (0..9).collect();
        let with = |far: f64| {
            let mut x: Vec<f64> = (0..9).map(f64::from).collect();
            x[5] = far;
            Spread::of(&x, &rows)
        };
        assert_eq!((with(1e15), with(-1e17)), (Spread::Fine, Spread::Far(5)));
    }
}
