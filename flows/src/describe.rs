//! Flows in files, see [`density::archive`].

use crate::architecture::LayerSpec;
use crate::base::Base;
use crate::flow::Flow;
use density::archive::{self, Kind, LoadError};
use density::trial::{self, TRIAL_DRAWS, try_out};
use density::{Affine, Density, Description, GaussianMixture, NotSavable, Reader, Writer};
use numerics::random::stream;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Reads a flow without contexts from an archive.
pub const KIND: Kind = Kind {
    name: NAME,
    read: |d, r| {
        let flow = Flow::read(d, r)?;
        if flow.context_dim() > 0 {
            return Err("a flow that needs contexts is no density by itself".into());
        }
        Ok(Box::new(flow))
    },
};

const NAME: &str = "flow";

/// A flow in a file: `shift` and `scale` (d), with contexts `context_shift` and `context_scale`
/// (c), and the blocks of the parameters.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// In forward order, from the data on.
    layers: Vec<LayerSpec>,
    /// The base distribution.
    base: BaseKind,
    /// Whether there are contexts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    conditional: bool,
}

/// The base of a flow; a mixture lies in the folder `base`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum BaseKind {
    /// `N(0, I)`.
    StandardNormal,
    /// A Gaussian mixture.
    GaussianMixture,
    /// A Gaussian mixture whose means were trained: `displacements` (K x d).
    TrainedGaussianMixture {
        /// Whether the weights were trained as well: `log_weights` (K).
        train_weights: bool,
    },
}

impl Flow {
    pub(crate) fn write(&self, w: &mut Writer) -> Result<Description, NotSavable> {
        self.standardise.write(w, "shift", "scale");
        let conditional = self.context_dim() > 0;
        if conditional {
            self.contexts.write(w, "context_shift", "context_scale");
        }
        for block in self.param_blocks() {
            w.array(&block.name, &block.shape, &self.params[block.range]);
        }
        let base = match self.base() {
            Base::StandardNormal => BaseKind::StandardNormal,
            Base::GaussianMixture(m) => {
                w.density("base", m)?;
                BaseKind::GaussianMixture
            }
            Base::TrainedGaussianMixture {
                start,
                train_weights,
            } => {
                w.density("base", start)?;
                BaseKind::TrainedGaussianMixture {
                    train_weights: *train_weights,
                }
            }
        };
        let layers = self.specs().to_vec();
        let settings = Settings {
            layers,
            base,
            conditional,
        };
        Ok(Description::new(NAME, &settings))
    }

    /// Reads a flow from the folder that the reader stands in.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn read(description: &Description, r: &mut Reader<'_>) -> Result<Self, String> {
        let settings: Settings = description.settings(NAME)?;
        let points = Affine::read(r, "shift", "scale")?;
        let contexts = if settings.conditional {
            Affine::read(r, "context_shift", "context_scale")?
        } else {
            Affine::identity(0)
        };
        let (dim, context) = (points.dim(), contexts.dim());
        LayerSpec::check_size(&settings.layers, dim, context, r.most_numbers())?;
        let mut mixture = || r.within("base", |r| GaussianMixture::read(r));
        let base = match settings.base {
            BaseKind::StandardNormal => Base::StandardNormal,
            BaseKind::GaussianMixture => Base::GaussianMixture(mixture()?),
            BaseKind::TrainedGaussianMixture { train_weights } => Base::TrainedGaussianMixture {
                start: mixture()?,
                train_weights,
            },
        };
        let flow = Self::from_layers(points, contexts, settings.layers, base);
        let mut flow = flow.map_err(|e| e.to_string())?;
        for block in flow.param_blocks() {
            let values = r.shaped(&block.name, &block.shape)?;
            flow.params[block.range].copy_from_slice(&values);
        }
        for y in flow.trial_contexts() {
            let q = flow.condition(&y);
            let draws = q.sample(TRIAL_DRAWS, &mut stream(0, "archive"));
            try_out(draws.as_ref(), |x| q.log_prob(x))?;
        }
        Ok(flow)
    }

    /// The flow as the bytes of a safetensors file.
    ///
    /// # Panics
    /// Never: every flow has a description.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        archive::to_bytes(self).expect("a flow has a description")
    }

    /// The inverse of [`Self::to_bytes`]: log-densities and draws are the same to the last bit.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        archive::open(bytes, &[], Self::read).map(|(flow, archive::Nothing {})| flow)
    }

    /// Writes the flow, whole or not at all.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), LoadError> {
        archive::save(self, path.as_ref())
    }

    /// Reads a flow and checks all of it.
    ///
    /// # Errors
    /// [`LoadError`], saying what is wrong.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        archive::read_file(path.as_ref(), Self::from_bytes)
    }

    /// Contexts at their centre, away from it, and about zero. A flow without contexts has one
    /// empty context.
    fn trial_contexts(&self) -> Vec<Vec<f64>> {
        if self.context_dim() == 0 {
            return vec![Vec::new()];
        }
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
