//! What the arithmetic can make of the values of a column.

/// Numbers whose squares, summed over many rows, neither overflow nor vanish.
const SCALES: std::ops::Range<f64> = 1e-140..1e140;
/// Values that differ by less than this share of their size have lost all but their last few digits.
const LAST_DIGITS: f64 = 1e-12;

/// How the values of a column lie on the line of floating-point numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Spread {
    /// They are apart, and their squares can be summed.
    Fine,
    /// All are equal.
    Constant,
    /// Squares of them, or of their distances, overflow or vanish: they span this much.
    OutOfScale(f64),
    /// They lie so near each other, for their size, that rounding has eaten what sets them apart: their largest distance.
    LastDigits(f64),
}

impl Spread {
    /// Of values from `low` to `high`, both finite.
    #[must_use]
    pub fn of(low: f64, high: f64) -> Self {
        let (width, largest) = (high - low, high.abs().max(low.abs()));
        if low == high {
            Self::Constant
        } else if !SCALES.contains(&width) {
            Self::OutOfScale(width)
        } else if largest >= SCALES.end {
            Self::OutOfScale(largest)
        } else if width < LAST_DIGITS * largest {
            Self::LastDigits(width)
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
            assert_eq!(Spread::of(low, high), expected, "{low} {high}");
        }
    }
}
