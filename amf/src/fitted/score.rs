//! Means of log-densities over weighted rows, with standard errors.

use numerics::math::{dot, sum};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A mean in nats and its standard error. Infinite when a row has no density at all.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// The mean.
    #[serde(with = "null_if_infinite")]
    pub value: f64,
    /// Its standard error.
    #[serde(with = "null_if_infinite")]
    pub standard_error: f64,
}

impl Score {
    /// The same mean of rows of which this share counts as independent ones.
    #[must_use]
    pub fn dependent(self, share: f64) -> Self {
        Self {
            standard_error: self.standard_error / share.sqrt(),
            ..self
        }
    }

    /// The mean of `values` under `shares` (of sum one, or equal ones) and its standard error
    /// `sqrt(sum_i w_i^2 (v_i - mean)^2 / (1 - sum_i w_i^2))`, which for equal weights is the usual
    /// one. Rows of share zero do not count.
    #[must_use]
    pub fn of(values: &[f64], shares: Option<&[f64]>) -> Self {
        let equal;
        let shares = match shares {
            Some(s) => s,
            None => {
                equal = vec![1.0 / values.len() as f64; values.len()];
                &equal
            }
        };
        let terms: Vec<f64> = values
            .iter()
            .zip(shares)
            .map(|(v, w)| if *w == 0.0 { 0.0 } else { v * w })
            .collect();
        let value = sum(&terms);
        if !value.is_finite() {
            return Self {
                value: f64::INFINITY,
                standard_error: f64::INFINITY,
            };
        }
        let squares: Vec<f64> = values
            .iter()
            .zip(shares)
            .map(|(v, w)| if *w == 0.0 { 0.0 } else { w * (v - value) })
            .map(|v| v * v)
            .collect();
        let left = 1.0 - dot(shares, shares);
        let standard_error = if left > 0.0 {
            (sum(&squares) / left).sqrt()
        } else {
            f64::INFINITY
        };
        Self {
            value,
            standard_error,
        }
    }
}

/// JSON has no infinity.
mod null_if_infinite {
    use super::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(v: &f64, s: S) -> Result<S::Ok, S::Error> {
        if v.is_finite() {
            s.serialize_some(v)
        } else {
            s.serialize_none()
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
        Ok(Option::<f64>::deserialize(d)?.unwrap_or(f64::INFINITY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::math::mean_and_standard_error;

    #[test]
    fn equal_weights_give_the_usual_error_and_no_density_is_infinite() {
        let v = [1.0, 4.0, 2.5, -3.0];
        let (mean, error) = mean_and_standard_error(&v);
        for shares in [None, Some(&[0.25; 4][..])] {
            let s = Score::of(&v, shares);
            assert!((s.value - mean).abs() < 1e-15 && (s.standard_error - error).abs() < 1e-15);
        }
        let ignored = Score::of(&[1.0, f64::INFINITY, 3.0], Some(&[0.5, 0.0, 0.5]));
        assert!((ignored.value - 2.0).abs() < 1e-15);
        let s = Score::of(&[1.0, f64::INFINITY], None);
        let text = serde_json::to_string(&s).unwrap();
        assert_eq!(text, r#"{"value":null,"standard_error":null}"#);
        assert_eq!(serde_json::from_str::<Score>(&text).unwrap(), s);
    }
}
