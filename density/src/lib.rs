//! Densities on R^d behind one trait, and those that are fitted without gradients.
//!
//! A [`Density`] is evaluated exactly and sampled: [`GaussianMixture`], [`StudentMixture`],
//! [`Kde`], a [`Mixture`] of densities, a density behind a [`Bijection`] ([`Transformed`]); flows and Gaussianisations have
//! their own crates. All are fitted to [`Data`] and saved in one file format ([`archive`]).
//!
//! Points are n x d, column-major; log-densities are in nats. A bijection maps data to coordinates
//! ("forward", `transform_and_log_det`).
//!
//! ```
//! use density::{Data, Density, EmConfig, GaussianMixture};
//! use numerics::random::{standard_normal, stream};
//!
//! let rng = &mut stream(1, "draws");
//! let x = faer::Mat::from_fn(300, 2, |i, _| if i % 2 == 0 { -3.0 } else { 3.0 } + standard_normal(rng));
//! let mixture = GaussianMixture::fit(Data::new(x.as_ref()), 2, &EmConfig::default(), rng)?;
//! assert!(mixture.log_prob(x.as_ref()).iter().all(|l| l.is_finite()));
//! assert_eq!(mixture.sample(10, rng).shape(), (10, 2));
//! # Ok::<(), density::EmError>(())
//! ```

pub mod archive;
mod bijection;
mod column;
mod context;
mod data;
mod em;
mod gaussian_mixture;
mod kde;
mod kinds;
mod mixture;
mod student_mixture;
mod transformed;
pub mod trial;

pub use archive::{Description, NotSavable, Reader, Writer};
pub use bijection::{Affine, Arcsinh, ArcsinhColumn, Bijection, Rotation, Support};
pub use column::{ColumnError, ColumnProblem};
pub use context::{FitContext, Observer, Progress};
pub use data::{Data, DataError};
pub use em::{EmConfig, EmError};
pub use gaussian_mixture::{GaussianMixture, MixtureParts, row_ln_sum_exp};
pub use kde::Kde;
pub use kinds::KINDS;
pub use mixture::{Mixture, log_prob_table, mixture_log_prob, n_eff};
pub use student_mixture::StudentMixture;
pub use transformed::{Transformed, add_log_det};

use faer::prelude::*;
use numerics::random::Pcg64;

/// A density that can be evaluated exactly and sampled.
pub trait Density: Send + Sync {
    /// Number of coordinates d.
    fn dim(&self) -> usize;

    /// Log-density of each row of x (n x d), in nats.
    fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64>;

    /// n draws, n x d.
    fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64>;

    /// Writes all of its numbers and gives the description from which it can be read again, see
    /// [`archive`].
    ///
    /// # Errors
    /// The default implementation always fails: a density without a description cannot be saved.
    fn describe(&self, writer: &mut Writer) -> Result<Description, NotSavable> {
        let place = writer.folder();
        Err(NotSavable(format!(
            "the density \"{place}\" is of a kind that cannot be saved: it has no `describe`"
        )))
    }
}

/// References and smart pointers to densities are densities.
macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<T: Density + ?Sized> Density for $pointer {
            fn dim(&self) -> usize {
                (**self).dim()
            }

            fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
                (**self).log_prob(x)
            }

            fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
                (**self).sample(n, rng)
            }

            fn describe(&self, writer: &mut Writer) -> Result<Description, NotSavable> {
                (**self).describe(writer)
            }
        }
    )*};
}

forward!(&T, Box<T>, std::sync::Arc<T>);
