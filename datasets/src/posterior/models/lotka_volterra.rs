//! Predators and prey: lynx and hare of the Hudson Bay Company, 1900 to 1920.

use super::super::canon::Canon;
use numerics::distribution::Distribution;
use numerics::math::{LN_2PI, ln};

/// Pelts in thousands (Howard 2009, after Elton and Nicholson 1942), a year a row: hare, lynx.
const PELTS: [(f64, f64); 21] = [
    (30.0, 4.0),
    (47.2, 6.1),
    (70.2, 9.8),
    (77.4, 35.2),
    (36.3, 59.4),
    (20.6, 41.7),
    (18.1, 19.0),
    (21.4, 13.0),
    (22.0, 8.3),
    (25.4, 9.1),
    (27.1, 7.4),
    (40.3, 8.0),
    (57.0, 12.3),
    (76.6, 19.5),
    (52.3, 45.7),
    (19.5, 51.1),
    (11.2, 29.7),
    (7.6, 15.8),
    (14.6, 9.7),
    (16.2, 10.1),
    (24.7, 8.6),
];

/// Steps of the solver a year.
const STEPS: usize = 50;

/// `ln Z` and its standard error by a few long runs of the same sampler (of an earlier version,
/// 60,000 to 200,000 evaluations each, other seeds).
const REFERENCE: (f64, f64) = (-146.6868, 0.0016);

/// Populations at the beginning of each year by the fourth-order Runge-Kutta method with
/// `steps` steps a year; `None` where it leaves the positive numbers.
fn solve(rates: [f64; 4], start: (f64, f64), steps: usize) -> Option<[(f64, f64); 21]> {
    let [alpha, beta, gamma, delta] = rates;
    let slope = |(u, v): (f64, f64)| ((alpha - beta * v) * u, (delta * u - gamma) * v);
    let h = 1.0 / steps as f64;
    let mut years = [start; 21];
    let mut now = start;
    for year in &mut years[1..] {
        for _ in 0..steps {
            let on = |k: (f64, f64), h: f64| (now.0 + h * k.0, now.1 + h * k.1);
            let a = slope(now);
            let b = slope(on(a, 0.5 * h));
            let c = slope(on(b, 0.5 * h));
            let d = slope(on(c, h));
            let mean = |a: f64, b: f64, c: f64, d: f64| (a + 2.0 * (b + c) + d) / 6.0;
            now = on((mean(a.0, b.0, c.0, d.0), mean(a.1, b.1, c.1, d.1)), h);
        }
        let sound = |x: f64| x > 0.0 && x.is_finite();
        if !(sound(now.0) && sound(now.1)) {
            return None;
        }
        *year = now;
    }
    Some(years)
}

fn log_likelihood(theta: &[f64], steps: usize) -> f64 {
    let &[alpha, beta, gamma, delta, hare, lynx, s_hare, s_lynx] = theta else {
        return f64::NAN;
    };
    let Some(years) = solve([alpha, beta, gamma, delta], (hare, lynx), steps) else {
        return f64::NEG_INFINITY;
    };
    // Log-normal: the density of y, not of ln y.
    let log_normal = |y: f64, x: f64, s: f64| {
        let r = (ln(y) - ln(x)) / s;
        -0.5 * (LN_2PI + r * r) - ln(s) - ln(y)
    };
    let both = |(y, x): (&(f64, f64), &(f64, f64))| {
        log_normal(y.0, x.0, s_hare) + log_normal(y.1, x.1, s_lynx)
    };
    PELTS.iter().zip(&years).map(both).sum()
}

impl Canon {
    /// The Lotka-Volterra equations for hare and lynx, with log-normal noise; priors of the case
    /// study of Stan (Carpenter 2018). Rates alpha, beta, gamma, delta; populations at the first
    /// count; standard deviations of the noise.
    #[must_use]
    pub fn lotka_volterra() -> Self {
        let above_zero = |mean: f64, sd: f64| Distribution::TruncatedNormal {
            mean,
            sd,
            low: 0.0,
            high: f64::INFINITY,
        };
        let log_normal = |mu: f64, sigma: f64| Distribution::LogNormal { mu, sigma };
        let (rate, coupling) = (above_zero(1.0, 0.5), above_zero(0.05, 0.05));
        let (first, noise) = (log_normal(ln(10.0), 1.0), log_normal(-1.0, 1.0));
        let prior = vec![rate, coupling, rate, coupling, first, first, noise, noise];
        Self::new("lotka_volterra", prior, REFERENCE.0, |theta| {
            log_likelihood(theta, STEPS)
        })
        .known_within(REFERENCE.1)
        .called(&[
            "alpha",
            "beta",
            "gamma",
            "delta",
            "hare",
            "lynx",
            "sigma_hare",
            "sigma_lynx",
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Near the posterior mean that the case study reports.
    const MEAN: [f64; 8] = [0.55, 0.028, 0.8, 0.024, 34.0, 5.9, 0.25, 0.25];

    #[test]
    fn the_solver_has_converged_where_the_posterior_is() {
        let found = log_likelihood(&MEAN, STEPS);
        let finer = log_likelihood(&MEAN, 8 * STEPS);
        assert!((found - finer).abs() < 1e-5, "{found}, {finer}");
    }

    #[test]
    fn what_the_equations_conserve_is_conserved() {
        let [alpha, beta, gamma, delta, hare, lynx, ..] = MEAN;
        let years = solve([alpha, beta, gamma, delta], (hare, lynx), STEPS).unwrap();
        let energy = |(u, v): (f64, f64)| delta * u - gamma * ln(u) + beta * v - alpha * ln(v);
        for year in years {
            assert!((energy(year) - energy((hare, lynx))).abs() < 1e-6);
        }
    }

    #[test]
    fn noise_is_log_normal_and_a_solution_that_blows_up_is_impossible() {
        let years = solve([0.55, 0.028, 0.8, 0.024], (34.0, 5.9), STEPS).unwrap();
        let mut product = 0.0;
        for (y, x) in PELTS.iter().zip(&years) {
            for (y, x) in [(y.0, x.0), (y.1, x.1)] {
                let density = numerics::math::normal_log_pdf((ln(y / x)) / 0.25);
                product += density - ln(0.25 * y);
            }
        }
        let found = Canon::lotka_volterra().log_likelihood(&MEAN);
        assert!((found - product).abs() < 1e-9);
        let wild = [3.0, 0.3, 3.0, 0.3, 1e4, 1e4, 0.25, 0.25];
        assert_eq!(
            Canon::lotka_volterra().log_likelihood(&wild),
            f64::NEG_INFINITY
        );
    }
}
