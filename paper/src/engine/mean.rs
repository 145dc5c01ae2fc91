//! Means and standard errors over seeds.

use numerics::math::mean_and_standard_error;

/// A mean over seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// The mean.
    pub value: f64,
    /// Its standard error; `None` for a single seed.
    pub error: Option<f64>,
}

impl Mean {
    /// Of some values; `None` without any.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let (value, error) = mean_and_standard_error(values);
        Some(Self {
            value,
            error: (values.len() > 1).then_some(error),
        })
    }

    /// The mean alone.
    #[must_use]
    pub fn without_error(self) -> Self {
        Self {
            error: None,
            ..self
        }
    }
}
