//! Likelihood evaluations, with what weighs them.

use crate::anneal::{AnnealSettings, Annealer};
use crate::error::PosteriorError;
use crate::settings::Draws;
use datasets::posterior::InverseProblem;
use faer::prelude::*;
use metrics::{ImportanceWeights, Reliability, WeightsError};
use numerics::random::Pcg64;

/// Likelihood evaluations, with weights that make them stand for the posterior.
pub struct Evaluations {
    theta: Mat<f64>,
    log_likelihood: Vec<f64>,
    log_weights: Vec<f64>,
    from_prior: usize,
    reliability: Reliability,
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
    #[error("{got} values of the log-likelihood for {rows} rows")]
    Count {
        /// Values given.
        got: usize,
        /// Rows given to it.
        rows: usize,
    },
    /// NaN or +infinity.
    #[error("the log-likelihood of evaluation {row}, at theta = {theta:?}, is {value}")]
    Bad {
        /// Index of the evaluation.
        row: usize,
        /// Where.
        theta: Vec<f64>,
        /// The value.
        value: f64,
    },
}

impl Evaluations {
    /// Draws of the prior, weighed by their likelihoods: the method of arXiv:2512.04954.
    pub(crate) fn of_the_prior(
        problem: &dyn InverseProblem,
        draws: Draws,
        rng: &mut Pcg64,
    ) -> Result<Self, PosteriorError> {
        let (wanted, most) = match draws {
            Draws::Count(n) | Draws::Annealed(n) => (f64::INFINITY, n),
            Draws::UntilEss { ess, most } => (ess, most),
        };
        let mut theta = Mat::zeros(0, problem.dim());
        let mut log_likelihood = Vec::new();
        let mut n = (wanted.min(most as f64).ceil() as usize).min(most);
        loop {
            let more = problem.sample_prior(n, rng);
            log_likelihood.extend(evaluate(problem, more.as_ref(), log_likelihood.len())?);
            theta = stacked(&theta, &more);
            let left = most - log_likelihood.len();
            let weights = ImportanceWeights::new(&log_likelihood);
            let ess = match &weights {
                Ok(w) => w.reliability().ess,
                Err(WeightsError::AllImpossible { .. }) if left > 0 => 1.0,
                Err(e) => return Err(e.clone().into()),
            };
            if let Ok(weights) = weights
                && (ess >= wanted || left == 0)
            {
                return Ok(Self {
                    theta,
                    from_prior: log_likelihood.len(),
                    log_weights: log_likelihood.clone(),
                    log_likelihood,
                    reliability: *weights.reliability(),
                });
            }
            // As many as are missing at the rate so far and 1 % more, at most ten times the present
            // number.
            let so_far = log_likelihood.len() as f64;
            let missing = (so_far * (wanted / ess - 1.0)).min(9.0 * so_far) + 0.01 * so_far;
            n = (missing.ceil() as usize).min(left);
        }
    }

    /// By annealing. `go_on` is asked before each round.
    pub(crate) fn annealed(
        problem: &dyn InverseProblem,
        evaluations: usize,
        seed: u64,
        go_on: &dyn Fn(usize) -> Result<(), PosteriorError>,
    ) -> Result<Self, PosteriorError> {
        let settings = AnnealSettings {
            evaluations,
            // The whole budget is spent: more evaluations make a better fit.
            ess: evaluations as f64,
            ..AnnealSettings::default()
        };
        let mut annealer = Annealer::new(problem.dim(), &settings, seed);
        let mut log_likelihood: Vec<f64> = Vec::new();
        while let Some(z) = annealer.ask() {
            go_on(log_likelihood.len())?;
            let values = evaluate(problem, problem.at(z).as_ref(), log_likelihood.len())?;
            log_likelihood.extend(&values);
            annealer.tell(&values);
        }
        let estimates = annealer.estimates();
        let own: Vec<f64> = estimates
            .shares
            .iter()
            .map(|s| numerics::math::ln(*s))
            .collect();
        let reliability = Reliability {
            log_evidence: estimates.log_evidence,
            standard_error: estimates.standard_error,
            ..*ImportanceWeights::new(&own)?.reliability()
        };
        Ok(Self {
            theta: problem.at(annealer.points()),
            log_weights: annealer.log_weights_for_training(),
            from_prior: annealer.from_prior(),
            log_likelihood,
            reliability,
        })
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

    /// `ln w_i` of every evaluation, nats, for fits: after annealing, of all rounds together (the
    /// balance heuristic). These are the steadiest weights, and not fit for ln Z: a point has a part
    /// in the densities that weigh it.
    #[must_use]
    pub fn log_weights(&self) -> &[f64] {
        &self.log_weights
    }

    /// ln Z, and how far the evaluations can be trusted.
    #[must_use]
    pub fn reliability(&self) -> &Reliability {
        &self.reliability
    }
}

fn stacked(above: &Mat<f64>, below: &Mat<f64>) -> Mat<f64> {
    let n = above.nrows();
    Mat::from_fn(n + below.nrows(), above.ncols(), |i, j| {
        if i < n {
            above[(i, j)]
        } else {
            below[(i - n, j)]
        }
    })
}

/// `ln L` of rows of theta, the first of which is evaluation `first`.
fn evaluate(
    problem: &dyn InverseProblem,
    theta: MatRef<'_, f64>,
    first: usize,
) -> Result<Vec<f64>, EvaluationError> {
    let (dim, got) = (problem.dim(), theta.ncols());
    if got != dim {
        return Err(EvaluationError::Columns { dim, got });
    }
    let values = problem.log_likelihood(theta);
    if values.len() != theta.nrows() {
        let (got, rows) = (values.len(), theta.nrows());
        return Err(EvaluationError::Count { got, rows });
    }
    let bad = |v: &f64| v.is_nan() || *v == f64::INFINITY;
    values.iter().position(bad).map_or(Ok(()), |at| {
        Err(EvaluationError::Bad {
            row: first + at,
            theta: (0..dim).map(|j| theta[(at, j)]).collect(),
            value: values[at],
        })
    })?;
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::math::{exp, ln, normal_log_pdf};
    use numerics::random::stream;

    /// A normal prior on the positive half-line, data `y ~ N(theta, 0.3^2)`, `y = 0.5`; `poison` is
    /// returned for one row.
    struct Half {
        poison: Option<f64>,
    }

    impl InverseProblem for Half {
        fn dim(&self) -> usize {
            1
        }
        fn at(&self, z: MatRef<'_, f64>) -> Mat<f64> {
            Mat::from_fn(z.nrows(), 1, |i, _| z[(i, 0)].abs())
        }
        fn log_prior(&self, theta: MatRef<'_, f64>) -> Vec<f64> {
            let of = |i: usize| normal_log_pdf(theta[(i, 0)]) + ln(2.0);
            (0..theta.nrows()).map(of).collect()
        }
        fn log_likelihood(&self, theta: MatRef<'_, f64>) -> Vec<f64> {
            let of = |i: usize| match self.poison {
                Some(v) if i == 3 => v,
                _ => normal_log_pdf((0.5 - theta[(i, 0)]) / 0.3) - ln(0.3),
            };
            (0..theta.nrows()).map(of).collect()
        }
    }

    fn log_evidence_of_half() -> f64 {
        let h = 1e-4;
        let joint = |t: f64| {
            exp(2.0 * normal_log_pdf(0.0) - 0.5 * t * t - 0.5 * (0.5 - t) * (0.5 - t) / 0.09)
        };
        let terms = (0..60_000).map(|i| joint((f64::from(i) + 0.5) * h));
        ln(terms.sum::<f64>() * h * 2.0 / 0.3)
    }

    #[test]
    fn both_kinds_of_draws_give_one_evidence() {
        let problem = Half { poison: None };
        let exact = log_evidence_of_half();
        let draws = Draws::Count(5000);
        let once = Evaluations::of_the_prior(&problem, draws, &mut stream(1, "draws")).unwrap();
        assert_eq!(once.log_weights(), once.log_likelihood());
        assert_eq!((once.len(), once.from_prior()), (5000, 5000));
        // A map that is not monotone serves as well.
        let annealed = Evaluations::annealed(&problem, 5000, 1, &|_| Ok(())).unwrap();
        assert_eq!(annealed.len(), 5000);
        assert!(annealed.from_prior() >= 1000 && annealed.from_prior() < 3000);
        for found in [&once, &annealed] {
            let r = found.reliability();
            let error = r.log_evidence - exact;
            assert!(error.abs() < 4.0 * r.standard_error, "{r:?}, not {exact}");
        }
        assert!(annealed.reliability().ess > once.reliability().ess);
        let draws = Draws::UntilEss {
            ess: 1000.0,
            most: 100_000,
        };
        let until = Evaluations::of_the_prior(&problem, draws, &mut stream(1, "draws")).unwrap();
        assert!((1000.0..1200.0).contains(&until.reliability().ess));
    }

    #[test]
    fn bad_values_are_named() {
        for value in [f64::NAN, f64::INFINITY] {
            let problem = Half {
                poison: Some(value),
            };
            let rng = &mut stream(1, "bad");
            let error = Evaluations::of_the_prior(&problem, Draws::Count(10), rng).err();
            let text = error.unwrap().to_string();
            assert!(text.contains("log-likelihood of evaluation 3"), "{text}");
        }
        let problem = Half {
            poison: Some(f64::NEG_INFINITY),
        };
        let rng = &mut stream(1, "ok");
        let found = Evaluations::of_the_prior(&problem, Draws::Count(10), rng).unwrap();
        assert_eq!(found.log_weights()[3], f64::NEG_INFINITY);
    }
}
