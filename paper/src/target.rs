//! Whatever a run is about.

use datasets::Family;
use datasets::posterior::Benchmark;
use std::str::FromStr;

/// A target density or a posterior.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A family of targets that are drawn from.
    Family(Family),
    /// A posterior benchmark.
    Benchmark(Benchmark),
}

/// A name that neither has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownTarget(String);

impl std::fmt::Display for UnknownTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UnknownTarget {}

impl FromStr for Target {
    type Err = UnknownTarget;

    fn from_str(given: &str) -> Result<Self, UnknownTarget> {
        let benchmark = match given.parse::<Family>() {
            Ok(family) => return Ok(Self::Family(family)),
            Err(family) => given
                .parse::<Benchmark>()
                .map_err(|benchmark| UnknownTarget(format!("{family}; {benchmark}"))),
        };
        benchmark.map(Self::Benchmark)
    }
}

impl From<Family> for Target {
    fn from(family: Family) -> Self {
        Self::Family(family)
    }
}

impl From<Benchmark> for Target {
    fn from(benchmark: Benchmark) -> Self {
        Self::Benchmark(benchmark)
    }
}
