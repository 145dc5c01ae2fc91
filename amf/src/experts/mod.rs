//! Experts: densities behind one trait, each kind fitted from its own settings.
//!
//! A new kind takes one file beside this one (its settings, `check` and `fit`) and one variant of [`ExpertConfig`]; to be saved, a variant of
//! [`crate::archive::Description`] and the two functions that write and read its numbers.

mod collinear;
mod coordinates;
mod flow;
mod gaussian_mixture;
mod kde;
mod kept;
mod rbig;
mod suitable;
mod tails;

pub use self::flow::{BaseConfig, FlowExpert};
pub use self::gaussian_mixture::{Components, GaussianMixtureExpert};
pub use self::kde::KdeExpert;
pub use self::rbig::RbigExpert;
pub(crate) use self::suitable::{QUARTILES_OF_A_NORMAL, quartiles};
pub(crate) use self::tails::{Tails, Warp, Warped};

use crate::archive::{self, Description, NotSavable, Writer};
use faer::prelude::*;
use numerics::random::Pcg64;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use store::{NoShelf, Shelf};

/// A density that can be evaluated exactly and sampled.
pub trait Expert: Send + Sync {
    /// Number of coordinates d.
    fn dim(&self) -> usize;

    /// Log-density of each row of x (n x d), in nats.
    fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64>;

    /// n draws, n x d.
    fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64>;

    /// Writes all of its numbers and gives the description from which it can be read again, see [`crate::archive`].
    ///
    /// # Errors
    /// Kinds of one's own that have no description cannot be saved: that is what happens unless this is written.
    fn write(&self, writer: &mut Writer) -> Result<Description, NotSavable> {
        let place = writer.folder();
        Err(NotSavable(format!(
            "the expert \"{place}\" is of a kind that cannot be saved: only flows, Gaussianisations, Gaussian mixtures, kernel densities \
             and mixtures of these can"
        )))
    }
}

impl<T: Expert + ?Sized> Expert for std::sync::Arc<T> {
    fn dim(&self) -> usize {
        (**self).dim()
    }

    fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
        (**self).log_prob(x)
    }

    fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        (**self).sample(n, rng)
    }

    fn write(&self, w: &mut Writer) -> Result<Description, NotSavable> {
        (**self).write(w)
    }
}

impl<T: Expert + ?Sized> Expert for Box<T> {
    fn dim(&self) -> usize {
        (**self).dim()
    }

    fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
        (**self).log_prob(x)
    }

    fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        (**self).sample(n, rng)
    }

    fn write(&self, w: &mut Writer) -> Result<Description, NotSavable> {
        (**self).write(w)
    }
}

impl Expert for flows::Flow {
    fn dim(&self) -> usize {
        flows::Flow::dim(self)
    }

    fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
        flows::Flow::log_prob(self, x)
    }

    fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        flows::Flow::sample(self, n, rng)
    }

    fn write(&self, w: &mut Writer) -> Result<Description, NotSavable> {
        Ok(archive::write_flow(self, w))
    }
}

impl Expert for ::rbig::Rbig {
    fn dim(&self) -> usize {
        ::rbig::Rbig::dim(self)
    }

    fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
        ::rbig::Rbig::log_prob(self, x)
    }

    fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        ::rbig::Rbig::sample(self, n, rng)
    }

    fn write(&self, w: &mut Writer) -> Result<Description, NotSavable> {
        Ok(archive::write_rbig(self, w))
    }
}

impl Expert for flows::GaussianMixture {
    fn dim(&self) -> usize {
        flows::GaussianMixture::dim(self)
    }

    fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
        flows::GaussianMixture::log_prob(self, x)
    }

    fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        flows::GaussianMixture::sample(self, n, rng)
    }

    fn write(&self, w: &mut Writer) -> Result<Description, NotSavable> {
        Ok(archive::write_gaussian_mixture(self, w))
    }
}

/// A kind of expert with all its hyper-parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum ExpertConfig {
    /// MAF or RealNVP, by gradient descent.
    Flow(FlowExpert),
    /// Rotation-based iterative Gaussianisation, layer by layer.
    Rbig(RbigExpert),
    /// A Gaussian mixture by expectation-maximisation.
    GaussianMixture(GaussianMixtureExpert),
    /// A kernel density estimate with a cross-validated bandwidth.
    Kde(KdeExpert),
}

/// An expert with the name that it has in tables and messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedExpert {
    /// Name, unique within a mixture.
    pub name: String,
    /// Kind and hyper-parameters.
    pub kind: ExpertConfig,
}

/// One step of a fit, for progress bars.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Steps (or layers) done.
    pub step: usize,
    /// The most there will be.
    pub total: usize,
    /// The last held-out negative log-likelihood, nats.
    pub held_out_nll: Option<f64>,
}

/// What the fit of an expert calls along the way; it can end the fit.
pub type ExpertObserver<'a> = &'a mut dyn FnMut(Progress) -> ControlFlow<()>;

/// How a fit went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpertReport {
    /// Why it ended.
    pub termination: flows::Termination,
    /// Steps (or layers) done.
    pub steps: usize,
    /// The step (or layer) that was kept.
    pub best_step: usize,
    /// Likelihoods along the way.
    pub history: Vec<flows::Evaluation>,
    /// Where it diverged and backed off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backoffs: Vec<flows::Backoff>,
}

/// A density and how its fit went.
type FittedParts = (Box<dyn Expert>, ExpertReport);

/// A fitted expert.
pub struct Fitted {
    /// The density.
    pub expert: Box<dyn Expert>,
    /// How the fit went.
    pub report: ExpertReport,
    /// How long it took; of one that was kept, what it took then.
    pub seconds: f64,
}

/// Why an expert could not be fitted.
#[derive(Debug, thiserror::Error)]
pub enum ExpertError {
    /// Settings that make no sense.
    #[error("{0}")]
    Config(String),
    /// Column without spread.
    #[error("column {column} has no spread: remove it, or add the missing variation")]
    ConstantColumn {
        /// Index of the column.
        column: usize,
    },
    /// Too few points.
    #[error("too few rows with a weight ({rows}): give at least {least}")]
    TooFewRows {
        /// Rows with a weight.
        rows: usize,
        /// What is needed.
        least: usize,
    },
    /// A column whose squares overflow or vanish.
    #[error("column {column} spans {span:e}, beyond the range of the arithmetic: rescale it")]
    OutOfScale {
        /// Index of the column.
        column: usize,
        /// Its largest less its smallest value, or its largest magnitude.
        span: f64,
    },
    /// A column of which rounding has left next to nothing.
    #[error(
        "the values of column {column} differ by no more than {width}, in the last digits of the arithmetic: subtract a constant where they still \
         have their digits"
    )]
    LastDigits {
        /// Index of the column.
        column: usize,
        /// Its largest less its smallest value.
        width: f64,
    },
    /// A row so far out that the others are all the same beside it.
    #[error(
        "column {column}, row {row}: so far out that the arithmetic cannot tell the other rows apart: take the row out"
    )]
    Far {
        /// Index of the column.
        column: usize,
        /// Index of the row.
        row: usize,
    },
    /// A column that is mostly one value.
    #[error(
        "column {column}: {count} of {rows} rows are exactly {value}, which has a probability and no density: take these rows out and model their share \
         apart"
    )]
    Atom {
        /// Index of the column.
        column: usize,
        /// The value.
        value: f64,
        /// Rows that have it.
        count: usize,
        /// All rows.
        rows: usize,
    },
    /// A column that others tell.
    #[error(
        "column {column} is a linear combination of others, so that there is no joint density: remove it"
    )]
    Dependent {
        /// Index of the column.
        column: usize,
    },
    /// The maximum-likelihood fit failed.
    #[error(transparent)]
    Fit(#[from] flows::FitError),
    /// The flow could not be built.
    #[error(transparent)]
    Flow(#[from] flows::FlowError),
    /// The Gaussian mixture could not be fitted.
    #[error(transparent)]
    Mixture(#[from] flows::EmError),
    /// The Gaussianisation failed.
    #[error(transparent)]
    Rbig(#[from] ::rbig::Error),
    /// What was done cannot be kept.
    #[error(transparent)]
    Keep(#[from] store::Error),
}

impl ExpertConfig {
    /// What is wrong with the settings, if anything.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::Flow(c) => c.check(),
            Self::Rbig(c) => c.check(),
            Self::GaussianMixture(c) => c.check(),
            Self::Kde(_) => Ok(()),
        }
    }

    /// Whether the fit chooses something by a validation set (when to stop, how many layers) and cannot do without.
    #[must_use]
    pub fn needs_validation(&self) -> bool {
        match self {
            Self::Flow(c) => c.fit.patience.is_some(),
            Self::Rbig(c) => matches!(c.model.layers, ::rbig::LayerRule::HeldOut { .. }),
            Self::GaussianMixture(_) | Self::Kde(_) => false,
        }
    }

    /// Stage 1: fits one expert alone to the training points by (weighted) maximum likelihood.
    ///
    /// Counts and rounded values have no density: each is spread evenly over its cell, so that the integral of the density over the cell is the value's
    /// probability. Points that nearly lie on a plane of fewer dimensions are fitted along their principal axes. Flows see columns whose standard
    /// deviation is that of a few far rows as `asinh((x - median) / scale)`.
    ///
    /// `rng(purpose)` gives the stream for a purpose ("init", "batches", ...). `observe` is called along the way and can end
    /// the fit.
    ///
    /// # Errors
    /// See [`ExpertError`].
    pub fn fit(
        &self,
        train: flows::Data<'_>,
        validation: Option<flows::Data<'_>>,
        rng: &dyn Fn(&str) -> Pcg64,
        observe: ExpertObserver<'_>,
    ) -> Result<Fitted, ExpertError> {
        self.check().map_err(ExpertError::Config)?;
        self.fit_with(&NoShelf, train, validation, rng, observe)
    }

    /// The fit of checked settings; that of a flow keeps its state on the shelf.
    fn fit_with(
        &self,
        shelf: &dyn Shelf,
        train: flows::Data<'_>,
        validation: Option<flows::Data<'_>>,
        rng: &dyn Fn(&str) -> Pcg64,
        observe: ExpertObserver<'_>,
    ) -> Result<Fitted, ExpertError> {
        let start = std::time::Instant::now();
        let fit = Fit {
            config: self,
            shelf,
            rng,
        };
        let mut fitted = fit.in_suitable_coordinates(train, validation, observe)?;
        fitted.seconds = start.elapsed().as_secs_f64();
        Ok(fitted)
    }
}

/// A fit of checked settings.
#[derive(Clone, Copy)]
struct Fit<'a> {
    config: &'a ExpertConfig,
    shelf: &'a dyn Shelf,
    rng: &'a dyn Fn(&str) -> Pcg64,
}

impl Fit<'_> {
    /// In coordinates that suit the points; counts and rounded values are spread over their cells first.
    fn in_suitable_coordinates(
        self,
        train: flows::Data<'_>,
        validation: Option<flows::Data<'_>>,
        observe: ExpertObserver<'_>,
    ) -> Result<Fitted, ExpertError> {
        if !suitable::is_sound(train) {
            return self.as_given(train, validation, observe);
        }
        suitable::check(train)?;
        let Some(steps) = suitable::grids(train)? else {
            return self.with_far_rows(train, validation, observe);
        };
        let mut own = (self.rng)("grid");
        let points = suitable::spread(train.points, &steps, &mut own);
        let held_out = validation.map(|v| suitable::spread(v.points, &steps, &mut own));
        let train = flows::Data {
            points: points.as_ref(),
            ..train
        };
        let validation = validation.zip(held_out.as_ref());
        let validation = validation.map(|(v, points)| flows::Data {
            points: points.as_ref(),
            ..v
        });
        self.with_far_rows(train, validation, observe)
    }

    /// As it is, or for flows on a logarithmic scale where columns have far rows.
    fn with_far_rows(
        self,
        train: flows::Data<'_>,
        validation: Option<flows::Data<'_>>,
        observe: ExpertObserver<'_>,
    ) -> Result<Fitted, ExpertError> {
        // The other kinds have ways of their own with far rows, or are compared with as the plain densities that they are.
        let tails = match self.config {
            ExpertConfig::Flow(_) => Tails::of(train),
            ExpertConfig::Rbig(_) | ExpertConfig::GaussianMixture(_) | ExpertConfig::Kde(_) => None,
        };
        match tails {
            None => self.along_axes(train, validation, observe),
            Some(tails) => coordinates::inside(
                tails,
                train,
                validation,
                &mut |train, validation, observe| self.along_axes(train, validation, observe),
                observe,
            ),
        }
    }

    /// Along the principal axes of points that are thin along some.
    fn along_axes(
        self,
        train: flows::Data<'_>,
        validation: Option<flows::Data<'_>>,
        observe: ExpertObserver<'_>,
    ) -> Result<Fitted, ExpertError> {
        // The shape that components may share has no meaning in columns of very different units.
        let units = matches!(self.config, ExpertConfig::GaussianMixture(_));
        let axes = match collinear::axes(train)? {
            None if units => collinear::units(train),
            found => found,
        };
        match axes {
            None => self.as_given(train, validation, observe),
            Some(axes) => coordinates::inside(
                axes,
                train,
                validation,
                &mut |train, validation, observe| self.as_given(train, validation, observe),
                observe,
            ),
        }
    }

    /// In the coordinates of the points.
    fn as_given(
        self,
        train: flows::Data<'_>,
        validation: Option<flows::Data<'_>>,
        observe: ExpertObserver<'_>,
    ) -> Result<Fitted, ExpertError> {
        let (expert, report) = match self.config {
            ExpertConfig::Flow(c) => c.fit(self.shelf, train, validation, self.rng, observe),
            ExpertConfig::Rbig(c) => c.fit(train, validation, self.rng, observe),
            ExpertConfig::GaussianMixture(c) => c.fit(train, validation, self.rng, observe),
            ExpertConfig::Kde(c) => c.fit(train, validation, self.rng, observe),
        }?;
        Ok(Fitted {
            expert,
            report,
            seconds: 0.0,
        })
    }
}
