//! Files of a description and vectors: safetensors that any language reads, the description as RON in the metadata.

use crate::flow::FlowError;
use crate::standardise::Standardise;
use crate::trial::{SMALLEST_SCALE, in_range};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::path::Path;

/// The format of the descriptions.
pub(crate) const FORMAT: u32 = 1;

/// The bytes of a file: vectors of f64 by name, the description under the metadata key `key`.
pub(crate) fn pack(key: &str, description: &impl Serialize, arrays: &[(&str, &[f64])]) -> Vec<u8> {
    let text = ron::to_string(description).expect("a description is serialisable");
    let bytes: Vec<Vec<u8>> = arrays
        .iter()
        .map(|(_, a)| a.iter().flat_map(|v| v.to_le_bytes()).collect())
        .collect();
    let views = arrays.iter().zip(&bytes).map(|((name, a), b)| {
        let view =
            TensorView::new(Dtype::F64, vec![a.len()], b).expect("eight bytes for each value");
        (*name, view)
    });
    let metadata = HashMap::from([(key.to_owned(), text)]);
    safetensors::serialize(views, Some(metadata)).expect("sound tensors are serialisable")
}

/// Writes a file, whole or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), FlowError> {
    Ok(store::write(path, bytes)?)
}

/// Reads a file by means of `from_bytes`.
pub(crate) fn read<T>(
    path: &Path,
    from_bytes: impl FnOnce(&[u8]) -> Result<T, String>,
) -> Result<T, FlowError> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|source| FlowError::Io {
        path: name.clone(),
        source,
    })?;
    from_bytes(&bytes).map_err(|reason| FlowError::Format { path: name, reason })
}

/// Whether there are as many parameters as the flow has.
pub(crate) fn check_params(params: &[f64], expected: usize) -> Result<(), String> {
    if params.len() == expected {
        return Ok(());
    }
    let found = params.len();
    Err(format!("{found} parameters where the flow has {expected}"))
}

/// What [`pack`] made, checked as it is taken out; errors are sentences that say what is wrong.
pub(crate) struct Archive<'a> {
    tensors: SafeTensors<'a>,
}

impl<'a> Archive<'a> {
    /// The description under `key` and the vectors; `what` is what the file should hold, `format` picks the format out of the description.
    pub fn open<D: DeserializeOwned>(
        bytes: &'a [u8],
        key: &str,
        what: &str,
        format: impl FnOnce(&D) -> u32,
    ) -> Result<(D, Self), String> {
        let (_, header) =
            SafeTensors::read_metadata(bytes).map_err(|e| format!("not a saved {what} ({e})"))?;
        let metadata = header.metadata().as_ref();
        let text = metadata
            .and_then(|m| m.get(key))
            .ok_or_else(|| format!("not a saved {what} (no \"{key}\" in its metadata)"))?;
        let description: D =
            ron::from_str(text).map_err(|e| format!("damaged description ({e})"))?;
        let format = format(&description);
        if format != FORMAT {
            return Err(format!(
                "format {format} of a {what}, where this version reads format {FORMAT}"
            ));
        }
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| format!("damaged file ({e})"))?;
        Ok((description, Self { tensors }))
    }

    /// A vector of any numbers.
    pub fn any(&self, name: &str) -> Result<Vec<f64>, String> {
        let t = self
            .tensors
            .tensor(name)
            .map_err(|_| format!("no array \"{name}\""))?;
        if t.dtype() != Dtype::F64 || t.shape().len() != 1 {
            return Err(format!("array \"{name}\" is not a vector of f64"));
        }
        let bytes = t.data().as_chunks::<8>().0;
        Ok(bytes.iter().map(|b| f64::from_le_bytes(*b)).collect())
    }

    /// A vector of numbers that a model can have.
    pub fn array(&self, name: &str) -> Result<Vec<f64>, String> {
        let values = self.any(name)?;
        match values.iter().position(|v| !in_range(*v)) {
            Some(i) => Err(format!("array \"{name}\" holds {:e} at {i}", values[i])),
            None => Ok(values),
        }
    }

    /// A standardisation of `dim` columns from two arrays.
    pub fn standardise(&self, shift: &str, scale: &str, dim: usize) -> Result<Standardise, String> {
        Standardise::new(self.array(shift)?, self.array(scale)?)
            .filter(|s| s.dim() == dim && s.parts().1.iter().all(|v| *v >= SMALLEST_SCALE))
            .ok_or_else(|| {
                format!("{shift} and {scale} are not {dim} numbers and {dim} positive ones")
            })
    }
}
