//! Weighted maximum likelihood by Adam, with mini-batches, early stopping, backing off and
//! checkpoints.

mod config;
mod descent;
mod report;
mod state;

pub use self::config::{Batch, FitConfig};
pub use self::report::{Backoff, Evaluation, FitReport, Termination};

use crate::error::FitError;
use crate::flow::Flow;
use density::{Data, FitContext};
use descent::{Fit, Rows};
use numerics::random::Pcg64;

impl Flow {
    /// Fits the parameters by maximising the weighted log-likelihood of `train`, given its contexts
    /// if the flow has any.
    ///
    /// The loss of a step is `- sum_i w_i ln q(x_i | y_i) / n` over its n points, with weights of
    /// mean one over the whole set. With a validation set, its likelihood is evaluated every
    /// `evaluate_every` steps; with `patience` as well, the parameters of the best evaluation are
    /// restored. The observer of the context is told after every step and can end the fit; its
    /// checkpoint store holds the state (parameters, moments, generator, order of the points), from
    /// which the same call resumes bit-identically. The standardisation is not changed. The result
    /// depends on the data, the settings and `rng` alone, not on the number of threads.
    ///
    /// The fit backs off when a loss is not finite, and when one is more than a thousand times that
    /// of the first step and none of the next fifty comes within ten nats for each coordinate of
    /// the smallest. It returns to the parameters of the smallest training loss so far and
    /// continues without momentum at three tenths of the learning rate, at most five times.
    ///
    /// # Errors
    /// Settings or data that cannot be used, and a fit that diverges once more. The parameters are
    /// then those of the best evaluation so far.
    pub fn fit(
        &mut self,
        train: Data<'_>,
        validation: Option<Data<'_>>,
        config: &FitConfig,
        rng: &mut Pcg64,
        context: &FitContext<'_>,
    ) -> Result<FitReport, FitError> {
        config.check().map_err(FitError::Config)?;
        let (dim, context_dim) = (self.stack.dim, self.stack.context);
        let check = |data: &Data<'_>, name: &'static str| {
            let checked = data.check_for(dim, context_dim);
            checked.map_err(|source| FitError::Data { name, source })
        };
        check(&train, "training")?;
        if let Some(v) = &validation {
            check(v, "validation")?;
        }
        let rows = |data: &Data<'_>| {
            let mut points = self.beside_contexts(data.points, data.contexts);
            self.standardise
                .transform(points.as_mut().subcols_mut(0, dim));
            Rows {
                points,
                weights: data.unit_weights(),
            }
        };
        let fit = Fit {
            stack: &self.stack,
            config,
            train: rows(&train),
            held_out: validation.as_ref().map(rows),
            offset: -self.standardise.log_det(),
        };
        fit.run(&mut self.params, rng, context)
    }
}
