//! Adam, learning-rate schedules and clipping over flat vectors.

use numerics::math;
use serde::{Deserialize, Serialize};

/// The learning rate as a function of the step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Schedule {
    /// The same rate throughout.
    Constant,
    /// From the full rate down to `floor` times it along half a cosine over all steps.
    Cosine {
        /// Final rate as a share of the full one, in [0, 1].
        floor: f64,
    },
}

impl Schedule {
    /// The factor on the learning rate at `step` (from 0) of `total`.
    #[must_use]
    pub fn factor(self, step: usize, total: usize) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Cosine { floor } => {
                let t = (step as f64 / total.max(1) as f64).min(1.0);
                floor + (1.0 - floor) * 0.5 * (1.0 + math::cos(std::f64::consts::PI * t))
            }
        }
    }
}

/// Settings of [`Adam`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamConfig {
    /// Decay of the first moment, in [0, 1).
    #[serde(deserialize_with = "numerics::checked::share")]
    pub beta1: f64,
    /// Decay of the second moment, in [0, 1).
    #[serde(deserialize_with = "numerics::checked::share")]
    pub beta2: f64,
    /// Added to the root of the second moment.
    #[serde(deserialize_with = "numerics::checked::positive")]
    pub epsilon: f64,
    /// Decoupled weight decay (AdamW): each step shrinks parameters by
    /// `learning rate * weight_decay`.
    #[serde(deserialize_with = "numerics::checked::not_negative")]
    pub weight_decay: f64,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
        }
    }
}

/// The Adam optimiser (arXiv:1412.6980) with decoupled weight decay (arXiv:1711.05101), over a flat
/// parameter vector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Adam {
    config: AdamConfig,
    first: Vec<f64>,
    second: Vec<f64>,
    /// `beta1^t` and `beta2^t` by repeated products.
    powers: (f64, f64),
}

impl Adam {
    /// Zero moments for `n` parameters.
    #[must_use]
    pub fn new(n: usize, config: AdamConfig) -> Self {
        Self {
            config,
            first: vec![0.0; n],
            second: vec![0.0; n],
            powers: (1.0, 1.0),
        }
    }

    /// First and second moments, and the powers `beta1^t` and `beta2^t`: with the settings, the
    /// full state.
    #[must_use]
    pub fn parts(&self) -> (&[f64], &[f64], (f64, f64)) {
        (&self.first, &self.second, self.powers)
    }

    /// The inverse of [`Self::parts`]; `None` for moments of different lengths.
    #[must_use]
    pub fn from_parts(
        config: AdamConfig,
        [first, second]: [Vec<f64>; 2],
        powers: (f64, f64),
    ) -> Option<Self> {
        (first.len() == second.len()).then_some(Self {
            config,
            first,
            second,
            powers,
        })
    }

    /// One step down `scale * grad` at the given learning rate.
    ///
    /// ```text
    /// m <- b1 m + (1 - b1) g        v <- b2 v + (1 - b2) g^2
    /// p <- p - lr ( (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps) + decay p )
    /// ```
    ///
    /// # Panics
    /// If the lengths differ from that of the moments.
    pub fn step(&mut self, params: &mut [f64], grad: &[f64], scale: f64, learning_rate: f64) {
        assert!(
            params.len() == self.first.len() && grad.len() == self.first.len(),
            "one moment for each parameter"
        );
        let AdamConfig {
            beta1,
            beta2,
            epsilon,
            weight_decay,
        } = self.config;
        self.powers.0 *= beta1;
        self.powers.1 *= beta2;
        let rate = learning_rate / (1.0 - self.powers.0);
        let root = 1.0 / (1.0 - self.powers.1).sqrt();
        let keep = 1.0 - learning_rate * weight_decay;
        for (((p, g), m), v) in params
            .iter_mut()
            .zip(grad)
            .zip(&mut self.first)
            .zip(&mut self.second)
        {
            let g = scale * g;
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = beta2 * *v + (1.0 - beta2) * g * g;
            *p = keep * *p - rate * *m / (v.sqrt() * root + epsilon);
        }
    }
}

/// The factor that brings the Euclidean norm of `grad` down to `max_norm` (1 when it is not above).
#[must_use]
pub fn clip_factor(grad: &[f64], max_norm: f64) -> f64 {
    let norm = math::dot(grad, grad).sqrt();
    if norm > max_norm {
        max_norm / norm
    } else {
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_step_has_the_size_of_the_learning_rate() {
        let mut adam = Adam::new(2, AdamConfig::default());
        let mut p = [1.0, -2.0];
        adam.step(&mut p, &[0.3, -5.0], 1.0, 0.01);
        assert!((p[0] - 0.99).abs() < 1e-9 && (p[1] + 1.99).abs() < 1e-9);
    }

    #[test]
    fn three_steps_equal_the_textbook_recursion() {
        let mut adam = Adam::new(
            1,
            AdamConfig {
                weight_decay: 0.1,
                ..AdamConfig::default()
            },
        );
        let mut p = [0.7];
        let (mut q, mut m, mut v) = (0.7f64, 0.0f64, 0.0f64);
        for t in 1..=3 {
            let g = q * q - 1.0;
            adam.step(&mut p, &[2.0 * g], 0.5, 0.05);
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            let (mh, vh) = (m / (1.0 - 0.9f64.powi(t)), v / (1.0 - 0.999f64.powi(t)));
            q -= 0.05 * (mh / (vh.sqrt() + 1e-8) + 0.1 * q);
            assert!((p[0] - q).abs() < 1e-12);
        }
    }

    #[test]
    fn minimises_a_quadratic() {
        let mut adam = Adam::new(2, AdamConfig::default());
        let mut p = [3.0, -4.0];
        for step in 0..2000 {
            let grad = [2.0 * (p[0] - 1.0), 20.0 * (p[1] + 0.5)];
            let lr = 0.05 * Schedule::Cosine { floor: 0.0 }.factor(step, 2000);
            adam.step(&mut p, &grad, 1.0, lr);
        }
        assert!(
            (p[0] - 1.0).abs() < 1e-6 && (p[1] + 0.5).abs() < 1e-6,
            "{p:?}"
        );
    }

    #[test]
    fn schedules_fall_as_stated() {
        assert_eq!(Schedule::Constant.factor(7, 10), 1.0);
        let cosine = Schedule::Cosine { floor: 0.1 };
        assert_eq!(cosine.factor(0, 100), 1.0);
        assert!((cosine.factor(50, 100) - 0.55).abs() < 1e-12);
        assert!((cosine.factor(100, 100) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn clipping_brings_the_norm_down_only() {
        assert_eq!(clip_factor(&[3.0, 4.0], 10.0), 1.0);
        assert_eq!(clip_factor(&[3.0, 4.0], 1.0), 0.2);
    }
}
