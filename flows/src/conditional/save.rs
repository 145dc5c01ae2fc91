//! Conditional flows as safetensors files.

use super::ConditionalFlow;
use crate::architecture::LayerSpec;
use crate::archive::{self, Archive, FORMAT};
use crate::base::Base;
use crate::flow::FlowError;
use crate::trial::{self, TRIAL_DRAWS, try_out};
use numerics::checked::one_line;
use numerics::random::stream;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The metadata key of the description.
const KEY: &str = "conditional_flow";

/// The description of a conditional flow, in RON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: u32,
    dim: usize,
    context_dim: usize,
    base: Base,
    layers: Vec<LayerSpec>,
}

impl ConditionalFlow {
    /// The flow as the bytes of a safetensors file: `params`, `shift`, `scale`, `context_shift` and `context_scale` as f64 arrays, the
    /// layers in the metadata.
    ///
    /// # Panics
    /// Never: every flow has a description.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let manifest = Manifest {
            format: FORMAT,
            dim: self.dim(),
            context_dim: self.context_dim(),
            base: self.stack.base.spec().clone(),
            layers: self.stack.specs.clone(),
        };
        let (shift, scale) = self.standardise.parts();
        let (context_shift, context_scale) = self.contexts.parts();
        let arrays = [
            ("context_scale", context_scale),
            ("context_shift", context_shift),
            ("params", self.params()),
            ("scale", scale),
            ("shift", shift),
        ];
        archive::pack(KEY, &manifest, &arrays)
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

    /// The inverse of [`ConditionalFlow::to_bytes`].
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        Self::read(bytes).map_err(|reason| one_line(&reason))
    }

    fn read(bytes: &[u8]) -> Result<Self, String> {
        let (manifest, archive) =
            Archive::open(bytes, KEY, "conditional flow", |m: &Manifest| m.format)?;
        let points = archive.standardise("shift", "scale", manifest.dim)?;
        let contexts =
            archive.standardise("context_shift", "context_scale", manifest.context_dim)?;
        let params = archive.array("params")?;
        let (dim, context) = (manifest.dim, manifest.context_dim);
        LayerSpec::check_size(&manifest.layers, dim, context, params.len())?;
        let mut flow = Self::without_params(points, contexts, manifest.layers, manifest.base)
            .map_err(|e| e.to_string())?;
        archive::check_params(&params, flow.stack.num_params())?;
        flow.params = params;
        for context in flow.trial_contexts() {
            let draws = flow.sample_given(&context, TRIAL_DRAWS, &mut stream(0, "archive"));
            try_out(draws.as_ref(), |x| flow.log_prob_given(x, &context))?;
        }
        Ok(flow)
    }

    /// At the centre of the contexts and away from it; and about zero, wherever the centre is.
    fn trial_contexts(&self) -> Vec<Vec<f64>> {
        let (shift, scale) = self.contexts.parts();
        let own = [0.0, 1.0, -2.0].map(|away| {
            let at = shift.iter().zip(scale).map(|(m, s)| m + away * s);
            at.collect()
        });
        let zero = trial::about_zero(trial::ABOUT_ZERO.len(), self.context_dim());
        let rows = (0..zero.nrows()).map(|i| zero.row(i).iter().copied().collect());
        own.into_iter().chain(rows).collect()
    }
}
