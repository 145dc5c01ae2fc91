//! Flows as safetensors files.

use crate::architecture::LayerSpec;
use crate::archive::{self, Archive, FORMAT};
use crate::base::Base;
use crate::flow::{Flow, FlowError};
use crate::trial::{TRIAL_DRAWS, try_out};
use numerics::checked::one_line;
use numerics::random::stream;
use serde::{Deserialize, Serialize};
use std::path::Path;

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
        let (shift, scale) = self.standardise.parts();
        let arrays = [
            ("params", self.params()),
            ("scale", scale),
            ("shift", shift),
        ];
        archive::pack("flow", &manifest, &arrays)
    }

    /// Writes the flow, whole or not at all.
    ///
    /// # Errors
    /// [`FlowError::Write`].
    pub fn save(&self, path: &Path) -> Result<(), FlowError> {
        archive::write(path, &self.to_bytes())
    }

    /// Reads a flow and checks every part of it.
    ///
    /// # Errors
    /// [`FlowError::Io`], or [`FlowError::Format`] saying what is wrong.
    pub fn load(path: &Path) -> Result<Self, FlowError> {
        archive::read(path, Self::from_bytes)
    }

    /// The inverse of [`Flow::to_bytes`].
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        Self::read(bytes).map_err(|reason| one_line(&reason))
    }

    fn read(bytes: &[u8]) -> Result<Self, String> {
        let (manifest, archive) =
            Archive::open(bytes, "flow", "flow", |manifest: &Manifest| manifest.format)?;
        let standardise = archive.standardise("shift", "scale", manifest.dim)?;
        let params = archive.array("params")?;
        LayerSpec::check_size(&manifest.layers, manifest.dim, 0, params.len())?;
        let flow = Self::from_parts(standardise, manifest.layers, manifest.base, params)
            .map_err(|e| e.to_string())?;
        archive::check_params(&flow.params, flow.stack.num_params())?;
        let draws = flow.sample(TRIAL_DRAWS, &mut stream(0, "archive"));
        try_out(draws.as_ref(), |x| flow.log_prob(x))?;
        Ok(flow)
    }
}
