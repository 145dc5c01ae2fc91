//! Test problems of evidence, as priors.

use crate::prior::PriorMap;
use datasets::posterior::Canon;
use faer::prelude::*;

impl PriorMap for &Canon {
    fn names(&self) -> &[String] {
        &self.parameters
    }

    fn at(&self, z: MatRef<'_, f64>) -> Mat<f64> {
        Canon::at(self, z)
    }
}
