//! The file format of densities: arrays and a description of the structure.
//!
//! Every number that was fitted is an f64 tensor of its true shape in a safetensors file, under a
//! name that is its path (`density/0/1/layer/2/weight_0`); the structure is a tree of
//! [`Description`]s, as JSON. Each kind of density writes itself in [`Density::describe`] and is
//! read by the function of its [`Kind`]. Reading checks every field: shapes, finite values,
//! positive scales, weights on the simplex, triangular and orthogonal matrices. Memory is at most a
//! small multiple of the file's size.
//!
//! ```
//! use density::{Data, Density, GaussianMixture, archive};
//! use numerics::random::{standard_normal, stream};
//!
//! let rng = &mut stream(1, "draws");
//! let x = faer::Mat::from_fn(100, 2, |_, _| standard_normal(rng));
//! let normal = GaussianMixture::fit(Data::new(x.as_ref()), 1, &Default::default(), rng)?;
//! let bytes = archive::to_bytes(&normal)?;
//! let again = archive::from_bytes(&bytes, &density::KINDS)?;
//! assert_eq!(again.log_prob(x.as_ref()), normal.log_prob(x.as_ref()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod description;
mod file;
mod reader;
mod writer;

pub use description::{Description, NotSavable};
pub use file::{
    FORMAT, LoadError, Nothing, from_bytes, load, open, pack, read_file, save, to_bytes,
};
pub use reader::Reader;
pub use writer::Writer;

use crate::Density;

/// Reads a density by its description from the folder where the reader is; errors are sentences.
pub type Read = fn(&Description, &mut Reader<'_>) -> Result<Box<dyn Density>, String>;

/// How one kind of density is read from a file.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Its name in descriptions.
    pub name: &'static str,
    /// Reads it from the reader's current folder; errors are sentences.
    pub read: Read,
}
