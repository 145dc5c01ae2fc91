//! Regularised incomplete gamma and beta functions, and their inverses.

use super::{exp, ln, ln_1p};
use libm::lgamma;

/// `ln Gamma(a)` for a > 0.
#[must_use]
pub fn ln_gamma(a: f64) -> f64 {
    lgamma(a)
}

/// The digamma function, `d ln Gamma(a) / da`, for a > 0: the recurrence up to 10, then the asymptotic
/// series.
#[must_use]
pub fn digamma(a: f64) -> f64 {
    let (mut a, mut below) = (a, 0.0);
    while a < 10.0 {
        below += 1.0 / a;
        a += 1.0;
    }
    let s = 1.0 / (a * a);
    let series =
        s * (1.0 / 12.0 - s * (1.0 / 120.0 - s * (1.0 / 252.0 - s * (1.0 / 240.0 - s / 132.0))));
    ln(a) - 0.5 / a - series - below
}

/// `ln B(a, b)`.
#[must_use]
pub fn ln_beta(a: f64, b: f64) -> f64 {
    lgamma(a) + lgamma(b) - lgamma(a + b)
}

/// `(P(a, x), Q(a, x))`, the lower and upper regularised incomplete gamma functions, for a > 0 and
/// x >= 0: the smaller of the two with full relative accuracy.
///
/// Below `a + 1` by the series, above by the continued fraction (Lentz's method).
#[must_use]
pub fn gamma_pq(a: f64, x: f64) -> (f64, f64) {
    if x <= 0.0 {
        return (0.0, 1.0);
    }
    if x == f64::INFINITY {
        return (1.0, 0.0);
    }
    let front = exp(a * ln(x) - x - lgamma(a));
    if x < a + 1.0 {
        let (mut term, mut total, mut n) = (1.0 / a, 1.0 / a, a);
        while term > total * 1e-17 {
            n += 1.0;
            term *= x / n;
            total += term;
        }
        let p = (front * total).min(1.0);
        (p, 1.0 - p)
    } else {
        let fraction = lentz(x + 1.0 - a, |i| {
            let i = f64::from(i);
            (-i * (i - a), x + 2.0 * i + 1.0 - a)
        });
        let q = (front / fraction).min(1.0);
        (1.0 - q, q)
    }
}

/// `(I_x(a, b), I_{1-x}(b, a))`, the regularised incomplete beta function and its complement, for a,
/// b > 0 and x in [0, 1], `y = 1 - x` given apart so that neither end loses digits.
#[must_use]
pub fn beta_pq(a: f64, b: f64, x: f64, y: f64) -> (f64, f64) {
    if x <= 0.0 {
        return (0.0, 1.0);
    }
    if y <= 0.0 {
        return (1.0, 0.0);
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        let (q, p) = beta_pq_below(b, a, y, x);
        return (p, q);
    }
    beta_pq_below(a, b, x, y)
}

/// For x below the mean, where the continued fraction converges fast.
fn beta_pq_below(a: f64, b: f64, x: f64, y: f64) -> (f64, f64) {
    let ln_y = if x < 0.5 { ln_1p(-x) } else { ln(y) };
    let front = exp(a * ln(x) + b * ln_y - ln_beta(a, b)) / a;
    let fraction = lentz(1.0, |i| {
        let m = f64::from(i / 2);
        let top = if i % 2 == 1 {
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        } else {
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        };
        (top, 1.0)
    });
    let p = (front / fraction).min(1.0);
    (p, 1.0 - p)
}

/// `b_0 + a_1 / (b_1 + a_2 / (b_2 + ...))` by the modified method of Lentz; `next` gives `(a_i,
/// b_i)` for i = 1, 2, ...
fn lentz(b0: f64, next: impl Fn(u32) -> (f64, f64)) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut f = away(b0);
    let (mut c, mut d) = (f, 0.0);
    for i in 1..100_000 {
        let (a, b) = next(i);
        d = 1.0 / away(b + a * d);
        c = away(b + a / c);
        let step = c * d;
        f *= step;
        if (step - 1.0).abs() < 1e-16 {
            break;
        }
    }
    f
}

/// The x in `(low, high)` at which a monotone function is zero, from its value and slope:
/// Newton's method within a bracket, halved in the order of the floating-point numbers where a step
/// would leave it. `rising` tells its direction; `0 <= low < high`.
pub fn root(low: f64, high: f64, rising: bool, f: impl Fn(f64) -> (f64, f64)) -> f64 {
    // Non-negative floating-point numbers are in the order of their bits.
    let middle = |a: f64, b: f64| f64::from_bits(a.to_bits() + (b.to_bits() - a.to_bits()) / 2);
    let (mut low, mut high) = (low, high);
    let mut x = middle(low, high);
    for _ in 0..200 {
        let (value, slope) = f(x);
        if value == 0.0 {
            return x;
        }
        if (value < 0.0) == rising {
            low = x;
        } else {
            high = x;
        }
        if high.to_bits() - low.to_bits() <= 1 {
            return high;
        }
        let step = value / slope;
        let next = x - step;
        if step.abs() <= 1e-16 * x {
            return x;
        }
        // NaN as well.
        x = if low < next && next < high {
            next
        } else {
            middle(low, high)
        };
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incomplete_gamma_and_beta_match_known_values() {
        // P(1, x) = 1 - e^-x; Q(1/2, x) = erfc(sqrt x); I_x(1, b) = 1 - (1 - x)^b.
        for x in [1e-8, 0.3, 1.0, 2.5, 40.0] {
            let (p, q) = gamma_pq(1.0, x);
            assert!((p / -super::super::exp_m1(-x) - 1.0).abs() < 1e-14, "{x}");
            assert!((q / exp(-x) - 1.0).abs() < 1e-13, "{x}");
            let (_, q) = gamma_pq(0.5, x);
            assert!((q / libm::erfc(x.sqrt()) - 1.0).abs() < 1e-13, "{x}");
        }
        for x in [1e-9, 0.2, 0.5, 0.9, 1.0 - 1e-9] {
            let (p, q) = beta_pq(1.0, 3.0, x, 1.0 - x);
            let exact = exp(3.0 * ln(1.0 - x));
            assert!((q / exact - 1.0).abs() < 1e-13, "{x}: {q} {exact}");
            assert!((p + q - 1.0).abs() < 1e-15);
            // I_x(1/2, 1/2) = 2/pi asin sqrt x.
            let (p, _) = beta_pq(0.5, 0.5, x, 1.0 - x);
            let exact = std::f64::consts::FRAC_2_PI * libm::asin(x.sqrt());
            assert!((p / exact - 1.0).abs() < 1e-8, "{x}: {p} {exact}");
        }
    }

    #[test]
    fn digamma_is_the_slope_of_the_log_gamma_function() {
        // -gamma, and -gamma - 2 ln 2.
        let euler = 0.577_215_664_901_532_9;
        assert!((digamma(1.0) + euler).abs() < 1e-13);
        assert!((digamma(0.5) + euler + 2.0 * ln(2.0)).abs() < 1e-13);
        for a in [0.3, 1.7, 6.0, 25.0, 300.0] {
            let h = 1e-5 * a;
            let slope = (ln_gamma(a + h) - ln_gamma(a - h)) / (2.0 * h);
            assert!((digamma(a) - slope).abs() < 1e-7, "{a}");
        }
    }

    #[test]
    fn incomplete_functions_have_the_densities_as_slopes() {
        for (a, x) in [
            (0.3, 0.01),
            (0.3, 2.0),
            (3.7, 2.2),
            (3.7, 9.0),
            (150.0, 140.0),
        ] {
            let h = 1e-5 * x;
            let slope = (gamma_pq(a, x + h).0 - gamma_pq(a, x - h).0) / (2.0 * h);
            let density = exp((a - 1.0) * ln(x) - x - ln_gamma(a));
            assert!((slope / density - 1.0).abs() < 1e-6, "{a} {x}");
        }
        for (a, b, x) in [
            (0.3, 0.4, 0.2),
            (2.5, 7.0, 0.3),
            (2.5, 7.0, 0.8),
            (80.0, 60.0, 0.5),
        ] {
            let h = 1e-5 * x;
            let at = |x: f64| beta_pq(a, b, x, 1.0 - x);
            let slope = (at(x + h).0 - at(x - h).0) / (2.0 * h);
            let density = exp((a - 1.0) * ln(x) + (b - 1.0) * ln(1.0 - x) - ln_beta(a, b));
            assert!((slope / density - 1.0).abs() < 1e-6, "{a} {b} {x}");
        }
    }
}
