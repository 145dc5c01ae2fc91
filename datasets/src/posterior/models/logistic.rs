//! Logistic regression on simulated data.

use super::super::canon::Canon;
use numerics::distribution::Distribution;
use numerics::math::{dot, sigmoid, softplus};
use numerics::random::{standard_normal, stream, uniform};

/// Standard deviation of the prior of each coefficient.
const SD: f64 = 2.0;

/// Rows of data for each coefficient.
const ROWS: usize = 20;

/// `ln Z` and its standard error by a few long runs of the same sampler (of an earlier version,
/// 60,000 to 200,000 evaluations each, other seeds), for 10 and 25 coefficients.
const REFERENCES: [(usize, f64, f64); 2] = [(10, -100.5443, 0.0011), (25, -192.5291, 0.0022)];

/// Covariates with their signed labels, `y x` for y in {-1, 1}: all that the likelihood needs.
fn data(d: usize) -> Vec<Vec<f64>> {
    let mut rng = stream(1, &format!("logistic/{d}"));
    let truth: Vec<f64> = (0..d).map(|_| standard_normal(&mut rng)).collect();
    (0..ROWS * d)
        .map(|_| {
            let mut x = vec![1.0];
            x.extend((1..d).map(|_| standard_normal(&mut rng)));
            let yes = uniform(&mut rng) < sigmoid(dot(&x, &truth));
            let sign = if yes { 1.0 } else { -1.0 };
            x.iter().map(|v| sign * v).collect()
        })
        .collect()
}

impl Canon {
    /// Logistic regression: an intercept and `d - 1` covariates, `20 d` rows, priors `N(0, 2^2)`; d is
    /// 10 or 25.
    ///
    /// # Panics
    /// For another d: its evidence is not known.
    #[must_use]
    pub fn logistic(d: usize) -> Self {
        let known = REFERENCES.iter().find(|r| r.0 == d);
        let &(_, log_evidence, error) = known.expect("10 or 25 coefficients");
        let prior = vec![Distribution::Normal { mean: 0.0, sd: SD }; d];
        let rows = data(d);
        Self::new("logistic", prior, log_evidence, move |theta| {
            -rows.iter().map(|x| softplus(-dot(x, theta))).sum::<f64>()
        })
        .known_within(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::math::ln;

    #[test]
    fn the_likelihood_is_the_product_of_the_labels_probabilities() {
        let canon = Canon::logistic(10);
        let theta: Vec<f64> = (0..10).map(|j| 0.1 * f64::from(j) - 0.3).collect();
        let probability = |x: &Vec<f64>| {
            let eta: f64 = x.iter().zip(&theta).map(|(x, t)| x * t).sum();
            sigmoid(eta)
        };
        let log_l: f64 = data(10).iter().map(|x| ln(probability(x))).sum();
        assert!((canon.log_likelihood(&theta) - log_l).abs() < 1e-10);
        // At zero each label has one half.
        let none = canon.log_likelihood(&[0.0; 10]);
        assert!((none + 200.0 * std::f64::consts::LN_2).abs() < 1e-10);
    }

    #[test]
    fn both_labels_occur() {
        for d in [10, 25] {
            let yes = data(d).iter().filter(|x| x[0] > 0.0).count();
            assert!(yes > 2 * d && yes < 18 * d, "{yes} of {}", 20 * d);
        }
    }
}
