//! The extension module `amf._amf`: numpy arrays in, numpy arrays out. What users see is in `amf/*.py`.

mod arrays;
mod density;
mod metrics;
mod sampler;
mod waiting;

use pyo3::prelude::*;

/// The compiled part of the package.
#[pymodule]
fn _amf(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("AmfError", m.py().get_type::<waiting::AmfError>())?;
    m.add("__version__", env!("CARGO_PKG_VERSION"))?;
    m.add_class::<density::Density>()?;
    m.add_class::<sampler::Sampler>()?;
    m.add_class::<sampler::Found>()?;
    m.add_function(wrap_pyfunction!(density::fit, m)?)?;
    m.add_function(wrap_pyfunction!(density::default_config, m)?)?;
    m.add_function(wrap_pyfunction!(density::suggested_supports, m)?)?;
    m.add_function(wrap_pyfunction!(sampler::quantile, m)?)?;
    m.add_function(wrap_pyfunction!(sampler::prior_support, m)?)?;
    metrics::add(m)
}
