//! Preprocessing of the points of an expert's fit, undone in its density.
//!
//! 1. Counts and rounded values are dequantised: each is moved evenly over its cell, so that the
//!    density's integral over a cell is the value's probability.
//! 2. For flows, columns whose standard deviation is dominated by a few far rows get an arcsinh
//!    transform ([`far_values`]).
//! 3. Points that nearly lie on a plane of fewer dimensions are rotated onto their principal axes
//!    ([`axes`]); Gaussian mixtures get columns of very different units standardised.
//!
//! It is learnt from the training points of each fit alone, so that held-out rows do not influence
//! it.

mod axes;
pub(crate) mod dequantise;
mod error;
mod far_values;
mod quartiles;

pub use error::PreprocessError;
pub(crate) use quartiles::{QUARTILES_OF_A_NORMAL, quartiles};

use density::{Bijection, ColumnError, ColumnProblem, Data, Density, Support, Transformed};
use dequantise::Ties;
use faer::prelude::*;
use numerics::matrix::col;
use numerics::random::Pcg64;

/// Fewer points with weight than this are an error.
const LEAST_ROWS: usize = 8;

/// The optional steps that an expert uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Steps {
    /// The arcsinh transform for far values. Kinds other than flows handle far rows by themselves,
    /// or serve as plain baselines.
    pub arcsinh: bool,
    /// Standardised columns where their units are very different: a shape shared by components is
    /// meaningless across units.
    pub units: bool,
}

/// The preprocessing of one fit.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Preprocessing {
    /// The width of the cells of each dequantised column.
    cells: Option<Vec<Option<f64>>>,
    /// The bijections, from the data on.
    bijections: Vec<Bijection>,
}

/// Preprocessed points, and what the bijections add to their negative log-likelihood.
pub(crate) struct Prepared<'a> {
    points: Mat<f64>,
    weights: Option<&'a [f64]>,
    /// One for each bijection, from the data on.
    offsets: Vec<f64>,
}

impl Prepared<'_> {
    /// The data of the fit.
    pub fn data(&self) -> Data<'_> {
        Data::new(self.points.as_ref()).weighted(self.weights)
    }

    /// A negative log-likelihood in the units of the data, from one in the coordinates of the fit.
    pub fn in_units_of_the_data(&self, nll: f64) -> f64 {
        self.offsets.iter().rev().fold(nll, |nll, o| nll + o)
    }
}

impl Preprocessing {
    /// Learns the preprocessing from the training points, and applies it to them and to the
    /// validation points.
    ///
    /// # Errors
    /// Columns that have no density.
    pub fn learn<'a>(
        steps: Steps,
        train: Data<'a>,
        validation: Option<Data<'a>>,
        rng: &dyn Fn(&str) -> Pcg64,
    ) -> Result<(Self, Prepared<'a>, Option<Prepared<'a>>), PreprocessError> {
        let as_it_is = |data: Data<'a>| Prepared {
            points: data.points.to_owned(),
            weights: data.weights,
            offsets: Vec::new(),
        };
        let mut this = Self::default();
        let (mut train, mut validation) = (as_it_is(train), validation.map(as_it_is));
        if !is_sound(train.data()) {
            return Ok((this, train, validation));
        }
        check(train.data())?;
        this.cells = grids(train.data())?;
        if let Some(cells) = &this.cells {
            let mut rng = rng("grid");
            for data in std::iter::once(&mut train).chain(&mut validation) {
                data.points = dequantised(data.points.as_ref(), cells, &mut rng);
            }
        }
        if steps.arcsinh
            && let Some(arcsinh) = far_values::arcsinh(train.data())
        {
            this.then(Bijection::Arcsinh(arcsinh), &mut train, &mut validation);
        }
        let axes = match axes::principal(train.data())? {
            None if steps.units => axes::units(train.data()),
            found => found,
        };
        if let Some(axes) = axes {
            this.then(axes, &mut train, &mut validation);
        }
        Ok((this, train, validation))
    }

    fn then<'a>(
        &mut self,
        bijection: Bijection,
        train: &mut Prepared<'a>,
        validation: &mut Option<Prepared<'a>>,
    ) {
        for data in std::iter::once(train).chain(validation) {
            let (points, log_det) = bijection.transform_and_log_det(data.points.as_ref());
            let offset = data.data().mean_nll(&log_det);
            data.offsets.push(offset);
            data.points = points;
        }
        self.bijections.push(bijection);
    }

    /// The density of the data, from one in the coordinates of the fit.
    pub fn undo(self, density: Box<dyn Density>) -> Box<dyn Density> {
        self.bijections
            .into_iter()
            .rev()
            .fold(density, |density, bijection| {
                Box::new(Transformed { bijection, density })
            })
    }
}

/// Whether all values are finite and no weight is negative. The experts report what is wrong
/// otherwise.
fn is_sound(data: Data<'_>) -> bool {
    let finite = |j: usize| col(data.points, j).iter().all(|v| v.is_finite());
    let weight = |w: &f64| *w >= 0.0 && w.is_finite();
    (0..data.points.ncols()).all(finite)
        && data
            .weights
            .is_none_or(|w| w.len() == data.points.nrows() && w.iter().all(weight))
}

/// Checks that there are enough points, and that floating-point arithmetic can tell the values of
/// each column apart.
fn check(train: Data<'_>) -> Result<(), PreprocessError> {
    let counts = |i: usize| train.weights.is_none_or(|w| w[i] > 0.0);
    let rows: Vec<usize> = (0..train.points.nrows()).filter(|i| counts(*i)).collect();
    if rows.len() < LEAST_ROWS {
        return Err(PreprocessError::TooFewRows {
            rows: rows.len(),
            least: LEAST_ROWS,
        });
    }
    for column in 0..train.points.ncols() {
        ColumnError::check_spread(column, col(train.points, column), &rows)?;
    }
    Ok(())
}

/// The steps of the coarse grids that columns of counts or rounded values lie on, if there are any
/// such columns.
///
/// # Errors
/// A column that is mostly one value.
fn grids(train: Data<'_>) -> Result<Option<Vec<Option<f64>>>, PreprocessError> {
    let rows = train.points.nrows();
    let mut steps = Vec::new();
    for column in 0..train.points.ncols() {
        let ties = Ties::of(col(train.points, column).iter().copied());
        if ties.is_atom(rows) {
            let (value, count) = ties.most;
            let problem = ColumnProblem::Atom { value, count, rows };
            return Err(ColumnError { column, problem }.into());
        }
        steps.push(ties.step.filter(|_| ties.on_coarse_grid(rows)));
    }
    Ok(steps.iter().any(Option::is_some).then_some(steps))
}

/// The points with the columns on grids dequantised.
fn dequantised(x: MatRef<'_, f64>, cells: &[Option<f64>], rng: &mut Pcg64) -> Mat<f64> {
    let mut x = x.to_owned();
    for (j, cell) in cells.iter().enumerate() {
        if let Some(cell) = cell {
            dequantise::column(x.as_mut(), j, Support::Real, *cell, rng);
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_told_apart_is_refused_by_name() {
        let error = |change: &dyn Fn(usize) -> f64| {
            let x = Mat::from_fn(9, 2, |i, j| if j == 1 { change(i) } else { i as f64 });
            check(Data::new(x.as_ref())).map_err(|e| e.to_string())
        };
        assert_eq!(error(&|i| -(i as f64)), Ok(()));
        assert!(
            error(&|_| 3.0)
                .unwrap_err()
                .contains("column 1 is constant")
        );
        assert!(
            error(&|i| 1e300 * i as f64)
                .unwrap_err()
                .contains("rescale")
        );
        assert!(
            error(&|i| 1e16 + 2.0 * i as f64)
                .unwrap_err()
                .contains("subtract")
        );
        let x = Mat::from_fn(9, 1, |i, _| i as f64);
        let mut weights = [1.0; 9];
        weights[3] = 0.0;
        let few = |weights: &[f64]| check(Data::new(x.as_ref()).weighted(weights));
        assert!(few(&weights).is_ok());
        weights[4] = 0.0;
        assert!(few(&weights).unwrap_err().to_string().contains("(7)"));
    }
}
