//! MAF and RealNVP as stacks of layers.

use crate::activation::Activation;
use crate::affine::LogScale;
use crate::coupling::Coupling;
use crate::layer::Layer;
use crate::made::Made;
use crate::nets::{NetShape, Nets};
use numerics::random::{Pcg64, permutation};
use serde::{Deserialize, Serialize};

/// The order of coordinates in successive autoregressive layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ordering {
    /// Reversed from layer to layer.
    Reversed,
    /// A random permutation before each layer.
    Random,
}

/// A kind of flow with all its shape parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Architecture {
    /// Masked autoregressive flow (arXiv:1705.07057).
    Maf {
        /// Number of masked autoregressive layers.
        #[serde(deserialize_with = "numerics::checked::at_least_one")]
        layers: usize,
        /// Widths of the hidden layers of each network.
        hidden: Vec<usize>,
        /// Function behind every hidden unit.
        activation: Activation,
        /// Order of the coordinates.
        ordering: Ordering,
        /// Bound on the log-scales.
        log_scale: LogScale,
        /// Factor on the initial output layer: 0 starts as the identity.
        #[serde(deserialize_with = "numerics::checked::not_negative")]
        output_gain: f64,
    },
    /// RealNVP (arXiv:1605.08803): affine couplings that transform alternating halves.
    RealNvp {
        /// Number of coupling layers.
        #[serde(deserialize_with = "numerics::checked::at_least_one")]
        couplings: usize,
        /// Widths of the hidden layers of each network.
        hidden: Vec<usize>,
        /// Function behind every hidden unit.
        activation: Activation,
        /// One network for shift and log-scale, or one each.
        nets: Nets,
        /// Bound on the log-scales.
        log_scale: LogScale,
        /// Factor on the initial output layer: 0 starts as the identity.
        #[serde(deserialize_with = "numerics::checked::not_negative")]
        output_gain: f64,
    },
}

/// One layer with all random choices of its shape: a flow is rebuilt from these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum LayerSpec {
    /// See [`Made`].
    Made {
        /// Order of the coordinates.
        order: Vec<usize>,
        /// Widths of the hidden layers.
        hidden: Vec<usize>,
        /// Function behind every hidden unit.
        activation: Activation,
        /// Bound on the log-scales.
        log_scale: LogScale,
        /// Factor on the initial output layer.
        #[serde(deserialize_with = "numerics::checked::not_negative")]
        output_gain: f64,
    },
    /// See [`Coupling`].
    Coupling {
        /// Whether the first half is transformed given the second.
        swap: bool,
        /// Widths of the hidden layers.
        hidden: Vec<usize>,
        /// Function behind every hidden unit.
        activation: Activation,
        /// One network for shift and log-scale, or one each.
        nets: Nets,
        /// Bound on the log-scales.
        log_scale: LogScale,
        /// Factor on the initial output layer.
        #[serde(deserialize_with = "numerics::checked::not_negative")]
        output_gain: f64,
    },
}

impl Architecture {
    /// A masked autoregressive flow of smooth networks that starts as the identity, in random
    /// orders.
    #[must_use]
    pub fn maf(layers: usize, hidden: &[usize]) -> Self {
        Self::Maf {
            layers,
            hidden: hidden.to_vec(),
            activation: Activation::Tanh,
            ordering: Ordering::Random,
            log_scale: LogScale::default(),
            output_gain: 0.0,
        }
    }

    /// A RealNVP of smooth networks, one for each layer, that starts as the identity.
    #[must_use]
    pub fn realnvp(couplings: usize, hidden: &[usize]) -> Self {
        Self::RealNvp {
            couplings,
            hidden: hidden.to_vec(),
            activation: Activation::Tanh,
            nets: Nets::Shared,
            log_scale: LogScale::default(),
            output_gain: 0.0,
        }
    }

    /// The layers of a flow of `dim` coordinates, in forward order (the first touches the data).
    #[must_use]
    pub fn layers(&self, dim: usize, rng: &mut Pcg64) -> Vec<LayerSpec> {
        match self {
            Self::Maf {
                layers,
                hidden,
                activation,
                ordering,
                log_scale,
                output_gain,
            } => {
                let mut order: Vec<usize> = (0..dim).collect();
                (0..*layers)
                    .map(|l| {
                        match ordering {
                            Ordering::Reversed if l > 0 => order.reverse(),
                            Ordering::Reversed => {}
                            Ordering::Random => order = permutation(rng, dim),
                        }
                        LayerSpec::Made {
                            order: order.clone(),
                            hidden: hidden.clone(),
                            activation: *activation,
                            log_scale: *log_scale,
                            output_gain: *output_gain,
                        }
                    })
                    .collect()
            }
            Self::RealNvp {
                couplings,
                hidden,
                activation,
                nets,
                log_scale,
                output_gain,
            } => (0..*couplings)
                .map(|l| LayerSpec::Coupling {
                    swap: l % 2 == 1,
                    hidden: hidden.clone(),
                    activation: *activation,
                    nets: *nets,
                    log_scale: *log_scale,
                    output_gain: *output_gain,
                })
                .collect(),
        }
    }

    /// What is wrong with the settings, if anything: the field and what to do.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub fn check(&self) -> Result<(), String> {
        let (count, name, hidden, log_scale, gain) = match self {
            Self::Maf {
                layers,
                hidden,
                log_scale,
                output_gain,
                ..
            } => (*layers, "layers", hidden, log_scale, *output_gain),
            Self::RealNvp {
                couplings,
                hidden,
                log_scale,
                output_gain,
                ..
            } => (*couplings, "couplings", hidden, log_scale, *output_gain),
        };
        if count == 0 || count > 1000 {
            return Err(format!("{name} must be from 1 to 1000, not {count}"));
        }
        if hidden.is_empty() || hidden.iter().any(|&h| h == 0 || h > 65_536) {
            return Err("hidden must list one width or more, each from 1 to 65536".into());
        }
        for (field, v) in [
            ("log_scale.bound", log_scale.bound),
            ("log_scale.knee", log_scale.knee),
        ] {
            if !(v > 0.0 && v.is_finite()) {
                return Err(format!("{field} must be positive, not {v}"));
            }
        }
        if !(gain >= 0.0 && gain.is_finite()) {
            return Err(format!("output_gain must not be negative, not {gain}"));
        }
        Ok(())
    }
}

impl LayerSpec {
    /// Whether layers on `dim` coordinates and `context` columns behind them can be built out of
    /// `numbers` parameters, and take memory in proportion to that: a description from a file is
    /// checked against the size of its arrays before anything is allocated.
    ///
    /// # Errors
    /// A sentence.
    pub fn check_size(
        layers: &[Self],
        dim: usize,
        context: usize,
        numbers: usize,
    ) -> Result<(), String> {
        let needed = layers.iter().try_fold(0usize, |total, l| {
            total.checked_add(l.num_params(dim, context)?)
        });
        // For each hidden layer, a layer stores how many units see how many coordinates.
        let deep = layers.iter().map(|l| l.hidden().len()).sum::<usize>();
        let too_deep = deep.checked_mul(dim).is_none_or(|n| n / 16 > numbers);
        if too_deep || needed.is_none_or(|n| n > numbers) {
            return Err("the layers need more numbers than the file holds".into());
        }
        Ok(())
    }

    /// Widths of the hidden layers.
    fn hidden(&self) -> &[usize] {
        let (Self::Made { hidden, .. } | Self::Coupling { hidden, .. }) = self;
        hidden
    }

    /// Length of the parameter vector of the layer on `dim` coordinates followed by `context`
    /// columns, without building it; `None` if it overflows or a width is zero.
    #[must_use]
    pub fn num_params(&self, dim: usize, context: usize) -> Option<usize> {
        let dense = |inputs: usize, hidden: &[usize], outputs: usize| {
            let mut sizes = vec![inputs];
            sizes.extend(hidden);
            sizes.push(outputs);
            sizes.windows(2).try_fold(0usize, |total, w| {
                total.checked_add(w[0].checked_add(1)?.checked_mul(w[1])?)
            })
        };
        let hidden = self.hidden();
        if hidden.is_empty() || hidden.contains(&0) {
            return None;
        }
        // In one dimension and without a context there is nothing to condition on.
        let hidden: &[usize] = if (dim, context) == (1, 0) {
            &[]
        } else {
            hidden
        };
        match self {
            Self::Made { .. } => dense(dim.checked_add(context)?, hidden, dim.checked_mul(2)?),
            Self::Coupling { swap, nets, .. } => {
                let first = dim.div_ceil(2);
                let (kept, moved) = match (dim, swap) {
                    (1, _) => (0, 1),
                    (_, false) => (first, dim - first),
                    (_, true) => (dim - first, first),
                };
                let seen = kept.checked_add(context)?;
                match nets {
                    Nets::Shared => dense(seen, hidden, moved.checked_mul(2)?),
                    Nets::Separate => dense(seen, hidden, moved)?.checked_mul(2),
                }
            }
        }
    }

    /// Builds the layer of `dim` coordinates and `context` columns behind them, with its parameters
    /// from `offset` on, or says what is wrong with it.
    pub(crate) fn build(
        &self,
        dim: usize,
        context: usize,
        offset: usize,
    ) -> Result<Box<dyn Layer>, String> {
        match self {
            Self::Made {
                order,
                hidden,
                activation,
                log_scale,
                output_gain,
            } => {
                let mut sorted = order.clone();
                sorted.sort_unstable();
                if !sorted.iter().copied().eq(0..dim) {
                    return Err(format!("its order is not one of 0..{dim}"));
                }
                let shape = NetShape {
                    hidden,
                    activation: *activation,
                    log_scale: *log_scale,
                    output_gain: *output_gain,
                };
                Ok(Box::new(Made::new(order, context, shape, offset)))
            }
            Self::Coupling {
                swap,
                hidden,
                activation,
                nets,
                log_scale,
                output_gain,
            } => {
                let shape = NetShape {
                    hidden,
                    activation: *activation,
                    log_scale: *log_scale,
                    output_gain: *output_gain,
                };
                let dims = (dim, context);
                Ok(Box::new(Coupling::new(dims, *swap, *nets, shape, offset)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::random::stream;

    #[test]
    fn layers_have_as_many_parameters_as_their_descriptions_say() {
        let log_scale = LogScale {
            bound: 1.0,
            knee: 1.0,
        };
        let (hidden, activation) = (vec![5, 7], Activation::Tanh);
        let mut kinds = vec![Architecture::Maf {
            layers: 2,
            hidden: hidden.clone(),
            activation,
            ordering: Ordering::Random,
            log_scale,
            output_gain: 0.0,
        }];
        for nets in [Nets::Shared, Nets::Separate] {
            kinds.push(Architecture::RealNvp {
                couplings: 2,
                hidden: hidden.clone(),
                activation,
                nets,
                log_scale,
                output_gain: 0.0,
            });
        }
        for dim in 1..6 {
            for kind in &kinds {
                let specs = kind.layers(dim, &mut stream(1, "layers"));
                for (spec, context) in specs.iter().flat_map(|s| [(s, 0), (s, 1), (s, 3)]) {
                    let layer = spec.build(dim, context, 3).unwrap();
                    let count = layer.num_params();
                    assert_eq!(spec.num_params(dim, context), Some(count), "{spec:?}");
                    let check = |numbers| {
                        LayerSpec::check_size(std::slice::from_ref(spec), dim, context, numbers)
                    };
                    assert!(check(count).is_ok() && check(count - 1).is_err());
                    // Blocks tile the parameters.
                    let mut next = 3;
                    for block in layer.param_blocks() {
                        assert_eq!(block.range.start, next);
                        assert_eq!(block.range.len(), block.shape.iter().product::<usize>());
                        next = block.range.end;
                    }
                    assert_eq!(next, 3 + layer.num_params());
                }
            }
        }
        let huge = LayerSpec::Made {
            order: vec![0, 1],
            hidden: vec![usize::MAX, 2],
            activation,
            log_scale,
            output_gain: 0.0,
        };
        assert_eq!(huge.num_params(2, 0), None);
    }
}
