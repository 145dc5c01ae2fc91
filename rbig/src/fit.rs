//! The fit: layers are added until the rule stops it.

use crate::Error;
use crate::config::{LayerRule, RbigConfig};
use crate::marginal::Sample;
use crate::model::{Layer, LayerRecord, Rbig};
use crate::negentropy::Negentropy;
use crate::rotation::Rotation;
use crate::rows::Rows;
use density::{Affine, Data};
use numerics::math::sum;
use numerics::random::Pcg64;
use rayon::prelude::*;

/// Most rows used by the diagnostics of a layer.
const DIAGNOSTIC_ROWS: usize = 10_000;
/// Fewest rows of a fit.
const LEAST_ROWS: usize = 8;

impl Rbig {
    /// Fits the model to `train`. Weights need not sum to one.
    ///
    /// `validation` is needed by [`LayerRule::HeldOut`]; the other rules only report its likelihood
    /// in the history. `rng` draws the rotations.
    ///
    /// # Errors
    /// [`Error::BadSetting`]; [`Error::NoValidation`]; [`Error::TooFewRows`] (fewer than 8, or no
    /// validation rows); [`Error::NotFinite`] and [`Error::ConstantColumn`] with their place;
    /// [`Error::BadWeight`]; [`Error::SizeMismatch`] (also when there are contexts: the model is
    /// not conditional); [`Error::Singular`] when a column is a linear combination of others (with
    /// no more rows than columns, [`LayerRule::HeldOut`] ends the search instead);
    /// [`Error::Overflow`].
    pub fn fit(
        train: Data<'_>,
        validation: Option<Data<'_>>,
        config: &RbigConfig,
        rng: &mut Pcg64,
    ) -> Result<Self, Error> {
        config.check()?;
        let (rows, dim) = train.points.shape();
        if dim == 0 {
            return Err(Error::SizeMismatch {
                what: "columns",
                got: 0,
                expected: 1,
            });
        }
        if rows < LEAST_ROWS {
            return Err(Error::TooFewRows {
                rows,
                needed: LEAST_ROWS,
            });
        }
        let skip = rows.div_ceil(DIAGNOSTIC_ROWS);
        let some_weights: Option<Vec<f64>> = train
            .weights
            .map(|w| w.iter().step_by(skip).copied().collect());
        let mut train = Rows::new(train)?;
        let mut held_out = validation.map(|v| Rows::validation(v, dim)).transpose()?;
        let standardisation = standardisation(&train)?;
        train.standardise(&standardisation);
        if let Some(v) = &mut held_out {
            v.standardise(&standardisation);
        }
        let record = |layers, negentropy, train: &Rows, held_out: &Option<Rows>| LayerRecord {
            layers,
            train_nll: train.nll(),
            validation_nll: held_out.as_ref().map(Rows::nll),
            negentropy,
        };
        let start = record(0, 0.0, &train, &held_out);
        let mut search = Search::new(config.layers, start.validation_nll)?;
        let mut model = Self {
            standardisation,
            layers: Vec::new(),
            history: vec![start],
        };
        let negentropy = Negentropy::new(rows.div_ceil(skip), some_weights.as_deref())?;
        let null_deviation = negentropy.null_deviation() * (dim as f64).sqrt();

        for layer in 0..search.max_layers {
            let part = train.x.every(skip);
            let each: Vec<f64> = (0..dim)
                .into_par_iter()
                .map(|j| negentropy.estimate(part.column(j)))
                .collect();
            let fall = sum(&each);

            let marginals = match train.fit_marginals(&config.marginal, layer) {
                // No more rows than columns always lie on a plane: further axes are over-fitted.
                Err(Error::Singular { .. })
                    if train.weighted_rows() <= dim && search.is_held_out() =>
                {
                    break;
                }
                other => other?,
            };
            train.apply_marginals(&marginals);
            if !train.is_finite() {
                return Err(Error::Overflow { layer });
            }
            let rotation = Rotation::choose(config.rotation, layer, &train.x, &train.shares, rng);
            train.rotate(&rotation);
            if let Some(v) = &mut held_out {
                v.apply_marginals(&marginals);
                v.rotate(&rotation);
            }
            model.layers.push(Layer {
                marginals,
                rotation,
            });
            let now = record(layer + 1, fall, &train, &held_out);
            model.history.push(now);
            if search.ends(&now, null_deviation) {
                break;
            }
        }
        model.layers.truncate(search.keep);
        Ok(model)
    }
}

/// To mean 0 and standard deviation 1 of each column.
fn standardisation(train: &Rows) -> Result<Affine, Error> {
    let (mut means, mut deviations) = (Vec::new(), Vec::new());
    for j in 0..train.x.dim() {
        let sample =
            Sample::new(train.x.column(j), Some(&train.shares)).map_err(|e| e.in_column(j))?;
        means.push(sample.mean);
        deviations.push(sample.deviation);
    }
    Affine::new(means, deviations).ok_or(Error::Overflow { layer: 0 })
}

/// The search for the number of layers.
struct Search {
    rule: LayerRule,
    max_layers: usize,
    patience: usize,
    /// Number of layers selected.
    keep: usize,
    /// The best validation score so far.
    best: Option<f64>,
    /// Layers since the last gain.
    idle: usize,
}

impl Search {
    /// `start`: mean negative log-likelihood of the validation data without layers.
    fn new(rule: LayerRule, start: Option<f64>) -> Result<Self, Error> {
        let (max_layers, patience) = match rule {
            LayerRule::Count(n) => (n, usize::MAX),
            LayerRule::HeldOut {
                max_layers,
                patience,
                ..
            }
            | LayerRule::TotalCorrelation {
                max_layers,
                patience,
                ..
            } => (max_layers, patience),
        };
        let search = Self {
            rule,
            max_layers,
            patience,
            keep: 0,
            best: start,
            idle: 0,
        };
        if search.is_held_out() && start.is_none() {
            return Err(Error::NoValidation);
        }
        Ok(search)
    }

    fn is_held_out(&self) -> bool {
        matches!(self.rule, LayerRule::HeldOut { .. })
    }

    /// Whether the search ends with this layer.
    fn ends(&mut self, now: &LayerRecord, null_deviation: f64) -> bool {
        let gain = match self.rule {
            LayerRule::Count(_) => true,
            LayerRule::HeldOut { min_gain, .. } => match (self.best, now.validation_nll) {
                (Some(old), Some(new)) => {
                    let gain = old - new > min_gain;
                    if gain {
                        self.best = Some(new);
                    }
                    gain
                }
                _ => false,
            },
            // The first layer makes the columns normal; its negentropy does not measure dependence.
            LayerRule::TotalCorrelation { tolerance, .. } => {
                now.layers == 1 || now.negentropy > tolerance * null_deviation
            }
        };
        if gain {
            (self.keep, self.idle) = (now.layers, 0);
            return false;
        }
        self.idle += 1;
        self.idle >= self.patience
    }
}
