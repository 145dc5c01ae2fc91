//! Flows as safetensors files: arrays that any language reads, the description in the metadata.

use crate::architecture::LayerSpec;
use crate::base::Base;
use crate::flow::{Flow, FlowError};
use crate::standardise::Standardise;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;

const FORMAT: u32 = 1;

/// The description of a flow, in RON under the metadata key "flow".
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: u32,
    dim: usize,
    base: Base,
    layers: Vec<LayerSpec>,
}

impl Flow {
    /// The flow as the bytes of a safetensors file: `params`, `shift` and `scale` as f64 arrays, the layers in the metadata.
    ///
    /// # Panics
    /// Never: every flow has a description.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let manifest = Manifest {
            format: FORMAT,
            dim: self.dim(),
            base: self.stack.base.spec().clone(),
            layers: self.stack.specs.clone(),
        };
        let text = ron::to_string(&manifest).expect("a description is serialisable");
        let (shift, scale) = self.standardise.parts();
        let arrays = [
            ("params", &self.params[..]),
            ("scale", scale),
            ("shift", shift),
        ];
        let bytes: Vec<Vec<u8>> = arrays
            .iter()
            .map(|(_, a)| a.iter().flat_map(|v| v.to_le_bytes()).collect())
            .collect();
        let views = arrays.iter().zip(&bytes).map(|((name, a), b)| {
            let view =
                TensorView::new(Dtype::F64, vec![a.len()], b).expect("eight bytes for each value");
            (*name, view)
        });
        let metadata = HashMap::from([("flow".to_owned(), text)]);
        safetensors::serialize(views, Some(metadata)).expect("sound tensors are serialisable")
    }

    /// Writes the flow beside `path` and renames it into place.
    ///
    /// # Errors
    /// [`FlowError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), FlowError> {
        let io = |source| FlowError::Io {
            path: path.display().to_string(),
            source,
        };
        let mut beside = path.as_os_str().to_owned();
        beside.push(".partial");
        std::fs::write(&beside, self.to_bytes()).map_err(io)?;
        std::fs::rename(&beside, path).map_err(io)
    }

    /// Reads a flow and checks every part of it.
    ///
    /// # Errors
    /// [`FlowError::Io`], or [`FlowError::Format`] saying what is wrong.
    pub fn load(path: &Path) -> Result<Self, FlowError> {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|source| FlowError::Io {
            path: name.clone(),
            source,
        })?;
        Self::from_bytes(&bytes).map_err(|reason| FlowError::Format { path: name, reason })
    }

    /// The inverse of [`Flow::to_bytes`].
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let (_, header) =
            SafeTensors::read_metadata(bytes).map_err(|e| format!("not a saved flow ({e})"))?;
        let text = header
            .metadata()
            .as_ref()
            .and_then(|m| m.get("flow"))
            .ok_or("not a saved flow (no \"flow\" in its metadata)")?;
        let manifest: Manifest =
            ron::from_str(text).map_err(|e| format!("damaged description ({e})"))?;
        if manifest.format != FORMAT {
            return Err(format!(
                "format {} of a flow, where this version reads format {FORMAT}",
                manifest.format
            ));
        }
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| format!("damaged file ({e})"))?;
        let array = |name: &str| -> Result<Vec<f64>, String> {
            let t = tensors
                .tensor(name)
                .map_err(|_| format!("no array \"{name}\""))?;
            if t.dtype() != Dtype::F64 || t.shape().len() != 1 {
                return Err(format!("array \"{name}\" is not a vector of f64"));
            }
            let values: Vec<f64> = t
                .data()
                .as_chunks::<8>()
                .0
                .iter()
                .map(|b| f64::from_le_bytes(*b))
                .collect();
            match values.iter().position(|v| !v.is_finite()) {
                Some(i) => Err(format!("array \"{name}\" holds {} at {i}", values[i])),
                None => Ok(values),
            }
        };
        let standardise = Standardise::new(array("shift")?, array("scale")?)
            .filter(|s| s.dim() == manifest.dim)
            .ok_or("shift and scale do not fit the dimension")?;
        let params = array("params")?;
        let mut flow = Self::from_parts(standardise, manifest.layers, manifest.base, Vec::new())
            .map_err(|e| e.to_string())?;
        let expected = flow.stack.num_params();
        if params.len() != expected {
            return Err(format!(
                "{} parameters where the flow has {expected}",
                params.len()
            ));
        }
        flow.params = params;
        Ok(flow)
    }
}
