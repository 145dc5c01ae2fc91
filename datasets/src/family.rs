//! The families: names, draws, log-densities, entropies.

use crate::banana::Banana;
use crate::entropy::{self, Quadrature};
use crate::gaussian_mixture;
use crate::names::{Named, known, nearest};
use crate::rings::Rings;
use crate::target::Target;
use crate::two_moons::TwoMoons;
use faer::{Mat, MatRef};
use numerics::random::Pcg64;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

/// A target distribution on the plane.
///
/// The definitions are those of arXiv:2510.02056 and of its authors' published code. `s` is the
/// standard deviation of isotropic Gaussian noise that is added to each coordinate; `N(m, S)` has
/// covariance `S`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// `x1 ~ N(0, 2)`, `x2 | x1 ~ N(x1^2 / 4, 1)`, s = 0.1.
    Banana,
    /// Two centred Gaussians with variances 2 and covariance 1.8 or -1.8, s = 0.1.
    XShape,
    /// `N((-3, -1), [[.8, .2], [.2, .3]])` and `N((3, 1), [[.3, -.1], [-.1, .6]])`, s = 0.2.
    Bimodal,
    /// Isotropic Gaussians of variances .7, .3, 1, .7, .3 at (-.5, -1), (.5, 1), (2, 2.5), (.5,
    /// -1), (-.5, 1), s = 0.1.
    FiveMode,
    /// The half circles `(cos t, sin t)` and `(1 - cos t, 1/2 - sin t)`, t uniform on (0, pi), s =
    /// 0.1.
    TwoMoons,
    /// Radius `N(1, 0.1^2)` or `N(2.5, 0.1^2)`, angle uniform, no further noise.
    Rings,
    /// `N((-1.5, 0), I / 2)` and `N((1.5, 0), I / 2)`, s = 0.3.
    BimodalShared,
    /// Isotropic Gaussians of variance .3 at (-2, -1), (2, 1), (0, 2.5), s = 0.1.
    ThreeMode,
}

impl Family {
    /// Every family: those of the paper, then the extras.
    pub const ALL: [Self; 8] = [
        Self::Banana,
        Self::XShape,
        Self::Bimodal,
        Self::FiveMode,
        Self::TwoMoons,
        Self::Rings,
        Self::BimodalShared,
        Self::ThreeMode,
    ];

    /// The six families of arXiv:2510.02056, in the order of its tables.
    pub const PAPER: [Self; 6] = [
        Self::Banana,
        Self::XShape,
        Self::Bimodal,
        Self::FiveMode,
        Self::TwoMoons,
        Self::Rings,
    ];

    /// The name in configurations, records and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Banana => "banana",
            Self::XShape => "x_shape",
            Self::Bimodal => "bimodal",
            Self::FiveMode => "five_mode",
            Self::TwoMoons => "two_moons",
            Self::Rings => "rings",
            Self::BimodalShared => "bimodal_shared",
            Self::ThreeMode => "three_mode",
        }
    }

    /// The name in figures and tables.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Banana => "Banana",
            Self::XShape => "X-shape",
            Self::Bimodal => "Bimodal",
            Self::FiveMode => "Five-mode",
            Self::TwoMoons => "Two moons",
            Self::Rings => "Rings",
            Self::BimodalShared => "Bimodal, shared",
            Self::ThreeMode => "Three-mode",
        }
    }

    /// `n` independent draws, `n x 2`.
    ///
    /// Rows are drawn in order and each takes the same number of random numbers: a shorter sample
    /// is the beginning of a longer one from an equal generator. The bits are the same on every
    /// machine.
    #[must_use]
    pub fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        let target = self.target();
        let mut x = Mat::zeros(n, 2);
        for i in 0..n {
            let [a, b] = target.draw(rng);
            x[(i, 0)] = a;
            x[(i, 1)] = b;
        }
        x
    }

    /// `ln p(x)` of each row of `x` (`n x 2`), in nats.
    ///
    /// Exact: closed form, or a one-dimensional integral to a relative error below 1e-10, also
    /// where `p` itself underflows. A row with a NaN gives NaN; a row with a coordinate beyond
    /// 1e153 gives -infinity, since its log-density overflows `f64`. Within 1e-8 of the origin,
    /// where the density of [`Family::Rings`] has a pole with 1e-29 of its mass, the pole is cut
    /// off.
    ///
    /// # Panics
    /// If `x` has not two columns.
    #[must_use]
    pub fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
        assert_eq!(x.ncols(), 2, "{self} lives on the plane");
        let target = self.target();
        (0..x.nrows())
            .map(|i| log_prob_of(target, [x[(i, 0)], x[(i, 1)]]))
            .collect()
    }

    /// The differential entropy `-E[ln p(x)]` in nats, by quadrature of the exact density; computed
    /// once.
    ///
    /// It is the infimum of the expected negative log-likelihood over all models: a model's excess
    /// over it is `KL(p || q)`, p this family and q the model.
    #[must_use]
    pub fn entropy(&self) -> Quadrature {
        static CACHE: [OnceLock<Quadrature>; Family::ALL.len()] =
            [const { OnceLock::new() }; Family::ALL.len()];
        *CACHE[*self as usize].get_or_init(|| entropy::by_quadrature(self.target()))
    }

    /// A window for plots that holds more than 99.9 % of the mass: the range of each coordinate.
    #[must_use]
    pub fn bounds(&self) -> [(f64, f64); 2] {
        self.target().window()
    }

    fn target(self) -> &'static dyn Target {
        match self {
            Self::Banana => &Banana,
            Self::XShape => &*gaussian_mixture::X_SHAPE,
            Self::Bimodal => &*gaussian_mixture::BIMODAL,
            Self::FiveMode => &*gaussian_mixture::FIVE_MODE,
            Self::TwoMoons => &TwoMoons,
            Self::Rings => &Rings,
            Self::BimodalShared => &*gaussian_mixture::BIMODAL_SHARED,
            Self::ThreeMode => &*gaussian_mixture::THREE_MODE,
        }
    }
}

/// The log-density, with special cases for NaN and for values whose square overflows.
fn log_prob_of(target: &dyn Target, x: [f64; 2]) -> f64 {
    const LARGEST: f64 = 1e153;
    if x[0].is_nan() || x[1].is_nan() {
        f64::NAN
    } else if x[0].abs() > LARGEST || x[1].abs() > LARGEST {
        f64::NEG_INFINITY
    } else {
        target.log_density(x)
    }
}

impl Named for Family {
    const EVERY: &'static [Self] = &Self::ALL;

    fn name_of(self) -> &'static str {
        self.name()
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Family {
    type Err = UnknownFamily;

    /// Parses a [name](Family::name).
    fn from_str(given: &str) -> Result<Self, UnknownFamily> {
        Self::ALL
            .into_iter()
            .find(|family| family.name() == given)
            .ok_or_else(|| UnknownFamily {
                given: given.to_owned(),
                nearest: nearest(given),
            })
    }
}

/// A name that no family has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown family {given:?}: did you mean {nearest}? Known families: {}",
    known::<Family>()
)]
pub struct UnknownFamily {
    /// What was asked for.
    pub given: String,
    /// The family whose name is nearest by edit distance; the first of equals.
    pub nearest: Family,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};

    #[test]
    fn names_parse_display_and_deserialize_alike() {
        for (index, family) in Family::ALL.into_iter().enumerate() {
            assert_eq!(family as usize, index);
            assert_eq!(family.name().parse(), Ok(family));
            assert_eq!(family.to_string(), family.name());
            let de: StrDeserializer<'_, Error> = family.name().into_deserializer();
            assert_eq!(Family::deserialize(de), Ok(family));
        }
        assert_eq!(Family::ALL[..6], Family::PAPER);
        assert_eq!(format!("[{:>8}]", Family::Rings), "[   rings]");
    }

    #[test]
    fn unknown_names_get_the_list_and_the_nearest() {
        let nearest = |s: &str| s.parse::<Family>().unwrap_err().nearest;
        assert_eq!(nearest("bananna"), Family::Banana);
        assert_eq!(nearest("Two-Moons"), Family::TwoMoons);
        assert_eq!(nearest("X-shape"), Family::XShape);
        assert_eq!(nearest("fivemodes"), Family::FiveMode);
        assert_eq!(nearest("RINGS"), Family::Rings);
        assert_eq!(
            "ring".parse::<Family>().unwrap_err().to_string(),
            "unknown family \"ring\": did you mean rings? Known families: banana, x_shape, bimodal, five_mode, \
             two_moons, rings, bimodal_shared, three_mode"
        );
        assert!("".parse::<Family>().is_err());
    }
}
