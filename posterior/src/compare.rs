//! A model of a posterior against the exact one.

use datasets::posterior::ExactPosterior;
use density::Density;
use faer::prelude::*;
use metrics::{MetricError, kl_exact, wasserstein2};
use numerics::Estimate;
use numerics::random::stream;
use serde::{Deserialize, Serialize};

/// How many draws a comparison takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compare {
    /// Draws of the posterior and of the model, each, for divergences and masses.
    #[serde(deserialize_with = "numerics::checked::at_least_one")]
    pub draws: usize,
    /// Draws of each for W2, whose time grows with the square.
    #[serde(deserialize_with = "numerics::checked::at_least_one")]
    pub w2_draws: usize,
}

impl Default for Compare {
    fn default() -> Self {
        Self {
            draws: 50_000,
            w2_draws: 1000,
        }
    }
}

/// The result of a comparison; p is the posterior and q the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// `KL(p || q) = E_p[ln p - ln q]`, nats, at exact draws: what likelihood-weighted training
    /// minimises; large where q misses some of p's mass.
    pub kl: Estimate,
    /// `KL(q || p) = E_q[ln q - ln p]`, nats, at draws of q: large where q has mass and p does not.
    pub reverse_kl: Estimate,
    /// Exact 2-Wasserstein distance between a sample of each, in the units of theta. Two samples of
    /// p are not at distance zero: see `w2_of_exact`.
    pub w2: f64,
    /// The same between two samples of p.
    pub w2_of_exact: f64,
    /// Mass of q in each mode.
    pub mode_masses: Vec<f64>,
    /// The largest absolute difference of those from the exact masses.
    pub worst_mode: f64,
    /// Mass of q outside the region of highest density of p that holds 99.9 % of it: bridges
    /// between modes, among others. p itself has 0.001 there.
    pub bridge_mass: Estimate,
}

impl Compare {
    /// Compares `q` with the posterior of a problem.
    ///
    /// # Errors
    /// When draws of q are not finite.
    pub fn run(
        &self,
        problem: &dyn ExactPosterior,
        q: &dyn Density,
        seed: u64,
    ) -> Result<Comparison, MetricError> {
        let rng = |purpose: &str| stream(seed, &format!("compare/{purpose}"));
        let exact = problem.sample_posterior(self.draws, &mut rng("posterior"));
        let kl = kl_exact(
            &problem.log_posterior(exact.as_ref()),
            &q.log_prob(exact.as_ref()),
        );
        let model = q.sample(self.draws, &mut rng("model"));
        check_finite(model.as_ref())?;
        let log_posterior = problem.log_posterior(model.as_ref());
        let reverse_kl = kl_exact(&q.log_prob(model.as_ref()), &log_posterior);

        let n = self.draws as f64;
        let mut mode_masses = vec![0.0; problem.num_modes()];
        for mode in problem.mode_of(model.as_ref()) {
            mode_masses[mode] += 1.0 / n;
        }
        let worst_mode = mode_masses
            .iter()
            .zip(problem.mode_masses())
            .map(|(got, exact)| (got - exact).abs())
            .fold(0.0, f64::max);
        let level = problem.hdr_level(0.999);
        let outside = log_posterior.iter().filter(|l| **l < level).count() as f64 / n;
        let bridge_mass = Estimate {
            value: outside,
            standard_error: (outside * (1.0 - outside) / n).sqrt(),
        };

        let few = self.w2_draws;
        let [first, second] =
            ["w2/one", "w2/two"].map(|p| problem.sample_posterior(few, &mut rng(p)));
        let model = q.sample(few, &mut rng("w2/model"));
        Ok(Comparison {
            kl,
            reverse_kl,
            w2: wasserstein2(first.as_ref(), model.as_ref())?,
            w2_of_exact: wasserstein2(first.as_ref(), second.as_ref())?,
            mode_masses,
            worst_mode,
            bridge_mass,
        })
    }
}

fn check_finite(x: MatRef<'_, f64>) -> Result<(), MetricError> {
    for column in 0..x.ncols() {
        if let Some(row) = (0..x.nrows()).find(|&row| !x[(row, column)].is_finite()) {
            let set = "model";
            return Err(MetricError::NonFinite { set, row, column });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use datasets::posterior::Benchmark;
    use numerics::random::{Pcg64, standard_normal};

    /// The posterior itself, or a wrong model of it.
    struct Model {
        problem: &'static dyn ExactPosterior,
        shift: f64,
    }

    impl Density for Model {
        fn dim(&self) -> usize {
            self.problem.dim()
        }
        fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
            let back = Mat::from_fn(x.nrows(), x.ncols(), |i, j| x[(i, j)] - self.shift);
            self.problem.log_posterior(back.as_ref())
        }
        fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
            let x = self.problem.sample_posterior(n, rng);
            Mat::from_fn(n, x.ncols(), |i, j| x[(i, j)] + self.shift)
        }
    }

    const FEW: Compare = Compare {
        draws: 20_000,
        w2_draws: 300,
    };

    #[test]
    fn the_posterior_itself_has_no_distance() {
        for benchmark in Benchmark::ALL {
            let problem = benchmark.problem();
            let found = FEW
                .run(
                    problem,
                    &Model {
                        problem,
                        shift: 0.0,
                    },
                    1,
                )
                .unwrap();
            assert!(found.kl.value.abs() < 1e-12 && found.reverse_kl.value.abs() < 1e-12);
            assert!(found.worst_mode < 0.015, "{benchmark}: {found:?}");
            assert!((found.bridge_mass.value - 0.001).abs() < 0.001);
            assert!(found.w2 < 2.0 * found.w2_of_exact);
        }
    }

    #[test]
    fn a_shifted_model_is_found_at_its_distance() {
        let problem = Benchmark::UnequalModes.problem();
        let found = FEW
            .run(
                problem,
                &Model {
                    problem,
                    shift: 0.3,
                },
                1,
            )
            .unwrap();
        assert!(found.kl.value > 0.5 && found.reverse_kl.value > 0.5);
        assert!(found.bridge_mass.value > 0.05);
        assert!(found.w2 > 0.3 * 2f64.sqrt() - 0.1, "{found:?}");
    }

    #[test]
    fn draws_that_are_not_finite_are_refused() {
        struct Broken;
        impl Density for Broken {
            fn dim(&self) -> usize {
                2
            }
            fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
                vec![0.0; x.nrows()]
            }
            fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
                Mat::from_fn(n, 2, |i, _| {
                    if i == 7 {
                        f64::NAN
                    } else {
                        standard_normal(rng)
                    }
                })
            }
        }
        let error = FEW
            .run(Benchmark::FourSigns.problem(), &Broken, 1)
            .unwrap_err();
        assert!(matches!(error, MetricError::NonFinite { row: 7, .. }));
    }
}
