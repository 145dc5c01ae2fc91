//! Rotation-based iterative Gaussianisation.

use crate::Error;
use crate::columns::Columns;
use crate::marginal::{Marginal, MarginalKind, Sample, check_weights};
use crate::negentropy::Negentropy;
use crate::rotation::{Rotation, RotationKind};
use faer::{Mat, MatRef};
use numerics::math::{LN_2PI, dot, ln, sum};
use numerics::random::{Pcg64, fill_standard_normal};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Rows that pass through all layers together: with their buffers they fit into a core's cache.
const CHUNK: usize = 512;
/// Most rows that the diagnostics of a layer look at.
const DIAGNOSTIC_ROWS: usize = 10_000;

/// When to stop adding layers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum LayerRule {
    /// This many layers, whatever they do.
    Count(usize),
    /// The number of layers, from 0 to `max_layers`, with the highest mean log-likelihood of validation data. The
    /// search ends after `patience` layers in a row without a gain of more than `min_gain` nats a point.
    HeldOut {
        /// Most layers tried.
        max_layers: usize,
        /// Layers without a gain before the search ends, >= 1.
        patience: usize,
        /// Least gain that counts, nats a point, >= 0.
        min_gain: f64,
    },
    /// Layers are added until `patience` rotations in a row lead to columns that look normal: until the sum of their
    /// negentropies (the fall of the total correlation) is below `tolerance` standard deviations of its value for
    /// independent normal columns. The layers of those last rotations are left out.
    TotalCorrelation {
        /// Most layers.
        max_layers: usize,
        /// Standard deviations of the null level, >= 0.
        tolerance: f64,
        /// Rotations without a fall before the fit ends, >= 1.
        patience: usize,
    },
}

/// Settings of [`Rbig::fit`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RbigConfig {
    /// When to stop.
    pub layers: LayerRule,
    /// How columns are made normal.
    pub marginal: MarginalKind,
    /// What turns the axes between.
    pub rotation: RotationKind,
}

impl RbigConfig {
    /// Four layers of 50-bin histograms and random rotations (the setting of arXiv:2510.02056).
    #[must_use]
    pub fn published() -> Self {
        Self {
            layers: LayerRule::Count(4),
            marginal: MarginalKind::published_histogram(),
            rotation: RotationKind::Random,
        }
    }

    /// Smooth marginals, rotations towards non-normal directions, and a number of layers chosen on validation data.
    #[must_use]
    pub fn smooth() -> Self {
        Self {
            layers: LayerRule::HeldOut {
                max_layers: 50,
                patience: 8,
                min_gain: 0.0,
            },
            marginal: MarginalKind::smooth(),
            rotation: RotationKind::MostNonGaussian { candidates: 16 },
        }
    }

    /// Whether the settings are in range.
    ///
    /// # Errors
    /// [`Error::BadSetting`] names the field.
    pub fn check(&self) -> Result<(), Error> {
        let bad = |field, reason| Err(Error::BadSetting { field, reason });
        match self.layers {
            LayerRule::Count(_) => {}
            LayerRule::HeldOut {
                patience, min_gain, ..
            } => {
                if patience == 0 {
                    return bad("patience", "must be at least 1");
                }
                if !(min_gain >= 0.0 && min_gain.is_finite()) {
                    return bad("min_gain", "must be finite and >= 0");
                }
            }
            LayerRule::TotalCorrelation {
                tolerance,
                patience,
                ..
            } => {
                if patience == 0 {
                    return bad("patience", "must be at least 1");
                }
                if !(tolerance >= 0.0 && tolerance.is_finite()) {
                    return bad("tolerance", "must be finite and >= 0");
                }
            }
        }
        if self.rotation == (RotationKind::MostNonGaussian { candidates: 0 }) {
            return bad("candidates", "must be at least 1");
        }
        self.marginal.check()
    }
}

/// What the fit saw after a number of layers; the first entry of [`Rbig::history`] is the standardisation alone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerRecord {
    /// Number of layers.
    pub layers: usize,
    /// Mean negative log-likelihood of the training data, nats.
    pub train_nll: f64,
    /// The same of the validation data, if there were any.
    pub validation_nll: Option<f64>,
    /// Sum of the negentropies of the columns that the layer made normal, nats. From the second layer on this is by how
    /// much the total correlation fell; zero for the standardisation.
    pub negentropy: f64,
}

/// One marginal map for each column, then a rotation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Layer {
    pub marginals: Vec<Marginal>,
    pub rotation: Rotation,
}

/// `(x - mean) / deviation`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Standardisation {
    pub mean: f64,
    pub deviation: f64,
}

/// A normalising flow fitted layer by layer without gradients (Laparra, Camps-Valls and Malo 2011, arXiv:1602.00229).
///
/// Data are standardised, then each layer maps every column onto a standard normal (see [`MarginalKind`]) and rotates the
/// axes. With `z = T(x)`, `ln q(x) = sum_i ln phi(z_i) + ln |det dT/dx|`. With no layers q is the product of normals with the
/// means and variances of the columns. A row's result does not depend on the rows beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rbig {
    pub(crate) standardisation: Vec<Standardisation>,
    pub(crate) layers: Vec<Layer>,
    history: Vec<LayerRecord>,
}

/// A validation set: rows, and their weights.
pub type Validation<'a> = (MatRef<'a, f64>, Option<&'a [f64]>);

impl Rbig {
    /// Fits the model to `x` (rows x features), with optional weights >= 0 of the rows (they need not sum to one).
    ///
    /// `validation` is needed by [`LayerRule::HeldOut`]; the other rules only report its likelihood in the history.
    /// `rng` draws the rotations.
    ///
    /// # Errors
    /// [`Error::BadSetting`]; [`Error::NoValidation`]; [`Error::TooFewRows`] (fewer than 8, or no validation rows),
    /// [`Error::NotFinite`] and [`Error::ConstantColumn`] with their place; [`Error::BadWeight`];
    /// [`Error::SizeMismatch`]; [`Error::Singular`] when a column is a linear combination of others (with no more rows than columns
    /// the search of [`LayerRule::HeldOut`] ends instead);
    /// [`Error::Overflow`].
    pub fn fit(
        x: MatRef<'_, f64>,
        weights: Option<&[f64]>,
        validation: Option<Validation<'_>>,
        config: &RbigConfig,
        rng: &mut Pcg64,
    ) -> Result<Self, Error> {
        config.check()?;
        let (rows, dim) = (x.nrows(), x.ncols());
        if dim == 0 {
            return Err(Error::SizeMismatch {
                what: "columns",
                got: 0,
                expected: 1,
            });
        }
        if rows < 8 {
            return Err(Error::TooFewRows { rows, needed: 8 });
        }
        let mut train = Fitted::new(x, weights)?;
        let mut held_out = validation
            .map(|(v, w)| Fitted::validation(v, w, dim))
            .transpose()?;
        let mut model = Self::standardise(&mut train)?;
        if let Some(v) = &mut held_out {
            v.standardise(&model.standardisation);
        }
        let record = |layers, negentropy, train: &Fitted, held_out: &Option<Fitted>| LayerRecord {
            layers,
            train_nll: train.nll(),
            validation_nll: held_out.as_ref().map(Fitted::nll),
            negentropy,
        };
        model.history.push(record(0, 0.0, &train, &held_out));

        let (max_layers, patience) = match config.layers {
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
        let chosen = matches!(config.layers, LayerRule::HeldOut { .. });
        if chosen && held_out.is_none() {
            return Err(Error::NoValidation);
        }
        let skip = rows.div_ceil(DIAGNOSTIC_ROWS);
        let some_weights: Option<Vec<f64>> =
            weights.map(|w| w.iter().step_by(skip).copied().collect());
        let negentropy = Negentropy::new(rows.div_ceil(skip), some_weights.as_deref())?;

        // The layers to keep, the score they had, and how many followed without a gain.
        let mut keep = 0;
        let mut best = model.history[0].validation_nll;
        let mut idle = 0;
        for layer in 0..max_layers {
            let part = train.x.every(skip);
            let each: Vec<f64> = (0..dim)
                .into_par_iter()
                .map(|j| negentropy.estimate(part.column(j)))
                .collect();
            let fall = sum(&each);

            let marginals = match train.fit_marginals(&config.marginal, layer) {
                // So few rows lie on a plane whatever they come from: the axes that show it are over-fitted, and no layer is needed.
                Err(Error::Singular { .. }) if train.weighted_rows() <= dim && chosen => break,
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

            let gain = match config.layers {
                LayerRule::Count(_) => true,
                LayerRule::HeldOut { min_gain, .. } => match (best, now.validation_nll) {
                    (Some(old), Some(new)) => {
                        let gain = old - new > min_gain;
                        if gain {
                            best = Some(new);
                        }
                        gain
                    }
                    _ => false,
                },
                // The first layer makes the columns normal; what it finds is not dependence.
                LayerRule::TotalCorrelation { tolerance, .. } => {
                    let noise = negentropy.null_deviation() * (dim as f64).sqrt();
                    layer == 0 || fall > tolerance * noise
                }
            };
            if gain {
                (keep, idle) = (layer + 1, 0);
            } else {
                idle += 1;
                if idle >= patience {
                    break;
                }
            }
        }
        model.layers.truncate(keep);
        Ok(model)
    }

    fn standardise(train: &mut Fitted) -> Result<Self, Error> {
        let mut standardisation = Vec::with_capacity(train.x.dim());
        for j in 0..train.x.dim() {
            let sample =
                Sample::new(train.x.column(j), Some(&train.shares)).map_err(|e| e.in_column(j))?;
            standardisation.push(Standardisation {
                mean: sample.mean,
                deviation: sample.deviation,
            });
        }
        train.standardise(&standardisation);
        Ok(Self {
            standardisation,
            layers: Vec::new(),
            history: Vec::new(),
        })
    }

    pub(crate) fn from_layers(standardisation: Vec<Standardisation>, layers: Vec<Layer>) -> Self {
        Self {
            standardisation,
            layers,
            history: Vec::new(),
        }
    }

    /// Number of features.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.standardisation.len()
    }

    /// Number of layers kept.
    #[must_use]
    pub fn num_layers(&self) -> usize {
        self.layers.len()
    }

    /// One entry for the standardisation and one for each layer tried, also those that were not kept.
    #[must_use]
    pub fn history(&self) -> &[LayerRecord] {
        &self.history
    }

    /// Data -> Gaussian: `z` (n x d) and `ln |det dz/dx|` of each row, nats. A row that is not finite gives values that are
    /// not finite.
    ///
    /// # Panics
    /// If x does not have [`Rbig::dim`] columns.
    #[must_use]
    pub fn transform_and_log_det(&self, x: MatRef<'_, f64>) -> (Mat<f64>, Vec<f64>) {
        self.in_chunks(x, |block, spare, log_det| {
            self.forward(block, spare, log_det, self.layers.len());
        })
    }

    /// Gaussian -> data: `x` (n x d) and `ln |det dx/dz|` of each row, nats.
    ///
    /// # Panics
    /// If z does not have [`Rbig::dim`] columns.
    #[must_use]
    pub fn inverse_and_log_det(&self, z: MatRef<'_, f64>) -> (Mat<f64>, Vec<f64>) {
        self.in_chunks(z, |block, spare, log_det| {
            for layer in self.layers.iter().rev() {
                block.replace(spare, |z, x, rows| layer.rotation.inverse(z, x, rows));
                for (j, m) in layer.marginals.iter().enumerate() {
                    m.inverse(block.column_mut(j), log_det);
                }
            }
            for (j, s) in self.standardisation.iter().enumerate() {
                let level = ln(s.deviation);
                for (v, l) in block.column_mut(j).iter_mut().zip(&mut *log_det) {
                    *v = s.mean + *v * s.deviation;
                    *l += level;
                }
            }
        })
    }

    /// `ln q(x)` of each row of x (n x d), nats.
    ///
    /// # Panics
    /// If x does not have [`Rbig::dim`] columns.
    #[must_use]
    pub fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
        self.log_prob_of_first(self.layers.len(), x)
    }

    /// The log-density of the model cut off after its first `layers` layers.
    pub(crate) fn log_prob_of_first(&self, layers: usize, x: MatRef<'_, f64>) -> Vec<f64> {
        assert_eq!(x.ncols(), self.dim(), "columns of x");
        let mut out = vec![0.0; x.nrows()];
        out.par_chunks_mut(CHUNK).enumerate().for_each_init(
            Vec::new,
            |spare, (chunk, log_prob)| {
                let mut block = Columns::from_rows(x, chunk * CHUNK, log_prob.len());
                self.forward(&mut block, spare, log_prob, layers);
                add_base(&block, log_prob);
            },
        );
        out
    }

    /// n independent draws (n x d).
    #[must_use]
    pub fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        let mut z = Mat::zeros(n, self.dim());
        let mut row = vec![0.0; self.dim()];
        for i in 0..n {
            fill_standard_normal(rng, &mut row);
            for (j, v) in row.iter().enumerate() {
                z[(i, j)] = *v;
            }
        }
        self.inverse_and_log_det(z.as_ref()).0
    }

    fn forward(
        &self,
        block: &mut Columns,
        spare: &mut Vec<f64>,
        log_det: &mut [f64],
        layers: usize,
    ) {
        standardise(block, log_det, &self.standardisation);
        for layer in self.layers.iter().take(layers) {
            for (j, m) in layer.marginals.iter().enumerate() {
                m.forward(block.column_mut(j), log_det);
            }
            block.replace(spare, |x, z, rows| layer.rotation.forward(x, z, rows));
        }
    }

    fn in_chunks(
        &self,
        x: MatRef<'_, f64>,
        map: impl Fn(&mut Columns, &mut Vec<f64>, &mut [f64]) + Sync,
    ) -> (Mat<f64>, Vec<f64>) {
        assert_eq!(x.ncols(), self.dim(), "columns of the input");
        let mut out = Mat::zeros(x.nrows(), x.ncols());
        let mut log_det = vec![0.0; x.nrows()];
        let blocks: Vec<Columns> = log_det
            .par_chunks_mut(CHUNK)
            .enumerate()
            .map_init(Vec::new, |spare, (chunk, log_det)| {
                let mut block = Columns::from_rows(x, chunk * CHUNK, log_det.len());
                map(&mut block, spare, log_det);
                block
            })
            .collect();
        for (chunk, block) in blocks.iter().enumerate() {
            block.write(&mut out, chunk * CHUNK);
        }
        (out, log_det)
    }
}

fn standardise(x: &mut Columns, log_det: &mut [f64], by: &[Standardisation]) {
    for (j, s) in by.iter().enumerate() {
        let level = ln(s.deviation);
        for (v, l) in x.column_mut(j).iter_mut().zip(&mut *log_det) {
            *v = (*v - s.mean) / s.deviation;
            *l -= level;
        }
    }
}

/// Adds `sum_i ln phi(z_i)`.
fn add_base(z: &Columns, log_prob: &mut [f64]) {
    for j in 0..z.dim() {
        for (z, l) in z.column(j).iter().zip(&mut *log_prob) {
            *l -= 0.5 * (z * z + LN_2PI);
        }
    }
}

/// Rows on their way through the layers.
struct Fitted {
    x: Columns,
    shares: Vec<f64>,
    /// Whether the rows have equal weights.
    equal: bool,
    log_det: Vec<f64>,
    spare: Vec<f64>,
}

impl Fitted {
    fn new(x: MatRef<'_, f64>, weights: Option<&[f64]>) -> Result<Self, Error> {
        let rows = x.nrows();
        let total = check_weights(rows, weights)?;
        let shares = match weights {
            None => vec![1.0 / total; rows],
            Some(w) => w.iter().map(|w| w / total).collect(),
        };
        let x = Columns::from_mat(x);
        for column in 0..x.dim() {
            if let Some(row) = x.column(column).iter().position(|v| !v.is_finite()) {
                return Err(Error::NotFinite { column, row });
            }
        }
        Ok(Self {
            x,
            shares,
            equal: weights.is_none(),
            log_det: vec![0.0; rows],
            spare: Vec::new(),
        })
    }

    fn validation(x: MatRef<'_, f64>, weights: Option<&[f64]>, dim: usize) -> Result<Self, Error> {
        if x.ncols() != dim {
            return Err(Error::SizeMismatch {
                what: "validation columns",
                got: x.ncols(),
                expected: dim,
            });
        }
        if x.nrows() == 0 {
            return Err(Error::TooFewRows { rows: 0, needed: 1 });
        }
        Self::new(x, weights)
    }

    fn weighted_rows(&self) -> usize {
        self.shares.iter().filter(|s| **s > 0.0).count()
    }

    fn standardise(&mut self, by: &[Standardisation]) {
        standardise(&mut self.x, &mut self.log_det, by);
    }

    fn fit_marginals(&self, kind: &MarginalKind, layer: usize) -> Result<Vec<Marginal>, Error> {
        let weights = (!self.equal).then_some(self.shares.as_slice());
        let fitted: Vec<_> = (0..self.x.dim())
            .into_par_iter()
            .map(|j| {
                let column = self.x.column(j);
                // A standardised column has unit variance, and so has any rotation of independent ones; a rotated
                // column without variance is a linear relation between the columns.
                if layer > 0 && dot(column, &self.spread(column)) < 1e-18 {
                    return Err(Error::Singular { layer });
                }
                Marginal::fit(kind, column, weights).map_err(|e| match e {
                    Error::ConstantColumn { .. } if layer > 0 => Error::Singular { layer },
                    e => e.in_column(j),
                })
            })
            .collect();
        // The error of the first column, whichever came first.
        fitted.into_iter().collect()
    }

    /// `share (x - mean)` of each row.
    fn spread(&self, column: &[f64]) -> Vec<f64> {
        let mean = dot(column, &self.shares);
        column
            .iter()
            .zip(&self.shares)
            .map(|(x, s)| s * (x - mean))
            .collect()
    }

    fn apply_marginals(&mut self, marginals: &[Marginal]) {
        for (j, m) in marginals.iter().enumerate() {
            m.forward(self.x.column_mut(j), &mut self.log_det);
        }
    }

    fn rotate(&mut self, rotation: &Rotation) {
        self.x
            .replace(&mut self.spare, |x, y, rows| rotation.forward(x, y, rows));
    }

    fn is_finite(&self) -> bool {
        self.x.as_slice().iter().all(|v| v.is_finite())
            && self.log_det.iter().all(|v| v.is_finite())
    }

    /// Mean negative log-likelihood.
    fn nll(&self) -> f64 {
        let mut log_prob = self.log_det.clone();
        add_base(&self.x, &mut log_prob);
        -dot(&log_prob, &self.shares)
    }
}
