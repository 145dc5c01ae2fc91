//! Columns of draws: their names and supports.

use density::Support;
use serde::{Deserialize, Serialize};

/// A column: its name and its support.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Unique within a density.
    pub name: String,
    /// Where its values lie.
    pub support: Support,
}

impl Column {
    /// An unbounded column.
    pub fn real(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            support: Support::Real,
        }
    }

    /// A column of positive values.
    pub fn positive(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            support: Support::Positive,
        }
    }

    /// A column of values between `low` and `high`.
    pub fn interval(name: impl Into<String>, low: f64, high: f64) -> Self {
        Self {
            name: name.into(),
            support: Support::Interval { low, high },
        }
    }
}
