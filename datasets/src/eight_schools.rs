//! The eight schools (Rubin 1981): effects of coaching in eight schools, a hierarchical model in
//! ten parameters.
//!
//! `y_j ~ N(theta_j, s_j)`, `theta_j ~ N(mu, tau)`, `mu ~ N(0, 5)`, `tau ~ half-Cauchy(5)` (second
//! arguments are standard deviations and scales). Its posterior is a funnel in tau and theta; in
//! `eta_j = (theta_j - mu) / tau` it is milder, and is sampled there.

use numerics::math::{exp, ln_1p};

/// Effects as measured.
pub(crate) const Y: [f64; 8] = [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0];
/// Their standard errors.
pub(crate) const S: [f64; 8] = [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0];
/// Scale of the priors of mu and tau.
pub(crate) const PRIOR: f64 = 5.0;

/// Number of parameters.
pub const DIM: usize = 10;

/// The log-density of the posterior, up to a constant, at `u = (mu, ln tau, eta_1, ..., eta_8)`;
/// its gradient goes into `gradient`.
///
/// # Panics
/// If a slice has not [`DIM`] numbers.
pub fn log_posterior(u: &[f64], gradient: &mut [f64]) -> f64 {
    assert_eq!((u.len(), gradient.len()), (DIM, DIM), "ten parameters");
    let (mu, tau) = (u[0], exp(u[1]));
    let ratio = (tau / PRIOR) * (tau / PRIOR);
    // The last term is the Jacobian of tau = exp(u_1).
    let mut log_p = -0.5 * (mu / PRIOR) * (mu / PRIOR) - ln_1p(ratio) + u[1];
    gradient[0] = -mu / (PRIOR * PRIOR);
    gradient[1] = 1.0 - 2.0 * ratio / (1.0 + ratio);
    for (j, eta) in u[2..].iter().enumerate() {
        let z = (Y[j] - mu - tau * eta) / S[j];
        log_p -= 0.5 * (eta * eta + z * z);
        let pull = z / S[j];
        gradient[0] += pull;
        gradient[1] += pull * tau * eta;
        gradient[2 + j] = pull * tau - eta;
    }
    log_p
}

/// `(mu, ln tau, theta_1, ..., theta_8)` of the parameters that are sampled.
#[must_use]
pub fn centred(u: &[f64]) -> Vec<f64> {
    let tau = exp(u[1]);
    let effects = u[2..].iter().map(|eta| u[0] + tau * eta);
    u[..2].iter().copied().chain(effects).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hamiltonian::Hamiltonian;
    use numerics::ChainDiagnostics;
    use numerics::math::ln;
    use numerics::random::{standard_normal, stream};

    #[test]
    fn the_gradient_is_that_of_the_density() {
        let mut rng = stream(1, "point");
        let mut none = [0.0; DIM];
        for _ in 0..20 {
            let u: Vec<f64> = (0..DIM).map(|_| standard_normal(&mut rng)).collect();
            let mut gradient = [0.0; DIM];
            log_posterior(&u, &mut gradient);
            for j in 0..DIM {
                let mut at = |h: f64| {
                    let mut moved = u.clone();
                    moved[j] += h;
                    log_posterior(&moved, &mut none)
                };
                let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
                assert!(
                    (slope - gradient[j]).abs() < 1e-7 * (1.0 + slope.abs()),
                    "{j}"
                );
            }
        }
    }

    /// Posterior means of mu and ln tau, by quadrature: given tau all else is normal,
    /// `y_j ~ N(mu, s_j^2 + tau^2)`.
    fn exact_means() -> (f64, f64) {
        let (mut total, mut mu, mut log_tau) = (0.0, 0.0, 0.0);
        for k in 0..4000 {
            let t = -12.0 + 18.0 * (f64::from(k) + 0.5) / 4000.0;
            let tau = exp(t);
            let (mut precision, mut pull) = (1.0 / (PRIOR * PRIOR), 0.0);
            let (mut log_p, mut squares) = (t - ln_1p((tau / PRIOR) * (tau / PRIOR)), 0.0);
            for j in 0..8 {
                let v = S[j] * S[j] + tau * tau;
                precision += 1.0 / v;
                pull += Y[j] / v;
                squares += Y[j] * Y[j] / v;
                log_p -= 0.5 * ln(v);
            }
            let w = exp(log_p - 0.5 * (ln(precision) + squares - pull * pull / precision));
            total += w;
            mu += w * pull / precision;
            log_tau += w * t;
        }
        (mu / total, log_tau / total)
    }

    #[test]
    fn the_sampler_finds_the_exact_means() {
        let chains: Vec<Vec<Vec<f64>>> = (0..4)
            .map(|k| {
                let mut rng = stream(3, &format!("chain {k}"));
                let start: Vec<f64> = (0..DIM).map(|_| standard_normal(&mut rng)).collect();
                let sampler = Hamiltonian {
                    warm_up: 1000,
                    draws: 4000,
                    thin: 1,
                    leapfrogs: 12,
                };
                sampler.run(&log_posterior, &start, &mut rng).draws
            })
            .collect();
        let (mu, log_tau) = exact_means();
        for (j, exact) in [(0, mu), (1, log_tau)] {
            let column = |c: &Vec<Vec<f64>>| c.iter().map(|u| u[j]).collect::<Vec<f64>>();
            let columns: Vec<Vec<f64>> = chains.iter().map(column).collect();
            let all: Vec<f64> = columns.concat();
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            let variance =
                all.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / all.len() as f64;
            let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
            let found = ChainDiagnostics::of(&slices).unwrap();
            assert!(
                found.r_hat < 1.02 && found.ess_bulk > 800.0,
                "{j}: {found:?}"
            );
            let error = (variance / found.ess_bulk).sqrt();
            assert!(
                (mean - exact).abs() < 4.0 * error,
                "{j}: {mean} ± {error}, not {exact}"
            );
        }
    }
}
