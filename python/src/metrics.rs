//! Distances between samples, and measures of dependence.

use crate::arrays::matrix;
use crate::waiting::value_error;
use faer::Mat;
use metrics::{TargetMmd, TargetSliced, wasserstein2};
use numerics::random::stream;
use numpy::PyReadonlyArray2;
use pyo3::prelude::*;

type Rows<'py> = PyReadonlyArray2<'py, f64>;

pub fn add(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(w2, m)?)?;
    m.add_function(wrap_pyfunction!(sliced_w2, m)?)?;
    m.add_function(wrap_pyfunction!(mmd, m)?)?;
    m.add_function(wrap_pyfunction!(total_correlation, m)?)?;
    m.add_function(wrap_pyfunction!(entropy, m)?)?;
    m.add_function(wrap_pyfunction!(mutual_information, m)?)?;
    m.add_function(wrap_pyfunction!(kl_divergence, m)?)
}

/// `f` of two samples, without the interpreter's lock.
fn of_two<T: Send, E: ToString + Send>(
    py: Python<'_>,
    x: &Rows<'_>,
    y: &Rows<'_>,
    f: impl FnOnce(&Mat<f64>, &Mat<f64>) -> Result<T, E> + Send,
) -> PyResult<T> {
    let (x, y) = (matrix(x), matrix(y));
    py.detach(|| f(&x, &y)).map_err(value_error)
}

/// The exact Wasserstein-2 distance of two samples.
#[pyfunction]
fn w2(py: Python<'_>, x: Rows<'_>, y: Rows<'_>) -> PyResult<f64> {
    of_two(py, &x, &y, |x, y| wasserstein2(x.as_ref(), y.as_ref()))
}

/// The sliced Wasserstein-2 distance.
#[pyfunction]
fn sliced_w2(py: Python<'_>, x: Rows<'_>, y: Rows<'_>) -> PyResult<f64> {
    of_two(py, &x, &y, |x, y| {
        TargetSliced::new(x.as_ref())?.compare(y.as_ref())
    })
}

/// The maximum mean discrepancy by the unbiased estimator.
#[pyfunction]
fn mmd(py: Python<'_>, x: Rows<'_>, y: Rows<'_>, sigma: f64) -> PyResult<f64> {
    of_two(py, &x, &y, |x, y| {
        TargetMmd::new(x.as_ref(), sigma)?.compare(y.as_ref())
    })
    .map(|found| found.unbiased)
}

/// A measure of RBIG: its value and standard error, nats.
fn measure<E: ToString + Send>(
    py: Python<'_>,
    x: &Rows<'_>,
    f: impl FnOnce(&Mat<f64>) -> Result<numerics::Estimate, E> + Send,
) -> PyResult<(f64, f64)> {
    let x = matrix(x);
    let found = py.detach(|| f(&x)).map_err(value_error)?;
    Ok((found.value, found.standard_error))
}

/// The dependence between the columns.
#[pyfunction]
fn total_correlation(py: Python<'_>, x: Rows<'_>, seed: u64) -> PyResult<(f64, f64)> {
    measure(py, &x, |x| {
        rbig::total_correlation(x.as_ref(), &mut stream(seed, "rbig"))
    })
}

/// The differential entropy.
#[pyfunction]
fn entropy(py: Python<'_>, x: Rows<'_>, seed: u64) -> PyResult<(f64, f64)> {
    measure(py, &x, |x| {
        rbig::entropy(x.as_ref(), &mut stream(seed, "rbig"))
    })
}

/// The mutual information of two sets of columns.
#[pyfunction]
fn mutual_information(py: Python<'_>, x: Rows<'_>, y: Rows<'_>, seed: u64) -> PyResult<(f64, f64)> {
    let rng = &mut stream(seed, "rbig");
    let found = of_two(py, &x, &y, |x, y| {
        rbig::mutual_information(x.as_ref(), y.as_ref(), rng)
    })?;
    Ok((found.value, found.standard_error))
}

/// KL(p || q) of two samples.
#[pyfunction]
fn kl_divergence(py: Python<'_>, x: Rows<'_>, y: Rows<'_>, seed: u64) -> PyResult<(f64, f64)> {
    let rng = &mut stream(seed, "rbig");
    let found = of_two(py, &x, &y, |x, y| {
        rbig::kl_divergence(x.as_ref(), y.as_ref(), rng)
    })?;
    Ok((found.value, found.standard_error))
}
