//! Fitted densities.

use crate::arrays::{array2, by_chunks, matrix};
use crate::waiting::{amf_error, interruptible, locked, value_error};
use amf::{Column, DensityError, Draws, FittedDensity, Recipe, suggested_support};
use density::{Density as _, FitContext, Progress, Support};
use numerics::random::stream;
use numpy::{PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Mutex;

/// A density on named columns, fitted to draws.
#[pyclass(frozen, module = "amf._amf", name = "Density")]
pub struct Density(FittedDensity);

/// The support of a column from Python: no, one or two ends.
fn support(low: Option<f64>, high: Option<f64>) -> Support {
    match (low, high) {
        (None, None) => Support::Real,
        (Some(0.0), None) => Support::Positive,
        (Some(low), None) => Support::Above { low },
        (None, Some(high)) => Support::Below { high },
        (Some(low), Some(high)) => Support::Interval { low, high },
    }
}

fn ends(support: Support) -> (Option<f64>, Option<f64>) {
    match support {
        Support::Real => (None, None),
        Support::Positive => (Some(0.0), None),
        Support::Above { low } => (Some(low), None),
        Support::Below { high } => (None, Some(high)),
        Support::Interval { low, high } => (Some(low), Some(high)),
    }
}

/// The default recipe in RON.
#[pyfunction]
pub fn default_config() -> PyResult<String> {
    Recipe::default().to_ron().map_err(amf_error)
}

/// Where a fit stands.
#[derive(Default)]
struct Standing {
    stage: String,
    /// Experts and folds that are fitted, by their numbers.
    done: BTreeSet<(usize, usize)>,
    of: usize,
    /// Whether that was told.
    told: bool,
}

impl Standing {
    fn hear(&mut self, p: &Progress<'_>) {
        if self.stage != p.stage {
            *self = Self {
                stage: p.stage.to_owned(),
                ..Self::default()
            };
        }
        self.of = (p.experts.1 * p.folds.1).max(1);
        if p.step >= p.total && p.total > 0 && self.done.insert((p.experts.0, p.folds.0)) {
            self.told = false;
        }
    }

    /// The stage with the share of it that is done, if that is news.
    fn news(&mut self) -> Option<(String, f64)> {
        let news = !self.stage.is_empty() && !self.told;
        self.told = true;
        news.then(|| {
            let share = self.done.len() as f64 / self.of as f64;
            (self.stage.clone(), share.min(1.0))
        })
    }
}

/// Fits a mixture to draws (n x d).
#[pyfunction]
#[pyo3(signature = (points, columns, supports, log_weights, chains, config, seed, threads, progress, source))]
#[expect(
    clippy::too_many_arguments,
    reason = "amf/density.py gives them names and defaults"
)]
pub fn fit(
    py: Python<'_>,
    points: PyReadonlyArray2<'_, f64>,
    columns: Vec<String>,
    supports: Vec<(Option<f64>, Option<f64>)>,
    log_weights: Option<PyReadonlyArray1<'_, f64>>,
    chains: Option<Vec<usize>>,
    config: Option<&str>,
    seed: u64,
    threads: Option<usize>,
    progress: Option<Py<PyAny>>,
    source: Option<&str>,
) -> PyResult<Density> {
    let points = matrix(&points);
    let columns: Vec<Column> = columns
        .into_iter()
        .zip(supports)
        .map(|(name, (low, high))| Column {
            name,
            support: support(low, high),
        })
        .collect();
    let log_weights: Option<Vec<f64>> = log_weights.map(|w| w.as_array().to_vec());
    let recipe = match config {
        None => Recipe::default(),
        Some(text) => Recipe::parse(text).map_err(value_error)?,
    };
    let draws = Draws {
        columns: (&columns).into(),
        points: points.as_ref(),
        log_weights: log_weights.as_deref(),
        chains: chains.as_deref(),
        source,
    };
    draws.check().map_err(value_error)?;
    let standing = Mutex::new(Standing::default());
    let fitted = interruptible(
        py,
        threads,
        |stop| {
            let observer = |p: &Progress<'_>| {
                locked(&standing).hear(p);
                match stop.asked() {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            };
            recipe.fit(&draws, seed, &FitContext::default().observed_by(&observer))
        },
        &|py| {
            let Some(tell) = &progress else {
                return Ok(());
            };
            let news = locked(&standing).news();
            news.map_or(Ok(()), |news| tell.call1(py, news).map(drop))
        },
    )?;
    fitted.map(Density).map_err(|e| match e {
        DensityError::Draws(e) => value_error(e),
        other => amf_error(other),
    })
}

#[pymethods]
impl Density {
    /// Names of the columns.
    #[getter]
    fn columns(&self) -> Vec<String> {
        self.0.columns().iter().map(|c| c.name.clone()).collect()
    }

    /// Lower and upper ends of the columns.
    #[getter]
    fn supports(&self) -> Vec<(Option<f64>, Option<f64>)> {
        self.0.columns().iter().map(|c| ends(c.support)).collect()
    }

    /// The report as JSON.
    fn report_json(&self) -> PyResult<String> {
        serde_json::to_string(self.0.report()).map_err(amf_error)
    }

    /// `ln q` of each row.
    fn log_prob<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArray2<'py, f64>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let (given, d) = (x.shape()[1], self.0.columns().len());
        if given != d {
            return Err(value_error(format!(
                "{given} columns where the density has {d}: {}",
                self.columns().join(", ")
            )));
        }
        let log_q = by_chunks(py, &x, &|x| self.0.log_prob(x));
        Ok(PyArray1::from_vec(py, log_q))
    }

    /// n draws.
    fn sample<'py>(&self, py: Python<'py>, n: usize, seed: u64) -> Bound<'py, PyArray2<f64>> {
        let x = py.detach(|| self.0.sample(n, &mut stream(seed, "sample")));
        array2(py, x.as_ref())
    }

    /// Writes the model file.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.0.save(&path)).map_err(amf_error)
    }

    /// Reads a model file.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let loaded = py.detach(|| FittedDensity::load(&path));
        loaded.map(Self).map_err(amf_error)
    }

    /// The model file as bytes.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.0.to_bytes().map_err(amf_error)?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// The inverse of `to_bytes`.
    #[staticmethod]
    fn from_bytes(bytes: &[u8]) -> PyResult<Self> {
        FittedDensity::from_bytes(bytes)
            .map(Self)
            .map_err(amf_error)
    }
}

/// Ends at which the values of a column stop abruptly.
#[pyfunction]
pub fn suggested_supports(
    points: PyReadonlyArray2<'_, f64>,
) -> Vec<Option<(Option<f64>, Option<f64>)>> {
    let points = matrix(&points);
    (0..points.ncols())
        .map(|j| suggested_support(points.as_ref(), j).map(ends))
        .collect()
}
