//! The names of the benchmarks, and their definitions.

use super::arc::Arc;
use super::gaussian::Gaussian;
use super::parts::{Part, Parts};
use super::problem::ExactPosterior;
use super::ring::Ring;
use super::sign::SignDegenerate;
use super::sign_posterior::SignPosterior;
use crate::names::{Named, nearest};
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

/// A multi-modal inverse problem in two or three dimensions whose posterior is known.
///
/// The prior is `N(0, I)` throughout. Likelihoods are smooth and positive everywhere, and all but
/// 1e-5 of each posterior is in `[-2.5, 2.5]^d`. The region of highest density that holds 99.9 % of
/// it consists of disconnected pieces, one for each mode: a flow whose base has a single mode joins
/// them by bridges. Measured by quadrature:
///
/// | benchmark | d | modes | entropy, nats | ESS/N of prior draws |
/// | --- | --- | --- | --- | --- |
/// | `four_signs` | 2 | 4 | -0.2876 | 3.2 % |
/// | `crescents` | 2 | 2 | -0.0764 | 3.1 % |
/// | `unequal_modes` | 2 | 4 | 0.6066 | 5.2 % |
/// | `eight_signs` | 3 | 8 | -0.4314 | 0.6 % |
/// | `ring_and_ball` | 3 | 2 | 0.5978 | 3.6 % |
/// | `five_unequal` | 3 | 5 | 0.7479 | 2.2 % |
///
/// ESS is the effective sample size `1 / sum_i w_i^2` of N draws of the prior with weights `w_i`
/// proportional to the likelihood, of sum 1; the table has the limit of ESS/N for large N.
///
/// The likelihoods other than the signs' are sums `sum_k w_k exp(l_k(theta))` of one term for each
/// mode, written below. Their weights give the modes the stated masses of the posterior, and the
/// greatest of them is 1. The entropy is the lowest negative log-likelihood that any model of the
/// posterior can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Benchmark {
    /// 2-D: `y_j = theta_j^2 + 0.2 e_j` with `e ~ N(0, I)`, and `y = (1, 1)` was seen:
    /// [`SignDegenerate`]. Four equal modes about `(+-0.99, +-0.99)`.
    FourSigns,
    /// 2-D: two arcs that open towards each other, masses 0.65 and 0.35. With `d = theta - c`, a
    /// term is `l = -(|d|^2 - R^2)^2 / (8 R^2 t^2) + k (a . d / R - 1)`: Gaussian across with
    /// standard deviation `t = 0.08`, along the circle a von Mises distribution about the direction `a`.
    /// Left: `c = (-0.35, 0.2)`, `R = 1.2`, `a = (-1, 0)`, `k = 11`. Right: `c = (0.35, -0.2)`,
    /// `R = 1`, `a = (1, 0)`, `k = 9`.
    Crescents,
    /// 2-D: Gaussian terms `l = -(theta - m)^T S^-1 (theta - m) / 2`. Masses 0.5, 0.3, 0.15, 0.05;
    /// `m` = (1.3, 1), (-1.4, 0.9), (-0.9, -1.4), (1.2, -1.3); `S` = [[.06, -.03], [-.03, .04]],
    /// diag(.03, .05), [[.04, .02], [.02, .03]], diag(.02, .02).
    UnequalModes,
    /// 3-D: as `four_signs`, `y = (1, 1, 1)`. Eight equal modes.
    EightSigns,
    /// 3-D: a ring about the third axis and a ball on it, masses 0.7 and 0.3. Ring:
    /// `l = -(x^2 + y^2 - R^2)^2 / (8 R^2 t^2) - (z + 0.5)^2 / (2 t^2)`, `R = 1.2`, `t = 0.12`.
    /// Ball: `l = -|theta - (0, 0, 0.9)|^2 / (2 0.15^2)`.
    RingAndBall,
    /// 3-D: Gaussian terms as in `unequal_modes`. Masses 0.35, 0.25, 0.2, 0.12, 0.08; `m` = (1.1,
    /// 1, 0.6), (-1.1, 1, -0.7), (-0.9, -1.1, 0.8), (1, -1.2, -0.6), (0.1, 0, 2); variances (.05,
    /// .04, .05), (.04, .06, .03), (.03, .04, .03), (.04, .03, .04), (.03, .03, .02). Covariances:
    /// -.02 of coordinates 1 and 2 and .01 of 2 and 3 in the first mode, .01 of 1 and 2 and of 1
    /// and 3 in the third, .015 of 1 and 3 in the fourth, none elsewhere.
    FiveUnequal,
}

impl Benchmark {
    /// Every benchmark: those of the plane, then those of space.
    pub const ALL: [Self; 6] = [
        Self::FourSigns,
        Self::Crescents,
        Self::UnequalModes,
        Self::EightSigns,
        Self::RingAndBall,
        Self::FiveUnequal,
    ];

    /// The name in configurations, records and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FourSigns => "four_signs",
            Self::Crescents => "crescents",
            Self::UnequalModes => "unequal_modes",
            Self::EightSigns => "eight_signs",
            Self::RingAndBall => "ring_and_ball",
            Self::FiveUnequal => "five_unequal",
        }
    }

    /// The name in figures and tables.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::FourSigns => "Four signs",
            Self::Crescents => "Crescents",
            Self::UnequalModes => "Unequal modes",
            Self::EightSigns => "Eight signs",
            Self::RingAndBall => "Ring and ball",
            Self::FiveUnequal => "Five unequal",
        }
    }

    /// The problem with its exact posterior.
    #[must_use]
    pub fn problem(self) -> &'static dyn ExactPosterior {
        match self {
            Self::FourSigns => &*FOUR_SIGNS,
            Self::Crescents => &*CRESCENTS,
            Self::UnequalModes => &*UNEQUAL_MODES,
            Self::EightSigns => &*EIGHT_SIGNS,
            Self::RingAndBall => &*RING_AND_BALL,
            Self::FiveUnequal => &*FIVE_UNEQUAL,
        }
    }

    /// The number of components with which a mixture base matches the posterior: one for each mode.
    ///
    /// The crescents and the ring are not Gaussian: there one component matches a mode in location
    /// only, and the flow has to bend it.
    #[must_use]
    pub fn matched_components(self) -> usize {
        self.problem().num_modes()
    }
}

const SIGN_NOISE: f64 = 0.2;

static FOUR_SIGNS: LazyLock<SignPosterior> = LazyLock::new(|| {
    SignDegenerate {
        dim: 2,
        sigma: SIGN_NOISE,
    }
    .posterior(&[1.0; 2])
});

static EIGHT_SIGNS: LazyLock<SignPosterior> = LazyLock::new(|| {
    SignDegenerate {
        dim: 3,
        sigma: SIGN_NOISE,
    }
    .posterior(&[1.0; 3])
});

static CRESCENTS: LazyLock<Parts<2>> = LazyLock::new(|| {
    let left = Arc::new([-0.35, 0.2], 1.2, 0.08, PI, 11.0);
    let right = Arc::new([0.35, -0.2], 1.0, 0.08, 0.0, 9.0);
    Parts::new(vec![part(0.65, left), part(0.35, right)])
});

static UNEQUAL_MODES: LazyLock<Parts<2>> = LazyLock::new(|| {
    let mode = |mass, mean, [s11, s21, s22]: [f64; 3]| {
        part(mass, Gaussian::new(mean, [[s11, s21], [s21, s22]]))
    };
    Parts::new(vec![
        mode(0.5, [1.3, 1.0], [0.06, -0.03, 0.04]),
        mode(0.3, [-1.4, 0.9], [0.03, 0.0, 0.05]),
        mode(0.15, [-0.9, -1.4], [0.04, 0.02, 0.03]),
        mode(0.05, [1.2, -1.3], [0.02, 0.0, 0.02]),
    ])
});

static RING_AND_BALL: LazyLock<Parts<3>> = LazyLock::new(|| {
    let ring = Ring::new(1.2, -0.5, 0.12);
    let v = 0.15 * 0.15;
    let ball = Gaussian::new(
        [0.0, 0.0, 0.9],
        [[v, 0.0, 0.0], [0.0, v, 0.0], [0.0, 0.0, v]],
    );
    Parts::new(vec![part(0.7, ring), part(0.3, ball)])
});

static FIVE_UNEQUAL: LazyLock<Parts<3>> = LazyLock::new(|| {
    let mode = |mass, mean, [s11, s21, s22, s31, s32, s33]: [f64; 6]| {
        let covariance = [[s11, s21, s31], [s21, s22, s32], [s31, s32, s33]];
        part(mass, Gaussian::new(mean, covariance))
    };
    Parts::new(vec![
        mode(0.35, [1.1, 1.0, 0.6], [0.05, -0.02, 0.04, 0.0, 0.01, 0.05]),
        mode(0.25, [-1.1, 1.0, -0.7], [0.04, 0.0, 0.06, 0.0, 0.0, 0.03]),
        mode(0.2, [-0.9, -1.1, 0.8], [0.03, 0.01, 0.04, 0.01, 0.0, 0.03]),
        mode(0.12, [1.0, -1.2, -0.6], [0.04, 0.0, 0.03, 0.015, 0.0, 0.04]),
        mode(0.08, [0.1, 0.0, 2.0], [0.03, 0.0, 0.03, 0.0, 0.0, 0.02]),
    ])
});

fn part<const D: usize>(mass: f64, part: impl Part<D> + 'static) -> (f64, Box<dyn Part<D>>) {
    (mass, Box::new(part))
}

impl Named for Benchmark {
    const EVERY: &'static [Self] = &Self::ALL;

    fn name_of(self) -> &'static str {
        self.name()
    }
}

impl fmt::Display for Benchmark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Benchmark {
    type Err = UnknownBenchmark;

    /// Parses a [name](Benchmark::name).
    fn from_str(given: &str) -> Result<Self, UnknownBenchmark> {
        Self::ALL
            .into_iter()
            .find(|benchmark| benchmark.name() == given)
            .ok_or_else(|| UnknownBenchmark {
                given: given.to_owned(),
                nearest: nearest(given),
            })
    }
}

/// A name that no benchmark has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown benchmark {given:?}: did you mean {nearest}? Known benchmarks: {}",
    crate::names::known::<Benchmark>()
)]
pub struct UnknownBenchmark {
    /// The name given.
    pub given: String,
    /// The benchmark whose name is nearest by edit distance; the first of equals.
    pub nearest: Benchmark,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};

    #[test]
    fn names_parse_display_and_deserialize_alike() {
        for benchmark in Benchmark::ALL {
            assert_eq!(benchmark.name().parse(), Ok(benchmark));
            assert_eq!(benchmark.to_string(), benchmark.name());
            let de: StrDeserializer<'_, Error> = benchmark.name().into_deserializer();
            assert_eq!(Benchmark::deserialize(de), Ok(benchmark));
        }
        assert_eq!(format!("[{:>11}]", Benchmark::FourSigns), "[ four_signs]");
    }

    #[test]
    fn unknown_names_get_the_list_and_the_nearest() {
        assert_eq!(
            "ring_ball".parse::<Benchmark>().unwrap_err().to_string(),
            "unknown benchmark \"ring_ball\": did you mean ring_and_ball? Known benchmarks: four_signs, crescents, \
             unequal_modes, eight_signs, ring_and_ball, five_unequal"
        );
        let nearest = |s: &str| s.parse::<Benchmark>().unwrap_err().nearest;
        assert_eq!(nearest("4_signs"), Benchmark::FourSigns);
        assert_eq!(nearest("Five-Unequal"), Benchmark::FiveUnequal);
    }

    #[test]
    fn dimensions_and_components() {
        let got = Benchmark::ALL.map(|b| (b.problem().dim(), b.matched_components()));
        assert_eq!(got, [(2, 4), (2, 2), (2, 4), (3, 8), (3, 2), (3, 5)]);
    }
}
