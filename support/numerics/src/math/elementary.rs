//! Branch-free `exp`, `exp_m1`, `ln`, `ln_1p`, `tanh`, `softplus`, `sigmoid`.

const LOG2_E: f64 = std::f64::consts::LOG2_E;
/// ln 2 split so that `n * LN2_HI` is exact for every exponent n (the low 21 bits are zero).
const LN2_HI: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
const LN2_LO: f64 = f64::from_bits(0x3dea_39ef_3579_3c76);
/// 1.5 * 2^52: adding it rounds to the nearest integer and leaves that integer in the low bits.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// `2^n` from `t = n + ROUND`, for n in -1022..=1023.
#[inline(always)]
fn pow2_of_rounded(t: f64) -> f64 {
    f64::from_bits(t.to_bits().wrapping_add(1023) << 52)
}

/// `(e^r - 1 - r) / r^2` for |r| <= ln(2)/2, by its Taylor polynomial (remainder below 2^-58).
#[inline(always)]
fn exp_tail(r: f64) -> f64 {
    const C: [f64; 12] = [
        1.0 / 2.0,
        1.0 / 6.0,
        1.0 / 24.0,
        1.0 / 120.0,
        1.0 / 720.0,
        1.0 / 5_040.0,
        1.0 / 40_320.0,
        1.0 / 362_880.0,
        1.0 / 3_628_800.0,
        1.0 / 39_916_800.0,
        1.0 / 479_001_600.0,
        1.0 / 6_227_020_800.0,
    ];
    let r2 = r * r;
    let r4 = r2 * r2;
    let a = (C[0] + C[1] * r) + (C[2] + C[3] * r) * r2;
    let b = (C[4] + C[5] * r) + (C[6] + C[7] * r) * r2;
    let c = (C[8] + C[9] * r) + (C[10] + C[11] * r) * r2;
    a + (b + c * r4) * r4
}

/// `e^x`, within 1 ulp; subnormal results included, overflow to infinity, NaN stays NaN.
#[inline(always)]
#[must_use]
pub fn exp(x: f64) -> f64 {
    // Comparisons rather than min/max, so that NaN stays NaN.
    let c = if x > 710.0 { 710.0 } else { x };
    let c = if c < -746.0 { -746.0 } else { c };
    let n = (c * LOG2_E + ROUND) - ROUND;
    let r = (c - n * LN2_HI) - n * LN2_LO;
    let p = 1.0 + (r + r * r * exp_tail(r));
    // 2^n in two factors, so that neither overflows when the product does not.
    let half = n * 0.5 + ROUND;
    let rest = (n - (half - ROUND)) + ROUND;
    p * pow2_of_rounded(half) * pow2_of_rounded(rest)
}

/// `e^x - 1` without cancellation near zero, within 2 ulp.
#[inline(always)]
#[must_use]
pub fn exp_m1(x: f64) -> f64 {
    let (hi, lo) = exp_m1_parts(x);
    hi + lo
}

/// `e^x - 1` as a value and the rounding error of its last addition.
#[inline(always)]
fn exp_m1_parts(x: f64) -> (f64, f64) {
    let c = if x > 710.0 { 710.0 } else { x };
    let c = if c < -40.0 { -40.0 } else { c };
    let n = (c * LOG2_E + ROUND) - ROUND;
    // The reduction's rounding error matters here: it is added back.
    let hi = c - n * LN2_HI;
    let lo = n * LN2_LO;
    let r = hi - lo;
    let error = (hi - r) - lo;
    let q = r + (error + r * r * exp_tail(r));
    let half = n * 0.5 + ROUND;
    let rest = (n - (half - ROUND)) + ROUND;
    let (s1, s2) = (pow2_of_rounded(half), pow2_of_rounded(rest));
    // 2^n (1 + q) - 1 = 2^n (q + (1 - 2^-n)): exact for n = 0, and no overflow for n = 1024.
    let one = 1.0 - 1.0 / s1 / s2;
    let sum = q + one;
    let lost = if one.abs() > q.abs() {
        q - (sum - one)
    } else {
        one - (sum - q)
    };
    (sum * s1 * s2, lost * s1 * s2)
}

/// Natural logarithm, within 1 ulp: -infinity at 0, NaN below.
///
/// Writes x = 2^k m with m in [sqrt(1/2), sqrt(2)) and sums the series of `2 artanh(f / (2 + f))`,
/// f = m - 1, with the minimax coefficients of Sun's fdlibm.
#[inline(always)]
#[must_use]
pub fn ln(x: f64) -> f64 {
    const TWO_54: f64 = 18_014_398_509_481_984.0;
    let subnormal = x < f64::MIN_POSITIVE;
    let scaled = if subnormal { x * TWO_54 } else { x };
    let (k, f) = exponent_and_fraction(scaled);
    let k = if subnormal { k - 54.0 } else { k };
    let result = ln_assemble(k, f, 0.0);
    let result = if x == f64::INFINITY { x } else { result };
    let result = if x == 0.0 { f64::NEG_INFINITY } else { result };
    if x >= 0.0 { result } else { f64::NAN }
}

/// `ln(1 + x)` without cancellation near zero, within 2 ulp.
#[inline(always)]
#[must_use]
pub fn ln_1p(x: f64) -> f64 {
    let u = 1.0 + x;
    let (k, f) = exponent_and_fraction(u);
    // The rounding error of 1 + x, relative to u.
    let lost = if x < 1.0 {
        x - (u - 1.0)
    } else {
        1.0 - (u - x)
    };
    let result = if k == 0.0 {
        // No scaling: 1 + f is exactly u, and x itself is the better f.
        ln_assemble(0.0, x, 0.0)
    } else {
        ln_assemble(k, f, lost / u)
    };
    let result = if x == f64::INFINITY { x } else { result };
    let result = if x == -1.0 { f64::NEG_INFINITY } else { result };
    if x >= -1.0 { result } else { f64::NAN }
}

/// `(k, m - 1)` with `x = 2^k m`, m in [sqrt(1/2), sqrt(2)), for normal positive x.
#[inline(always)]
fn exponent_and_fraction(x: f64) -> (f64, f64) {
    const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    const TWO_52: u64 = 0x4330_0000_0000_0000;
    let shifted = x.to_bits().wrapping_sub(SQRT_HALF);
    // k as a float by way of 2^52 + (k + 2048): AVX2 has no conversion from 64-bit integers.
    let k12 = ((shifted >> 52).wrapping_add(2048)) & 0xfff;
    let k = f64::from_bits(TWO_52 | k12) - (4_503_599_627_370_496.0 + 2048.0);
    let mantissa = (shifted & 0x000f_ffff_ffff_ffff).wrapping_add(SQRT_HALF);
    (k, f64::from_bits(mantissa) - 1.0)
}

#[inline(always)]
fn ln_assemble(k: f64, f: f64, correction: f64) -> f64 {
    const L: [f64; 7] = [
        f64::from_bits(0x3fe5_5555_5555_5593),
        f64::from_bits(0x3fd9_9999_9997_fa04),
        f64::from_bits(0x3fd2_4924_9422_9359),
        f64::from_bits(0x3fcc_71c5_1d8e_78af),
        f64::from_bits(0x3fc7_4664_96cb_03de),
        f64::from_bits(0x3fc3_9a09_d078_c69f),
        f64::from_bits(0x3fc2_f112_df3e_5244),
    ];
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let even = w * (L[1] + w * (L[3] + w * L[5]));
    let odd = z * (L[0] + w * (L[2] + w * (L[4] + w * L[6])));
    let half_square = 0.5 * f * f;
    let tail = s * (half_square + (odd + even));
    k * LN2_HI - ((half_square - (tail + (k * LN2_LO + correction))) - f)
}

/// Hyperbolic tangent, within 2 ulp.
///
/// `tanh |x| = E / (E + 2)` with `E = e^{2|x|} - 1`.
#[inline(always)]
#[must_use]
pub fn tanh(x: f64) -> f64 {
    let a = x.abs();
    let a = if a > 20.0 { 20.0 } else { a };
    let (e, e_low) = exp_m1_parts(2.0 * a);
    let d = e + 2.0;
    let d_low = if e > 2.0 {
        2.0 - (d - e)
    } else {
        e - (d - 2.0)
    };
    let y = e / d;
    // First-order effect of the two rounding errors.
    (y + ((1.0 - y) * e_low - y * d_low) / d).copysign(x)
}

/// `ln(1 + e^x)`, without overflow or cancellation.
#[inline(always)]
#[must_use]
pub fn softplus(x: f64) -> f64 {
    let positive = if x > 0.0 { x } else { 0.0 };
    positive + ln_1p(exp(-x.abs()))
}

/// `1 / (1 + e^-x)`, the derivative of [`softplus`].
#[inline(always)]
#[must_use]
pub fn sigmoid(x: f64) -> f64 {
    let e = exp(-x.abs());
    let d = 1.0 / (1.0 + e);
    if x >= 0.0 { d } else { e * d }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // the standard library's functions are the reference here
mod tests {
    use super::*;

    /// Distance in units in the last place.
    fn ulps(a: f64, b: f64) -> u64 {
        if a == b || (a.is_nan() && b.is_nan()) {
            return 0;
        }
        let key = |x: f64| {
            let bits = x.to_bits() as i64;
            if bits < 0 { i64::MIN - bits } else { bits }
        };
        key(a).abs_diff(key(b))
    }

    fn worst(
        range: (f64, f64),
        steps: usize,
        ours: fn(f64) -> f64,
        reference: fn(f64) -> f64,
    ) -> (u64, f64) {
        let mut worst = (0, 0.0);
        for i in 0..=steps {
            let x = range.0 + (range.1 - range.0) * (i as f64 + 0.37) / (steps as f64 + 1.0);
            let u = ulps(ours(x), reference(x));
            if u > worst.0 {
                worst = (u, x);
            }
        }
        worst
    }

    /// Over every magnitude: x = s 2^e (1 + fraction).
    fn worst_over_exponents(
        exponents: std::ops::Range<i32>,
        signs: &[f64],
        ours: fn(f64) -> f64,
        reference: fn(f64) -> f64,
    ) -> (u64, f64) {
        let mut worst = (0, 0.0);
        for e in exponents {
            for i in 0..500 {
                for s in signs {
                    let x = s * 2f64.powi(e) * (1.0 + (f64::from(i) + 0.31) / 500.0);
                    let u = ulps(ours(x), reference(x));
                    if u > worst.0 {
                        worst = (u, x);
                    }
                }
            }
        }
        worst
    }

    #[test]
    fn exp_matches_std_over_its_range() {
        for range in [
            (-745.5, 709.9),
            (-1.0, 1.0),
            (-745.2, -700.0),
            (700.0, 710.5),
        ] {
            let (u, x) = worst(range, 400_000, exp, f64::exp);
            assert!(u <= 1, "{u} ulp at {x}");
        }
        let (u, x) = worst_over_exponents(-60..10, &[1.0, -1.0], exp, f64::exp);
        assert!(u <= 1, "{u} ulp at {x}");
    }

    #[test]
    fn exp_m1_matches_std_over_its_range() {
        for range in [(-45.0, 709.9), (-1.0, 1.0), (-5.0, 5.0)] {
            let (u, x) = worst(range, 400_000, exp_m1, f64::exp_m1);
            assert!(u <= 2, "{u} ulp at {x}");
        }
        let (u, x) = worst_over_exponents(-1020..10, &[1.0, -1.0], exp_m1, f64::exp_m1);
        assert!(u <= 2, "{u} ulp at {x}");
    }

    #[test]
    fn ln_matches_std_over_its_range() {
        let (u, x) = worst_over_exponents(-1073..1024, &[1.0], ln, f64::ln);
        assert!(u <= 1, "{u} ulp at {x}");
        let (u, x) = worst((0.5, 2.0), 400_000, ln, f64::ln);
        assert!(u <= 1, "{u} ulp at {x}");
    }

    #[test]
    fn ln_1p_matches_std_over_its_range() {
        let (u, x) = worst_over_exponents(-1000..1000, &[1.0], ln_1p, f64::ln_1p);
        assert!(u <= 2, "{u} ulp at {x}");
        for range in [(-0.999, 3.0), (-0.3, 0.5)] {
            let (u, x) = worst(range, 400_000, ln_1p, f64::ln_1p);
            assert!(u <= 2, "{u} ulp at {x}");
        }
    }

    #[test]
    fn tanh_matches_std_over_its_range() {
        // The reference is itself off by up to 2 ulp (at -0.5426029173970832 by 2, where ours is
        // off by 1).
        let (u, x) = worst((-21.0, 21.0), 1_000_000, tanh, f64::tanh);
        assert!(u <= 3, "{u} ulp at {x}");
        let (u, x) = worst_over_exponents(-1020..8, &[1.0, -1.0], tanh, f64::tanh);
        assert!(u <= 3, "{u} ulp at {x}");
    }

    #[test]
    fn softplus_and_sigmoid_match_their_definitions() {
        let soft = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
        let (u, x) = worst((-700.0, 700.0), 200_000, softplus, soft);
        assert!(u <= 2, "{u} ulp at {x}");
        let (u, x) = worst((-10.0, 10.0), 200_000, softplus, soft);
        assert!(u <= 2, "{u} ulp at {x}");
        let logistic = |x: f64| {
            if x >= 0.0 {
                1.0 / (1.0 + (-x).exp())
            } else {
                x.exp() / (1.0 + x.exp())
            }
        };
        let (u, x) = worst((-700.0, 700.0), 200_000, sigmoid, logistic);
        assert!(u <= 2, "{u} ulp at {x}");
    }

    #[test]
    fn special_values() {
        let inf = f64::INFINITY;
        assert!(exp(f64::NAN).is_nan() && ln(f64::NAN).is_nan() && tanh(f64::NAN).is_nan());
        assert!(ln(-1.0).is_nan() && ln_1p(-1.5).is_nan() && exp_m1(f64::NAN).is_nan());
        assert!(softplus(f64::NAN).is_nan() && sigmoid(f64::NAN).is_nan());
        assert_eq!((exp(inf), exp(-inf), exp(0.0)), (inf, 0.0, 1.0));
        assert_eq!((exp_m1(inf), exp_m1(-inf)), (inf, -1.0));
        assert_eq!(
            (ln(inf), ln(0.0), ln(-0.0), ln(1.0)),
            (inf, -inf, -inf, 0.0)
        );
        assert_eq!((ln_1p(inf), ln_1p(-1.0), ln_1p(0.0)), (inf, -inf, 0.0));
        assert_eq!((tanh(inf), tanh(-inf), tanh(0.0)), (1.0, -1.0, 0.0));
        assert!(tanh(-0.0).is_sign_negative());
        assert_eq!((softplus(-inf), softplus(inf)), (0.0, inf));
        assert_eq!((sigmoid(-inf), sigmoid(inf), sigmoid(0.0)), (0.0, 1.0, 0.5));
    }
}
