//! What is wrong with a config, and where.

use super::path::Segment;
use super::place::Place;
use numerics::checked::one_line;
use std::fmt;

/// A config that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file or folder cannot be read.
    #[error("{file}: cannot be read")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is not RON, or a field is not what it should be.
    #[error("{file}:{place}: {reason}")]
    Syntax {
        /// The file.
        file: String,
        /// Where in it.
        place: Place,
        /// What is wrong.
        reason: String,
    },
    /// The fields do not make sense together.
    #[error("{file}:{place}: {error}")]
    Field {
        /// The file.
        file: String,
        /// Where in it the field is, or else the value around it.
        place: Place,
        /// The field, and what is wrong with it.
        error: FieldError,
    },
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// From the whole config to the field.
    pub path: Vec<Segment>,
    /// What is wrong with it.
    pub reason: String,
}

impl FieldError {
    /// An error of a whole value; [`at`](Self::at) adds the struct or list around it.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            path: Vec::new(),
            reason: reason.into(),
        }
    }

    /// The same, seen from the struct or list around.
    #[must_use]
    pub fn at(mut self, segment: impl Into<Segment>) -> Self {
        self.path.insert(0, segment.into());
        self
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.path.iter().enumerate() {
            match segment {
                Segment::Field(name) if i == 0 => f.write_str(name)?,
                Segment::Field(name) => write!(f, ".{name}")?,
                Segment::Item(k) => write!(f, "[{k}]")?,
            }
        }
        let colon = if self.path.is_empty() { "" } else { ": " };
        write!(f, "{colon}{}", one_line(&self.reason))
    }
}

impl std::error::Error for FieldError {}
