//! Distributions of one variable, as maps from the standard normal.

use crate::math::special::{beta_pq, gamma_pq, ln_beta, ln_gamma, root};
use crate::math::{exp, exp_m1, ln, ln_1p, normal_cdf, normal_log_pdf, normal_quantile, tan};
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// A continuous distribution of one variable, F.
///
/// [`at`](Self::at) maps the standard normal to it, `x(z) = F^-1(Phi(z))`, which is how priors
/// become `N(0, I)`; [`normal_score`](Self::normal_score) is the inverse. Both work with the smaller
/// of the two tail probabilities, so that far tails keep their digits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Distribution {
    /// Uniform on `(low, high)`.
    Uniform {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// `ln x` is uniform: `0 < low < high`.
    LogUniform {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// `N(mean, sd^2)`.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        sd: f64,
    },
    /// `ln x ~ N(mu, sigma^2)`.
    LogNormal {
        /// Mean of the logarithm.
        mu: f64,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
    /// `|x|`, `x ~ N(0, sd^2)`.
    HalfNormal {
        /// Standard deviation of the whole normal.
        sd: f64,
    },
    /// `N(mean, sd^2)` within `(low, high)`.
    TruncatedNormal {
        /// Mean of the whole normal.
        mean: f64,
        /// Standard deviation of the whole normal.
        sd: f64,
        /// Lower end, or -infinity.
        low: f64,
        /// Upper end, or infinity.
        high: f64,
    },
    /// Density `rate e^(-rate x)`.
    Exponential {
        /// Rate: 1 / mean.
        rate: f64,
    },
    /// Density proportional to `x^(shape - 1) e^(-rate x)`.
    Gamma {
        /// Shape.
        shape: f64,
        /// Rate.
        rate: f64,
    },
    /// Density proportional to `x^(a - 1) (1 - x)^(b - 1)`.
    Beta {
        /// Exponent at 0, plus 1.
        a: f64,
        /// Exponent at 1, plus 1.
        b: f64,
    },
    /// Cauchy.
    Cauchy {
        /// Median.
        location: f64,
        /// Half of the interquartile range.
        scale: f64,
    },
    /// Student's t.
    StudentT {
        /// Degrees of freedom.
        df: f64,
        /// Median.
        location: f64,
        /// Scale.
        scale: f64,
    },
}

use Distribution as D;

impl Distribution {
    /// Checks the parameters.
    ///
    /// # Errors
    /// A message that names the parameter.
    pub fn check(self) -> Result<(), String> {
        let positive = |all: &[(&str, f64)]| {
            let wrong = all.iter().find(|(_, v)| !(*v > 0.0 && v.is_finite()));
            wrong.map_or(Ok(()), |(name, v)| {
                Err(format!("{name} must be positive, not {v}"))
            })
        };
        let finite = |name: &str, v: f64| {
            let wrong = format!("{name} must be a finite number, not {v}");
            if v.is_finite() { Ok(()) } else { Err(wrong) }
        };
        let ends = |low: f64, high: f64| {
            if low < high && low.next_up() < high {
                Ok(())
            } else {
                Err(format!("low must be below high, not {low} and {high}"))
            }
        };
        match self {
            D::Uniform { low, high } => {
                finite("low", low)?;
                finite("high", high)?;
                finite("high - low", high - low)?;
                ends(low, high)
            }
            D::LogUniform { low, high } => {
                positive(&[("low", low), ("high", high)])?;
                ends(low, high)
            }
            D::Normal { mean, sd } => finite("mean", mean).and(positive(&[("sd", sd)])),
            D::LogNormal { mu, sigma } => finite("mu", mu).and(positive(&[("sigma", sigma)])),
            D::HalfNormal { sd } => positive(&[("sd", sd)]),
            D::TruncatedNormal {
                mean,
                sd,
                low,
                high,
            } => {
                finite("mean", mean)?;
                positive(&[("sd", sd)])?;
                ends(low, high)?;
                if truncation(mean, sd, low, high).1 > 0.0 {
                    Ok(())
                } else {
                    Err(format!("the normal has no mass between {low} and {high}"))
                }
            }
            D::Exponential { rate } => positive(&[("rate", rate)]),
            D::Gamma { shape, rate } => positive(&[("shape", shape), ("rate", rate)]),
            D::Beta { a, b } => positive(&[("a", a), ("b", b)]),
            D::Cauchy { location, scale } => {
                finite("location", location).and(positive(&[("scale", scale)]))
            }
            D::StudentT {
                df,
                location,
                scale,
            } => {
                finite("location", location)?;
                positive(&[("df", df), ("scale", scale)])
            }
        }
    }

    /// The ends of the support.
    #[must_use]
    pub fn support(self) -> (f64, f64) {
        const INF: f64 = f64::INFINITY;
        match self {
            D::Uniform { low, high }
            | D::LogUniform { low, high }
            | D::TruncatedNormal { low, high, .. } => (low, high),
            D::Normal { .. } | D::Cauchy { .. } | D::StudentT { .. } => (-INF, INF),
            D::LogNormal { .. }
            | D::HalfNormal { .. }
            | D::Exponential { .. }
            | D::Gamma { .. } => (0.0, INF),
            D::Beta { .. } => (0.0, 1.0),
        }
    }

    /// `F^-1(Phi(z))`, inside of the support also after rounding; NaN for NaN.
    #[must_use]
    pub fn at(self, z: f64) -> f64 {
        if z.is_nan() {
            return z;
        }
        let (low, high) = self.support();
        let low = if low == f64::NEG_INFINITY {
            -f64::MAX
        } else {
            low.next_up()
        };
        let high = if high == f64::INFINITY {
            f64::MAX
        } else {
            high.next_down()
        };
        self.quantile(z).clamp(low, high)
    }

    fn quantile(self, z: f64) -> f64 {
        // The smaller of the two tail probabilities.
        let (lower, tail) = (z < 0.0, normal_cdf(-z.abs()));
        let from_ends = |low: f64, high: f64| {
            if lower {
                low + (high - low) * tail
            } else {
                high - (high - low) * tail
            }
        };
        match self {
            D::Uniform { low, high } => from_ends(low, high),
            D::LogUniform { low, high } => exp(from_ends(ln(low), ln(high))),
            D::Normal { mean, sd } => mean + sd * z,
            D::LogNormal { mu, sigma } => exp(mu + sigma * z),
            D::HalfNormal { sd } => {
                let outside = if lower { 1.0 - tail } else { tail };
                -sd * normal_quantile(0.5 * outside)
            }
            D::TruncatedNormal {
                mean,
                sd,
                low,
                high,
            } => {
                let (mirrored, mass, start) = truncation(mean, sd, low, high);
                // Probability from the end that `start` belongs to.
                let p = if lower == mirrored { 1.0 - tail } else { tail };
                let p = if lower != mirrored || tail < 0.5 {
                    p
                } else {
                    0.5
                };
                let u = normal_quantile(start + p * mass);
                mean + sd * if mirrored { -u } else { u }
            }
            D::Exponential { rate } => {
                if lower {
                    -ln_1p(-tail) / rate
                } else {
                    -ln(tail) / rate
                }
            }
            D::Gamma { shape, rate } => {
                let x = solve(lower, tail, f64::MAX / 4.0, |x| {
                    let slope = exp((shape - 1.0) * ln(x) - x - ln_gamma(shape));
                    (gamma_pq(shape, x), slope)
                });
                x / rate
            }
            D::Beta { a, b } => {
                // From the end whose tail is given: both x and 1 - x keep their digits.
                let (a, b) = if lower { (a, b) } else { (b, a) };
                let x = beta_quantile(a, b, tail);
                if lower { x } else { 1.0 - x }
            }
            D::Cauchy { location, scale } => {
                let t = 1.0 / tan(PI * tail);
                location + scale * if lower { -t } else { t }
            }
            D::StudentT {
                df,
                location,
                scale,
            } => {
                let x = beta_quantile(0.5 * df, 0.5, 2.0 * tail);
                let t = (df * (1.0 - x) / x).sqrt();
                location + scale * if lower { -t } else { t }
            }
        }
    }

    /// `Phi^-1(F(x))` for an x of the support.
    #[must_use]
    pub fn normal_score(self, x: f64) -> f64 {
        match self {
            D::Normal { mean, sd } => (x - mean) / sd,
            D::LogNormal { mu, sigma } => (ln(x) - mu) / sigma,
            _ => {
                let (p, q) = self.tails(x);
                if p < q {
                    normal_quantile(p)
                } else {
                    -normal_quantile(q)
                }
            }
        }
    }

    /// `(F(x), 1 - F(x))`, the smaller of the two accurately.
    #[must_use]
    pub fn tails(self, x: f64) -> (f64, f64) {
        let within = |below: f64, above: f64| (below / (below + above), above / (below + above));
        match self {
            D::Uniform { low, high } => within(x - low, high - x),
            D::LogUniform { low, high } => within(ln(x / low), ln(high / x)),
            D::Normal { mean, sd } => both((x - mean) / sd),
            D::LogNormal { mu, sigma } => both((ln(x) - mu) / sigma),
            D::HalfNormal { sd } => {
                let q = 2.0 * normal_cdf(-x / sd);
                (libm::erf(x / sd * std::f64::consts::FRAC_1_SQRT_2), q)
            }
            D::TruncatedNormal {
                mean,
                sd,
                low,
                high,
            } => {
                let (mirrored, mass, start) = truncation(mean, sd, low, high);
                let u = (x - mean) / sd;
                let p =
                    ((normal_cdf(if mirrored { -u } else { u }) - start) / mass).clamp(0.0, 1.0);
                if mirrored { (1.0 - p, p) } else { (p, 1.0 - p) }
            }
            D::Exponential { rate } => (-exp_m1(-rate * x), exp(-rate * x)),
            D::Gamma { shape, rate } => gamma_pq(shape, rate * x),
            D::Beta { a, b } => beta_pq(a, b, x, 1.0 - x),
            D::Cauchy { location, scale } => {
                let t = (x - location) / scale;
                let tail = libm::atan2(1.0, t.abs()) / PI;
                if t < 0.0 {
                    (tail, 1.0 - tail)
                } else {
                    (1.0 - tail, tail)
                }
            }
            D::StudentT {
                df,
                location,
                scale,
            } => {
                let t = (x - location) / scale;
                let square = t * t;
                let tail = if square == f64::INFINITY {
                    0.0
                } else {
                    0.5 * beta_pq(0.5 * df, 0.5, df / (df + square), square / (df + square)).0
                };
                if t < 0.0 {
                    (tail, 1.0 - tail)
                } else {
                    (1.0 - tail, tail)
                }
            }
        }
    }

    /// `ln` of the density, nats; -infinity outside of the support.
    #[must_use]
    pub fn log_pdf(self, x: f64) -> f64 {
        let (low, high) = self.support();
        if x.is_nan() {
            return x;
        }
        if !(low < x && x < high) {
            return f64::NEG_INFINITY;
        }
        match self {
            D::Uniform { low, high } => -ln(high - low),
            D::LogUniform { low, high } => -ln(x) - ln(ln(high / low)),
            D::Normal { mean, sd } => normal_log_pdf((x - mean) / sd) - ln(sd),
            D::LogNormal { mu, sigma } => normal_log_pdf((ln(x) - mu) / sigma) - ln(sigma) - ln(x),
            D::HalfNormal { sd } => normal_log_pdf(x / sd) - ln(sd) + std::f64::consts::LN_2,
            D::TruncatedNormal {
                mean,
                sd,
                low,
                high,
            } => normal_log_pdf((x - mean) / sd) - ln(sd) - ln(truncation(mean, sd, low, high).1),
            D::Exponential { rate } => ln(rate) - rate * x,
            D::Gamma { shape, rate } => {
                shape * ln(rate) + (shape - 1.0) * ln(x) - rate * x - ln_gamma(shape)
            }
            D::Beta { a, b } => (a - 1.0) * ln(x) + (b - 1.0) * ln_1p(-x) - ln_beta(a, b),
            D::Cauchy { location, scale } => {
                let t = (x - location) / scale;
                -ln(PI * scale) - ln_1p(t * t)
            }
            D::StudentT {
                df,
                location,
                scale,
            } => {
                let t = (x - location) / scale;
                let norm = ln_beta(0.5 * df, 0.5) + 0.5 * ln(df) + ln(scale);
                -norm - 0.5 * (df + 1.0) * ln_1p(t * t / df)
            }
        }
    }
}

/// `(Phi(u), Phi(-u))`.
fn both(u: f64) -> (f64, f64) {
    (normal_cdf(u), normal_cdf(-u))
}

/// A truncated normal counts from the end nearer to the mean's lower tail: whether it is the upper
/// one, mirrored; the mass between the ends; the normal's probability beyond the end it counts from.
fn truncation(mean: f64, sd: f64, low: f64, high: f64) -> (bool, f64, f64) {
    let (a, b) = ((low - mean) / sd, (high - mean) / sd);
    let mirrored = a + b > 0.0;
    let (from, to) = if mirrored { (-b, -a) } else { (a, b) };
    let start = normal_cdf(from);
    (mirrored, normal_cdf(to) - start, start)
}

/// The x in (0, high) with the given lower or upper tail; `f` gives both tails and the density.
fn solve(lower: bool, tail: f64, high: f64, f: impl Fn(f64) -> ((f64, f64), f64)) -> f64 {
    let goal = ln(tail);
    root(f64::MIN_POSITIVE, high, lower, |x| {
        let ((p, q), density) = f(x);
        let own = if lower { p } else { q };
        (ln(own) - goal, if lower { density } else { -density } / own)
    })
}

/// The x with `I_x(a, b) = p`.
fn beta_quantile(a: f64, b: f64, p: f64) -> f64 {
    solve(true, p, 1.0, |x| {
        let density = exp((a - 1.0) * ln(x) + (b - 1.0) * ln_1p(-x) - ln_beta(a, b));
        (beta_pq(a, b, x, 1.0 - x), density)
    })
}

#[cfg(test)]
mod tests;
