//! Sums in a fixed order, vectorised over partial sums.

use super::elementary::{exp, ln, ln_1p};

/// Sixteen interleaved partial sums, as four vectors of four: independent chains of additions that
/// fill the pipeline.
const LANES: usize = 16;
type Lanes = [[f64; 4]; 4];

#[inline(always)]
fn reduce(l: Lanes) -> f64 {
    let quad = |a: [f64; 4], b: [f64; 4]| [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]];
    let [a, b, c, d] = quad(quad(l[0], l[1]), quad(l[2], l[3]));
    (a + c) + (b + d)
}

/// Sum of a slice: sixteen interleaved partial sums, added in a fixed order.
#[inline]
#[must_use]
pub fn sum(x: &[f64]) -> f64 {
    let (chunks, rest) = x.as_chunks::<LANES>();
    let mut lanes = Lanes::default();
    for c in chunks {
        for q in 0..4 {
            for i in 0..4 {
                lanes[q][i] += c[4 * q + i];
            }
        }
    }
    reduce(lanes) + rest.iter().sum::<f64>()
}

/// Inner product `sum_i x_i y_i`, in the order of [`sum`].
///
/// # Panics
/// If the lengths differ.
#[inline]
#[must_use]
pub fn dot(x: &[f64], y: &[f64]) -> f64 {
    assert_eq!(x.len(), y.len(), "dot: lengths differ");
    let (xc, xr) = x.as_chunks::<LANES>();
    let (yc, yr) = y.as_chunks::<LANES>();
    let mut lanes = Lanes::default();
    for (a, b) in xc.iter().zip(yc) {
        for q in 0..4 {
            for i in 0..4 {
                lanes[q][i] += a[4 * q + i] * b[4 * q + i];
            }
        }
    }
    reduce(lanes) + xr.iter().zip(yr).map(|(a, b)| a * b).sum::<f64>()
}

/// `ln sum_i e^{x_i}`; -infinity for an empty slice or when every term is -infinity.
#[must_use]
pub fn ln_sum_exp(x: &[f64]) -> f64 {
    let max = x.iter().copied().fold(
        f64::NEG_INFINITY,
        |m, v| {
            if v > m || v.is_nan() { v } else { m }
        },
    );
    if !max.is_finite() {
        return max;
    }
    max + ln(x.iter().map(|&v| exp(v - max)).sum())
}

/// `ln(e^a + e^b)`.
#[inline(always)]
#[must_use]
pub fn ln_sum_exp2(a: f64, b: f64) -> f64 {
    let (hi, lo) = if a >= b { (a, b) } else { (b, a) };
    if lo == f64::NEG_INFINITY {
        return hi;
    }
    hi + ln_1p(exp(lo - hi))
}

/// Mean and its standard error `sd / sqrt(n)` (sd with n - 1); the error of a single value is NaN.
#[must_use]
pub fn mean_and_standard_error(x: &[f64]) -> (f64, f64) {
    let n = x.len() as f64;
    let mean = sum(x) / n;
    let squares: f64 = x.iter().map(|v| (v - mean) * (v - mean)).sum();
    (mean, (squares / (n - 1.0) / n).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_equal_exact_integer_sums() {
        for n in 0..40 {
            let x: Vec<f64> = (0..n).map(|i| f64::from(i * i - 7)).collect();
            let y: Vec<f64> = (0..n).map(|i| f64::from(3 - i)).collect();
            let exact: i32 = (0..n).map(|i| i * i - 7).sum();
            let inner: i32 = (0..n).map(|i| (i * i - 7) * (3 - i)).sum();
            assert_eq!(sum(&x), f64::from(exact));
            assert_eq!(dot(&x, &y), f64::from(inner));
        }
    }

    #[test]
    fn ln_sum_exp_is_shift_invariant_and_handles_infinities() {
        let inf = f64::INFINITY;
        assert_eq!(ln_sum_exp(&[]), -inf);
        assert_eq!(ln_sum_exp(&[-inf, -inf]), -inf);
        assert_eq!(ln_sum_exp(&[1e308, -inf]), 1e308);
        assert!(ln_sum_exp(&[0.0, f64::NAN]).is_nan());
        let x = [0.3, -1.2, 2.0];
        let shifted = [1000.3, 998.8, 1002.0];
        assert!((ln_sum_exp(&shifted) - ln_sum_exp(&x) - 1000.0).abs() < 1e-12);
        assert!((ln_sum_exp2(0.3, -1.2) - ln_sum_exp(&x[..2])).abs() < 1e-15);
        assert_eq!(ln_sum_exp2(-inf, 2.0), 2.0);
        assert_eq!(ln_sum_exp2(-inf, -inf), -inf);
    }

    #[test]
    fn mean_and_error_of_known_values() {
        let (m, se) = mean_and_standard_error(&[1.0, 2.0, 3.0, 4.0]);
        assert_eq!(m, 2.5);
        assert!((se - (5.0f64 / 3.0 / 4.0).sqrt()).abs() < 1e-15);
    }
}
