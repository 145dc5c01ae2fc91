//! All likelihood evaluations so far, and their deterministic-mixture weights.

use datasets::posterior::InverseProblem;
use density::Density;
use faer::prelude::*;
use metrics::{ImportanceWeights, WeightsError};
use numerics::math::{ln, ln_sum_exp};
use numerics::random::Pcg64;
use std::sync::Arc;

/// Likelihood evaluations from several rounds of draws: first from the prior, then from learnt
/// densities.
///
/// Round j drew `n_j` points from the prior and `m_j` from a density `q_j`. All `N` points together
/// are draws of the mixture `g = (sum_j n_j / N) p + sum_j (m_j / N) q_j`, and with the weights
///
/// `w_i = L(theta_i) p(theta_i) / g(theta_i)`
///
/// all rounds are used together and a poor round does no harm: the balance heuristic of Veach and
/// Guibas (1995), or deterministic-mixture weights (Cornuet, Marin, Mira and Robert 2012). With a
/// share `a` of draws from the prior, no weight is above `L / a`. After the first round alone, `w_i
/// = L(theta_i)`.
pub struct Evaluations {
    theta: Mat<f64>,
    log_prior: Vec<f64>,
    log_likelihood: Vec<f64>,
    from_prior: usize,
    learnt: Vec<Learnt>,
}

/// A density that points were drawn from.
struct Learnt {
    density: Arc<dyn Density>,
    draws: usize,
    /// `ln q_j(theta_i)` of all points.
    log_density: Vec<f64>,
}

/// An evaluation that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EvaluationError {
    /// Draws of another shape.
    #[error("the problem has {dim} parameters and gave draws with {got} columns")]
    Columns {
        /// Of the problem.
        dim: usize,
        /// Of the draws.
        got: usize,
    },
    /// Another number of values than rows.
    #[error("{got} values of the {what} for {rows} rows")]
    Count {
        /// Which function.
        what: &'static str,
        /// Values given.
        got: usize,
        /// Rows given to it.
        rows: usize,
    },
    /// NaN or +infinity.
    #[error("the {what} of evaluation {row}, at theta = {theta:?}, is {value}")]
    Bad {
        /// Which function.
        what: &'static str,
        /// Index of the evaluation.
        row: usize,
        /// Where.
        theta: Vec<f64>,
        /// The value.
        value: f64,
    },
    /// The learnt density gives draws or densities that are not finite.
    #[error("the density that draws were taken from gave {value} at evaluation {row}")]
    Proposal {
        /// Index of the evaluation.
        row: usize,
        /// The value.
        value: f64,
    },
}

impl Evaluations {
    /// No evaluations yet, of `dim` parameters.
    #[must_use]
    pub fn new(dim: usize) -> Self {
        Self {
            theta: Mat::zeros(0, dim),
            log_prior: Vec::new(),
            log_likelihood: Vec::new(),
            from_prior: 0,
            learnt: Vec::new(),
        }
    }

    /// Evaluates the likelihood at `n` draws of the prior: the static draws of arXiv:2512.04954.
    ///
    /// # Errors
    /// See [`EvaluationError`]; nothing is added then.
    pub fn draw_prior(
        &mut self,
        problem: &dyn InverseProblem,
        n: usize,
        rng: &mut Pcg64,
    ) -> Result<(), EvaluationError> {
        let theta = problem.sample_prior(n, rng);
        self.add(problem, theta.as_ref())?;
        self.from_prior += n;
        Ok(())
    }

    /// Evaluates the likelihood at `prior` draws of the prior and `learnt` draws of `q`, whose
    /// support should cover that of the posterior. Where the prior is zero the likelihood is not
    /// evaluated: the point counts as a draw of likelihood zero.
    ///
    /// # Errors
    /// See [`EvaluationError`]; nothing is added then.
    pub fn draw(
        &mut self,
        problem: &dyn InverseProblem,
        (prior, learnt): (usize, usize),
        q: Arc<dyn Density>,
        rng: &mut Pcg64,
    ) -> Result<(), EvaluationError> {
        let first = problem.sample_prior(prior, rng);
        let second = q.sample(learnt, rng);
        for m in [&first, &second] {
            self.check_columns(m.as_ref())?;
        }
        let theta = Mat::from_fn(prior + learnt, self.dim(), |i, j| {
            if i < prior {
                first[(i, j)]
            } else {
                second[(i - prior, j)]
            }
        });
        let before = self.len();
        let mut log_density = q.log_prob(self.theta.as_ref());
        log_density.extend(q.log_prob(theta.as_ref()));
        let bad = |v: &f64| v.is_nan() || *v == f64::INFINITY;
        if let Some(row) = log_density.iter().position(bad) {
            let value = log_density[row];
            return Err(EvaluationError::Proposal { row, value });
        }
        // A draw at which its own density is zero would have an infinite weight.
        let own = before + prior..log_density.len();
        if let Some(row) = own
            .into_iter()
            .find(|&i| log_density[i] == f64::NEG_INFINITY)
        {
            let value = f64::NEG_INFINITY;
            return Err(EvaluationError::Proposal { row, value });
        }
        self.add(problem, theta.as_ref())?;
        self.from_prior += prior;
        self.learnt.push(Learnt {
            density: q,
            draws: learnt,
            log_density,
        });
        Ok(())
    }

    fn check_columns(&self, theta: MatRef<'_, f64>) -> Result<(), EvaluationError> {
        let (dim, got) = (self.dim(), theta.ncols());
        if got == dim {
            Ok(())
        } else {
            Err(EvaluationError::Columns { dim, got })
        }
    }

    /// Evaluates prior, likelihood and the densities learnt before.
    fn add(
        &mut self,
        problem: &dyn InverseProblem,
        theta: MatRef<'_, f64>,
    ) -> Result<(), EvaluationError> {
        self.check_columns(theta)?;
        let row = |i: usize| (0..self.dim()).map(|j| theta[(i, j)]).collect::<Vec<f64>>();
        let check = |what: &'static str, values: &[f64], rows: &[usize]| {
            if values.len() != rows.len() {
                let (got, rows) = (values.len(), rows.len());
                return Err(EvaluationError::Count { what, got, rows });
            }
            let bad = |v: &f64| v.is_nan() || *v == f64::INFINITY;
            values.iter().position(bad).map_or(Ok(()), |at| {
                Err(EvaluationError::Bad {
                    what,
                    row: self.len() + rows[at],
                    theta: row(rows[at]),
                    value: values[at],
                })
            })
        };
        let n = theta.nrows();
        let all: Vec<usize> = (0..n).collect();
        let log_prior = problem.log_prior(theta);
        check("log-prior", &log_prior, &all)?;
        let inside: Vec<usize> = all
            .into_iter()
            .filter(|&i| log_prior[i] > f64::NEG_INFINITY)
            .collect();
        let mut log_likelihood = vec![f64::NEG_INFINITY; n];
        if inside.len() == n {
            log_likelihood = problem.log_likelihood(theta);
            check("log-likelihood", &log_likelihood, &inside)?;
        } else {
            let part = numerics::matrix::select_rows(theta, &inside);
            let values = problem.log_likelihood(part.as_ref());
            check("log-likelihood", &values, &inside)?;
            for (&i, v) in inside.iter().zip(values) {
                log_likelihood[i] = v;
            }
        }
        for l in &mut self.learnt {
            l.log_density.extend(l.density.log_prob(theta));
        }
        let before = self.len();
        self.theta = Mat::from_fn(before + n, self.dim(), |i, j| {
            if i < before {
                self.theta[(i, j)]
            } else {
                theta[(i - before, j)]
            }
        });
        self.log_prior.extend(log_prior);
        self.log_likelihood.extend(log_likelihood);
        Ok(())
    }

    /// Number of parameters d.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.theta.ncols()
    }

    /// Number of evaluations N.
    #[must_use]
    pub fn len(&self) -> usize {
        self.theta.nrows()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of them were drawn from the prior.
    #[must_use]
    pub fn from_prior(&self) -> usize {
        self.from_prior
    }

    /// The points, N x d.
    #[must_use]
    pub fn theta(&self) -> MatRef<'_, f64> {
        self.theta.as_ref()
    }

    /// `ln L(theta_i)`, nats.
    #[must_use]
    pub fn log_likelihood(&self) -> &[f64] {
        &self.log_likelihood
    }

    /// `ln p(theta_i)`, nats.
    #[must_use]
    pub fn log_prior(&self) -> &[f64] {
        &self.log_prior
    }

    /// `ln w_i = ln L + ln p - ln g` of every evaluation, nats.
    #[must_use]
    pub fn log_weights(&self) -> Vec<f64> {
        if self.learnt.is_empty() {
            // L p / p, without rounding.
            return self.log_likelihood.clone();
        }
        let n = self.len() as f64;
        let shares: Vec<f64> = std::iter::once(self.from_prior)
            .chain(self.learnt.iter().map(|l| l.draws))
            .map(|count| ln(count as f64 / n))
            .collect();
        let mut terms = vec![0.0; shares.len()];
        (0..self.len())
            .map(|i| {
                let joint = self.log_likelihood[i] + self.log_prior[i];
                if joint == f64::NEG_INFINITY {
                    return joint;
                }
                terms[0] = shares[0] + self.log_prior[i];
                for ((t, s), l) in terms[1..].iter_mut().zip(&shares[1..]).zip(&self.learnt) {
                    *t = s + l.log_density[i];
                }
                joint - ln_sum_exp(&terms)
            })
            .collect()
    }

    /// The weights of all evaluations.
    ///
    /// # Errors
    /// When there is none, or all likelihoods are zero.
    pub fn weights(&self) -> Result<ImportanceWeights, WeightsError> {
        ImportanceWeights::new(&self.log_weights())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datasets::posterior::{Benchmark, ExactPosterior};
    use numerics::math::{exp, normal_log_pdf};
    use numerics::random::{standard_normal, stream};

    /// `N(m, s^2)` in one dimension.
    struct Normal(f64, f64);

    impl Density for Normal {
        fn dim(&self) -> usize {
            1
        }
        fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
            (0..x.nrows())
                .map(|i| normal_log_pdf((x[(i, 0)] - self.0) / self.1) - ln(self.1))
                .collect()
        }
        fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
            Mat::from_fn(n, 1, |_, _| self.0 + self.1 * standard_normal(rng))
        }
    }

    /// A normal prior on the positive half-line, data `y ~ N(theta, 0.3^2)`, `y = 0.5`; `poison` is
    /// returned for one row.
    struct Half {
        poison: Option<f64>,
    }

    impl InverseProblem for Half {
        fn dim(&self) -> usize {
            1
        }
        fn sample_prior(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
            Mat::from_fn(n, 1, |_, _| standard_normal(rng).abs())
        }
        fn log_prior(&self, theta: MatRef<'_, f64>) -> Vec<f64> {
            let of = |t: f64| {
                if t > 0.0 {
                    normal_log_pdf(t) + ln(2.0)
                } else {
                    f64::NEG_INFINITY
                }
            };
            (0..theta.nrows()).map(|i| of(theta[(i, 0)])).collect()
        }
        fn log_likelihood(&self, theta: MatRef<'_, f64>) -> Vec<f64> {
            let of = |i: usize| {
                assert!(theta[(i, 0)] > 0.0, "asked where the prior is zero");
                match self.poison {
                    Some(v) if i == 3 => v,
                    _ => normal_log_pdf((0.5 - theta[(i, 0)]) / 0.3) - ln(0.3),
                }
            };
            (0..theta.nrows()).map(of).collect()
        }
    }

    fn log_evidence_of_half() -> f64 {
        let h = 1e-4;
        let joint = |t: f64| {
            exp(2.0 * normal_log_pdf(0.0) - 0.5 * t * t - 0.5 * (0.5 - t) * (0.5 - t) / 0.09)
        };
        ln((0..60_000)
            .map(|i| joint((f64::from(i) + 0.5) * h))
            .sum::<f64>()
            * h
            * 2.0
            / 0.3)
    }

    #[test]
    fn rounds_with_all_kinds_of_proposals_give_one_evidence() {
        let problem = Half { poison: None };
        let mut rng = stream(1, "rounds");
        let mut e = Evaluations::new(1);
        e.draw_prior(&problem, 4000, &mut rng).unwrap();
        assert_eq!(e.log_weights(), e.log_likelihood());
        // One that is too narrow, one that is far off, one that reaches beyond the prior.
        for (m, s) in [(0.5, 0.05), (3.0, 0.5), (0.4, 0.4)] {
            e.draw(&problem, (200, 4000), Arc::new(Normal(m, s)), &mut rng)
                .unwrap();
        }
        assert_eq!((e.len(), e.from_prior()), (16_600, 4600));
        let w = e.weights().unwrap();
        let r = w.reliability();
        let exact = log_evidence_of_half();
        assert!(
            (r.log_evidence - exact).abs() < 4.0 * r.standard_error,
            "{r:?}, not {exact}"
        );
        assert!(r.standard_error < 0.012 && r.warning().is_none());
        // The weight is below L / (share of the prior).
        let bound = ln(16_600.0 / 4600.0);
        for (w, l) in e.log_weights().iter().zip(e.log_likelihood()) {
            assert!(*w <= l + bound + 1e-12);
        }
    }

    #[test]
    fn a_proposal_that_is_the_posterior_gives_equal_weights() {
        let problem = Benchmark::FourSigns.problem();
        struct Exact(&'static dyn ExactPosterior);
        impl Density for Exact {
            fn dim(&self) -> usize {
                self.0.dim()
            }
            fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
                self.0.log_posterior(x)
            }
            fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
                self.0.sample_posterior(n, rng)
            }
        }
        let mut e = Evaluations::new(2);
        let mut rng = stream(1, "exact");
        e.draw(problem, (0, 1000), Arc::new(Exact(problem)), &mut rng)
            .unwrap();
        let w = e.weights().unwrap();
        assert!((w.reliability().ess - 1000.0).abs() < 1e-6);
        assert!((w.reliability().log_evidence - problem.log_evidence()).abs() < 1e-9);
    }

    #[test]
    fn bad_values_are_named_and_leave_no_trace() {
        let mut e = Evaluations::new(1);
        for value in [f64::NAN, f64::INFINITY] {
            let problem = Half {
                poison: Some(value),
            };
            let error = e
                .draw_prior(&problem, 10, &mut stream(1, "bad"))
                .unwrap_err();
            let text = error.to_string();
            assert!(text.contains("log-likelihood of evaluation 3"), "{text}");
            assert!(e.is_empty());
        }
        let impossible = Half {
            poison: Some(f64::NEG_INFINITY),
        };
        e.draw_prior(&impossible, 10, &mut stream(1, "ok")).unwrap();
        assert_eq!(e.log_weights()[3], f64::NEG_INFINITY);
        assert_eq!(e.weights().unwrap().shares()[3], 0.0);
    }
}
