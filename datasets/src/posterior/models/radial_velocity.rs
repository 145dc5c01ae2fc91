//! Radial velocities of a star with two planets, simulated.

use super::super::canon::Canon;
use numerics::distribution::Distribution;
use numerics::math::{LN_2PI, ln, sin_cos};
use numerics::random::{standard_normal, stream, uniform};
use std::f64::consts::PI;

/// Observations.
const N: usize = 40;
/// Days that they span.
const SPAN: f64 = 80.0;
/// Known standard deviation of the noise, m/s.
const NOISE: f64 = 3.0;
/// What the data are simulated with: for each planet period (days), semi-amplitude (m/s),
/// eccentricity, argument of the pericentre, mean longitude at the first day; the offset.
const TRUTH: [f64; 11] = [7.3, 12.0, 0.15, 2.0, 3.5, 31.0, 9.0, 0.3, 4.0, 2.5, 5.0];

/// `ln Z` and its standard error by a few long runs of the same sampler (of an earlier version,
/// 60,000 to 200,000 evaluations each, other seeds).
const REFERENCE: (f64, f64) = (-128.7325, 0.0018);

/// The eccentric anomaly: `E - e sin E = m` to 1e-12 by Newton's method, by bisection where that
/// leaves the bracket.
fn eccentric_anomaly(m: f64, e: f64) -> f64 {
    // In (-pi, pi].
    let m = m - 2.0 * PI * (m / (2.0 * PI)).round();
    let (mut low, mut high) = (m - e, m + e);
    let mut x = m + 0.85 * e * m.signum();
    for _ in 0..200 {
        let (s, c) = sin_cos(x);
        let f = x - e * s - m;
        if f > 0.0 {
            high = high.min(x);
        } else {
            low = low.max(x);
        }
        let next = x - f / (1.0 - e * c);
        // NaN is outside as well.
        let next = if next >= low && next <= high {
            next
        } else {
            0.5 * (low + high)
        };
        let moved = (next - x).abs();
        x = next;
        if moved < 1e-13 || f == 0.0 {
            break;
        }
    }
    x
}

/// The star's velocity due to one planet, at day t.
fn velocity(planet: &[f64], t: f64) -> f64 {
    let &[period, k, e, argument, longitude] = planet else {
        return f64::NAN;
    };
    let x = eccentric_anomaly(2.0 * PI * t / period + longitude - argument, e);
    let (s, c) = sin_cos(x);
    let (sin_w, cos_w) = sin_cos(argument);
    // Sine and cosine of the true anomaly.
    let r = 1.0 - e * c;
    let (sin_v, cos_v) = ((1.0 - e * e).sqrt() * s / r, (c - e) / r);
    k * (cos_v * cos_w - sin_v * sin_w + e * cos_w)
}

fn model(theta: &[f64], t: f64) -> f64 {
    velocity(&theta[..5], t) + velocity(&theta[5..10], t) + theta[10]
}

/// Days, irregular, and velocities.
fn data() -> Vec<(f64, f64)> {
    let mut rng = stream(1, "radial velocity");
    let mut days: Vec<f64> = (0..N).map(|_| SPAN * uniform(&mut rng)).collect();
    days.sort_by(f64::total_cmp);
    let mut see = |t: f64| (t, model(&TRUTH, t) + NOISE * standard_normal(&mut rng));
    days.into_iter().map(&mut see).collect()
}

impl Canon {
    /// Two planets of periods from 3 to 12 and from 20 to 60 days: log-uniform periods and
    /// semi-amplitudes, eccentricities from Kipping's (2013) beta distribution, uniform angles, and
    /// a systemic offset. Narrow in the periods, with walls where angles begin anew.
    #[must_use]
    pub fn radial_velocity() -> Self {
        let angle = Distribution::Uniform {
            low: 0.0,
            high: 2.0 * PI,
        };
        let planet = |low: f64, high: f64| {
            [
                Distribution::LogUniform { low, high },
                Distribution::LogUniform {
                    low: 1.0,
                    high: 100.0,
                },
                Distribution::Beta { a: 0.867, b: 3.03 },
                angle,
                angle,
            ]
        };
        let mut prior = [planet(3.0, 12.0), planet(20.0, 60.0)].concat();
        prior.push(Distribution::Normal {
            mean: 0.0,
            sd: 10.0,
        });
        let data = data();
        let constant = data.len() as f64 * (0.5 * LN_2PI + ln(NOISE));
        Self::new("radial_velocity", prior, REFERENCE.0, move |theta| {
            let residual = |&(t, v): &(f64, f64)| (v - model(theta, t)) / NOISE;
            let square = data.iter().map(residual).map(|r| r * r).sum::<f64>();
            -0.5 * square - constant
        })
        .known_within(REFERENCE.1)
        .called(&[
            "period_1",
            "amplitude_1",
            "eccentricity_1",
            "argument_1",
            "longitude_1",
            "period_2",
            "amplitude_2",
            "eccentricity_2",
            "argument_2",
            "longitude_2",
            "offset",
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use faer::prelude::*;
    use numerics::math::{cos, normal_log_pdf, sin};

    #[test]
    fn keplers_equation_is_solved_for_any_eccentricity() {
        for e in [0.0, 0.1, 0.5, 0.9, 0.99, 0.999_999, 1.0 - 1e-15] {
            for k in -300..300 {
                let m = 0.033 * f64::from(k);
                let x = eccentric_anomaly(m, e);
                let turns = (x - e * sin(x) - m) / (2.0 * PI);
                let left = 2.0 * PI * (turns - turns.round());
                assert!(left.abs() < 1e-12, "e = {e}, m = {m}: {left}");
            }
        }
    }

    #[test]
    fn a_circular_orbit_is_a_cosine() {
        for t in [0.0, 1.3, 77.0] {
            let found = velocity(&[7.0, 12.0, 0.0, 1.0, 2.5], t);
            assert!((found - 12.0 * cos(2.0 * PI * t / 7.0 + 2.5)).abs() < 1e-9);
        }
    }

    #[test]
    fn the_velocity_is_the_slope_of_the_orbit() {
        // In the plane of the orbit, of semi-major axis 1: position along the line of sight is
        // r sin(v + w); K is 2 pi / period / sqrt(1 - e^2) for it.
        let (period, e, w, longitude) = (7.3, 0.4_f64, 2.0, 3.5);
        let k = 2.0 * PI / period / (1.0 - e * e).sqrt();
        let sight = |t: f64| {
            let x = eccentric_anomaly(2.0 * PI * t / period + longitude - w, e);
            let (along, across) = (cos(x) - e, (1.0 - e * e).sqrt() * sin(x));
            along * sin(w) + across * cos(w)
        };
        for t in [0.1, 2.0, 3.3, 5.7] {
            let slope = (sight(t + 1e-5) - sight(t - 1e-5)) / 2e-5;
            let found = velocity(&[period, k, e, w, longitude], t);
            assert!((found - slope).abs() < 1e-8, "{found}, {slope}");
        }
    }

    #[test]
    fn the_likelihood_is_a_product_of_normals_and_the_truth_explains_the_data() {
        let canon = Canon::radial_velocity();
        let mut theta = TRUTH;
        theta[0] += 0.01;
        let each = data()
            .iter()
            .map(|(t, v)| normal_log_pdf((v - model(&theta, *t)) / 3.0) - ln(3.0))
            .sum::<f64>();
        assert!((canon.log_likelihood(&theta) - each).abs() < 1e-9);
        let square = data()
            .iter()
            .map(|(t, v)| ((v - model(&TRUTH, *t)) / NOISE).powi(2))
            .sum::<f64>();
        assert!(square > 20.0 && square < 65.0, "{square}");
    }

    #[test]
    fn draws_stay_inside_the_supports() {
        let canon = Canon::radial_velocity();
        for far in [-40.0, -3.0, 0.0, 3.0, 40.0] {
            let theta = canon.at(Mat::from_fn(1, 11, |_, _| far).as_ref());
            let row: Vec<f64> = (0..11).map(|j| theta[(0, j)]).collect();
            assert!(row[0] > 3.0 && row[0] < 12.0 && row[5] > 20.0 && row[5] < 60.0);
            assert!(row[2] > 0.0 && row[2] < 1.0 && row[3] > 0.0 && row[3] < 2.0 * PI);
            assert!(canon.log_likelihood(&row).is_finite(), "{row:?}");
        }
    }
}
